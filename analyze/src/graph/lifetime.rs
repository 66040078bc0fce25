//! How long edges last, from connections over time.

/// From when to when a connection was open, as far as somebody saw: nothing for an opening or a closing unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// When it opened, in nanoseconds.
    pub open: Option<i64>,
    /// When it closed; nothing if it never did.
    pub close: Option<i64>,
}

impl Span {
    fn begins(self) -> i64 {
        self.open.unwrap_or(i64::MIN)
    }

    fn ends(self) -> i64 {
        self.close.unwrap_or(i64::MAX)
    }
}

/// What the two ends of the same connections saw, joined: each connection once.
///
/// Where both ends saw as many, the first of one is the first of the other, and so on; else those are the same that
/// overlap. It opened when the first end says so and closed when the last one does; an end that did not see it leaves
/// the word to the other.
pub(super) fn join_ends(mut one: Vec<Span>, mut other: Vec<Span>) -> Vec<Span> {
    let order = |span: &Span| (span.begins(), span.ends());
    one.sort_unstable_by_key(order);
    other.sort_unstable_by_key(order);
    let same = |a: Span, b: Span| Span {
        open: a.open.zip(b.open).map(|(a, b)| a.min(b)).or(a.open).or(b.open),
        close: a.close.zip(b.close).map(|(a, b)| a.max(b)).or(a.close).or(b.close),
    };
    if one.len() == other.len() {
        return one.into_iter().zip(other).map(|(a, b)| same(a, b)).collect();
    }
    let mut joined = Vec::with_capacity(one.len().max(other.len()));
    let (mut one, mut other) = (one.into_iter().peekable(), other.into_iter().peekable());
    while let (Some(&a), Some(&b)) = (one.peek(), other.peek()) {
        let overlap = a.begins() <= b.ends() && b.begins() <= a.ends();
        joined.push(if overlap {
            same(a, b)
        } else if a.ends() < b.ends() {
            a
        } else {
            b
        });
        if overlap || a.ends() < b.ends() {
            one.next();
        }
        if overlap || a.ends() >= b.ends() {
            other.next();
        }
    }
    joined.extend(one.chain(other));
    joined
}

/// The unbroken times that spans cover together, in order.
pub(super) fn unite(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable_by_key(|span| (span.begins(), span.ends()));
    let mut united: Vec<Span> = Vec::new();
    for span in spans {
        match united.last_mut() {
            Some(last) if span.begins() <= last.ends() => {
                if span.ends() > last.ends() {
                    last.close = span.close;
                }
            }
            _ => united.push(span),
        }
    }
    united
}

/// Lifetimes, some of which were cut off by the end of the run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lifetimes {
    /// How long each was seen to last, ascending, and whether it was seen to end.
    times: Vec<(u64, bool)>,
}

impl Lifetimes {
    /// From spans with a known opening, where the last moment looked at is `end`.
    pub fn of(spans: &[Span], end: i64) -> Self {
        let time = |span: &Span| {
            let open = span.open?;
            let until = span.close.unwrap_or(end);
            u64::try_from(until.saturating_sub(open)).ok().map(|time| (time, span.close.is_some()))
        };
        let mut times: Vec<(u64, bool)> = spans.iter().filter_map(time).collect();
        times.sort_unstable();
        Self { times }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.times.len()
    }

    /// How many were seen to end.
    pub fn ended(&self) -> usize {
        self.times.iter().filter(|(_, ended)| *ended).count()
    }

    /// All of them together, in nanoseconds.
    pub fn total_ns(&self) -> u128 {
        self.times.iter().map(|(time, _)| u128::from(*time)).sum()
    }

