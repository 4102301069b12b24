//! Lines of the log format `common`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dtail_query::fuzzed::lines("common", data));
