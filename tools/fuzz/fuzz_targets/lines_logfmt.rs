//! Lines of the log format `logfmt`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dtail_query::fuzzed::lines("logfmt", data));
