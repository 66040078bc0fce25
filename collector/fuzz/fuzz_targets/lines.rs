//! Any bytes as the content of any file: each line has one fate, and its rows prove it.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((&which, content)) = input.split_first() else { return };
    tg_collector::fuzz::lines(usize::from(which), content);
});
