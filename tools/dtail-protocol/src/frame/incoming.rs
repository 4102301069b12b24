//! Collects received bytes into frames. Sans-I/O: the caller reads. Never holds more than one
//! frame, nor much more than was really received of it.

use std::fmt;

use super::{ClientFrame, HEADER, PREAMBLE, ServerFrame, decode};

/// Bytes read at once while nothing big arrives; all that an idle session holds.
const INBOX: usize = 4 << 10;

/// Bytes read at once while a big frame arrives.
const READ: usize = 64 << 10;

/// The beginning of a big frame reserves up to this much, so that blocks of the usual size are not
/// moved while they grow. Untouched memory is only addresses.
const RESERVED: usize = 256 << 10;

/// How much of what is no preamble is shown.
const QUOTED: usize = 60;

/// Why received bytes are no frames. The stream cannot be used any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameError {
    /// The other side began with this text instead of the preamble.
    NotDtail(String),
    /// A frame is longer than may be.
    TooLong {
        /// As its header says, in bytes.
        length: usize,
        /// The most for this kind of frame, in bytes.
        limit: usize,
    },
    /// The other side sends no such frames, or belongs to another version.
    UnknownKind(u8),
    /// A request asks for more than one may, and what mends it.
    TooMuch(&'static str),
    /// A frame's payload is not what its kind says.
    Malformed(&'static str),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::NotDtail(text) => write!(
                f,
                "the other side does not speak DTail's protocol 5 but sent {text:?}; if its \
                 log-in shell prints this, make it silent without a terminal"
            ),
            FrameError::TooLong { length, limit } => write!(
                f,
                "a frame of {length} bytes is above the limit of {limit}; ask for less at once"
            ),
            FrameError::UnknownKind(kind) => write!(
                f,
                "unknown kind of frame {kind:#04x}; bring client and server to the same version"
            ),
            FrameError::TooMuch(what) => f.write_str(what),
            FrameError::Malformed(what) => {
                write!(f, "broken frame: {what}; bring client and server to the same version")
            }
        }
    }
}

impl std::error::Error for FrameError {}

/// Bytes in, frames out: read into [`Incoming::space`], [`Incoming::commit`] what was read, then
/// call [`Incoming::next`] until it gives none.
#[derive(Debug)]
pub struct Incoming<F> {
    /// The largest payload of a kind of frame, given the largest of all.
    limit_of: fn(u8, usize) -> Option<usize>,
    decode: fn(u8, Vec<u8>) -> Result<F, FrameError>,
    limit: usize,
    /// Received bytes are those from `start` to `end`; they belong to no payload yet.
    inbox: Vec<u8>,
    start: usize,
    end: usize,
    /// The frame whose header has come.
    pending: Option<Pending>,
    has_preamble: bool,
    /// What was wrong; nothing is read from then on.
    failed: Option<FrameError>,
}

#[derive(Debug)]
struct Pending {
    kind: u8,
    length: usize,
    /// Received up to `filled`; behind it is space.
    payload: Vec<u8>,
    filled: usize,
}

impl Incoming<ClientFrame> {
    /// What a server receives. `limit`: the largest payload, in bytes.
    pub fn new(limit: usize) -> Incoming<ClientFrame> {
        Incoming::with(decode::client_limit, decode::client_frame, limit)
    }
}

impl Incoming<ServerFrame> {
    /// What a client receives. `limit`: the largest payload, in bytes.
    pub fn new(limit: usize) -> Incoming<ServerFrame> {
        Incoming::with(decode::server_limit, decode::server_frame, limit)
    }
}

impl<F> Incoming<F> {
    fn with(
        limit_of: fn(u8, usize) -> Option<usize>,
        decode: fn(u8, Vec<u8>) -> Result<F, FrameError>,
        limit: usize,
    ) -> Incoming<F> {
        Incoming {
            limit_of,
            decode,
            limit,
            inbox: vec![0; INBOX],
            start: 0,
            end: 0,
            pending: None,
            has_preamble: false,
            failed: None,
        }
    }

    /// Where to put the next bytes. Never empty: 4 KiB, or up to 64 KiB of the frame that is
    /// arriving, so that its bytes need not be moved again.
    pub fn space(&mut self) -> &mut [u8] {
        if let Some(pending) = self.pending.as_mut().filter(|it| it.filled < it.length) {
            let end = pending.length.min(pending.filled + READ);
            pending.payload.resize(end, 0);
            return &mut pending.payload[pending.filled..];
        }
        self.inbox.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.inbox.len() {
            // Only for a caller that reads on without taking out the frames there are.
            self.inbox.resize(self.end + INBOX, 0);
        }
        &mut self.inbox[self.end..]
    }

    /// `n` bytes were put into the beginning of the last [`Incoming::space`].
    pub fn commit(&mut self, n: usize) {
        match self.pending.as_mut().filter(|it| it.filled < it.length) {
            Some(pending) => pending.filled = (pending.filled + n).min(pending.payload.len()),
            None => self.end = (self.end + n).min(self.inbox.len()),
        }
    }

    /// The next frame, if all of it has come; after an error the same error again.
    #[expect(clippy::should_implement_trait, reason = "it is no iterator: it goes on after none")]
    pub fn next(&mut self) -> Result<Option<F>, FrameError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let result = self.try_next();
        if let Err(err) = &result {
            self.failed = Some(err.clone());
            self.pending = None;
        }
        result
    }

    fn try_next(&mut self) -> Result<Option<F>, FrameError> {
        if !self.has_preamble && !self.take_preamble()? {
            return Ok(None);
        }
        if self.pending.is_none() {
            self.pending = self.take_header()?;
        }
        match self.pending.take() {
            None => Ok(None),
            Some(pending) if pending.filled < pending.length => {
                self.pending = Some(pending);
                Ok(None)
            }
            Some(Pending { kind, payload, .. }) => (self.decode)(kind, payload).map(Some),
        }
    }

    /// Whether it has come; anything else is an error at its first byte.
    fn take_preamble(&mut self) -> Result<bool, FrameError> {
        let received = &self.inbox[self.start..self.end];
        let compared = received.len().min(PREAMBLE.len());
        if received[..compared] != PREAMBLE[..compared] {
            let quoted = &received[..received.len().min(QUOTED)];
            return Err(FrameError::NotDtail(String::from_utf8_lossy(quoted).into_owned()));
        }
        if compared < PREAMBLE.len() {
            return Ok(false);
        }
        self.start += compared;
        self.has_preamble = true;
        Ok(true)
    }

    /// The next header, if it has come, with as much of its payload as the inbox has.
    fn take_header(&mut self) -> Result<Option<Pending>, FrameError> {
        let received = &self.inbox[self.start..self.end];
        let Some((&[a, b, c, d, kind], rest)) = received.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let limit = (self.limit_of)(kind, self.limit).ok_or(FrameError::UnknownKind(kind))?;
        let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if length > limit {
            return Err(FrameError::TooLong { length, limit });
        }
        let filled = rest.len().min(length);
        let mut payload = Vec::with_capacity(length.min(RESERVED.max(filled)));
        payload.extend_from_slice(&rest[..filled]);
        self.start += HEADER + filled;
        Ok(Some(Pending { kind, length, payload, filled }))
    }

    /// Whether the stream may end here: after the preamble, with no frame begun.
    pub fn is_between_frames(&self) -> bool {
        let is_idle = self.pending.is_none() && self.start == self.end;
        self.has_preamble && self.failed.is_none() && is_idle
    }

    /// Bytes held.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        let payload = self.pending.as_ref().map_or(0, |pending| pending.payload.capacity());
        self.inbox.capacity() + payload
    }
}
