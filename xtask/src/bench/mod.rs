//! What is measured, against what, and the bar each figure has to clear: the distributed half for
//! `bench server`, single programs for `bench dgrep|dcat|dmap|dtail`. The recipes put them together;
//! nothing here decides a build.

pub(crate) mod aggregating;
pub(crate) mod answers;
pub(crate) mod contest;
pub(crate) mod crowd;
pub(crate) mod engines;
pub(crate) mod faults;
pub(crate) mod figure;
pub(crate) mod growth;
pub(crate) mod history;
pub(crate) mod latency;
pub(crate) mod logs;
pub(crate) mod peers;
pub(crate) mod plot;
pub(crate) mod printing;
pub(crate) mod process;
pub(crate) mod recording;
pub(crate) mod rotation;
pub(crate) mod searching;
pub(crate) mod sequence;
pub(crate) mod sshd;
pub(crate) mod stage;
pub(crate) mod told;
pub(crate) mod writer;
