//! Following real files through what happens to logs. Nothing sleeps: every step waits for its
//! lines, up to a limit, and then for quiet rounds that must bring nothing more.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{FollowEvent, FollowFrom, Follower, Limits, POLL_INTERVAL};
use crate::site::Site;
use crate::splitter::Block;

const LIMIT: Duration = Duration::from_secs(20);

struct Scene {
    folder: tempfile::TempDir,
    follower: Option<Follower>,
    /// Lines received since last checked, each with its source id in front.
    seen: String,
    idle: usize,
    from: FollowFrom,
    polls: Duration,
}

impl Scene {
    fn new() -> Scene {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Scene {
            folder,
            follower: None,
            seen: String::new(),
            idle: 0,
            from: FollowFrom::End,
            polls: POLL_INTERVAL,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        self.open(name).write_all(text.as_bytes()).expect("written");
    }

    fn open(&self, name: &str) -> File {
        let mut options = OpenOptions::new();
        options.append(true).create(true).open(self.path(name)).expect("opens")
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).expect("renamed");
    }

    fn follow(&mut self, names: &[&str]) {
        let arguments: Vec<OsString> = names.iter().map(|name| self.path(name).into()).collect();
        let limits = Limits { max_line_length: 100, max_glob_targets: 10, max_targets: 10 };
        let mut follower = Follower::new(&arguments, limits, Site::default(), self.from);
        follower.poll_interval = self.polls;
        self.follower = Some(follower);
    }

    fn step(&mut self) {
        let follower = self.follower.as_mut().expect("follows");
        let mut block = Block::default();
        match follower.next(&mut block) {
            FollowEvent::Lines(stream) => {
                let text = String::from_utf8_lossy(&block.bytes);
                for line in text.split_inclusive('\n') {
                    self.seen.push_str(follower.source(stream));
                    self.seen.push(' ');
                    self.seen.push_str(line);
                }
            }
            FollowEvent::Notice(notice) => {
                let text = notice.to_string();
                let text = text.replace(&self.folder.path().display().to_string(), "DIR");
                self.seen.push_str(&format!("! {text}\n"));
            }
            FollowEvent::Idle => self.idle += 1,
            FollowEvent::Ended => self.seen.push_str("END\n"),
        }
    }

    /// Waits for exactly these lines and that three polls bring no more.
    #[track_caller]
    fn expect(&mut self, expected: &str) {
        let start = Instant::now();
        while self.seen.len() < expected.len() && start.elapsed() < LIMIT {
            self.step();
        }
        self.expect_soon(expected);
    }

    /// Waits for these lines and for nothing more.
    #[track_caller]
    fn expect_told(&mut self, expected: &str) {
        let start = Instant::now();
        while self.seen.len() < expected.len() {
            self.step();
            assert!(start.elapsed() < LIMIT, "{}", self.seen);
        }
        assert_eq!(self.seen, expected);
        self.seen.clear();
    }

    /// Like `expect`, but for what must be there within three polls.
    #[track_caller]
    fn expect_soon(&mut self, expected: &str) {
        self.idle = 0;
        while self.idle < 3 && !self.seen.ends_with("END\n") {
            self.step();
        }
        assert_eq!(self.seen, expected);
        self.seen.clear();
    }
}

#[test]
fn an_existing_file_is_followed_from_its_end() {
    let mut scene = Scene::new();
    scene.append("a b.log", "old\n");
    scene.follow(&["a b.log"]);
    scene.expect("");
    scene.append("a b.log", "new\n\nnewer\r\n");
    scene.expect("a b.log new\na b.log \na b.log newer\r\n");
}

#[track_caller]
fn check_from(old: &str, from: FollowFrom, expected: &str) {
    let mut scene = Scene::new();
    scene.from = from;
    scene.append("a", old);
    scene.follow(&["a"]);
    scene.append("a", "new\n");
    scene.expect(expected);
}

#[test]
fn following_may_begin_before_the_end() {
    check_from("1\n2\n3\n", FollowFrom::Lines(0), "a new\n");
    check_from("1\n2\n3\n", FollowFrom::Lines(2), "a 2\na 3\na new\n");
    check_from("1\n2\n3\n", FollowFrom::Lines(9), "a 1\na 2\na 3\na new\n");
    check_from("1\n2\n3", FollowFrom::Lines(1), "a 3new\n");
    check_from("1\n\n\n", FollowFrom::Lines(2), "a \na \na new\n");
    check_from("", FollowFrom::Lines(2), "a new\n");
    check_from("123\n45\n", FollowFrom::Bytes(4), "a \na 45\na new\n");
    check_from("1\n", FollowFrom::Bytes(99), "a 1\na new\n");
    check_from("1\n2\n", FollowFrom::Beginning, "a 1\na 2\na new\n");
}

