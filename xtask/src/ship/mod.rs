//! What shipping knows: targets, workflows, archives, packages, pages made of `--help`. Recipes use it.

pub(crate) mod targets;
pub(crate) mod workflow;
