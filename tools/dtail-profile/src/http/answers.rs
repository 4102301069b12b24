//! What each path answers. It knows Go's paths and parameters, and says where this program has no
//! equal of what Go has.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use dtail_pprof::Profile;

use super::client::Client;
use super::request::Request;
use super::text;
use crate::allocator::unsampled;
use crate::assembly::Assembly;
use crate::continuous;
use crate::cpu::{CpuRecording, MOST_RATE, RATE};
use crate::heap::{HeapState, Shown};
use crate::machine::{self, ThreadStack};
use crate::symbols::Symbols;

/// How long is recorded unless a client says so.
const SECONDS: u64 = 30;
/// The longest that is recorded for a client.
const MOST_SECONDS: u64 = 3600;
/// How long a time of the continuous profile is answered unless a client says so.
const MINUTES: u64 = 60;
/// Addresses that are named at once.
const MOST_ADDRESSES: usize = 4096;

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const BYTES: &str = "application/octet-stream";

/// Every path below `/debug/pprof/` with what the index says of it.
const PATHS: [(&str, &str); 12] = [
    ("allocs", "All allocations since sampling began, one in 512 KiB sampled"),
    ("block", "Always empty: waiting is not recorded. See where threads wait: goroutine?debug=1"),
    ("cmdline", "The command line, its words separated by zeros"),
    ("continuous", "CPU samples of the last minutes=60, with --profile-continuous (dserver)"),
    (
        "delta_heap",
        "Allocations since this was asked for last, memory in use as it is; for collectors",
    ),
    ("goroutine", "There are no goroutines: the stacks of all threads. debug=1 as text"),
    ("heap", "Memory in use, one allocation in 512 KiB sampled. gc=1 has no effect"),
    ("mutex", "Always empty: contention is not recorded"),
    ("profile", "CPU profile of seconds=30 at hz=100, which the kernel may lower"),
    ("symbol", "Names of addresses, which are asked for as ?0x1+0x2 or in a POST"),
    ("threadcreate", "Who created a thread is not recorded: the threads by their names"),
    ("trace", "Refused: only Go can be traced. The nearest is profile"),
];

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    status: u16,
    kind: &'static str,
    file: Option<String>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// A status that is no success and one line.
    pub(super) fn refusal(status: u16, reason: &str) -> Answer {
        Answer { status, kind: TEXT, file: None, body: format!("{reason}\n").into_bytes() }
    }

    fn text(kind: &'static str, text: impl Into<Vec<u8>>) -> Answer {
        Answer { status: 200, kind, file: None, body: text.into() }
    }

    /// In the form that `debug` asks for.
    fn profile(profile: &Profile, name: &str, request: &Request) -> Answer {
        if request.parameter("debug").is_some_and(|it| !it.is_empty() && it != "0") {
            return Answer::text(TEXT, text::of(profile, name));
        }
        let mut body = Vec::new();
        match profile.encode(&mut body) {
            Ok(()) => Answer { status: 200, kind: BYTES, file: Some(name.to_owned()), body },
            Err(err) => Answer::refusal(500, &err.to_string()),
        }
    }

    /// The status line and the headers.
    pub(super) fn head(&self) -> Vec<u8> {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            408 => "Request Timeout",
            409 => "Conflict",
            413 => "Content Too Large",
            431 => "Request Header Fields Too Large",
            501 => "Not Implemented",
            503 => "Service Unavailable",
            _ => "Internal Server Error",
        };
        let mut head = format!(
            "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\
             X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n",
            self.status,
            self.kind,
            self.body.len()
        );
        if let Some(file) = &self.file {
            let _text_takes_all =
                write!(head, "Content-Disposition: attachment; filename=\"{file}\"\r\n");
        }
        if self.status == 401 {
            head += "WWW-Authenticate: Bearer\r\n";
        }
        head += "\r\n";
        head.into_bytes()
    }
}

/// Answers a request that is allowed. Whatever it allocates is in no heap profile.
pub(super) fn answer(request: &Request, client: &Client) -> Answer {
    let is_known = match request.path.as_str() {
        "/debug/pprof/symbol" => ["GET", "HEAD", "POST"].contains(&request.method.as_str()),
        _ => ["GET", "HEAD"].contains(&request.method.as_str()),
    };
    if !is_known {
        return Answer::refusal(405, "only GET is answered");
    }
    unsampled(|| route(request, client)).unwrap_or_else(|refusal| refusal)
}

fn route(request: &Request, client: &Client) -> Result<Answer, Answer> {
    let Some(name) = request.path.strip_prefix("/debug/pprof") else {
        return Err(Answer::refusal(404, "profiles are below /debug/pprof/"));
    };
    Ok(match name {
        "" | "/" => Answer::text(HTML, index()),
        "/cmdline" => Answer::text(TEXT, command_line()),
        "/profile" => cpu(request, client)?,
        "/heap" => heap(request, client, Shown::InUse, "heap")?,
        "/allocs" => heap(request, client, Shown::Allocated, "allocs")?,
        "/delta_heap" => Answer::profile(&scraped(), "delta_heap", request),
        "/goroutine" => {
            let threads = machine::thread_stacks().map_err(|err| Answer::refusal(500, &err))?;
            Answer::profile(&stacks(&threads), "goroutine", request)
        }
        "/threadcreate" => {
            let threads = machine::thread_stacks().map_err(|err| Answer::refusal(500, &err))?;
            Answer::profile(&names(&threads), "threadcreate", request)
        }
        "/block" => Answer::profile(&empty("waiting is not recorded"), "block", request),
        "/mutex" => Answer::profile(&empty("contention is not recorded"), "mutex", request),
        "/symbol" => Answer::text(TEXT, symbols(request)),
        "/continuous" => recent(request)?,
        "/trace" => Answer::refusal(501, "only Go can be traced; the nearest is profile"),
        _ => Answer::refusal(404, "unknown profile"),
    })
}

