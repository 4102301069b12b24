//! Commands and messages of protocol 4.1.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dtail_protocol::fuzzed::legacy(data));
