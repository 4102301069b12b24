//! What shipping knows: targets, workflows, archives, packages, pages made of `--help`. Recipes use it.

pub(crate) mod archive;
pub(crate) mod bill;
pub(crate) mod help;
pub(crate) mod installed;
pub(crate) mod pages;
pub(crate) mod targets;
pub(crate) mod workflow;