    /// The lifetime that a share of the edges does not exceed, in nanoseconds.
    ///
    /// Definition: E. Kaplan and P. Meier, "Nonparametric estimation from incomplete observations", 1958: the least time
    /// at which the estimated share of those still there is at most 1 − share. Those cut off count as there for as long
    /// as they were seen. Where all ended it is the nearest rank.
    /// Nothing without any, and where too many were cut off for the share to be reached.
    ///
    /// ```
    /// use tg_analyze::graph::lifetime::{Lifetimes, Span};
    /// let span = |open, close| Span { open: Some(open), close };
    /// // 2, 4 and 6 long, and one that was cut off after 3.
    /// let spans = [span(0, Some(2)), span(0, Some(4)), span(0, Some(6)), span(7, None)];
    /// let found = Lifetimes::of(&spans, 10);
    /// // Of four, 3/4 outlast 2; of the two seen longer than 3, half outlasts 4.
    /// assert_eq!((found.quantile_ns(0.25), found.quantile_ns(0.5)), (Some(2), Some(4)));
    /// ```
    pub fn quantile_ns(&self, share: f64) -> Option<u64> {
        self.quantiles_ns(&[share])[0]
    }

    /// The same for several shares, ascending, in one pass.
    pub fn quantiles_ns(&self, shares: &[f64]) -> Vec<Option<u64>> {
        let mut found = Vec::with_capacity(shares.len());
        let (mut left, mut there) = (1.0, self.times.len());
        for group in self.times.chunk_by(|a, b| a.0 == b.0) {
            let ended = group.iter().filter(|(_, ended)| *ended).count();
            left *= 1.0 - ended as f64 / there as f64;
            there -= group.len();
            let reached = shares[found.len()..].iter().take_while(|share| ended > 0 && left <= 1.0 - **share + 1e-12);
            found.extend(reached.map(|_| Some(group[0].0)));
        }
        found.resize(shares.len(), None);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(open: i64, close: i64) -> Span {
        // Negative stands for what nobody saw.
        Span { open: (open >= 0).then_some(open), close: (close >= 0).then_some(close) }
    }

    #[test]
    fn each_connection_is_one_however_many_ends_saw_it() {
        for (one, other, wanted) in [
            (vec![], vec![span(1, 2)], vec![span(1, 2)]),
            // As many: by order, although a message took its time and they do not overlap.
            (vec![span(1, 2), span(9, 10)], vec![span(11, 12), span(3, 4)], vec![span(1, 4), span(9, 12)]),
            // One end was killed and saw no closing.
            (vec![span(1, -1)], vec![span(2, 8)], vec![span(1, 8)]),
            (vec![span(-1, 5)], vec![span(2, -1)], vec![span(2, 5)]),
            // One of two was seen by one end alone.
            (vec![span(1, 2), span(6, 8)], vec![span(5, 9)], vec![span(1, 2), span(5, 9)]),
            (vec![span(5, 9)], vec![span(1, 2), span(6, 8)], vec![span(1, 2), span(5, 9)]),
        ] {
            assert_eq!(join_ends(one.clone(), other.clone()), wanted, "{one:?} {other:?}");
        }
    }

    #[test]
    fn overlapping_connections_are_one_time_together() {
        let spans = vec![span(6, 7), span(0, 4), span(2, 3), span(4, 5), span(9, -1), span(10, 11)];
        assert_eq!(unite(spans), vec![span(0, 5), span(6, 7), span(9, -1)]);
        assert_eq!(unite(vec![span(-1, 3), span(1, 2)]), vec![span(-1, 3)]);
    }

    #[test]
    fn what_was_cut_off_is_not_taken_for_an_end() {
        let ended: Vec<Span> = (1..=20).map(|time| span(0, time)).collect();
        let found = Lifetimes::of(&ended, 100);
        assert_eq!(
            (found.quantile_ns(0.5), found.quantile_ns(0.95), found.quantile_ns(1.0)),
            (Some(10), Some(19), Some(20))
        );
        // Three of five were open at the end: there is no median, and it is not 20.
        let open = [span(0, 10), span(0, 20), span(0, -1), span(50, -1), span(80, -1)];
        let found = Lifetimes::of(&open, 100);
        assert_eq!((found.count(), found.ended(), found.total_ns()), (5, 2, 10 + 20 + 100 + 50 + 20));
        // 1 − 1/5, and then one of the four that were seen for 20: the one cut off then was still there.
        assert_eq!(
            (found.quantile_ns(0.2), found.quantile_ns(0.4), found.quantile_ns(0.5)),
            (Some(10), Some(20), None)
        );
        assert_eq!(Lifetimes::of(&[span(-1, 3)], 100).quantile_ns(0.5), None);
    }
}
