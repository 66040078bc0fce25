//! The parameters of a run.

use std::time::Duration;

use tg_sdk::{Env, Param, Result, Size};

use crate::channel::Channel;
use crate::talk::LONGEST;

/// All parameters.
#[derive(Debug, Clone)]
pub struct Settings {
    pub seed: u64,
    pub channel: Channel,
    /// Connections that are made anew to see how long that takes.
    pub handshakes: u32,
    /// Round trips for each size.
    pub rounds: u32,
    /// Sizes of messages, in bytes.
    pub sizes: Vec<usize>,
    /// Bytes that are sent to see how much gets through, for each size.
    pub volume: u64,
    /// How often that is done.
    pub repeats: u32,
    /// One way, added to whatever a node sends; it needs hosts.
    pub latency: Duration,
}

impl Settings {
    /// Reads them, and tells every problem at once.
    pub fn read(env: &Env) -> Result<Self> {
        Ok(env.params(|p| Self {
            seed: p.get_or("seed", 1),
            channel: p.get_or("channel", Channel::default()),
            handshakes: p.within("handshakes", 20, 0..=10_000),
            rounds: p.within("rounds", 100, 0..=100_000),
            sizes: p.get_or("sizes", Sizes(vec![64, 1 << 10, 16 << 10, 256 << 10])).0,
            volume: p.within("volume", Size(16 << 20), Size(1)..=Size(1 << 34)).0,
            repeats: p.within("repeats", 5, 0..=1_000),
            latency: p.get_or("latency", Duration::ZERO),
        })?)
    }
}

/// Sizes of messages.
#[derive(Debug, Default)]
struct Sizes(Vec<usize>);

impl Param for Sizes {
    const WHAT: &'static str = "sizes of 1 to 16MiB with commas between them";

    fn parse(text: &str) -> Result<Self, String> {
        let one = |text: &str| match Size::parse(text)?.0 {
            bytes @ 1..=LONGEST => usize::try_from(bytes).map_err(|error| error.to_string()),
            _ => Err(format!("`{}`", text.trim())),
        };
        text.split(',').map(one).collect::<Result<_, String>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        assert_eq!(Sizes::parse("64, 1KiB,16MiB").map(|sizes| sizes.0), Ok(vec![64, 1024, 16 << 20]));
        for text in ["", "64,", "0", "17MiB", "many"] {
            assert!(Sizes::parse(text).is_err(), "{text}");
        }
    }
}
