//! The queue before a link of limited bandwidth.
//!
//! It is never built: since packets leave in order, it is known when a packet comes at what time it will leave.

use tg_model::link::Queueing;

use super::shape::Shape;

/// The delay that a queue may have for long (RFC 8289, section 4.4).
const TARGET_NS: u64 = 5_000_000;
/// For how long it may have more (RFC 8289, section 4.3).
const INTERVAL_NS: u64 = 100_000_000;

/// The state of one queue.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Queue {
    free_at_ns: u64,
    codel: CoDel,
}

impl Queue {
    /// When a packet of this size that comes now has left through the link; nothing if it is dropped.
    pub(super) fn leaves(&mut self, now_ns: u64, bytes: u64, shape: &Shape) -> Option<u64> {
        let rate = shape.bandwidth_bits_per_s;
        let begins = self.free_at_ns.max(now_ns);
        let waits = begins - now_ns;
        let waiting = u128::from(waits) * u128::from(rate) / 8_000_000_000;
        if waiting + u128::from(bytes) > u128::from(shape.queue_bytes()) {
            return None;
        }
        if shape.queueing == Queueing::CoDel && self.codel.drops(begins, waits) {
            return None;
        }
        self.free_at_ns = begins + bytes * 8_000_000_000 / rate;
        Some(self.free_at_ns)
    }
}

/// Controlled Delay (RFC 8289, section 5), asked about each packet at the time at which it would leave.
///
/// That the queue is empty behind a packet cannot be known yet when it comes; only its own wait counts.
#[derive(Debug, Clone, Copy, Default)]
struct CoDel {
    first_above_ns: u64,
    drop_next_ns: u64,
    count: u64,
    last_count: u64,
    dropping: bool,
}

impl CoDel {
    fn law(at_ns: u64, count: u64) -> u64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the interval")]
        let step = (INTERVAL_NS as f64 / (count.max(1) as f64).sqrt()) as u64;
        at_ns + step
    }

    fn drops(&mut self, at_ns: u64, waited_ns: u64) -> bool {
        let too_long = if waited_ns < TARGET_NS {
            self.first_above_ns = 0;
            false
        } else if self.first_above_ns == 0 {
            self.first_above_ns = at_ns + INTERVAL_NS;
            false
        } else {
            at_ns >= self.first_above_ns
        };
        if self.dropping {
            if !too_long {
                self.dropping = false;
                return false;
            }
            if at_ns < self.drop_next_ns {
                return false;
            }
            self.count += 1;
            self.drop_next_ns = Self::law(self.drop_next_ns, self.count);
            return true;
        }
        if !too_long {
            return false;
        }
        self.dropping = true;
        let more = self.count - self.last_count;
        let lately = at_ns.saturating_sub(self.drop_next_ns) < 16 * INTERVAL_NS;
        self.count = if more > 1 && lately { more } else { 1 };
        self.drop_next_ns = Self::law(at_ns, self.count);
        self.last_count = self.count;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends packets of 1000 bytes at 10.2 Mbit/s through 10 Mbit/s for `seconds`; the drops, and the last wait in ms.
    fn overload(queueing: Queueing, seconds: u64) -> (u64, u64) {
        let shape = Shape { bandwidth_bits_per_s: 10_000_000, queueing, ..Shape::default() };
        let mut queue = Queue::default();
        let (mut drops, mut wait) = (0, 0);
        for nth in 0..seconds * 1275 {
            let now = nth * 784_314;
            match queue.leaves(now, 1000, &shape) {
                Some(at) => wait = (at - now) / 1_000_000,
                None => drops += 1,
            }
        }
        (drops, wait)
    }

    #[test]
    fn a_full_queue_drops_and_codel_drops_before_it_is_full() {
        // 25 packets a second are too many: a quarter of a second is full after 12.5 s.
        let (drops, wait) = overload(Queueing::DropTail, 20);
        assert!((150..=200).contains(&drops) && (245..=251).contains(&wait), "{drops} {wait}");
        assert_eq!(overload(Queueing::DropTail, 12).0, 0);
        let (drops, wait) = overload(Queueing::CoDel, 20);
        assert!((400..=520).contains(&drops) && wait < 60, "{drops} {wait}");
        assert_eq!(
            Queue::default().leaves(5, 1000, &Shape { bandwidth_bits_per_s: 8_000_000, ..Shape::default() }),
            Some(1_000_005)
        );
    }
}
