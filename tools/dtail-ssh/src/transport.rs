//! A TCP connection that can be cut from outside and remembers the first lines the peer sent. Never
//! looks at what follows the SSH banner.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::channels::OpenChannels;

/// Longest line that is kept; also russh's own limit for a banner.
const LINE_LIMIT: usize = 255;

/// Characters of a line that are quoted.
const TEXT_LIMIT: usize = 160;

/// The connection as russh gets it.
pub(crate) struct Transport {
    tcp: TcpStream,
    shared: Arc<Shared>,
    greeting_is_over: bool,
}

/// The rest of the world's view of a [`Transport`].
#[derive(Clone)]
pub(crate) struct Line(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_cut: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    greeting: Greeting,
}

/// What a peer sends before the first packet: any lines, then `SSH-2.0-SOFTWARE`.
#[derive(Default)]
struct Greeting {
    current: Vec<u8>,
    first_text: Option<String>,
    last_text: Option<String>,
    software: Option<String>,
}

impl Transport {
    pub(crate) fn new(tcp: TcpStream) -> (Transport, Line) {
        let shared = Arc::new(Shared::default());
        let line = Line(Arc::clone(&shared));
        (Transport { tcp, shared, greeting_is_over: false }, line)
    }
}

impl Line {
    /// Ends the connection now: whoever reads or writes is woken and fails.
    pub(crate) fn cut(&self) {
        let wakers = {
            let mut state = self.0.lock();
            state.is_cut = true;
            [state.reader.take(), state.writer.take()]
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// What follows `SSH-2.0-` in the peer's banner.
    pub(crate) fn software(&self) -> Option<String> {
        self.0.lock().greeting.software.clone()
    }

    /// The first line that the peer sent instead of a banner, fit for a log.
    pub(crate) fn first_text(&self) -> Option<String> {
        let state = self.0.lock();
        state.greeting.first_text.clone().or_else(|| printable(&state.greeting.current))
    }

    /// The last line that the peer sent instead of a banner or before it, fit for a terminal.
    pub(crate) fn last_text(&self) -> Option<String> {
        let state = self.0.lock();
        let greeting = &state.greeting;
        match greeting.software {
            None => printable(&greeting.current).or_else(|| greeting.last_text.clone()),
            Some(_) => greeting.last_text.clone(),
        }
    }
}

/// Ends a connection and its channels when whoever holds it is dropped.
pub(crate) struct CutOnDrop {
    pub(crate) line: Line,
    pub(crate) open: Arc<OpenChannels>,
}

impl CutOnDrop {
    pub(crate) fn cut(&self) {
        self.line.cut();
        self.open.hang_up();
    }
}

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        self.cut();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is plain data: a panic elsewhere leaves nothing half done in it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Greeting {
    /// Takes what was read; says whether the banner is complete.
    fn take(&mut self, bytes: &[u8]) -> bool {
        for &byte in bytes {
            if byte != b'\n' {
                if self.current.len() < LINE_LIMIT {
                    self.current.push(byte);
                }
                continue;
            }
            let line = std::mem::take(&mut self.current);
            if let Some(software) = line.strip_prefix(b"SSH-2.0-".as_slice()) {
                self.software = Some(printable(software).unwrap_or_default());
                return true;
            }
            if let Some(text) = printable(&line) {
                self.first_text.get_or_insert_with(|| text.clone());
                self.last_text = Some(text);
            }
        }
        false
    }
}

/// The text of `line` without control characters, cut if it is long; `None` if nothing is left.
pub(crate) fn printable(line: &[u8]) -> Option<String> {
    let text: String = String::from_utf8_lossy(line)
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(TEXT_LIMIT)
        .collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn remember(slot: &mut Option<Waker>, waker: &Waker) {
    match slot {
        Some(known) => known.clone_from(waker),
        None => *slot = Some(waker.clone()),
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        {
            let mut state = this.shared.lock();
            if state.is_cut {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            remember(&mut state.reader, cx.waker());
        }
        let before = buffer.filled().len();
        let result = Pin::new(&mut this.tcp).poll_read(cx, buffer);
        if !this.greeting_is_over && matches!(result, Poll::Ready(Ok(()))) {
            let new = &buffer.filled()[before..];
            this.greeting_is_over = this.shared.lock().greeting.take(new);
        }
        result
    }
}

impl Transport {
    fn writer(&mut self, cx: &Context<'_>) -> io::Result<Pin<&mut TcpStream>> {
        let mut state = self.shared.lock();
        if state.is_cut {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        remember(&mut state.writer, cx.waker());
        drop(state);
        Ok(Pin::new(&mut self.tcp))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut().writer(cx) {
            Ok(tcp) => tcp.poll_write(cx, buffer),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut().writer(cx) {
            Ok(tcp) => tcp.poll_flush(cx),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut().writer(cx) {
            Ok(tcp) => tcp.poll_shutdown(cx),
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}
