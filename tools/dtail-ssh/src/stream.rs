//! A channel as a stream of bytes, bounded in both directions. Never knows what the bytes mean.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf as _, Bytes};
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, client, server};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

use crate::channels::OpenChannels;

/// The largest packet that russh takes and makes. Large packets cost less per byte: with 64 KiB a
/// gigabyte takes half the time that it takes with the usual 32 KiB.
pub(crate) const PACKET_LIMIT: u32 = 65_535;

/// Bytes that a peer may send before we have read them.
pub(crate) const WINDOW: u32 = 2 << 20;

/// Both directions of a channel. Dropping it closes the channel.
#[derive(Debug)]
pub struct ByteStream {
    reader: ByteReader,
    writer: ByteWriter,
}

/// What the peer sends; ends at its EOF, at its close of the channel and at the end of the
/// connection.
///
/// It must be read or dropped: packets that nobody takes hold up the whole connection, in both
/// directions, once the channel's queue is full.
pub struct ByteReader {
    side: Arc<ReadSide>,
    is_client: bool,
    has_eof: bool,
    rest: Bytes,
    exit_status: Option<u32>,
}

/// What we send; waits for the peer's window. Dropping it closes the channel and drops what was
/// accepted but not sent: see [`ByteWriter::finish`].
pub struct ByteWriter {
    half: Option<Arc<WriteHalf>>,
    closed: Closed,
    pending: Option<Pin<Box<dyn Future<Output = io::Result<()>> + Send>>>,
    eof_is_sent: bool,
}

/// Where packets wait for their reader; can be emptied from outside.
#[derive(Debug)]
pub(crate) struct ReadSide(Mutex<ReadState>);

#[derive(Debug)]
struct ReadState {
    /// `None`: nothing comes any more.
    half: Option<ChannelReadHalf>,
    waiting: Option<Waker>,
}

impl ReadSide {
    pub(crate) fn hang_up(&self) {
        let mut state = self.lock();
        drop(state.half.take());
        let waiting = state.waiting.take();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    fn poll_message(&self, cx: &mut Context<'_>) -> Poll<Option<ChannelMsg>> {
        let mut state = self.lock();
        let Some(half) = &mut state.half else { return Poll::Ready(None) };
        let message = pin!(half.wait()).poll(cx);
        if message.is_pending() {
            state.waiting = Some(cx.waker().clone());
        }
        message
    }

    fn has_ended(&self) -> bool {
        self.lock().half.is_none()
    }

    fn lock(&self) -> MutexGuard<'_, ReadState> {
        // Plain values, never left half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends (by an error of `changed`) when the peer has closed the channel or the connection has
/// ended. russh itself would let a writer wait for the window of a closed channel for ever.
pub(crate) type Closed = watch::Receiver<()>;

enum WriteHalf {
    Server(ChannelWriteHalf<server::Msg>),
    Client(ChannelWriteHalf<client::Msg>),
}

impl WriteHalf {
    async fn data(&self, bytes: Bytes) -> Result<(), russh::Error> {
        match self {
            WriteHalf::Server(half) => half.data_bytes(bytes).await,
            WriteHalf::Client(half) => half.data_bytes(bytes).await,
        }
    }

    async fn eof(&self) -> Result<(), russh::Error> {
        match self {
            WriteHalf::Server(half) => half.eof().await,
            WriteHalf::Client(half) => half.eof().await,
        }
    }

    async fn close(&self) -> Result<(), russh::Error> {
        match self {
            WriteHalf::Server(half) => half.close().await,
            WriteHalf::Client(half) => half.close().await,
        }
    }

    /// Only a server has an exit status to tell.
    async fn exit_status(&self, status: u32) -> Result<(), russh::Error> {
        match self {
            WriteHalf::Server(half) => half.exit_status(status).await,
            WriteHalf::Client(_) => Ok(()),
        }
    }
}

/// `work`, unless the channel is closed first.
async fn unless_closed(
    mut closed: Closed,
    work: impl Future<Output = Result<(), russh::Error>>,
) -> io::Result<()> {
    tokio::select! {
        biased;
        result = work => result.map_err(|_| io::ErrorKind::BrokenPipe.into()),
        _ = closed.changed() => Err(io::ErrorKind::BrokenPipe.into()),
    }
}

impl ByteStream {
    pub(crate) fn of_server(
        channel: Channel<server::Msg>,
        closed: Closed,
        channels: &OpenChannels,
    ) -> ByteStream {
        let id = channel.id();
        let (reader, writer) = channel.split();
        ByteStream::new(id, reader, WriteHalf::Server(writer), closed, channels)
    }

    pub(crate) fn of_client(
        channel: Channel<client::Msg>,
        closed: Closed,
        channels: &OpenChannels,
    ) -> ByteStream {
        let id = channel.id();
        let (reader, writer) = channel.split();
        ByteStream::new(id, reader, WriteHalf::Client(writer), closed, channels)
    }

    fn new(
        id: ChannelId,
        reader: ChannelReadHalf,
        writer: WriteHalf,
        closed: Closed,
        channels: &OpenChannels,
    ) -> ByteStream {
        let state = ReadState { half: Some(reader), waiting: None };
        let side = Arc::new(ReadSide(Mutex::new(state)));
        channels.attach(id, Arc::downgrade(&side));
        let is_client = matches!(writer, WriteHalf::Client(_));
        ByteStream {
            reader: ByteReader {
                side,
                is_client,
                has_eof: false,
                rest: Bytes::new(),
                exit_status: None,
            },
            writer: ByteWriter {
                half: Some(Arc::new(writer)),
                closed,
                pending: None,
                eof_is_sent: false,
            },
        }
    }

    /// The two directions as values of their own.
    pub fn split(self) -> (ByteReader, ByteWriter) {
        (self.reader, self.writer)
    }
}

impl ByteReader {
    /// The next bytes as they arrived, without a copy; `None` at the end.
    pub async fn next_bytes(&mut self) -> Option<Bytes> {
        poll_fn(|cx| self.poll_bytes(cx)).await?;
        Some(std::mem::take(&mut self.rest))
    }

    /// Waits for the close of the channel, throwing away what is left: a server tells its
    /// [`exit_status`](ByteReader::exit_status) after its last byte.
    pub async fn closed(&mut self) {
        while let Some(message) = poll_fn(|cx| self.side.poll_message(cx)).await {
            drop(self.take(message));
        }
    }

    /// The exit status that the peer has told so far.
    pub fn exit_status(&self) -> Option<u32> {
        self.exit_status
    }

    /// Makes `rest` non-empty, or gives `None` at the end.
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        while self.rest.is_empty() && !self.has_eof {
            match ready!(self.side.poll_message(cx)) {
                Some(message) => self.rest = self.take(message).unwrap_or_default(),
                None => self.has_eof = true,
            }
        }
        Poll::Ready((!self.rest.is_empty()).then_some(()))
    }

    /// The bytes of a message, or what else it says.
    fn take(&mut self, message: ChannelMsg) -> Option<Bytes> {
        match message {
            ChannelMsg::Data { data } => return Some(data),
            ChannelMsg::ExitStatus { exit_status } => self.exit_status = Some(exit_status),
            ChannelMsg::Eof if self.is_client => self.has_eof = true,
            // A server writes long after a client's EOF. Nobody reads then: letting go keeps what
            // follows (window adjustments) from filling the queue and holding up the connection.
            ChannelMsg::Eof | ChannelMsg::Close => {
                self.has_eof = true;
                self.side.hang_up();
            }
            _ => {}
        }
        None
    }
}

impl ByteWriter {
    /// Sends `bytes` without copying them; returns when the last of them was handed to the
    /// connection. Dropped earlier, it has sent a part.
    pub async fn send(&mut self, bytes: Bytes) -> io::Result<()> {
        poll_fn(|cx| self.poll_pending(cx)).await?;
        unless_closed(self.closed.clone(), self.half()?.data(bytes)).await
    }