#[test]
fn the_last_lines_are_found_across_many_blocks() {
    let line = "x".repeat(89);
    let numbered = |number| format!("{number:9} {line}\n");
    let old: String = (0..5000).map(numbered).collect();
    for lines in [1, 655, 656, 657, 1311, 4999, 5000] {
        let mut scene = Scene::new();
        scene.from = FollowFrom::Lines(lines);
        scene.append("a", &old);
        scene.follow(&["a"]);
        let wanted = (5000 - lines..5000).map(|number| format!("a {}", numbered(number)));
        scene.expect(&wanted.collect::<String>());
    }
}

/// A scene that looks of its own accord only once in a minute, so that what is seen in time was
/// told of by the system.
fn scene_of_events() -> Scene {
    Scene { polls: Duration::from_secs(60), ..Scene::new() }
}

#[test]
fn the_system_tells_of_new_lines_and_new_files() {
    let mut scene = scene_of_events();
    scene.append("a", "");
    scene.follow(&["a", "b", "c*"]);
    scene.expect_told(
        "! no file matches DIR/c*, waiting for it\n\
         ! cannot open DIR/b: No such file or directory, waiting for it\n",
    );
    scene.append("a", "one\n");
    scene.expect_told("a one\n");
    scene.append("b", "two\n");
    scene.expect_told("b two\n");
    scene.append("c1", "three\n");
    scene.expect_told("c1 three\n");
}

#[test]
fn files_rotated_away_between_two_looks_are_found() {
    let mut scene = Scene::new();
    scene.append("a.1", "older\n");
    scene.append("a", "old\n");
    scene.follow(&["a"]);
    scene.expect("");
    scene.append("a", "one\n");
    // Copies and what is compressed are none.
    fs::copy(scene.path("a"), scene.path("a.bak")).expect("copied");
    fs::write(scene.path("a.gz"), [0x1f, 0x8b, 8, 0]).expect("written");
    scene.append("b", "another\n");
    for (number, line) in [(1, "two\n"), (2, "three\n"), (3, "four\n")] {
        // The times of birth have the resolution of the kernel's clock.
        tick();
        scene.rename("a", &format!("a.{}", 9 - number));
        scene.append("a", line);
    }
    scene.expect("a one\na two\na three\na four\n");
}

/// Waits until a new file has another time of birth than one made now.
fn tick() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let born = |name: &str| {
        let file = File::create(folder.path().join(name)).expect("created");
        file.metadata().expect("metadata").created().expect("a time of birth")
    };
    let (first, start) = (born("0"), Instant::now());
    while born("1") == first {
        fs::remove_file(folder.path().join("1")).expect("removed");
        assert!(start.elapsed() < LIMIT, "the clock stands still");
    }
}

#[test]
fn writes_to_the_target_of_a_link_are_told_of() {
    let mut scene = scene_of_events();
    fs::create_dir(scene.path("real")).expect("a folder");
    scene.append("real/a", "");
    std::os::unix::fs::symlink(scene.path("real/a"), scene.path("link")).expect("a link");
    scene.follow(&["link"]);
    scene.expect_told("");
    scene.append("real/a", "one\n");
    scene.expect_told("link one\n");
}

#[test]
fn a_partial_line_is_held_until_its_newline() {
    let mut scene = Scene::new();
    scene.append("a", "");
    scene.follow(&["a"]);
    scene.append("a", "one\ntw");
    scene.expect("a one\n");
    scene.append("a", "o");
    scene.expect("");
    scene.append("a", "\n");
    scene.expect("a two\n");
}

#[test]
fn a_missing_file_is_read_from_its_start_when_it_appears() {
    let mut scene = Scene::new();
    scene.follow(&["a", "b"]);
    scene.expect(
        "! cannot open DIR/a: No such file or directory, waiting for it\n\
         ! cannot open DIR/b: No such file or directory, waiting for it\n",
    );
    scene.append("b", "one\n");
    scene.expect("b one\n");
}

#[test]
fn truncation_begins_anew() {
    let mut scene = Scene::new();
    scene.append("a", "a long old line\nhalf");
    scene.follow(&["a"]);
    scene.append("a", " a line");
    scene.expect("");
    fs::write(scene.path("a"), "new\n").expect("written");
    scene.expect("a  a line\na new\n");
}

#[test]
fn truncation_and_growth_beyond_the_old_end_is_noticed() {
    let mut scene = Scene::new();
    scene.append("a", "1\n");
    scene.follow(&["a"]);
    fs::write(scene.path("a"), "much longer\nthan before\n").expect("written");
    scene.expect("a much longer\na than before\n");
    fs::write(scene.path("a"), "much longer\nthan BEFORE\n").expect("written");
    scene.expect("a much longer\na than BEFORE\n");
}

