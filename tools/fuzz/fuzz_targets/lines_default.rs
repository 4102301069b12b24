//! Lines of the log format `default`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dtail_query::fuzzed::lines("default", data));