    /// Ends the channel after everything that was accepted has been handed to the connection: exit
    /// status (from a server), EOF, close.
    pub async fn finish(mut self, exit_status: u32) -> io::Result<()> {
        poll_fn(|cx| self.poll_pending(cx)).await?;
        let half = self.half.take().ok_or(io::ErrorKind::BrokenPipe)?;
        unless_closed(self.closed.clone(), async {
            half.exit_status(exit_status).await?;
            half.eof().await?;
            half.close().await
        })
        .await
    }

    fn half(&self) -> io::Result<&Arc<WriteHalf>> {
        self.half.as_ref().ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }

    fn poll_pending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(pending) = &mut self.pending else { return Poll::Ready(Ok(())) };
        let result = ready!(pending.as_mut().poll(cx));
        self.pending = None;
        Poll::Ready(result)
    }

    fn begin(&mut self, bytes: Option<Bytes>) -> io::Result<()> {
        let (half, closed) = (Arc::clone(self.half()?), self.closed.clone());
        self.pending = Some(Box::pin(unless_closed(closed, async move {
            match bytes {
                Some(bytes) => half.data(bytes).await,
                None => half.eof().await,
            }
        })));
        Ok(())
    }
}

impl Drop for ByteWriter {
    fn drop(&mut self) {
        let Some(half) = self.half.take() else { return };
        // Outside of a runtime there is no connection left to tell.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn(async move {
                // An error means that the connection has ended, which closes the channel as well.
                half.close().await.unwrap_or_default();
            }));
        }
    }
}

impl AsyncRead for ByteReader {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if ready!(this.poll_bytes(cx)).is_some() {
            let length = this.rest.len().min(buffer.remaining());
            buffer.put_slice(&this.rest[..length]);
            this.rest.advance(length);
            if this.rest.is_empty() {
                // Gives the packet's memory back: a session may be idle for hours after it.
                this.rest = Bytes::new();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ByteWriter {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_pending(cx))?;
        let length = buffer.len().min(PACKET_LIMIT as usize);
        if length > 0 {
            this.begin(Some(Bytes::copy_from_slice(&buffer[..length])))?;
            if let Poll::Ready(result) = this.poll_pending(cx) {
                result?;
            }
        }
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_pending(cx)
    }

    /// Sends EOF; the other direction goes on.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_pending(cx))?;
        if !this.eof_is_sent {
            this.begin(None)?;
            this.eof_is_sent = true;
        }
        this.poll_pending(cx)
    }
}

impl AsyncRead for ByteStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().reader).poll_read(cx, buffer)
    }
}

impl AsyncWrite for ByteStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().writer).poll_write(cx, buffer)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().writer).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().writer).poll_shutdown(cx)
    }
}

impl fmt::Debug for ByteReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteReader").field("ended", &self.side.has_ended()).finish_non_exhaustive()
    }
}

impl fmt::Debug for ByteWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteWriter").field("ended", &self.half.is_none()).finish_non_exhaustive()
    }
}
