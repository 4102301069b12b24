//! Whole files: splitting, compression, damage.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use expect_test::{Expect, expect};
use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::{BLOCK_SIZE, BlockReader, Filled};
use crate::site::Site;
use crate::splitter::Block;
use crate::target::Target;

const WAIT: Duration = Duration::from_secs(10);

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).expect("memory");
    encoder.finish().expect("memory")
}

fn zstd(data: &[u8]) -> Vec<u8> {
    compress_to_vec(data, CompressionLevel::Fastest)
}

/// Reads a whole file; a final error is appended as `!text`.
fn read(path: &Path, max_line_length: usize, unsplit: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut block = Block::default();
    let mut reader = match BlockReader::open(&Target::file(path), &Site::default(), max_line_length)
    {
        Ok(reader) => reader,
        Err(err) => return format!("!{err}").into_bytes(),
    };
    loop {
        let filled = if unsplit {
            reader.fill_unsplit(&mut block, WAIT)
        } else {
            reader.fill(&mut block, WAIT)
        };
        match filled {
            Ok(Filled::Lines) => {
                assert!(unsplit || block.bytes.ends_with(b"\n"), "a block of whole lines");
                out.extend_from_slice(&block.bytes);
            }
            Ok(Filled::Waiting) => panic!("a file never waits"),
            Ok(Filled::End) => return out,
            Err(err) => out.extend_from_slice(format!("!{err}").as_bytes()),
        }
    }
}

fn in_file(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a b.log");
    fs::write(&path, content).expect("a file");
    (folder, path)
}

#[track_caller]
fn check(content: &[u8], expected: &Expect) {
    let (folder, path) = in_file(content);
    let split = read(&path, 1 << 20, false);
    assert_eq!(read(&path, 1 << 20, true), split, "unsplit");
    let shown = split.escape_ascii().to_string();
    expected.assert_eq(&shown.replace(&folder.path().display().to_string(), "DIR"));
}

/// Content whose bytes come back unchanged, plain and compressed in several ways.
#[track_caller]
fn check_survives(content: &[u8]) {
    let half = content.len() / 2;
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    let variants = [
        content.to_vec(),
        gzip(content),
        [gzip(&content[..half]), gzip(b""), gzip(&content[half..])].concat(),
        zstd(content),
        [zstd(&content[..half]), skippable.clone(), zstd(&content[half..])].concat(),
        [skippable.clone(), zstd(content), skippable].concat(),
        [gzip(content), vec![0; 1000]].concat(),
    ];
    for (number, variant) in variants.iter().enumerate() {
        let (_folder, path) = in_file(variant);
        assert!(read(&path, 1 << 20, false) == content, "variant {number}");
        assert!(read(&path, 1 << 20, true) == content, "variant {number} unsplit");
    }
}

/// Lines with every byte, of varied length.
fn varied(size: usize) -> Vec<u8> {
    let mut content: Vec<u8> = (0..size).map(|n| (n * n / 7 % 251) as u8).collect();
    content.push(b'\n');
    content
}

#[test]
fn bytes_survive() {
    check_survives(b"one\r\n\n\0\xff\xfe two\n");
    check_survives(&varied(BLOCK_SIZE * 3 + 17));
    check_survives(&[vec![b'x'; BLOCK_SIZE * 2], b"\n".to_vec()].concat());
}

#[test]
fn borders_of_blocks_do_not_show() {
    for size in BLOCK_SIZE - 3..=BLOCK_SIZE + 3 {
        check_survives(&varied(size));
    }
}

#[test]
fn only_a_missing_final_newline_is_added() {
    check(b"", &expect![""]);
    check(b"\n", &expect![[r"\n"]]);
    check(b"a\nb", &expect![[r"a\nb\n"]]);
    check(&gzip(b"a\nb"), &expect![[r"a\nb\n"]]);
    check(&zstd(b"a\nb"), &expect![[r"a\nb\n"]]);
    check(&gzip(b""), &expect![""]);
}

