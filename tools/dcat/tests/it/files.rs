//! Which files dcat reads, and in which order.

use dtail_testkit::{Scratch, inputs};

use crate::dcat;

#[test]
fn files_are_printed_in_the_order_given_and_as_often() {
    let scratch = Scratch::new();
    scratch.write("a.log", "a1\na2");
    scratch.write("b.log", "b1\n");
    dcat(&scratch, &["b.log", "a.log", "b.log"]).run().exits(0).prints(
        "REMOTE|testhost|100|1|b.log|b1\nREMOTE|testhost|100|1|a.log|a1\n\
         REMOTE|testhost|100|2|a.log|a2\nREMOTE|testhost|100|1|b.log|b1\n",
    );
    dcat(&scratch, &["-plain", "-files", "b.log,a.log,b.log"]).run().prints("b1\na1\na2\nb1\n");
    dcat(&scratch, &["-plain", "b.log,a.log"]).run().exits(0).prints("b1\na1\na2\n");
}

#[test]
fn a_hundred_times_the_same_file_is_a_hundred_copies() {
    let scratch = Scratch::new();
    scratch.write("a.log", "a\n");
    dcat(&scratch, &["--plain"]).args(["a.log"; 100]).run().exits(0).prints("a\n".repeat(100));
}

#[test]
fn names_may_have_blanks_commas_and_brackets() {
    let scratch = Scratch::new();
    for name in ["my app.log", "a,b.log", "[x].log", "select it.log"] {
        scratch.write(name, format!("{name}\n"));
    }
    let names = ["my app.log", "a,b.log", "[x].log", "select it.log"];
    let expected: String = names.iter().map(|name| format!("{name}\n")).collect();
    dcat(&scratch, &["--plain"]).args(names).run().exits(0).prints(expected);
    dcat(&scratch, &["--plain", "--files", "my app.log,[x].log"])
        .run()
        .exits(0)
        .prints("my app.log\n[x].log\n");
}

#[test]
fn globs_are_sorted_and_name_their_part_of_the_path() {
    let scratch = Scratch::new();
    for name in ["web2/app.log", "web1/app.log", "web1/db.log", "other/app.txt"] {
        scratch.write(name, format!("{name}\n"));
    }
    dcat(&scratch, &["web*/app.log"]).run().exits(0).prints(
        "REMOTE|testhost|100|1|web1|web1/app.log\nREMOTE|testhost|100|1|web2|web2/app.log\n",
    );
    dcat(&scratch, &["*/*.log"]).run().exits(0).prints(
        "REMOTE|testhost|100|1|web1/app.log|web1/app.log\n\
         REMOTE|testhost|100|1|web1/db.log|web1/db.log\n\
         REMOTE|testhost|100|1|web2/app.log|web2/app.log\n",
    );
    // In Go only ^ negates.
    dcat(&scratch, &["--plain", "web?/[!d]*.log"]).run().exits(0).prints("web1/db.log\n");
    dcat(&scratch, &["--plain", "web?/[^d]*.log"]).run().prints("web1/app.log\nweb2/app.log\n");
}

#[test]
fn flags_may_follow_files_and_two_dashes_end_them() {
    let scratch = Scratch::new();
    scratch.write("-plain", "a\n");
    dcat(&scratch, &["./-plain", "-plain"]).run().exits(0).prints("a\n");
    dcat(&scratch, &["--", "-plain"]).run().exits(0).prints("REMOTE|testhost|100|1|-plain|a\n");
}

#[test]
fn compressed_files_are_known_by_content() {
    let scratch = Scratch::new();
    scratch.write("a.gz", inputs::gzip());
    scratch.write("b.zst", inputs::zstd());
    scratch.write("named-otherwise", inputs::gzip());
    scratch.write("not-compressed.gz", "text\n");
    let lines = inputs::lines();
    let arguments = ["--plain", "a.gz", "b.zst", "named-otherwise", "not-compressed.gz"];
    dcat(&scratch, &arguments).run().exits(0).prints([&lines, &lines, &lines, "text\n"].concat());
    let numbered = dcat(&scratch, &["b.zst"]).run();
    let last = "REMOTE|testhost|100|2000|b.zst|line 2000\n";
    numbered.exits(0).must(numbered.stdout_text().ends_with(last), "lines are counted");
}

#[test]
fn nothing_is_left_behind_by_a_run_without_trouble() {
    let scratch = Scratch::new();
    scratch.write("a.log", "a\n");
    dcat(&scratch, &["a.log"]).run().exits(0);
    let names: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().flatten().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn real_logs_come_out_as_they_are() {
    for log in inputs::real_logs() {
        let scratch = Scratch::new();
        let mut bytes = std::fs::read(&log).unwrap();
        if !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        let name = log.to_str().unwrap();
        dcat(&scratch, &["--plain", name]).run().exits(0).prints(&bytes).says("");

        let id = log.file_name().unwrap().to_str().unwrap();
        let mut numbered = Vec::new();
        for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            numbered.extend(format!("REMOTE|testhost|100|{}|{id}|", number + 1).into_bytes());
            numbered.extend(line);
        }
        dcat(&scratch, &[name]).run().exits(0).prints(&numbered).says("");
    }
}

#[test]
fn the_configurations_rules_hold_here_too() {
    let scratch = Scratch::new();
    scratch.write("public/a.log", "a\n");
    scratch.write("private/b.log", "b\n");
    scratch
        .write("rules.json", r#"{"Server": {"Permissions": {"Default": ["^/.*", "!/private/"]}}}"#);
    std::os::unix::fs::symlink("../private/b.log", scratch.path().join("public/link.log"))
        .expect("a link");
    let run =
        |files: &[&str]| dcat(&scratch, &["--plain", "--cfg", "rules.json"]).args(files).run();
    run(&["public/a.log"]).exits(0).prints("a\n");
    run(&["public/a.log", "private/b.log"]).exits(3).prints("a\n");
    run(&["public/link.log"]).exits(2).prints("");
}
