//! `dcat --plain` moves bytes: into every kind of output, from every kind of file, in order.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use dtail_testkit::{Program, Scratch, Stdin, inputs};

use crate::dcat;

const LIMIT: Duration = Duration::from_secs(60);

/// Larger than what is copied at once.
fn large(scratch: &Scratch) -> Vec<u8> {
    let line = |number: u64| format!("{} {number}\n", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let bytes: Vec<u8> = (0..700_000).flat_map(|number| line(number).into_bytes()).collect();
    scratch.write("large.log", &bytes);
    bytes
}

/// Files of every kind one after the other, and what is printed of them.
fn mixture(scratch: &Scratch) -> (Vec<&'static str>, Vec<u8>) {
    let large = large(scratch);
    scratch.write("open.log", "no newline");
    scratch.write("empty.log", "");
    scratch.write("a.gz", inputs::gzip());
    let names = vec!["open.log", "large.log", "empty.log", "a.gz", "-", "large.log", "open.log"];
    let open: &[u8] = b"no newline\n";
    let lines = inputs::lines();
    (names, [open, &large, lines.as_bytes(), b"piped\n", &large, open].concat())
}

fn piped() -> Stdin {
    Stdin::Bytes(b"piped\n".to_vec())
}

#[test]
fn into_a_pipe() {
    let scratch = Scratch::new();
    let (names, expected) = mixture(&scratch);
    dcat(&scratch, &["--plain"])
        .args(names)
        .stdin(piped())
        .run()
        .exits(0)
        .prints(expected)
        .says("");
}

#[test]
fn into_a_file_and_at_its_end() {
    let scratch = Scratch::new();
    let (names, expected) = mixture(&scratch);
    for appends in [false, true] {
        let path = scratch.write("output", "before ");
        let mut output = OpenOptions::new().append(appends).write(true).open(&path).unwrap();
        output.write_all(b"before ").unwrap();
        let program = dcat(&scratch, &["--plain"]).args(&names).stdin(piped());
        program.spawn_into(output).wait(LIMIT).exits(0).says("");
        let before: &[u8] = if appends { b"before before " } else { b"before " };
        assert!(scratch.read("output") == [before, &expected].concat(), "appends: {appends}");
    }
}

#[test]
fn into_a_socket() {
    let scratch = Scratch::new();
    let (names, expected) = mixture(&scratch);
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let reading = thread::spawn(move || {
        let mut read = Vec::new();
        ours.read_to_end(&mut read).map(|_| read)
    });
    let program = dcat(&scratch, &["--plain"]).args(names).stdin(piped());
    program.spawn_into(std::os::fd::OwnedFd::from(theirs)).wait(LIMIT).exits(0).says("");
    assert!(reading.join().unwrap().unwrap() == expected);
}

#[test]
fn onto_a_full_disk_is_an_error() {
    let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else {
        eprintln!("SKIPPED: no /dev/full");
        return;
    };
    let scratch = Scratch::new();
    large(&scratch);
    let finished = dcat(&scratch, &["--plain", "large.log"]).spawn_into(full).wait(LIMIT);
    finished.exits(2).must(finished.stderr_text().lines().count() == 1, "one line");
}

#[test]
fn a_file_that_shrinks_ends_where_it_ends() {
    let scratch = Scratch::new();
    let bytes = large(&scratch);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let running = dcat(&scratch, &["--plain", "large.log"]).spawn_into(writer);
    let mut printed = vec![0];
    reader.read_exact(&mut printed).unwrap();
    // It has begun, and has to wait long before that: a pipe holds 1 MiB at most.
    let length = 5_000_000;
    assert!(bytes.len() > 2 * length);
    let path = scratch.path().join("large.log");
    OpenOptions::new().write(true).open(path).unwrap().set_len(length as u64).unwrap();
    reader.read_to_end(&mut printed).unwrap();
    running.wait(LIMIT);
    assert!(printed.starts_with(&bytes[..length]), "what was left is printed");
    assert!(printed.len() <= length + 1, "and nothing made up: {}", printed.len());
}

#[test]
fn a_sparse_file_is_copied_whole() {
    let scratch = Scratch::new();
    let path = scratch.write("sparse.log", "start\n");
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(20_000_000).unwrap();
    file.write_all_at(b"end\n", 19_999_996).unwrap();
    let expected = std::fs::read(&path).unwrap();
    dcat(&scratch, &["--plain", "sparse.log"]).run().exits(0).prints(expected).says("");
}

#[test]
fn files_of_size_0_that_are_not_empty_are_copied() {
    let Ok(expected) = std::fs::read("/proc/version") else {
        eprintln!("SKIPPED: no /proc");
        return;
    };
    let scratch = Scratch::new();
    dcat(&scratch, &["--plain", "/proc/version"]).run().exits(0).prints(expected);
}

#[test]
fn a_fifo_is_copied_as_it_comes() {
    let scratch = Scratch::new();
    Program::new("/bin/sh", &scratch).args(["-c", "mkfifo pipe"]).run().exits(0);
    let running = dcat(&scratch, &["--plain", "pipe"]).spawn();
    let mut pipe = File::options().write(true).open(scratch.path().join("pipe")).unwrap();
    pipe.write_all(b"one ").unwrap();
    running.wait_for_stdout("what has come is printed", LIMIT, |it| it == b"one ");
    pipe.write_all(b"two").unwrap();
    drop(pipe);
    running.wait(LIMIT).exits(0).prints("one two\n");
}
