//! Lines of the log format `json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dtail_query::fuzzed::lines("json", data));
