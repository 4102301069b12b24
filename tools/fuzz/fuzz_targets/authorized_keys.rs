//! Files of authorized keys, and what they say of their own keys.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dtail_ssh::authorized_keys::fuzzed(data));
