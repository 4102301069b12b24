//! Where lines come from: paths, globs, standard input, compressed files and growing files, as
//! blocks of whole lines. It never filters and never prints.

mod access;
mod compression;
mod content;
mod decoder;
mod error;
mod follow;

mod glob;
mod input;
mod journal;
mod members;
mod opening;
mod read_ahead;
mod reader;
mod site;
mod splitter;
mod target;
mod text_file;
mod transcoding;
mod zstd;

pub use access::Access;
pub use compression::Compression;
pub use content::{Content, Opener};
pub use error::FileError;
pub use follow::{FollowEvent, FollowFrom, FollowNotice, Follower, Limits};

pub use reader::{BlockReader, Filled};
pub use site::Site;
pub use splitter::Block;
pub use target::{Place, Target, Targets, resolve};
pub use text_file::{Chunk, ChunkEnd, TextFile};
