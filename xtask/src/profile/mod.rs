//! Profiles: collecting raw ones in training, merging them, judging them, and keeping them as
//! files with a manifest. A `Profile` comes only out of `merge` or `store`, both of which refuse
//! what is empty, truncated, untrained or another program's.

pub(crate) mod collect;
pub(crate) mod decline;
pub(crate) mod facts;
pub(crate) mod fit;
pub(crate) mod manifest;
pub(crate) mod matching;
pub(crate) mod merge;
pub(crate) mod packed;
pub(crate) mod profdata;
pub(crate) mod rewrite;
pub(crate) mod share;
pub(crate) mod store;
mod symbol;
pub(crate) mod window;