#[test]
fn a_touched_file_brings_nothing() {
    let mut scene = Scene::new();
    scene.append("a", "1\n");
    scene.follow(&["a"]);
    scene.open("a").set_modified(std::time::SystemTime::UNIX_EPOCH).expect("touched");
    scene.expect("");
    scene.append("a", "2\n");
    scene.expect("a 2\n");
}

#[test]
fn copytruncate_with_a_writer_that_keeps_its_offset_skips_the_hole() {
    let mut scene = Scene::new();
    scene.append("a", "0123456789\n");
    let mut writer = OpenOptions::new().write(true).open(scene.path("a")).expect("opens");
    writer.seek(SeekFrom::End(0)).expect("seeks");
    scene.follow(&["a"]);
    fs::copy(scene.path("a"), scene.path("a.1")).expect("copied");
    writer.set_len(0).expect("truncated");
    writer.write_all(b"one\n").expect("written");
    scene.expect("a one\n");
    writer.set_len(0).expect("truncated");
    scene.expect("");
    writer.write_all(b"two\n").expect("written");
    scene.expect("a two\n");
}

#[test]
fn rotation_by_rename_loses_nothing() {
    let mut scene = Scene::new();
    scene.append("a", "0\n");
    scene.follow(&["a"]);
    let mut writer = scene.open("a");
    writer.write_all(b"1\n").expect("written");
    scene.rename("a", "a.1");
    writer.write_all(b"2\n").expect("written");
    scene.append("a", "4\n");
    writer.write_all(b"3 unterminated").expect("written");
    scene.expect("a 1\na 2\na 3 unterminated\na 4\n");
    scene.append("a", "5\n");
    scene.expect("a 5\n");
}

#[test]
fn an_empty_new_file_does_not_end_the_old_one() {
    let mut scene = Scene::new();
    let mut writer = scene.open("a");
    scene.follow(&["a"]);
    scene.rename("a", "a.1");
    scene.append("a", "");
    scene.expect("");
    writer.write_all(b"late\n").expect("written");
    scene.expect("a late\n");
    scene.append("a", "new\n");
    scene.expect("a new\n");
    writer.write_all(b"very late\n").expect("written");
    scene.expect("a very late\n");
}

#[test]
fn a_new_file_longer_than_the_old_one_is_new() {
    let mut scene = Scene::new();
    scene.append("a", "short\n");
    scene.follow(&["a"]);
    scene.append("a.new", "this one is longer\nthan the old\n");
    scene.rename("a.new", "a");
    scene.expect("a this one is longer\na than the old\n");
}

#[test]
fn deletion_waits_for_the_next_file() {
    let mut scene = Scene::new();
    scene.append("a", "0\n");
    scene.follow(&["a"]);
    scene.append("a", "1\n2");
    fs::remove_file(scene.path("a")).expect("removed");
    scene.expect("a 1\n");
    scene.append("a", "3\n");
    scene.expect("a 2\na 3\n");
    fs::remove_file(scene.path("a")).expect("removed");
    let start = Instant::now();
    while !scene.follower.as_ref().expect("follows").logs.is_empty() {
        scene.step();
        assert!(start.elapsed() < LIMIT, "a deleted file is closed");
    }
    scene.append("a", "4\n");
    scene.expect("a 4\n");
}

#[test]
fn several_rotations_keep_their_order() {
    let mut scene = Scene::new();
    scene.append("a", "");
    scene.follow(&["a"]);
    let mut expected = String::new();
    for round in 0..5 {
        scene.append("a", &format!("{round}\n"));
        scene.rename("a", &format!("old.{round}"));
        expected.push_str(&format!("a {round}\n"));
        // One step lets the follower see each file.
        scene.append("a", &format!("{round} new\n"));
        expected.push_str(&format!("a {round} new\n"));
        while scene.seen.len() < expected.len() {
            scene.step();
        }
    }
    scene.expect(&expected);
}

#[test]
fn a_glob_finds_new_files_and_does_not_double_renamed_ones() {
    let mut scene = Scene::new();
    scene.append("app.log", "0\n");
    scene.append("app.log.1", "00\n");
    scene.follow(&["app.log*"]);
    scene.append("app.log", "1\n");
    scene.expect("app.log 1\n");
    scene.rename("app.log.1", "app.log.2");
    scene.rename("app.log", "app.log.1");
    scene.append("app.log", "2\n");
    scene.expect("app.log 2\n");
    scene.append("app.log.1", "late\n");
    scene.expect("app.log late\n");
    scene.append("app.log.new", "3\n");
    scene.expect("app.log.new 3\n");
    scene.idle = 0;
    while scene.idle < 15 {
        scene.step();
    }
    scene.expect("");
}

#[test]
fn a_file_found_on_two_paths_is_read_once() {
    let mut scene = Scene::new();
    scene.append("a", "");
    fs::hard_link(scene.path("a"), scene.path("b")).expect("linked");
    scene.follow(&["a", "b", "a", "?"]);
    scene.append("b", "1\n");
    scene.expect("a 1\n");
}

