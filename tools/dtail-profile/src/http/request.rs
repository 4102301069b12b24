//! The beginning of a request: which method, path, parameters and headers. Bounded in size and
//! time; bodies only of the one kind that is needed.

use std::io::{self, Read};
use std::net::TcpStream;
use std::time::Instant;

/// No head of a profile's request is longer.
const MOST_HEAD: usize = 8192;
/// No list of addresses is longer.
const MOST_BODY: usize = 1 << 16;

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    /// What follows the question mark.
    pub(super) query: String,
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

/// Why there is no request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadRequest {
    /// Nobody is there to be told.
    Gone,
    /// With status and reason.
    Refused(u16, &'static str),
}

impl From<io::Error> for BadRequest {
    fn from(err: io::Error) -> BadRequest {
        match err.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                BadRequest::Refused(408, "the request came too slowly")
            }
            _ => BadRequest::Gone,
        }
    }
}

impl Request {
    /// Reads one, until `deadline`.
    pub(super) fn read(stream: &mut TcpStream, deadline: Instant) -> Result<Request, BadRequest> {
        let mut bytes = Vec::new();
        let head = loop {
            if let Some(end) = end_of_head(&bytes) {
                break end;
            }
            if bytes.len() >= MOST_HEAD {
                return Err(BadRequest::Refused(431, "the head is too long"));
            }
            more(stream, deadline, &mut bytes)?;
        };
        let body = bytes.split_off(head);
        let mut request = Request::parse(&String::from_utf8_lossy(&bytes))
            .ok_or(BadRequest::Refused(400, "that is no HTTP request"))?;
        let length = request.header("content-length").map_or(Some(0), |it| it.parse().ok());
        let length = length.ok_or(BadRequest::Refused(400, "bad Content-Length"))?;
        if length > MOST_BODY {
            return Err(BadRequest::Refused(413, "the body is too long"));
        }
        let mut body = body;
        while body.len() < length {
            more(stream, deadline, &mut body)?;
        }
        body.truncate(length);
        request.body = String::from_utf8_lossy(&body).into_owned();
        Ok(request)
    }

    fn parse(head: &str) -> Option<Request> {
        let mut lines = head.lines();
        let mut words = lines.next()?.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() || !version.starts_with("HTTP/1.") || !target.starts_with('/') {
            return None;
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = lines.take_while(|line| !line.is_empty()).map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        });
        Some(Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers.collect::<Option<_>>()?,
            body: String::new(),
        })
    }

    /// The value of a header, whose name is in small letters.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The value of a parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let mut pairs =
            self.query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

fn more(stream: &mut TcpStream, deadline: Instant, into: &mut Vec<u8>) -> Result<(), BadRequest> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::Error::from(io::ErrorKind::TimedOut).into());
    }
    stream.set_read_timeout(Some(left))?;
    let mut buffer = [0; 4096];
    match stream.read(&mut buffer) {
        Ok(0) => Err(BadRequest::Gone),
        Ok(length) => {
            into.extend_from_slice(&buffer[..length]);
            Ok(())
        }
        Err(err) if err.kind() == io::ErrorKind::Interrupted => Ok(()),
        Err(err) => Err(err.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::Request;

    #[test]
    fn heads_are_taken_apart() {
        let head = "GET /debug/pprof/profile?seconds=3&x HTTP/1.1\r\nHost: a:1\r\nX-Y:  z \r\n\r\n";
        let request = Request::parse(head).unwrap();
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("GET", "/debug/pprof/profile")
        );
        assert_eq!((request.header("host"), request.header("x-y")), (Some("a:1"), Some("z")));
        assert_eq!((request.parameter("seconds"), request.parameter("x")), (Some("3"), Some("")));
        assert_eq!(request.parameter("y"), None);
        for bad in ["", "GET", "GET / HTTP/2", "GET x HTTP/1.1", "GET / HTTP/1.1\r\nno colon\r\n"] {
            assert_eq!(Request::parse(bad), None, "{bad}");
        }
    }
}
