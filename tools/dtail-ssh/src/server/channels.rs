//! The channels of one connection: opened, given a purpose and handed to the caller. Never carries
//! data.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use russh::server::{ChannelOpenHandle, Msg, Session};
use russh::{Channel, ChannelId, ChannelOpenFailure};
use tokio::sync::mpsc;

use super::{ChannelKind, ServerChannel};
use crate::ByteStream;
use crate::channels::OpenChannels;

/// Channels of one connection that may be open at a time.
pub(super) const OPEN_LIMIT: usize = 8;

/// Channels that one connection may open in its life. russh keeps a record of each until the
/// connection ends.
const LIFETIME_LIMIT: usize = 1000;

/// Refused channels after which the connection is ended.
const REFUSAL_LIMIT: usize = 100;

pub(super) struct Channels {
    /// Opened, but nobody has said for what.
    idle: HashMap<ChannelId, Channel<Msg>>,
    open: Arc<OpenChannels>,
    opened: usize,
    refused: usize,
    sender: mpsc::Sender<ServerChannel>,
}

impl Channels {
    pub(super) fn new(sender: mpsc::Sender<ServerChannel>, open: Arc<OpenChannels>) -> Channels {
        Channels { idle: HashMap::new(), open, opened: 0, refused: 0, sender }
    }

    pub(super) async fn open(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
    ) -> Result<(), russh::Error> {
        let is_full = self.idle.len() + self.open.count() >= OPEN_LIMIT;
        if is_full || self.opened >= LIFETIME_LIMIT {
            self.refuse()?;
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        self.opened += 1;
        reply.accept().await;
        drop(self.idle.insert(channel.id(), channel));
        Ok(())
    }

    /// Counts something refused; too many end the connection.
    pub(super) fn refuse(&mut self) -> Result<(), russh::Error> {
        self.refused += 1;
        if self.refused > REFUSAL_LIMIT { Err(russh::Error::Disconnect) } else { Ok(()) }
    }

    /// The client said what the channel is for.
    pub(super) fn start(
        &mut self,
        id: ChannelId,
        kind: ChannelKind,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        // Not there: it runs already. A second purpose is refused, the first goes on.
        let Some(channel) = self.idle.remove(&id) else { return session.channel_failure(id) };
        let Some(closed) = self.open.add(id) else { return session.channel_failure(id) };
        let stream = ByteStream::of_server(channel, closed, &self.open);
        match self.sender.try_send(ServerChannel { kind, stream }) {
            Ok(()) => session.channel_success(id),
            // Nobody takes channels any more: dropping this one closes it.
            Err(_) => session.channel_failure(id),
        }
    }

    pub(super) fn close(&mut self, id: ChannelId) {
        drop(self.idle.remove(&id));
        self.open.close(id);
    }

    /// russh queues every request for the channel's reader too. Before there is one, they are
    /// thrown away here, or a client with many environment variables would hold up its own
    /// connection.
    pub(super) fn forget_requests(&mut self, id: ChannelId) {
        if let Some(channel) = self.idle.get_mut(&id) {
            let mut context = Context::from_waker(Waker::noop());
            while let Poll::Ready(Some(_)) = pin!(channel.wait()).poll(&mut context) {}
        }
    }
}

impl Drop for Channels {
    fn drop(&mut self) {
        self.open.end();
    }
}
