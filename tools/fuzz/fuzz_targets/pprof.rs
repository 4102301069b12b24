//! Profiles in pprof format, compressed or not.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dtail_pprof::fuzzed::profiles(data));
