//! Which channels of a connection are open, so that whoever reads or writes one learns of its end.
//! Never carries data.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};

use russh::ChannelId;
use tokio::sync::watch;

use crate::stream::{Closed, ReadSide};

/// The open channels; `None` once the connection has ended.
#[derive(Debug)]
pub(crate) struct OpenChannels(Mutex<Table>);

type Table = Option<HashMap<ChannelId, OpenChannel>>;

#[derive(Debug)]
struct OpenChannel {
    /// Dropped when the peer closes the channel.
    closing: watch::Sender<()>,
    read_side: Weak<ReadSide>,
}

impl OpenChannels {
    pub(crate) fn new() -> OpenChannels {
        OpenChannels(Mutex::new(Some(HashMap::new())))
    }

    /// Records a channel. The receiver fails when it is closed; `None`: the connection has ended.
    pub(crate) fn add(&self, channel: ChannelId) -> Option<Closed> {
        let mut table = self.lock();
        let channels = table.as_mut()?;
        let (closing, closed) = watch::channel(());
        drop(channels.insert(channel, OpenChannel { closing, read_side: Weak::new() }));
        Some(closed)
    }

    /// Says where the packets of a channel wait for their reader.
    pub(crate) fn attach(&self, channel: ChannelId, read_side: Weak<ReadSide>) {
        if let Some(open) = self.lock().as_mut().and_then(|channels| channels.get_mut(&channel)) {
            open.read_side = read_side;
        }
    }

    /// The peer has closed the channel.
    pub(crate) fn close(&self, channel: ChannelId) {
        if let Some(channels) = self.lock().as_mut() {
            drop(channels.remove(&channel));
        }
    }

    /// The connection has ended, and every channel with it.
    pub(crate) fn end(&self) {
        drop(self.lock().take());
    }

    /// We end the connection: what waits for readers is thrown away. russh hands packets over one
    /// by one and would otherwise wait for a reader that never comes, with the connection open.
    pub(crate) fn hang_up(&self) {
        let table = self.lock().take();
        for channel in table.into_iter().flat_map(HashMap::into_values) {
            if let Some(read_side) = channel.read_side.upgrade() {
                read_side.hang_up();
            }
        }
    }

    /// How many channels somebody here still holds.
    pub(crate) fn count(&self) -> usize {
        let mut table = self.lock();
        let Some(channels) = table.as_mut() else { return 0 };
        channels.retain(|_, channel| !channel.closing.is_closed());
        channels.len()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // The table is never left half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
