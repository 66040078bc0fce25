//! Any text as rules, and any bytes as a file that they read: each line has one fate, and its rows prove it.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    // A line of dashes stands between the two.
    let Some(at) = input.windows(5).position(|bytes| bytes == b"\n---\n") else { return };
    tg_collector::fuzz::rules(&input[..at + 1], &input[at + 5..]);
});
