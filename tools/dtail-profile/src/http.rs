//! Profiles over HTTP, with Go's paths. A small server on threads of its own: bounded heads,
//! bounded connections, a time limit on everything, one request per connection.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::allocator::unsampled;
use crate::heap::HeapRecording;
use crate::machine;

mod answers;
mod client;
mod request;
mod text;

use answers::Answer;
use client::Client;
use request::{BadRequest, Request};

/// Clients that are served at once; more are sent away.
const MOST_CLIENTS: usize = 64;
/// How long a client may take to say what it wants.
const ASKING: Duration = Duration::from_secs(10);
/// How long a client may take for each part of the answer.
const TAKING: Duration = Duration::from_secs(30);
/// No token is longer.
const MOST_TOKEN: u64 = 4096;

/// The server, until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    /// What it serves of memory is sampled all the time.
    _heap: HeapRecording,
}

/// Who may ask.
#[derive(Debug)]
struct Admission {
    token: Option<Vec<u8>>,
    clients: AtomicUsize,
    stop: Arc<AtomicBool>,
}

impl Server {
    /// Listens at `address`: a host and a port, or a port after a colon, which is this host's
    /// loopback. The error is one line.
    pub(crate) fn start(address: &str, token_file: Option<&Path>) -> Result<Server, String> {
        let token = token_file.map(token).transpose()?;
        let listener = bind(address, token.is_some())?;
        let failed = |err: io::Error| format!("no profiles at {address}: {err}");
        let address = listener.local_addr().map_err(failed)?;
        let stop = Arc::new(AtomicBool::new(false));
        let admission =
            Arc::new(Admission { token, clients: AtomicUsize::new(0), stop: Arc::clone(&stop) });
        let accept = move || {
            let _kept_out = machine::keep_out();
            unsampled(|| {
                while let Ok((stream, _)) = accept(&listener) {
                    if admission.stop.load(Ordering::SeqCst) {
                        return;
                    }
                    admit(stream, &admission);
                }
            });
        };
        thread::Builder::new().name("pprof".to_owned()).spawn(accept).map_err(failed)?;
        Ok(Server { address, stop, _heap: HeapRecording::start() })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for clients.
        let here = match self.address.ip() {
            ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            ip => ip,
        };
        let address = SocketAddr::new(here, self.address.port());
        let _it_may_be_gone = TcpStream::connect_timeout(&address, Duration::from_millis(100));
    }
}

/// What goes wrong with one client is no reason to stop, and neither is a want of descriptors.
fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    loop {
        match listener.accept() {
            Err(err) if err.kind() == io::ErrorKind::InvalidInput => return Err(err),
            Err(_) => thread::park_timeout(Duration::from_millis(100)),
            accepted => return accepted,
        }
    }
}

fn token(file: &Path) -> Result<Vec<u8>, String> {
    let failed =
        |reason: &str| format!("no profiles are served: token file {}: {reason}", file.display());
    let mut token = Vec::new();
    let read = fs::File::open(file).and_then(|it| it.take(MOST_TOKEN).read_to_end(&mut token));
    read.map_err(|err| failed(&err.to_string()))?;
    let token = token.trim_ascii().to_owned();
    if token.is_empty() { Err(failed("it is empty")) } else { Ok(token) }
}

fn bind(address: &str, has_token: bool) -> Result<TcpListener, String> {
    let whole = match address.starts_with(':') {
        true => format!("127.0.0.1{address}"),
        false => address.to_owned(),
    };
    let failed = |err: io::Error| format!("no profiles at {address}: {err}");
    let found: Vec<SocketAddr> = whole.to_socket_addrs().map_err(failed)?.collect();
    if !has_token && !found.iter().all(|it| it.ip().is_loopback()) {
        return Err(format!(
            "no profiles at {address}: other hosts could read them, use --pprof-token-file"
        ));
    }
    TcpListener::bind(found.as_slice()).map_err(failed)
}

fn admit(mut stream: TcpStream, admission: &Arc<Admission>) {
    if admission.clients.fetch_add(1, Ordering::SeqCst) >= MOST_CLIENTS {
        admission.clients.fetch_sub(1, Ordering::SeqCst);
        let busy = Answer::refusal(503, "too many clients, try again later");
        let limit = stream.set_write_timeout(Some(Duration::from_millis(100)));
        // What it said is left unread, so that it may not even hear this.
        let _heard = limit.and_then(|()| stream.write_all(&busy.head())).is_ok();
        return;
    }
    let own = Arc::clone(admission);
    let serve = move || {
        let _kept_out = machine::keep_out();
        let _it_may_be_gone = unsampled(|| serve(stream, &own)).is_ok();
        own.clients.fetch_sub(1, Ordering::SeqCst);
    };
    if thread::Builder::new().name("pprof".to_owned()).spawn(serve).is_err() {
        admission.clients.fetch_sub(1, Ordering::SeqCst);
    }
}

fn serve(mut stream: TcpStream, admission: &Admission) -> io::Result<()> {
    stream.set_write_timeout(Some(TAKING))?;
    let deadline = Instant::now() + ASKING;
    let (answer, has_body) = match Request::read(&mut stream, deadline) {
        Ok(request) => {
            let client = Client::new(stream.try_clone()?, Arc::clone(&admission.stop));
            (judge(&request, admission, &client), request.method != "HEAD")
        }
        Err(BadRequest::Gone) => return Ok(()),
        Err(BadRequest::Refused(status, reason)) => (Answer::refusal(status, reason), true),
    };
    stream.write_all(&answer.head())?;
    if has_body {
        stream.write_all(&answer.body)?;
    }
    stream.shutdown(Shutdown::Write)
}

fn judge(request: &Request, admission: &Admission, client: &Client) -> Answer {
    match &admission.token {
        Some(token) => {
            let shown = request.header("authorization").and_then(|it| it.strip_prefix("Bearer "));
            if !shown.is_some_and(|shown| is_same(shown.trim().as_bytes(), token)) {
                return Answer::refusal(401, "a bearer token is needed");
            }
        }
        // A page in the user's browser could reach us by a name of its own.
        None if !request.header("host").is_none_or(is_loopback_name) => {
            return Answer::refusal(403, "without a token only loopback names are answered");
        }
        None => {}
    }
    answers::answer(request, client)
}

/// In a time that does not tell where they differ.
fn is_same(shown: &[u8], token: &[u8]) -> bool {
    let differences = shown.iter().zip(token).fold(0, |sum, (one, other)| sum | (one ^ other));
    shown.len() == token.len() && differences == 0
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
