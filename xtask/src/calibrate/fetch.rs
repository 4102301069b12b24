//! A profile of production: a file, or what a running program answers. Plain HTTP only; it looks
//! at nothing but the status.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::atomic;
use crate::fault::{Fault, refuse};

/// An hour, the longest profile a program of ours records, and a little.
const PATIENCE: Duration = Duration::from_secs(3700);
/// What a profile may hold.
const MOST_BYTES: u64 = 1 << 30;

/// The file of `source`, which is a file or begins with `http://`; what is fetched is kept at
/// `copy`.
pub(crate) fn production(source: &str, copy: &Path) -> Result<PathBuf> {
    if source.starts_with("https://") {
        let text = format!("{source}: fetch it with curl -o production.prof, then give the file");
        return Err(refuse(Fault::Usage, text));
    }
    let Some(rest) = source.strip_prefix("http://") else {
        let path = std::path::absolute(source)?;
        if !path.is_file() {
            return Err(refuse(Fault::Usage, format!("no profile {}", path.display())));
        }
        return Ok(path);
    };
    let body = get(rest).with_context(|| format!("cannot fetch {source}"))?;
    atomic::write(copy, &body)?;
    Ok(copy.to_owned())
}

fn get(rest: &str) -> Result<Vec<u8>> {
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address = if host.rsplit(']').next().is_some_and(|end| end.contains(':')) {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let mut stream = TcpStream::connect(&address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // Of version 1.0, so that the body comes as it is.
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {host}\r\nAccept: */*\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("no HTTP answer")?;
    let body = answer.split_off(end + 4);
    let head = String::from_utf8_lossy(&answer);
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status != "200" {
        let said = String::from_utf8_lossy(&body);
        anyhow::bail!("it answers {status}: {}", said.lines().next().unwrap_or_default());
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use std::io::BufRead as _;
    use std::net::TcpListener;

    use super::*;

    /// Answers one request, and gives its first line.
    fn serving(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = std::io::BufReader::new(stream.try_clone().unwrap());
            let (mut first, mut line) = (String::new(), String::new());
            reader.read_line(&mut first).unwrap();
            while line != "\r\n" {
                line.clear();
                reader.read_line(&mut line).unwrap();
            }
            stream.write_all(answer.as_bytes()).unwrap();
            first
        });
        (address, served)
    }

    #[test]
    fn a_running_program_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join("production.prof");
        let (address, served) = serving("HTTP/1.0 200 OK\r\nA: b\r\n\r\nbytes");
        let url = format!("http://{address}/debug/pprof/profile?seconds=1");
        assert_eq!(production(&url, &copy).unwrap(), copy);
        assert_eq!(std::fs::read(&copy).unwrap(), b"bytes");
        assert_eq!(served.join().unwrap(), "GET /debug/pprof/profile?seconds=1 HTTP/1.0\r\n");

        let (address, served) = serving("HTTP/1.0 409 Conflict\r\n\r\nalready recorded\nx");
        let error = production(&format!("http://{address}/x"), &copy).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.ends_with("it answers 409: already recorded"), "{error}");
        served.join().unwrap();
    }

    #[test]
    fn a_file_is_taken_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let (file, copy) = (dir.path().join("a.prof"), dir.path().join("copy"));
        std::fs::write(&file, "x").unwrap();
        assert_eq!(production(file.to_str().unwrap(), &copy).unwrap(), file);
        for bad in [dir.path().join("none").to_str().unwrap(), "https://host/profile"] {
            let error = production(bad, &copy).unwrap_err();
            assert_eq!(crate::fault::exit_code(&error), Fault::Usage.code(), "{bad}");
        }
    }
}
