//! Where lines come from: paths, globs, standard input, compressed files and growing files, as
//! blocks of whole lines. It never filters and never prints.

mod compression;
mod error;
mod follow;

mod glob;
mod input;
mod reader;
mod splitter;
mod target;
mod zstd;

pub use compression::Compression;
pub use error::FileError;
pub use follow::{FollowEvent, FollowNotice, Follower, Limits};

pub use reader::{BlockReader, Filled};
pub use splitter::Block;
pub use target::{Place, Target, Targets, resolve};
