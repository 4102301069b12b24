//! Protocol 5: what client and server say to each other over any stream of bytes.
//!
//! Each side first sends [`PREAMBLE`], then frames. A frame is the length of what follows its kind
//! (4 bytes, little-endian), its kind (1 byte) and the payload. Numbers in payloads are LEB128
//! unless said otherwise, texts and lists start with their length. Owns the messages; the bytes
//! are made in `encode`, read in `decode`, and collected in [`Incoming`]. Never does I/O.

mod decode;
mod encode;
mod incoming;
#[cfg(test)]
mod tests;

pub use incoming::{FrameError, Incoming};

use crate::{Diagnostic, LineBlock, LineNumbers, Request, SourceSummary, Summary};

/// What each side sends first. CR and LF tell a terminal or a text filter in between, and what a
/// log-in shell prints before it can be told apart.
pub const PREAMBLE: [u8; 8] = *b"DTAIL5\r\n";

/// The version of the frames, of all those that begin with [`PREAMBLE`]; the only one spoken here.
pub const VERSION: u16 = 6;

/// The largest frame a client may send, in bytes of payload: a request.
pub const CLIENT_FRAME_LIMIT: usize = 2 << 20;

/// The largest frame a server may send, in bytes of payload: a block of long lines.
pub const SERVER_FRAME_LIMIT: usize = 16 << 20;

/// The longest line, and the most bytes of groups, that surely fit into one frame. A server lets
/// no longer line through and gives up a query with a larger group; of a larger block of lines
/// [`ServerFrame::encode`] makes several frames.
pub const BLOCK_LIMIT: usize = SERVER_FRAME_LIMIT - CONTROL_LIMIT;

/// The most files that one request may name.
pub const FILES_LIMIT: usize = 1 << 16;

/// The most texts that the pattern of one request may have, and the most bytes of them together.
pub const TEXTS_LIMIT: usize = 10_000;
/// See [`TEXTS_LIMIT`].
pub const TEXTS_SIZE_LIMIT: usize = 1 << 20;

/// The largest frame of all kinds that carry neither lines nor groups nor requests.
const CONTROL_LIMIT: usize = 64 << 10;

/// The longest text in such a frame; longer ones are cut.
const TEXT_LIMIT: usize = 16 << 10;

/// The most capabilities a hello may name, and how long each may be.
const CAPABILITIES_LIMIT: usize = 64;
const CAPABILITY_LIMIT: usize = 256;

/// Length and kind.
const HEADER: usize = 5;

/// What a frame is. Clients and servers share no kind, so that an echo is not taken for an answer.
mod kind {
    pub(super) const CLIENT_HELLO: u8 = 0x01;
    pub(super) const START: u8 = 0x02;
    pub(super) const UPDATE: u8 = 0x03;
    pub(super) const CANCEL: u8 = 0x04;
    pub(super) const CREDIT: u8 = 0x05;
    pub(super) const CLIENT_HEARTBEAT: u8 = 0x06;
    pub(super) const REGISTER_KEY: u8 = 0x07;
    pub(super) const HEALTH: u8 = 0x08;
    pub(super) const BYE: u8 = 0x09;

    pub(super) const SERVER_HELLO: u8 = 0x81;
    pub(super) const STARTED: u8 = 0x82;
    pub(super) const LINES: u8 = 0x83;
    pub(super) const AGGREGATE: u8 = 0x84;
    pub(super) const DIAGNOSTIC: u8 = 0x85;
    pub(super) const FINISHED: u8 = 0x86;
    pub(super) const REFUSED: u8 = 0x87;
    pub(super) const KEY_REGISTERED: u8 = 0x88;
    pub(super) const HEALTHY: u8 = 0x89;
    pub(super) const SERVER_HEARTBEAT: u8 = 0x8A;
    pub(super) const SOURCE: u8 = 0x8B;
}

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientFrame {
    /// The first frame, once.
    Hello(ClientHello),
    /// The first request.
    Start(Start),
    /// A request that takes the place of the one before, whether that has finished or not.
    Update(Start),
    /// The running request shall end early; the server still says [`ServerFrame::Finished`].
    Cancel,
    /// The server may send this many bytes more, see [`ServerFrame::charge`].
    Credit(u64),
    /// Nothing else to say, still here.
    Heartbeat,
    /// A public key for fast log-ins from now on: an SSH public key blob.
    RegisterKey(Vec<u8>),
    /// Is the server all right?
    Health,
    /// The client leaves; the server closes the stream.
    Bye,
}

