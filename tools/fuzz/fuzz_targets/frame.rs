//! Frames of protocol version 5, of clients and of servers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dtail_protocol::fuzzed::frames(data));