#[test]
fn long_lines_are_cut_unless_unsplit() {
    let (_folder, path) = in_file(b"abcdefg\nxy\nabcd");
    assert_eq!(read(&path, 3, false), b"abc\ndef\ng\nxy\nabc\nd\n");
    assert_eq!(read(&path, 3, true), b"abcdefg\nxy\nabcd\n");
    let (_folder, path) = in_file(&vec![b'x'; 5 << 20]);
    let pieces = read(&path, 1 << 20, false);
    assert_eq!(pieces.len(), (5 << 20) + 5);
    assert!(pieces.split(|&byte| byte == b'\n').all(|line| matches!(line.len(), 0 | 0x10_0000)));
}

#[test]
fn what_precedes_a_damage_is_delivered() {
    let mut damaged = gzip(b"a\nb\n");
    damaged.truncate(damaged.len() - 4);
    check(
        &damaged,
        &expect![[r"a\nb\n!DIR/a b.log: gzip data is cut off after 4 decompressed bytes"]],
    );
    check(
        &[gzip(b"a\n"), b"junk that is longer than a header".to_vec()].concat(),
        &expect![[
            r#"a\n!DIR/a b.log: gzip data ends after 2 decompressed bytes, what follows is no gzip"#
        ]],
    );
    let mut damaged = zstd(b"a\nb\n");
    damaged.truncate(damaged.len() - 2);
    check(
        &damaged,
        &expect![[r#"a\nb\n!DIR/a b.log: zstd data is cut off after 4 decompressed bytes"#]],
    );
    check(
        &[zstd(b"a\n"), b"junk that is longer than a header".to_vec()].concat(),
        &expect![[
            r#"a\n!DIR/a b.log: zstd data ends after 2 decompressed bytes, what follows is no zstd"#
        ]],
    );
    for end in [b"\n".as_slice(), b"\x1f", b"\0\0x"] {
        check(
            &[gzip(b"a\n"), end.to_vec()].concat(),
            &expect![[
                r"a\n!DIR/a b.log: gzip data ends after 2 decompressed bytes, what follows is no gzip"
            ]],
        );
    }
    // Too little to tell whether it would have become another frame.
    check(
        &[zstd(b"a\n"), b"x".to_vec()].concat(),
        &expect![[r#"a\n!DIR/a b.log: zstd data is cut off after 2 decompressed bytes"#]],
    );
    check(
        &[gzip(b"a\n"), b"\x1f\x8b\x08".to_vec()].concat(),
        &expect![[r"a\n!DIR/a b.log: gzip data is cut off after 2 decompressed bytes"]],
    );
    check(
        b"\x1f\x8b\x08",
        &expect!["!DIR/a b.log: gzip data is cut off after 0 decompressed bytes"],
    );
    check(
        b"\x28\xb5\x2f\xfd",
        &expect!["!DIR/a b.log: zstd data is cut off after 0 decompressed bytes"],
    );
}

#[test]
fn unreadable_paths_are_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let show = |path: &Path| {
        let shown = String::from_utf8(read(path, 9, false)).expect("text");
        shown.replace(&folder.path().display().to_string(), "DIR")
    };
    expect!["!DIR is a directory, name files or use a glob"].assert_eq(&show(folder.path()));
    let missing = folder.path().join("none");
    expect!["!cannot open DIR/none: No such file or directory"].assert_eq(&show(&missing));
}

#[test]
fn a_fifo_delivers_what_is_there_and_waits_for_more() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .expect("a FIFO");
    let mut reader = BlockReader::open(&Target::file(&path), &Site::default(), 100)
        .expect("opens without a writer");
    let mut block = Block::default();
    let soon = Duration::from_millis(1);
    assert_eq!(reader.fill(&mut block, soon).expect("no error"), Filled::Waiting);
    let mut writer = fs::OpenOptions::new().write(true).open(&path).expect("a writer");
    writer.write_all(b"a\nb").expect("room");
    assert_eq!(reader.fill(&mut block, WAIT).expect("no error"), Filled::Lines);
    assert_eq!(block.bytes, b"a\n");
    assert_eq!(reader.fill(&mut block, soon).expect("no error"), Filled::Waiting);
    writer.write_all(b"c").expect("room");
    drop(writer);
    assert_eq!(reader.fill(&mut block, WAIT).expect("no error"), Filled::Lines);
    assert_eq!(block.bytes, b"bc\n");
    assert_eq!(reader.fill(&mut block, WAIT).expect("no error"), Filled::End);
}
