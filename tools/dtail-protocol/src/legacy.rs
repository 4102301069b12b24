//! DTail's protocol 4.1, both ends of it, for peers that know no other. Facts in this module are
//! DTail's, including what is wrong with them. Never does I/O.

mod command;
mod error;
mod folding;
mod message;
mod reply;
mod splitter;

pub use command::{Command, CommandDecoder, Options, encode_command};
pub use error::LegacyError;
pub use message::{Message, MessageDecoder};
pub use reply::{
    CLOSE, aggregate, auth_key_err, auth_key_ok, capabilities, close_connection, health_ok, hidden,
    server_text, session_err, write_block, write_line,
};

/// The version, as both sides spell it.
pub const VERSION: &str = "4.1";

/// Ends each of a server's messages. A byte of its own, not UTF-8: lines may contain it, too.
pub const END: u8 = 0xAC;

/// The longest frame of a client, in bytes, unless configured: DTail's `MaxCommandFrameSize`.
pub const COMMAND_LIMIT: usize = 1 << 20;

/// The longest message that we take from a server, in bytes.
pub const MESSAGE_LIMIT: usize = 16 << 20;

#[cfg(test)]
mod tests;
