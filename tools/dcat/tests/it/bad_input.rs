//! Bad input: one line each on standard error, the rest goes on, and the exit code tells.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use dtail_testkit::{Finished, Scratch, inputs};
use expect_test::{Expect, expect};

use crate::dcat;

#[track_caller]
fn check(finished: &Finished, code: i32, expected: &Expect) {
    finished.exits(code);
    expected.assert_eq(&finished.stderr_text());
}

#[test]
fn missing_files_and_directories_are_named_and_the_rest_is_printed() {
    let scratch = Scratch::new();
    scratch.write("a.log", "a\n");
    scratch.write("folder/b.log", "b\n");
    let some = dcat(&scratch, &["--plain", "nope.log", "a.log", "folder", "no*pe", "a.log"]).run();
    check(
        some.prints("a\na\n"),
        3,
        &expect![[r#"
        dcat: cannot open nope.log: No such file or directory
        dcat: folder is a directory, name files or use a glob
        dcat: no file matches no*pe
    "#]],
    );
    let all = dcat(&scratch, &["--plain", "nope.log", "folder"]).run();
    check(
        all.prints(""),
        2,
        &expect![[r#"
        dcat: cannot open nope.log: No such file or directory
        dcat: folder is a directory, name files or use a glob
    "#]],
    );
}

#[test]
fn a_name_cannot_forge_a_line() {
    let scratch = Scratch::new();
    check(
        &dcat(&scratch, &["x\ndcat: all is well\x1b[2J"]).run(),
        2,
        &expect![[r#"
        dcat: malformed glob "x\ndcat: all is well\u{1b}[2J"
    "#]],
    );
    check(
        &dcat(&scratch, &[""]).run(),
        2,
        &expect![[r#"
        dcat: cannot open : No such file or directory
    "#]],
    );
}

#[test]
fn a_file_without_permission_is_named() {
    let scratch = Scratch::new();
    let path = scratch.write("secret.log", "a\n");
    fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
    if fs::read(&path).is_ok() {
        eprintln!("SKIPPED: permissions mean nothing to this user");
        return;
    }
    check(
        &dcat(&scratch, &["secret.log"]).run(),
        2,
        &expect!["dcat: cannot open secret.log: Permission denied\n"],
    );
}

#[test]
fn broken_archives_are_printed_up_to_the_break() {
    let scratch = Scratch::new();
    let lines = inputs::lines();
    for (name, bytes) in [("a.gz", inputs::gzip()), ("a.zst", inputs::zstd())] {
        scratch.write(name, &bytes[..bytes.len() * 3 / 4]);
        let finished = dcat(&scratch, &["--plain", name]).run();
        finished.exits(2);
        let printed = finished.stdout_text();
        let printed = printed.strip_suffix('\n').unwrap_or(&printed);
        finished.must(lines.starts_with(printed), "what is printed is what was packed");
        finished.must(printed.len() > lines.len() / 3, "what is whole is printed");
        finished.must(finished.stderr_text().lines().count() == 1, "one line");
    }
    scratch.write("garbage.gz", [&inputs::gzip()[..200], &[0xff; 400]].concat());
    let finished = dcat(&scratch, &["--plain", "garbage.gz"]).run();
    finished.exits(2).must(finished.stderr_text().contains("garbage.gz"), "the file is named");
}

#[test]
fn every_byte_survives() {
    let scratch = Scratch::new();
    let mut bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    bytes.extend("€ ¬ 谬 .syn close connection\nx|AUTHKEY OK\n.hidden\n".as_bytes());
    scratch.write("all.bin", &bytes);
    dcat(&scratch, &["--plain", "all.bin"]).run().exits(0).prints(&bytes).says("");
    let with_fields = dcat(&scratch, &["all.bin"]).run();
    let mut expected = Vec::new();
    for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        expected.extend(format!("REMOTE|testhost|100|{}|all.bin|", number + 1).into_bytes());
        expected.extend(line);
    }
    with_fields.exits(0).prints(expected).says("");
}

#[test]
fn a_line_of_100_mb_is_printed_whole_or_in_pieces() {
    const SIZE: usize = 100_000_000;
    const PIECE: usize = 1024 * 1024;
    let scratch = Scratch::new();
    let mut line = vec![b'x'; SIZE];
    line.push(b'\n');
    scratch.write("long.log", &line);
    let plain = dcat(&scratch, &["--plain", "long.log"]).run();
    plain.exits(0).must(plain.stdout == line, "the line as it is").says("");
    let pieces = dcat(&scratch, &["long.log"]).run();
    let count = pieces.stdout.iter().filter(|byte| **byte == b'\n').count();
    pieces.exits(0).must(count == SIZE.div_ceil(PIECE), "pieces of 1 MiB");
    pieces.must(pieces.stderr_text().lines().count() == 1, "one warning");
}
