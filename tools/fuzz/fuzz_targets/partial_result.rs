//! Groups of a query as they come from a server, ours or DTail's.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dtail_query::fuzzed::partial_results(data));
