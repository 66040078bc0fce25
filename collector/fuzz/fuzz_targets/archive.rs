//! Any bytes as an archive: it becomes a dataset or an error.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    tg_collector::fuzz::archive(input);
});
