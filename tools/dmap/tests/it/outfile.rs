//! Results in files: `outfile` and `outfile append`.

use dtail_testkit::Scratch;

use crate::{STATS, dmap};

const QUERY: &str = "from STATS select host,count($line) group by host order by count($line)";

#[track_caller]
fn text(scratch: &Scratch, name: &str) -> String {
    String::from_utf8_lossy(&scratch.read(name)).into_owned()
}

#[test]
fn a_result_and_its_query_are_written_and_nothing_is_printed() {
    let scratch = Scratch::new();
    scratch.write("a.log", STATS);
    let query = format!("{QUERY} outfile out.csv");
    for _ in 0..2 {
        dmap(&scratch, &[&query, "a.log"]).run().exits(0).prints("").says("");
        assert_eq!(text(&scratch, "out.csv"), "host,count($line)\na,2\nb,2\n");
        assert_eq!(text(&scratch, "out.csv.query"), query);
    }
    let names = std::fs::read_dir(scratch.path()).unwrap().count();
    assert_eq!(names, 3, "no temporary file is left");
}

#[test]
fn rows_are_appended_after_one_header() {
    let scratch = Scratch::new();
    scratch.write("a.log", STATS);
    let query = format!("{QUERY} outfile append out.csv");
    for _ in 0..2 {
        dmap(&scratch, &[&query, "a.log"]).run().exits(0).prints("").says("");
    }
    assert_eq!(text(&scratch, "out.csv"), "host,count($line)\na,2\nb,2\na,2\nb,2\n");
}

#[test]
fn no_match_leaves_the_titles() {
    let scratch = Scratch::new();
    scratch.write("a.log", "nothing of interest\n");
    dmap(&scratch, &[&format!("{QUERY} outfile out.csv"), "a.log"]).run().exits(0).prints("");
    assert_eq!(text(&scratch, "out.csv"), "host,count($line)\n");
}

#[test]
fn an_outfile_that_cannot_be_written_is_an_error() {
    let scratch = Scratch::new();
    scratch.write("a.log", STATS);
    let finished = dmap(&scratch, &[&format!("{QUERY} outfile no/such/out.csv"), "a.log"]).run();
    finished.exits(2).prints("").must(
        finished.stderr_text().starts_with("dmap: cannot write no/such/out.csv"),
        "the path is named",
    );
}
