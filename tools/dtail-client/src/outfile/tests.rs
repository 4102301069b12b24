//! What is on disk afterwards.

use std::fs;
use std::path::Path;

use dtail_query::{Groups, Query};
use expect_test::{Expect, expect};

use super::write_outfile;

/// Writes an empty result `times` times and shows the folder.
#[track_caller]
fn check(clause: &str, before: Option<&str>, times: usize, expected: &Expect) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("out");
    if let Some(content) = before {
        fs::write(&path, content).expect("written");
    }
    let clause = clause.replace("PATH", &path.display().to_string());
    let query = Query::parse(&format!("select a,b {clause}")).expect("a good query");
    let table = Groups::new(false).table(&query);
    for _ in 0..times {
        write_outfile(&query, &table).expect("written");
    }
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .expect("listed")
        .map(|entry| entry.expect("listed").path())
        .collect();
    names.sort();
    let show = |path: &Path| {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        format!("{name}: {:?}", fs::read_to_string(path).expect("text"))
    };
    let shown: Vec<String> = names.iter().map(|path| show(path)).collect();
    expected.assert_eq(&shown.join("\n").replace(&folder.path().display().to_string(), "DIR"));
}

#[test]
fn a_file_is_replaced_with_its_query_beside_it() {
    check(
        "outfile PATH",
        Some("old"),
        2,
        &expect![[r#"
        out: "a,b\n"
        out.query: "select a,b outfile DIR/out""#]],
    );
}

#[test]
fn titles_are_appended_once() {
    check(
        "outfile append PATH",
        None,
        2,
        &expect![[r#"
        out: "a,b\n"
        out.query: "select a,b outfile append DIR/out""#]],
    );
    check(
        "outfile append PATH",
        Some(""),
        1,
        &expect![[r#"
        out: "a,b\n"
        out.query: "select a,b outfile append DIR/out""#]],
    );
    check(
        "outfile append PATH",
        Some("old\n"),
        1,
        &expect![[r#"
        out: "old\n"
        out.query: "select a,b outfile append DIR/out""#]],
    );
}

#[test]
fn without_outfile_nothing_is_written() {
    check("", None, 1, &expect![[""]]);
}

#[test]
fn a_device_is_not_replaced() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("out");
    std::os::unix::fs::symlink("/dev/null", &path).expect("linked");
    let text = format!("select a outfile {}", path.display());
    let query = Query::parse(&text).expect("a good query");
    write_outfile(&query, &Groups::new(false).table(&query)).expect("written");
    assert!(path.symlink_metadata().expect("there").is_symlink());
    assert!(!folder.path().join("out.query").exists());
}

#[test]
fn what_the_system_has_open_is_not_replaced() {
    use std::os::fd::AsRawFd;

    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("out");
    let file = fs::File::create(&path).expect("made");
    let text = format!("select a outfile /dev/fd/{}", file.as_raw_fd());
    let query = Query::parse(&text).expect("a good query");
    write_outfile(&query, &Groups::new(false).table(&query)).expect("written");
    assert_eq!(fs::read_to_string(&path).expect("text"), "a\n");
    assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1);
}

#[test]
fn an_error_names_the_path() {
    let query = Query::parse("select a outfile /none/out").expect("a good query");
    let err = write_outfile(&query, &Groups::new(false).table(&query)).expect_err("no folder");
    expect!["cannot write /none/out.query: No such file or directory (os error 2)"]
        .assert_eq(&err.to_string());
}
