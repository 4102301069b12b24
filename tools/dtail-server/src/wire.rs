//! The two directions of a session's stream, whatever carries it. Never knows what the bytes mean.

use std::fmt;
use std::io;

use bytes::Bytes;
use dtail_ssh::{ByteStream, ByteWriter};
use tokio::io::AsyncRead;
use tokio::sync::mpsc;

/// What the client sends.
pub(crate) type Reader = Box<dyn AsyncRead + Send + Unpin>;

/// What we send.
pub(crate) enum Writer {
    /// An SSH channel, which takes bytes without copying them.
    Channel(ByteWriter),
    /// Somebody who takes pieces: a thread that writes to a file descriptor.
    Thread(mpsc::Sender<Bytes>),
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Writer::Channel(_) => "Channel",
            Writer::Thread(_) => "Thread",
        })
    }
}

/// Both directions of an SSH channel.
pub(crate) fn of_channel(stream: ByteStream) -> (Reader, Writer) {
    let (reader, writer) = stream.split();
    (Box::new(reader), Writer::Channel(writer))
}

impl Writer {
    /// Returns when the bytes are on their way; an error means that the client is gone.
    pub(crate) async fn send(&mut self, bytes: Bytes) -> io::Result<()> {
        match self {
            Writer::Channel(writer) => writer.send(bytes).await,
            Writer::Thread(thread) => {
                thread.send(bytes).await.map_err(|_| io::ErrorKind::BrokenPipe.into())
            }
        }
    }

    /// Ends the stream.
    pub(crate) async fn finish(self, exit_status: u32) -> io::Result<()> {
        match self {
            Writer::Channel(writer) => writer.finish(exit_status).await,
            Writer::Thread(_) => Ok(()),
        }
    }
}
