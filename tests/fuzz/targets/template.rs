#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| logwatch_fuzz::template::check(input));
