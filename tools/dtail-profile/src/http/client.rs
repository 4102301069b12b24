//! Whether the client that waits for an answer is still there. It reads nothing that it sent.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How soon it is noticed that a client is gone.
const LOOK: Duration = Duration::from_millis(50);

/// A client that waits.
#[derive(Debug)]
pub(super) struct Client {
    stream: TcpStream,
    stop: Arc<AtomicBool>,
}

impl Client {
    pub(super) fn new(stream: TcpStream, stop: Arc<AtomicBool>) -> Client {
        Client { stream, stop }
    }

    /// Waits for so long; false if the client went away or the program ends before.
    pub(super) fn waits(&self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            if self.is_gone() || self.stop.load(Ordering::SeqCst) {
                return false;
            }
            thread::park_timeout(left.min(LOOK));
        }
    }

    fn is_gone(&self) -> bool {
        let look = || {
            self.stream.set_nonblocking(true)?;
            let seen = self.stream.peek(&mut [0]);
            self.stream.set_nonblocking(false)?;
            seen
        };
        match look() {
            Ok(length) => length == 0,
            Err(err) => err.kind() != io::ErrorKind::WouldBlock,
        }
    }
}