#[test]
fn what_cannot_be_followed_is_told_once() {
    let mut scene = Scene::new();
    fs::create_dir(scene.path("folder")).expect("a folder");
    fs::write(scene.path("old.gz"), b"\x1f\x8b\x08\x00rest").expect("written");
    scene.follow(&["folder", "old.gz", "none*"]);
    scene.expect(
        "! no file matches DIR/none*, waiting for it\n\
         ! DIR/folder is a directory, name files or use a glob\n\
         ! DIR/old.gz is gzip data and cannot be followed\n",
    );
    fs::write(scene.path("none.zst"), b"\x28\xb5\x2f\xfdrest").expect("written");
    scene.expect("! DIR/none.zst is zstd data and cannot be followed\n");
}

#[test]
fn what_a_glob_finds_and_cannot_open_is_told_once() {
    let mut scene = Scene::new();
    std::os::unix::fs::symlink("target", scene.path("link")).expect("a link");
    scene.follow(&["l*"]);
    scene.expect("! cannot open DIR/link: No such file or directory, waiting for it\n");
    scene.idle = 0;
    while scene.idle < 15 {
        scene.step();
    }
    scene.expect("");
    assert_eq!(scene.follower.as_ref().expect("follows").streams(), 1);
    scene.append("target", "1\n");
    scene.expect("link 1\n");
}

#[test]
fn nothing_to_wait_for_is_the_end() {
    let mut scene = Scene::new();
    fs::create_dir(scene.path("folder")).expect("a folder");
    scene.follow(&["folder", "["]);
    scene.expect(
        "! malformed glob \"DIR/[\"\n\
         ! DIR/folder is a directory, name files or use a glob\nEND\n",
    );
}

#[test]
fn long_lines_are_cut() {
    let mut scene = Scene::new();
    scene.append("a", "");
    scene.follow(&["a"]);
    scene.append("a", &"x".repeat(250));
    let piece = format!("a {}\n", "x".repeat(100));
    scene.expect(&format!("{piece}{piece}"));
    scene.append("a", "\n");
    scene.expect(&format!("a {}\n", "x".repeat(50)));
}

#[test]
fn a_finished_stream_stays_silent() {
    let mut scene = Scene::new();
    scene.append("a", "");
    scene.append("b", "");
    scene.follow(&["a", "b"]);
    scene.append("a", "1\nhalf");
    scene.expect("a 1\n");
    scene.follower.as_mut().expect("follows").finish_stream(0);
    scene.append("a", "2\n");
    scene.append("b", "3\n");
    scene.expect("b 3\n");
    scene.follower.as_mut().expect("follows").finish_stream(1);
    scene.expect("END\n");
}

#[test]
fn a_fifo_is_read_until_its_writers_are_gone() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let mut scene = Scene::new();
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, scene.path("fifo"), FileType::Fifo, mode, 0).expect("a FIFO");
    scene.follow(&["fifo"]);
    scene.expect("");
    let mut writer = OpenOptions::new().write(true).open(scene.path("fifo")).expect("opens");
    writer.write_all(b"1\n2").expect("written");
    scene.expect("fifo 1\n");
    drop(writer);
    scene.expect("fifo 2\nEND\n");
}

/// A small generator of numbers: the same on every machine.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Appends, rotates and truncates at random; what was written comes once and in order.
#[track_caller]
fn check_random_changes(seed: u64) {
    let mut numbers = Numbers(seed);
    let mut scene = Scene::new();
    let mut writer = scene.open("a");
    scene.follow(&["a*"]);
    let mut expected = String::new();
    let mut count = 0;
    let mut write = |writer: &mut File, expected: &mut String| {
        count += 1;
        expected.push_str(&format!("a {count}\n"));
        writer.write_all(format!("{count}\n").as_bytes()).expect("written");
    };
    for _ in 0..25 {
        let change = numbers.below(8);
        if change < 2 {
            // Rotations faster than the poll and truncations of what nobody read lose lines.
            scene.idle = 0;
            while scene.idle < 2 || scene.seen.len() < expected.len() {
                scene.step();
            }
            if change == 0 {
                scene.rename("a", &format!("a.{}", expected.len()));
                write(&mut writer, &mut expected);
                writer = scene.open("a");
            } else {
                writer.set_len(0).expect("truncated");
            }
        }
        write(&mut writer, &mut expected);
        for _ in 0..numbers.below(3) {
            scene.step();
        }
    }
    scene.expect(&expected);
}

#[test]
fn no_sequence_of_changes_loses_or_doubles_lines() {
    check_random_changes(1);
}

#[test]
fn no_other_sequence_of_changes_does_either() {
    check_random_changes(1 << 40);
}
