//! The figures of the distributed half: what is measured, against what, and the bar each has to
//! clear. The recipe `bench server` puts them together; nothing here decides a build.

pub(crate) mod contest;
pub(crate) mod crowd;
pub(crate) mod faults;
pub(crate) mod figure;
pub(crate) mod process;
pub(crate) mod sshd;
pub(crate) mod stage;