/// How a client introduces itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHello {
    /// The oldest version the client speaks.
    pub lowest: u16,
    /// The newest version the client speaks.
    pub highest: u16,
    /// What the client knows beyond the basics, for example `interactive`.
    pub capabilities: Vec<String>,
    /// Bytes that the server may send before more [`ClientFrame::Credit`], counted by
    /// [`ServerFrame::charge`]. While any of it is left a whole frame may be sent, so that one
    /// frame larger than all credit cannot block for ever; the debt is paid by later credit.
    pub credit: u64,
    /// Program and version, for the log.
    pub software: String,
}

/// A request and its place in the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// 1 for the first request, one more for each that replaces another.
    pub generation: u32,
    /// What is asked.
    pub request: Request,
    /// DTail's behaviour to the letter, as with `--strict-dtail`.
    pub strict: bool,
}

/// What a server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerFrame {
    /// The answer to the client's hello.
    Hello(ServerHello),
    /// The request with this generation is being carried out; frames of older ones may be dropped.
    Started {
        /// As in [`Start`].
        generation: u32,
    },
    /// Lines of one source.
    Lines {
        /// As in [`Start`].
        generation: u32,
        /// The lines.
        block: LineBlock,
    },
    /// What became of a source, after the last of its lines.
    Source {
        /// As in [`Start`].
        generation: u32,
        /// What it is.
        summary: SourceSummary,
    },
    /// Part of a query's result.
    Aggregate {
        /// As in [`Start`].
        generation: u32,
        /// Groups as `dtail_query::Groups::encode` writes them.
        groups: Vec<u8>,
    },
    /// Something the user should know.
    Diagnostic {
        /// As in [`Start`].
        generation: u32,
        /// What it is.
        diagnostic: Diagnostic,
    },
    /// The request has ended; nothing of it follows.
    Finished {
        /// As in [`Start`].
        generation: u32,
        /// What was done.
        summary: Summary,
    },
    /// Something is not done.
    Refused(Refusal),
    /// The key was registered.
    KeyRegistered,
    /// The server is all right.
    Healthy,
    /// Nothing else to say, still here.
    Heartbeat,
}

impl Start {
    /// Why the request is too much to be sent, in one line; `None`: it is not, unless its frame
    /// becomes longer than [`CLIENT_FRAME_LIMIT`].
    pub fn excess(&self) -> Option<&'static str> {
        let Request { files, pattern, .. } = &self.request;
        let texts = pattern.as_ref().map_or(&[][..], |pattern| &pattern.texts);
        match () {
            () if files.len() > FILES_LIMIT => Some(TOO_MANY_FILES),
            () if texts.len() > TEXTS_LIMIT => Some(TOO_MANY_TEXTS),
            () if texts.iter().map(String::len).sum::<usize>() > TEXTS_SIZE_LIMIT => {
                Some(TOO_LONG_TEXTS)
            }
            () => None,
        }
    }
}

const TOO_MANY_FILES: &str = "more than 65536 files in one request: name fewer";
const TOO_MANY_TEXTS: &str = "more than 10000 patterns in one request: give fewer";
const TOO_LONG_TEXTS: &str = "more than 1 MiB of patterns in one request: give fewer or shorter";

/// How a server introduces itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerHello {
    /// The version spoken from now on.
    pub version: u16,
    /// What both sides know beyond the basics.
    pub capabilities: Vec<String>,
    /// The short host name, as shown in `REMOTE|host|…`.
    pub hostname: String,
    /// Program and version, for diagnostics.
    pub software: String,
}

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The request that is refused; 0: the session as a whole, which the server then closes.
    pub generation: u32,
    /// The kind of reason.
    pub kind: RefusalKind,
    /// One line for the user, which says what mends it.
    pub text: String,
}

/// The kinds of reasons for a [`Refusal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The request means nothing: a bad pattern or query.
    BadRequest,
    /// The user may not do this.
    NotPermitted,
    /// A limit of the server is reached.
    Limit,
    /// No version in common.
    Version,
    /// The client broke the rules of the protocol.
    Protocol,
    /// The server is at fault.
    Internal,
}

impl ServerFrame {
    /// The credit that the frame costs: what it takes in memory, roughly. 0 for all frames but
    /// lines, sources and aggregates. Both sides compute the same number for the same frame.
    pub fn charge(&self) -> u64 {
        const OVERHEAD: usize = 64;
        let bytes = match self {
            ServerFrame::Lines { block, .. } => {
                let numbers = match &block.numbers {
                    LineNumbers::Each(numbers) => size_of_val(numbers.as_slice()),
                    LineNumbers::Unnumbered | LineNumbers::From(_) => 0,
                };
                let offsets = size_of_val(block.offsets.as_slice());
                block.bytes.len() + block.source.len() + numbers + offsets + OVERHEAD
            }
            ServerFrame::Source { summary, .. } => summary.source.len() + OVERHEAD,
            ServerFrame::Aggregate { groups, .. } => groups.len() + OVERHEAD,
            _ => 0,
        };
        bytes as u64
    }
}
