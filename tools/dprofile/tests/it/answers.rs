//! What the commands print.

use dtail_testkit::{Scratch, Stdin};
use expect_test::{Expect, expect};

use crate::dprofile;
use crate::profiles::{encoded, profile};

#[track_caller]
fn check(arguments: &[&str], expected: &Expect) {
    let scratch = Scratch::new();
    scratch.write("a.prof", encoded(&profile(&["6 main run read", "3 main run", "1 main print"])));
    scratch.write("b.prof", encoded(&profile(&["2 main run read", "3 main run", "3 main other"])));
    scratch.write("src/work.rs", "fn main() {\n}\n\n\n\n\n\n\n\n    here();\n");
    let finished = dprofile(&scratch, arguments).run();
    expected.assert_eq(&finished.exits(0).says("").stdout_text());
}

#[test]
fn a_file_alone_shows_its_top() {
    check(
        &["a.prof"],
        &expect![[r#"
        a.prof: cpu, 100ms in 3 stacks, recorded 2023-11-14 22:13:20 over 200ms (50 % of one core)
        also there: --sample samples
              flat   flat%    sum%        cum    cum%
              60ms  60.00%  60.00%       60ms  60.00%  read
              30ms  30.00%  90.00%       90ms  90.00%  run
              10ms  10.00% 100.00%       10ms  10.00%  print
                 0   0.00% 100.00%      100ms 100.00%  main
    "#]],
    );
    check(
        &["top", "-n", "1", "--cum", "a.prof"],
        &expect![[r#"
        a.prof: cpu, 100ms in 3 stacks, recorded 2023-11-14 22:13:20 over 200ms (50 % of one core)
        also there: --sample samples
        1 of 4 functions, -n 0 for all
              flat   flat%    sum%        cum    cum%
                 0   0.00%   0.00%      100ms 100.00%  main
    "#]],
    );
    check(
        &["top", "-n1", "-sample=samples", "a.prof"],
        &expect![[r#"
        a.prof: samples, 10 in 3 stacks, recorded 2023-11-14 22:13:20 over 200ms
        also there: --sample cpu
        1 of 4 functions, -n 0 for all
              flat   flat%    sum%        cum    cum%
                 6  60.00%  60.00%          6  60.00%  read
    "#]],
    );
}

#[test]
fn lines_have_their_share() {
    check(
        &["list", "^run$", "a.prof"],
        &expect![[r#"
        a.prof: cpu, 100ms in 3 stacks, recorded 2023-11-14 22:13:20 over 200ms (50 % of one core)
        also there: --sample samples

        run in src/work.rs: 30ms itself, 90ms with what it calls (90.00 %)
              flat        cum   line
                 .          .      7
                 .          .      8
                 .          .      9
              30ms       90ms     10      here();
    "#]],
    );
}

#[test]
fn a_function_has_neighbours() {
    check(
        &["peek", "^run$", "a.prof"],
        &expect![[r#"
        a.prof: cpu, 100ms in 3 stacks, recorded 2023-11-14 22:13:20 over 200ms (50 % of one core)
        also there: --sample samples
              90ms 100.00%      <- main
              90ms  90.00%  run
              30ms  33.33%      itself
              60ms  66.67%      -> read

    "#]],
    );
}

#[test]
fn two_profiles_differ() {
    check(
        &["diff", "a.prof", "b.prof"],
        &expect![[r#"
        b.prof: cpu, 80ms in 3 stacks, recorded 2023-11-14 22:13:20 over 200ms (40 % of one core)
        also there: --sample samples
        compared with a.prof: 100ms -> 80ms, -20ms (-20.00 %)
            change       %        flat: before -> after      change       %  cum
             -40ms -40.00%                 60ms -> 20ms       -40ms -40.00%  read
             +30ms +30.00%                    0 -> 30ms       +30ms +30.00%  other
             -10ms -10.00%                    10ms -> 0       -10ms -10.00%  print
                 0  +0.00%                 30ms -> 30ms       -40ms -40.00%  run
                 0  +0.00%                       0 -> 0       -20ms -20.00%  main
    "#]],
    );
}

#[test]
fn json_has_exact_values() {
    check(
        &["top", "-n", "1", "--json", "a.prof"],
        &expect![[r#"
        {
          "duration_nanos": 200000000,
          "file": "a.prof",
          "functions": [
            {
              "cum": 60000000,
              "cum_percent": 60.0,
              "flat": 60000000,
              "flat_percent": 60.0,
              "name": "read"
            }
          ],
          "sample_type": {
            "kind": "cpu",
            "unit": "nanoseconds"
          },
          "sample_types": [
            {
              "kind": "samples",
              "unit": "count"
            },
            {
              "kind": "cpu",
              "unit": "nanoseconds"
            }
          ],
          "stacks": 3,
          "time_nanos": 1700000000000000000,
          "total": 100000000
        }
    "#]],
    );
}

#[test]
fn json_has_every_line() {
    check(
        &["list", "main", "--json", "a.prof"],
        &expect![[r#"
        {
          "duration_nanos": 200000000,
          "file": "a.prof",
          "functions": [
            {
              "cum": 100000000,
              "file": "src/work.rs",
              "flat": 0,
              "lines": [
                {
                  "cum": 100000000,
                  "flat": 0,
                  "line": 10,
                  "source": "    here();"
                }
              ],
              "name": "main"
            }
          ],
          "sample_type": {
            "kind": "cpu",
            "unit": "nanoseconds"
          },
          "sample_types": [
            {
              "kind": "samples",
              "unit": "count"
            },
            {
              "kind": "cpu",
              "unit": "nanoseconds"
            }
          ],
          "stacks": 3,
          "time_nanos": 1700000000000000000,
          "total": 100000000
        }
    "#]],
    );
}

#[test]
fn json_has_every_call() {
    check(
        &["peek", "print", "--json", "a.prof"],
        &expect![[r#"
        {
          "duration_nanos": 200000000,
          "file": "a.prof",
          "functions": [
            {
              "callees": [],
              "callers": [
                {
                  "name": "main",
                  "value": 10000000
                }
              ],
              "cum": 10000000,
              "flat": 10000000,
              "name": "print"
            }
          ],
          "sample_type": {
            "kind": "cpu",
            "unit": "nanoseconds"
          },
          "sample_types": [
            {
              "kind": "samples",
              "unit": "count"
            },
            {
              "kind": "cpu",
              "unit": "nanoseconds"
            }
          ],
          "stacks": 3,
          "time_nanos": 1700000000000000000,
          "total": 100000000
        }
    "#]],
    );
}

#[test]
fn json_has_every_change() {
    check(
        &["diff", "-n1", "--json", "a.prof", "b.prof"],
        &expect![[r#"
        {
          "base_file": "a.prof",
          "base_total": 100000000,
          "duration_nanos": 200000000,
          "file": "b.prof",
          "functions": [
            {
              "base_cum": 60000000,
              "base_flat": 60000000,
              "cum_change": -40000000,
              "flat_change": -40000000,
              "name": "read",
              "new_cum": 20000000,
              "new_flat": 20000000
            }
          ],
          "normalized": false,
          "sample_type": {
            "kind": "cpu",
            "unit": "nanoseconds"
          },
          "sample_types": [
            {
              "kind": "samples",
              "unit": "count"
            },
            {
              "kind": "cpu",
              "unit": "nanoseconds"
            }
          ],
          "stacks": 3,
          "time_nanos": 1700000000000000000,
          "total": 80000000
        }
    "#]],
    );
}

#[test]
fn a_profile_comes_through_a_pipe() {
    let bytes = encoded(&profile(&["6 main run read"]));
    let finished = dprofile(&Scratch::new(), &["top", "-"]).stdin(Stdin::Bytes(bytes)).run();
    let text = finished.exits(0).stdout_text();
    assert!(text.starts_with("standard input: cpu, 60ms in 1 stack"), "{text}");
}

#[test]
fn folders_are_listed_by_what_their_names_say() {
    let scratch = Scratch::new();
    for name in ["dgrep_cpu_20261121_120000.prof", "dmap_alloc_20261121_120001_2.prof", "notes.txt"]
    {
        scratch.write(&format!("profiles/{name}"), "x");
    }
    let text = dprofile(&scratch, &["ls"]).run().exits(0).stdout_text();
    let mut rows: Vec<Vec<&str>> =
        text.lines().map(|line| line.split_whitespace().collect()).collect();
    rows.sort_unstable();
    let shown: Vec<String> =
        rows.iter().map(|row| format!("{} {} {}", row[0], row[1], row[row.len() - 1])).collect();
    assert_eq!(
        shown,
        [
            "dgrep cpu dgrep_cpu_20261121_120000.prof",
            "dmap alloc dmap_alloc_20261121_120001_2.prof",
            "tool kind name"
        ]
    );
    let json = dprofile(&scratch, &["ls", "--json"]).run().exits(0).stdout_text();
    assert_eq!(json.matches("\"bytes\": 1,").count(), 2);
    dprofile(&scratch, &["ls", "src"])
        .run()
        .exits(2)
        .says("error: cannot read src: No such file or directory (os error 2)\n");
}
