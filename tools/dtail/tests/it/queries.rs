//! dtail with a query: results of what is added.

use dtail_testkit::{Scratch, Signal};

use crate::{LIMIT, following, prints};

const QUERY: &str = "select k,count(k),sum(v) group by k logformat generickv interval 1";

const TITLES: &str = " k | count(k) |   sum(v) \n---|----------|----------\n";

#[test]
fn each_interval_has_its_own_result() {
    let scratch = Scratch::new();
    scratch.write("a.log", "k=a|v=100\n");
    let running = following(&scratch, &[QUERY, "a.log"]);
    scratch.append("a.log", "k=a|v=1\nk=a|v=2\n");
    let first = format!("{QUERY}\n{TITLES} a |        2 | 3.000000 \n\n");
    prints(&running, &first);
    scratch.append("a.log", "k=a|v=5\n");
    let second = format!("{first}{QUERY}\n{TITLES} a |        1 | 5.000000 \n\n");
    prints(&running, &second);
    running.signal(Signal::TERM);
    running.wait(LIMIT).exits(0).prints(second);
}

#[test]
fn what_is_left_is_printed_at_the_end() {
    let scratch = Scratch::new();
    scratch.write("a.log", "");
    scratch.write("b.log", "");
    let query = "select k,count(k),sum(v) group by k logformat generickv interval 3600";
    let running = following(&scratch, &["-query", query, "-shutdownAfter", "3", "a.log"]);
    scratch.append("a.log", "k=a|v=1\n");
    running.wait(LIMIT).exits(0).prints(format!("{query}\n{TITLES} a |        1 | 1.000000 \n\n"));
}

#[test]
fn an_outfile_holds_everything_so_far() {
    let scratch = Scratch::new();
    scratch.write("a.log", "");
    let query = format!("{QUERY} outfile out.csv");
    let running = following(&scratch, &[&query, "a.log"]);
    let becomes = |expected: &str| {
        dtail_testkit::wait_until(&format!("the outfile is {expected:?}"), LIMIT, || {
            std::fs::read(scratch.path().join("out.csv")).is_ok_and(|it| it == expected.as_bytes())
        });
    };
    scratch.append("a.log", "k=a|v=1\n");
    becomes("k,count(k),sum(v)\na,1,1.000000\n");
    scratch.append("a.log", "k=a|v=2\n");
    becomes("k,count(k),sum(v)\na,2,3.000000\n");
    running.signal(Signal::INT);
    running.wait(LIMIT).exits(0).prints("");
}

#[test]
fn lines_are_selected_before_they_are_aggregated() {
    let scratch = Scratch::new();
    scratch.write("a.log", "");
    let running = following(&scratch, &["-regex", "v=[1-3]$", QUERY, "a.log"]);
    scratch.append("a.log", "k=a|v=1\nk=a|v=4\nk=a|v=3\n");
    prints(&running, &format!("{QUERY}\n{TITLES} a |        2 | 4.000000 \n\n"));
    running.signal(Signal::INT);
    running.wait(LIMIT).exits(0);
}
