//! Lines of the log format `csv`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dtail_query::fuzzed::lines("csv", data));
