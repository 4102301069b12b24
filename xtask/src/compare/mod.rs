//! Comparing programs: rounds through hyperfine, a placebo arm, intervals and verdicts.

pub(crate) mod counts;
pub(crate) mod hyperfine;
pub(crate) mod rank;
pub(crate) mod rounds;
pub(crate) mod statistics;