fn index() -> String {
    let mut page = "<!DOCTYPE html><html><head><title>/debug/pprof/</title></head><body>\n\
                    <h1>/debug/pprof/</h1>\n<p>Profiles of this process. Fetch one with \
                    <code>go tool pprof</code>, <code>curl</code> or a collector.</p>\n<table>\n"
        .to_owned();
    for (name, what) in PATHS {
        let link = match name {
            "goroutine" | "heap" | "allocs" | "threadcreate" | "block" | "mutex" => {
                format!("{name}?debug=1")
            }
            _ => name.to_owned(),
        };
        let _text_takes_all =
            writeln!(page, "<tr><td><a href=\"{link}\">{name}</a></td><td>{what}</td></tr>");
    }
    page + "</table>\n</body></html>\n"
}

fn command_line() -> Vec<u8> {
    use std::os::unix::ffi::OsStringExt;
    let words: Vec<Vec<u8>> = std::env::args_os().map(OsStringExt::into_vec).collect();
    words.join(&0)
}

/// A whole number among the parameters, within bounds. Zero and nothing mean `default`, as in Go.
fn number(request: &Request, name: &str, default: u64, most: u64) -> Result<u64, Answer> {
    match request.parameter(name).unwrap_or_default() {
        "" | "0" => Ok(default),
        value => {
            value.parse().ok().filter(|it| *it <= most).ok_or_else(|| {
                Answer::refusal(400, &format!("{name} is a whole number up to {most}"))
            })
        }
    }
}

fn gone() -> Answer {
    Answer::refusal(503, "the client went away or the program ends")
}

fn cpu(request: &Request, client: &Client) -> Result<Answer, Answer> {
    let seconds = number(request, "seconds", SECONDS, MOST_SECONDS)?;
    let rate = number(request, "hz", u64::from(RATE), u64::from(MOST_RATE))?;
    let rate = u32::try_from(rate).unwrap_or(RATE);
    let _pause = continuous::pause();
    let recording = CpuRecording::start(rate).map_err(|err| Answer::refusal(409, &err))?;
    if !client.waits(Duration::from_secs(seconds)) {
        return Err(gone());
    }
    Ok(Answer::profile(&recording.stop().profile(&mut Symbols::new()), "profile", request))
}

fn heap(request: &Request, client: &Client, shown: Shown, name: &str) -> Result<Answer, Answer> {
    let seconds = number(request, "seconds", 0, MOST_SECONDS)?;
    let mut state = HeapState::now();
    if seconds > 0 {
        if !client.waits(Duration::from_secs(seconds)) {
            return Err(gone());
        }
        state = HeapState::now().since(&state);
    }
    Ok(Answer::profile(&state.profile(shown, &mut Symbols::new()), name, request))
}

/// For collectors that add up what they are told: each allocation is told once. One of them can use
/// it, as in Go.
fn scraped() -> Profile {
    static LAST: Mutex<Option<HeapState>> = Mutex::new(None);
    let now = HeapState::now();
    let before = LAST.lock().unwrap_or_else(PoisonError::into_inner).replace(now.clone());
    let new = now.asked_since(&before.unwrap_or_default());
    new.profile(Shown::Allocated, &mut Symbols::new())
}

fn recent(request: &Request) -> Result<Answer, Answer> {
    let minutes = number(request, "minutes", MINUTES, 24 * 60)?;
    let ticks = continuous::collect(Duration::from_mins(minutes)).ok_or_else(|| {
        Answer::refusal(404, "nothing is kept: start the program with --profile-continuous MINUTES")
    })?;
    Ok(Answer::profile(&ticks.profile(&mut Symbols::new()), "continuous", request))
}

fn stacks(threads: &[ThreadStack]) -> Profile {
    let (mut symbols, now) = (Symbols::new(), SystemTime::now());
    let mut assembly = Assembly::new(&mut symbols, &[("threads", "count")], now);
    for ThreadStack { name, stack, .. } in threads {
        assembly.add(stack, vec![1], &[("thread", name)]);
    }
    assembly.finish()
}

fn names(threads: &[ThreadStack]) -> Profile {
    let (mut symbols, now) = (Symbols::new(), SystemTime::now());
    let mut assembly = Assembly::new(&mut symbols, &[("threadcreate", "count")], now);
    threads.iter().for_each(|thread| assembly.add_named(&thread.name, vec![1]));
    assembly.finish()
}

fn empty(reason: &'static str) -> Profile {
    let types = [("contentions", "count"), ("delay", "nanoseconds")];
    let mut symbols = Symbols::new();
    let mut assembly = Assembly::new(&mut symbols, &types, SystemTime::now());
    assembly.profile().comments.push(reason.into());
    assembly.finish()
}

fn symbols(request: &Request) -> String {
    let asked = if request.method == "POST" { &request.body } else { &request.query };
    let mut symbols = Symbols::new();
    let mut answer = "num_symbols: 1\n".to_owned();
    for word in asked.split('+').take(MOST_ADDRESSES) {
        let digits = word.trim().trim_start_matches("0x");
        let Ok(address) = u64::from_str_radix(digits, 16) else { continue };
        let (_, frames) = symbols.resolve(address);
        if let Some(frame) = frames.last().filter(|_| address > 0) {
            let _text_takes_all = writeln!(answer, "{address:#x} {}", frame.name);
        }
    }
    answer
}
