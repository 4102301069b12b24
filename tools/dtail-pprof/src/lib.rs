//! The pprof format: profiles as values, read from and written to gzip or bare protocol buffers.
//! It never touches a file, records nothing and computes nothing: that is dtail-profile's and
//! dprofile's.
//!
//! Field numbers and meanings are those of `profile.proto` of github.com/google/pprof. What is read
//! may come from anybody: sizes and counts are bounded, every reference is checked, and references
//! become indices, so that whoever holds a [`Profile`] that was decoded need not check them again.

mod decode;
mod encode;
pub mod fuzzed;
mod profile;
mod wire;

pub use decode::{DecodeError, Limit};
pub use profile::{
    Function, Label, LabelValue, Line, Location, Mapping, Profile, Sample, Text, ValueType,
};

#[cfg(test)]
mod tests;
