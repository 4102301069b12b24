//! Any text as a query, and what it makes of a few lines.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dtail_query::fuzzed::queries(data));
