//! What can go wrong with protocol 4.1.

use std::fmt;

/// Why a stream of protocol 4.1 cannot go on, or a command cannot be said in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LegacyError {
    /// More bytes than this without an end.
    TooLong(usize),
    /// A frame that is no command: how it begins.
    Foreign(String),
    /// A command that protocol 4.1 cannot say, and why.
    Unsendable(String),
}

impl fmt::Display for LegacyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LegacyError::TooLong(limit) => write!(
                f,
                "the other side sent more than {limit} bytes without an end; it speaks no \
                 protocol 4.1, or its limits are higher"
            ),
            LegacyError::Foreign(text) => write!(
                f,
                "{text:?} is no command of protocol 4.1; use a client of DTail 4 or newer"
            ),
            LegacyError::Unsendable(why) => {
                write!(f, "the server speaks protocol 4.1 only, {why}; update the server")
            }
        }
    }
}

impl std::error::Error for LegacyError {}
