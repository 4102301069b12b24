//! Weights of training cases from a CPU profile of production: the mixture of the cases that
//! spends its time as production does. It runs nothing and merges nothing; a recipe does.

pub(crate) mod fetch;
pub(crate) mod fit;
pub(crate) mod nnls;
pub(crate) mod shares;
