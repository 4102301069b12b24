//! The page: who may read it, what is on it, and that it ends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use dtail_testkit::{Running, Scratch, Signal};

use crate::dprofile;
use crate::picture::node;
use crate::profiles::{encoded, profile};

const LIMIT: Duration = Duration::from_secs(20);

fn started(scratch: &Scratch, arguments: &[&str]) -> (Running, String) {
    scratch.write("a.prof", encoded(&profile(&["6 main run read", "2 main <b>&x", "2 main y"])));
    scratch.write("b.prof", encoded(&profile(&["8 main run read"])));
    let running = dprofile(scratch, arguments).spawn();
    running.wait_for_stderr("its address is told", LIMIT, |said| said.ends_with(b"\n"));
    let said = String::from_utf8(running.stderr()).expect("UTF-8");
    let (_, address) = said.split_once("http://").expect("an address");
    let (address, _) = address.split_once('/').expect("its end");
    (running, address.to_owned())
}

fn ask(address: &str, request: &str) -> String {
    let mut connection = TcpStream::connect(address).expect("a connection");
    connection.set_read_timeout(Some(LIMIT)).expect("a limit");
    connection.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer");
    answer
}

fn get(address: &str, path: &str) -> String {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n"))
}

#[test]
fn the_page_is_served_until_a_signal() {
    let scratch = Scratch::new();
    let (running, address) = started(&scratch, &["web", "a.prof"]);
    let page = get(&address, "/");
    assert!(
        page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("default-src 'none'"),
        "{page}"
    );
    assert!(page.contains("src=\"/page.js\"") && !page.contains("http://"), "{page}");
    assert!(get(&address, "/page.css").contains("text/css"));
    assert!(get(&address, "/a.prof").starts_with("HTTP/1.1 404"));
    assert!(get(&address, "/profile.json?type=2").starts_with("HTTP/1.1 404"));
    let head = ask(&address, &format!("HEAD / HTTP/1.1\r\nHost: {address}\r\n\r\n"));
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
    running.signal(Signal::INT);
    running.wait(LIMIT).exits(0).prints("");
}

#[test]
fn strangers_are_turned_away() {
    let scratch = Scratch::new();
    let (_running, address) = started(&scratch, &["--web", "a.prof"]);
    let foreign = "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    assert!(ask(&address, foreign).starts_with("HTTP/1.1 403"));
    let long = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(16 << 10));
    assert!(ask(&address, &long).starts_with("HTTP/1.1 431"));
    // Who only connects keeps nobody out.
    let idle: Vec<TcpStream> = (0..8).map(|_| TcpStream::connect(&address).unwrap()).collect();
    assert!(get(&address, "/").starts_with("HTTP/1.1 200"));
    drop(idle);
}

#[test]
fn the_script_draws_what_the_profile_has() {
    let scratch = Scratch::new();
    let (_running, address) = started(&scratch, &["web", "a.prof", "--diff", "b.prof"]);
    for (name, path) in [("script", "/page.js"), ("data", "/profile.json?type=1")] {
        let answer = get(&address, path);
        scratch.write(name, answer.split_once("\r\n\r\n").unwrap().1);
    }
    let told = node(
        &scratch,
        "const fs = require('fs');
        const script = fs.readFileSync(__dirname + '/script', 'utf8');
        const data = JSON.parse(fs.readFileSync(__dirname + '/data', 'utf8'));
        const { prepared, layout, matched, columns, state, shown } = new Function(
          script + '; return { prepared, layout, matched, columns, state, shown };')();
        state.data = data;
        const nodes = prepared(data);
        const boxes = (focus) => layout(nodes, focus, 1000).map((box) =>
          nodes[box.at].name + ' ' + Math.round(box.left) + '+' + Math.round(box.width)).join(', ');
        console.log(boxes(0));
        console.log(boxes(nodes.findIndex((node) => node.name === 'run')));
        console.log(shown(matched(nodes, /run|read/), 'nanoseconds'));
        const row = data.functions.find((row) => data.names[row[0]] === 'read');
        console.log(columns(data).map(([name, cell]) => name + '=' + cell(row)[1]).join(' '));
        console.log(shown(1572864, 'bytes'), shown(90, 'seconds'), shown(7, 'count'), shown(0, 'bytes'));",
    );
    if let Some(told) = told {
        assert_eq!(
            told,
            "all 0+1000, main 0+1000, run 0+600, read 0+600, <b>&x 600+200, y 800+200\n\
             all 0+1000, main 0+1000, run 0+1000, read 0+1000\n\
             60ms\n\
             flat=60ms flat %=60.00 % cum=60ms cum %=60.00 % was flat=80ms change=-20ms was cum=80ms cum change=-20ms function=read\n\
             1.5MiB 1.5min 7 0\n"
        );
    }
}

#[test]
fn a_browser_draws_it_marks_what_is_searched_and_zooms() {
    let scratch = Scratch::new();
    let (_running, address) = started(&scratch, &["web", "a.prof"]);
    let script = include_str!("browser.js").replace("process.argv[2]", &format!("'{address}'"));
    let Some(told) = node(&scratch, &script) else { return };
    if told.trim() == "\"missing\"" {
        eprintln!("SKIPPED: no Chromium (apt install chromium) to open the page with");
        return;
    }
    let seen: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    let boxes = |what: &str| seen[what].to_string();
    assert_eq!(seen["faults"].to_string(), "[]");
    assert_eq!(
        boxes("drawn"),
        r#"[["all",100],["main",100],["run",60],["read",60],["<b>&x",20],["y",20]]"#
    );
    assert_eq!(seen["rows"], 5, "{told}");
    assert_eq!(boxes("marked"), r#"["read"]"#);
    assert_eq!(seen["told"], "60.00 % match");
    assert_eq!(boxes("zoomed"), r#"[["all",100],["main",100],["run",100],["read",100]]"#);
}

#[test]
fn a_taken_port_is_told() {
    let scratch = Scratch::new();
    let (_running, address) = started(&scratch, &["web", "a.prof"]);
    let port = address.rsplit(':').next().unwrap().to_owned();
    let finished = dprofile(&scratch, &["web", "a.prof", "-port", &port]).run();
    finished.exits(2).says(&format!(
        "error: cannot listen on 127.0.0.1:{port}: Address already in use (os error 98)\n"
    ));
}
