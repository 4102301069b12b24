//! What rules permit is read, whatever path leads there; the rest looks missing.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use expect_test::{Expect, expect};

use super::{Opened, open_file, open_step_by_step};
use crate::access::Access;
use crate::error::FileError;
use crate::site::Site;

/// A folder with files that say where they are; what is below `open` may be read.
struct Scene {
    folder: tempfile::TempDir,
    real: PathBuf,
}

impl Scene {
    fn new() -> Scene {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let real = folder.path().canonicalize().expect("it is there");
        for name in ["open/a", "shut/a", "open/sub/b"] {
            let path = real.join(name);
            fs::create_dir_all(path.parent().expect("has a parent")).expect("a folder");
            fs::write(path, name).expect("written");
        }
        for (link, to) in [
            ("open/out", "../shut/a"),
            ("shut/in", "../open/a"),
            ("open/dangling", "../nowhere"),
            ("open/loop", "loop"),
            ("open/folder-out", "../shut"),
        ] {
            symlink(to, real.join(link)).expect("a link");
        }
        Scene { folder, real }
    }

    fn access(&self) -> Access {
        let open = self.real.join("open");
        Access::when(move |path| path.starts_with(&open))
    }

    fn show(&self, result: Result<File, FileError>) -> String {
        let shown = match result {
            Ok(mut file) => {
                let mut content = String::new();
                file.read_to_string(&mut content).expect("readable");
                content
            }
            Err(err) => match err.secret() {
                Some(secret) => format!("{err} | {secret}"),
                None => err.to_string(),
            },
        };
        let folder = self.folder.path().display().to_string();
        shown.replace(&self.real.display().to_string(), "DIR").replace(&folder, "DIR")
    }
}

#[track_caller]
fn check(name: &str, expected: &Expect) {
    let scene = Scene::new();
    let site = Site { access: scene.access(), ..Site::default() };
    let path = scene.folder.path().join(name);
    let opened = open_file(&path, &site).map(|opened| match opened {
        Opened::Regular(file) | Opened::Stream(file) => file,
    });
    expected.assert_eq(&scene.show(opened));
    expected.assert_eq(&scene.show(open_step_by_step(&path, &scene.access())));
}

#[test]
fn what_is_permitted_is_read_by_any_path() {
    check("open/a", &expect!["open/a"]);
    check("open/sub/../a", &expect!["open/a"]);
    check("shut/in", &expect!["open/a"]);
}

#[test]
fn what_is_not_permitted_looks_missing() {
    check(
        "shut/a",
        &expect![
            "DIR/shut/a cannot be read: missing or not permitted | refused to read DIR/shut/a: no rule permits it"
        ],
    );
    check(
        "shut/none",
        &expect![
            "DIR/shut/none cannot be read: missing or not permitted | refused to read DIR/shut/none: No such file or directory"
        ],
    );
    check(
        "open/none",
        &expect![
            "DIR/open/none cannot be read: missing or not permitted | refused to read DIR/open/none: No such file or directory"
        ],
    );
    check(
        "open/dangling",
        &expect![
            "DIR/open/dangling cannot be read: missing or not permitted | refused to read DIR/open/dangling: No such file or directory"
        ],
    );
    check(
        "shut",
        &expect![
            "DIR/shut cannot be read: missing or not permitted | refused to read DIR/shut: no rule permits it"
        ],
    );
}

#[test]
fn symlinks_lead_nowhere_new() {
    check(
        "open/out",
        &expect![
            "DIR/open/out cannot be read: missing or not permitted | refused to read DIR/open/out: it leads to DIR/shut/a, which no rule permits"
        ],
    );
    check(
        "open/folder-out/a",
        &expect![
            "DIR/open/folder-out/a cannot be read: missing or not permitted | refused to read DIR/open/folder-out/a: it leads to DIR/shut/a, which no rule permits"
        ],
    );
    check(
        "open/sub/../../shut/a",
        &expect![
            "DIR/open/sub/../../shut/a cannot be read: missing or not permitted | refused to read DIR/open/sub/../../shut/a: it leads to DIR/shut/a, which no rule permits"
        ],
    );
    check(
        "open/loop",
        &expect![
            "DIR/open/loop cannot be read: missing or not permitted | refused to read DIR/open/loop: Too many levels of symbolic links"
        ],
    );
}

#[test]
fn of_what_is_permitted_only_regular_files_are_read() {
    check("open/sub", &expect!["DIR/open/sub is a directory, name files or use a glob"]);
    let scene = Scene::new();
    let fifo = scene.real.join("open/fifo");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0)
        .expect("a FIFO");
    let site = Site { access: scene.access(), ..Site::default() };
    let refused = open_file(&fifo, &site).map(|_| ()).expect_err("no file").to_string();
    assert!(refused.ends_with("open/fifo is not a regular file, only those may be read"));
}

/// Opens a path again and again while its last folder becomes a symlink and a folder again.
#[track_caller]
fn check_races(open: impl Fn(&Path, &Access) -> Result<File, FileError>) {
    let scene = Scene::new();
    let swapped = scene.real.join("open/swapped");
    let spare = scene.real.join("open/spare");
    fs::create_dir(&swapped).expect("a folder");
    fs::write(swapped.join("a"), "open/a").expect("written");
    symlink("../shut", &spare).expect("a link");
    let stop = Arc::new(AtomicBool::new(false));
    let swapper = thread::spawn({
        let (stop, swapped, spare) = (stop.clone(), swapped.clone(), spare.clone());
        move || {
            while !stop.load(Ordering::Relaxed) {
                let exchange = rustix::fs::RenameFlags::EXCHANGE;
                let cwd = rustix::fs::CWD;
                rustix::fs::renameat_with(cwd, &swapped, cwd, &spare, exchange).expect("swapped");
            }
        }
    });
    let access = scene.access();
    let (mut read, mut refused) = (0, 0);
    for _ in 0..20_000 {
        match open(&swapped.join("a"), &access) {
            Ok(mut file) => {
                let mut content = String::new();
                file.read_to_string(&mut content).expect("readable");
                assert_eq!(content, "open/a", "what is shut is never read");
                read += 1;
            }
            Err(err) => {
                assert!(err.to_string().ends_with("missing or not permitted"), "{err}");
                refused += 1;
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    swapper.join().expect("no panic");
    assert!(read > 0 && refused > 0, "{read} read and {refused} refused: no race was run");
}

#[test]
fn symlinks_that_change_meanwhile_do_not_help() {
    check_races(super::open_permitted);
}

#[test]
fn nor_where_descriptors_have_no_paths() {
    check_races(open_step_by_step);
}
