//! As much of HTTP/1.1 as one page on a loopback port needs. It answers GET, closes every
//! connection, and turns away whoever was sent here by another page under another name.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Of a request: its line and its headers.
const MOST_HEAD: usize = 16 << 10;
/// Connections at once.
const MOST_CONNECTIONS: usize = 16;
/// For a request's head, and for each piece of an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a browser is told for every answer: nothing from elsewhere, no guessing, no other reader.
const HEADERS: &str = "Connection: close\r\n\
    Cache-Control: no-store\r\n\
    Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\n\
    Referrer-Policy: no-referrer\r\n\
    X-Content-Type-Options: nosniff\r\n";

/// The content of a path and a query, with its type; nothing where there is none.
pub(super) type Answer = dyn Fn(&str, &str) -> Option<(&'static str, Arc<Vec<u8>>)> + Sync;

/// Answers requests for good.
pub(super) fn serve(listener: &TcpListener, port: u16, answer: &Answer) {
    let busy = AtomicUsize::new(0);
    thread::scope(|scope| {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else {
                wait_for_others();
                continue;
            };
            if busy.fetch_add(1, Ordering::SeqCst) >= MOST_CONNECTIONS {
                busy.fetch_sub(1, Ordering::SeqCst);
                // Who is turned away may be gone already.
                let _told = refuse(&mut connection, "503 Service Unavailable", "too many requests");
                continue;
            }
            let busy = &busy;
            let worker = move || {
                // A browser that went away is nobody's fault.
                let _served = handle(&mut connection, port, answer);
                busy.fetch_sub(1, Ordering::SeqCst);
            };
            if thread::Builder::new().spawn_scoped(scope, worker).is_err() {
                busy.fetch_sub(1, Ordering::SeqCst);
            }
        }
    });
}

#[expect(clippy::disallowed_methods, reason = "nothing tells when there are descriptors again")]
fn wait_for_others() {
    thread::sleep(Duration::from_millis(50));
}

fn handle(connection: &mut TcpStream, port: u16, answer: &Answer) -> io::Result<()> {
    connection.set_write_timeout(Some(PATIENCE))?;
    let head = head(connection)?;
    let Some(head) = head else {
        return refuse(connection, "431 Request Header Fields Too Large", "too long a request");
    };
    let request = match request(&head, port) {
        Ok(request) => request,
        Err((status, text)) => return refuse(connection, status, text),
    };
    let Some((content_type, content)) = answer(request.path, request.query) else {
        return refuse(connection, "404 Not Found", "there is nothing of this name");
    };
    write!(
        connection,
        "HTTP/1.1 200 OK\r\n{HEADERS}Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        content.len()
    )?;
    if !request.head_only {
        connection.write_all(&content)?;
    }
    connection.flush()
}

fn refuse(connection: &mut TcpStream, status: &str, text: &str) -> io::Result<()> {
    connection.set_write_timeout(Some(PATIENCE))?;
    let length = text.len() + 1;
    write!(
        connection,
        "HTTP/1.1 {status}\r\n{HEADERS}Content-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\r\n{text}\n"
    )
}

/// Reads to the end of the headers; nothing if they are too long.
fn head(connection: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let end = Instant::now() + PATIENCE;
    let mut head = Vec::new();
    let mut piece = [0; 2048];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        if head.len() > MOST_HEAD {
            return Ok(None);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        connection.set_read_timeout(Some(left))?;
        let length = connection.read(&mut piece)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(&piece[..length]);
    }
    Ok(Some(head))
}

/// What is asked for.
struct Request<'a> {
    head_only: bool,
    path: &'a str,
    query: &'a str,
}

fn request(head: &[u8], port: u16) -> Result<Request<'_>, (&'static str, &'static str)> {
    const BAD: (&str, &str) = ("400 Bad Request", "not a request");
    let head = str::from_utf8(head).map_err(|_| BAD)?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().ok_or(BAD)?);
    if !words.next().is_some_and(|version| version.starts_with("HTTP/1.")) {
        return Err(BAD);
    }
    // Another name that leads here is how a foreign page would read this one (DNS rebinding).
    let mut hosts = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim())
    });
    let ours =
        |host: &str| ["127.0.0.1", "localhost"].iter().any(|it| host == format!("{it}:{port}"));
    let first = hosts.next();
    if !first.is_some_and(ours) || hosts.next().is_some() {
        return Err(("403 Forbidden", "this page is for 127.0.0.1 and localhost"));
    }
    if method != "GET" && method != "HEAD" {
        return Err(("405 Method Not Allowed", "there is nothing here but to be read"));
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Ok(Request { head_only: method == "HEAD", path, query })
}

#[cfg(test)]
mod tests {
    use super::request;

    #[track_caller]
    fn check(head: &str, expected: &str) {
        let said = match request(head.as_bytes(), 81) {
            Ok(request) => format!("{} ? {}", request.path, request.query),
            Err((status, _)) => status.to_owned(),
        };
        assert_eq!(said, expected);
    }

    #[test]
    fn only_requests_to_this_machine_are_answered() {
        check("GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:81\r\n\r\n", "/a ? b");
        check("HEAD / HTTP/1.0\r\nX: y\r\nhost:localhost:81\r\n\r\n", "/ ? ");
        check("GET / HTTP/1.1\r\n\r\n", "403 Forbidden");
        check("GET / HTTP/1.1\r\nHost: evil.example:81\r\n\r\n", "403 Forbidden");
        check(
            "GET / HTTP/1.1\r\nHost: 127.0.0.1:81\r\nHost: evil.example\r\n\r\n",
            "403 Forbidden",
        );
        check("GET / HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n", "403 Forbidden");
        check("POST / HTTP/1.1\r\nHost: localhost:81\r\n\r\n", "405 Method Not Allowed");
        check("GET /\r\nHost: localhost:81\r\n\r\n", "400 Bad Request");
        check("\r\n\r\n", "400 Bad Request");
    }
}
