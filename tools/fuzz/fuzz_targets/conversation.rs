//! The order in which a client's frames may come.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dtail_protocol::fuzzed::conversation(data));
