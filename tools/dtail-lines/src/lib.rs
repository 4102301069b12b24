//! Where lines come from: paths, globs, standard input, compressed files and growing files, as
//! blocks of whole lines. It never filters and never prints.

mod access;
mod compression;
mod error;
mod follow;

mod glob;
mod gzip;
mod input;
mod journal;
mod opening;
mod reader;
mod site;
mod splitter;
mod target;
mod zstd;

pub use access::Access;
pub use compression::Compression;
pub use error::FileError;
pub use follow::{FollowEvent, FollowNotice, Follower, Limits};

pub use reader::{BlockReader, Filled};
pub use site::Site;
pub use splitter::Block;
pub use target::{Place, Target, Targets, resolve};
