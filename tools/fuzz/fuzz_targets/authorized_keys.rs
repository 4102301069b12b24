//! Files of authorized keys.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(dtail_ssh::authorized_keys::parse(data)));
