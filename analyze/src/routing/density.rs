//! How evenly a set of peers is spread over the keyspace: whoever crowds a part of it may want to rule it.

use super::place::Place;

/// A part of the keyspace counts as crowded or sparse if its count is less likely than this, taken over all parts.
pub const ALARM: f64 = 0.01;

/// How many peers each part of the keyspace has.
#[derive(Debug, Clone, PartialEq)]
pub struct Density {
    /// Parts are told apart by so many first bits.
    pub bits: u32,
    /// How many peers.
    pub peers: u64,
    /// How many a part should have.
    pub expected: f64,
    /// The fewest that a part has.
    pub min: u64,
    /// The most that a part has.
    pub max: u64,
    /// Σ (observed − expected)² / expected.
    pub chi_squared: f64,
    /// How likely so large a value is if peers are spread evenly; nothing where a part should have fewer than 5.
    pub probability: Option<f64>,
    /// Parts that have far more or far fewer than they should, the least likely first.
    pub odd: Vec<Part>,
}

/// A part of the keyspace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// Its first bits.
    pub prefix: u64,
    /// How many peers it has.
    pub observed: u64,
    /// How likely a count so extreme is in this part.
    pub tail: f64,
    /// Whether it has too many rather than too few.
    pub crowded: bool,
}

impl Density {
    /// Degrees of freedom: parts less one.
    pub fn freedom(&self) -> u64 {
        (1 << self.bits) - 1
    }

    /// The variance of the counts (of the sample) over their mean: 1 for peers spread by chance.
    pub fn dispersion(&self) -> f64 {
        self.chi_squared / self.freedom() as f64
    }

    /// Parts with too many peers.
    pub fn crowded(&self) -> usize {
        self.odd.iter().filter(|part| part.crowded).count()
    }
}

/// Counts peers by the first bits of their place and compares with an even spread.
///
/// Definitions: Pearson's chi squared with 2^bits − 1 degrees of freedom; a part is odd if the Poisson probability of a
/// count at least so large, or at most so small, times the number of parts is below [`ALARM`].
/// Nothing for no peers. `bits` is 1 to 24. Cost: O(peers + 2^bits).
pub fn density(places: &[Place], bits: u32) -> Option<Density> {
    let parts = 1_usize << bits;
    if places.is_empty() {
        return None;
    }
    let mut counts = vec![0_u64; parts];
    for place in places {
        counts[usize::try_from(place.prefix(bits)).unwrap_or(0)] += 1;
    }
    let peers = places.len() as u64;
    let expected = peers as f64 / parts as f64;
    let chi_squared = counts.iter().map(|&n| (n as f64 - expected).powi(2) / expected).sum();
    let mut odd: Vec<Part> = (0..).zip(&counts).filter_map(|(prefix, &n)| part(prefix, n, expected, parts)).collect();
    odd.sort_by(|a, b| a.tail.total_cmp(&b.tail).then(a.prefix.cmp(&b.prefix)));
    let probability = (expected >= 5.0).then(|| chi_squared_tail(parts as u64 - 1, chi_squared));
    let (min, max) = (counts.iter().copied().min()?, counts.iter().copied().max()?);
    Some(Density { bits, peers, expected, min, max, chi_squared, probability, odd })
}

fn part(prefix: u64, observed: u64, expected: f64, parts: usize) -> Option<Part> {
    let crowded = observed as f64 > expected;
    let tail =
        if crowded { poisson_at_least(observed, expected) } else { 1.0 - poisson_at_least(observed + 1, expected) };
    (tail * (parts as f64) < ALARM).then_some(Part { prefix, observed, tail, crowded })
}

/// The probability that a Poisson variable is at least `n`.
fn poisson_at_least(n: u64, mean: f64) -> f64 {
    if n as f64 <= mean {
        // From below: the terms above the mean are many.
        let mut term = (-mean).exp();
        let mut below = 0.0;
        for i in 0..n {
            below += term;
            term *= mean / (i + 1) as f64;
        }
        // The first term of a large mean is zero in floats: then go from above.
        if mean < 700.0 {
            return 1.0 - below;
        }
    }
    let log_factorial: f64 = (1..=n).map(|i| (i as f64).ln()).sum();
    let mut term = (n as f64).mul_add(mean.ln(), -mean - log_factorial).exp();
    let (mut sum, mut i) = (term, n);
    // Terms grow up to the mean and shrink fast behind it.
    while (i as f64) < mean || term > sum * 1e-17 {
        i += 1;
        term *= mean / i as f64;
        sum += term;
    }
    sum.min(1.0)
}

/// The probability that chi squared with so many degrees of freedom, an odd number, is at least `value`: the upper
/// incomplete gamma function Q(freedom/2, value/2).
fn chi_squared_tail(freedom: u64, value: f64) -> f64 {
    let (shape, at) = (freedom as f64 / 2.0, value / 2.0);
    if at <= 0.0 {
        return 1.0;
    }
    // Γ(1/2) = √π and Γ(z + 1) = z·Γ(z) give the gamma function of every half.
    let log_gamma = 0.5 * std::f64::consts::PI.ln() + (0..freedom / 2).map(|i| (i as f64 + 0.5).ln()).sum::<f64>();
    let scale = (shape.mul_add(at.ln(), -at) - log_gamma).exp();
    let tail = if at < shape + 1.0 { 1.0 - scale * gamma_series(shape, at) } else { scale * gamma_fraction(shape, at) };
    tail.clamp(0.0, 1.0)
}

/// The lower incomplete gamma function by its power series, without its scale.
fn gamma_series(shape: f64, at: f64) -> f64 {
    let (mut term, mut sum, mut below) = (1.0 / shape, 1.0 / shape, shape);
    while term > sum * 1e-16 {
        below += 1.0;
        term *= at / below;
        sum += term;
    }
    sum
}

/// The upper incomplete gamma function by its continued fraction with Lentz's method, without its scale.
fn gamma_fraction(shape: f64, at: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let mut base = at + 1.0 - shape;
    let (mut up, mut down) = (1.0 / TINY, 1.0 / base);
    let mut fraction = down;
    for round in 1..100_000 {
        let round = f64::from(round);
        let step = -round * (round - shape);
        base += 2.0;
        let below = step.mul_add(down, base);
        down = 1.0 / if below.abs() < TINY { TINY } else { below };
        up = base + step / up;
        up = if up.abs() < TINY { TINY } else { up };
        fraction *= up * down;
        if (up * down - 1.0).abs() < 1e-15 {
            break;
        }
    }
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, wanted: f64) {
        assert!((found - wanted).abs() <= 1e-6 * wanted.abs(), "{found} is not {wanted}");
    }

    #[test]
    fn tails_are_those_of_tables() {
        // By hand: 1 − e^−2·(1 + 2 + 2).
        near(poisson_at_least(3, 2.0), 0.323_323_583_8);
        near(poisson_at_least(10, 2.0), 4.649_807_5e-5);
        near(poisson_at_least(0, 2.0), 1.0);
        // From tables of chi squared.
        near(chi_squared_tail(1, 3.841_458_820_694), 0.05);
        near(chi_squared_tail(3, 7.814_727_903_251), 0.05);
        near(chi_squared_tail(15, 30.577_914_166_892), 0.01);
        near(chi_squared_tail(63, 82.528_727), 0.05);
        near(chi_squared_tail(255, 205.421_1), 0.99);
    }

    #[test]
    fn large_means_do_not_underflow() {
        let tail = poisson_at_least(10_000, 10_000.0);
        assert!((0.49..0.52).contains(&tail), "{tail}");
        let sparse = 1.0 - poisson_at_least(9_501, 10_000.0);
        assert!((1e-8..1e-6).contains(&sparse), "{sparse}");
    }

    fn spread(n: u32, seed: u64) -> Vec<Place> {
        let mut random = crate::graph::random::Random::new(seed);
        let mut place = || {
            let bytes: Vec<u8> = (0..32).map(|_| u8::try_from(random.below(256)).unwrap()).collect();
            Place::from_slice(&bytes).unwrap()
        };
        (0..n).map(|_| place()).collect()
    }

    #[test]
    fn an_even_spread_is_quiet_and_a_crowd_is_found() {
        let mut places = spread(4096, 7);
        for bits in [4, 6, 8] {
            let density = density(&places, bits).unwrap();
            assert!(density.odd.is_empty() && density.probability.unwrap() > 0.01, "{density:?}");
            near(density.expected, 4096.0 / f64::from(1 << bits));
        }
        let crowd = Place::from_slice(&[0xAB; 32]).unwrap();
        places.extend([crowd; 40]);
        let found = density(&places, 8).unwrap();
        assert_eq!((found.odd[0].prefix, found.odd[0].crowded, found.crowded()), (0xAB, true, 1));
        assert!(found.probability.unwrap() < 1e-3);
    }

    #[test]
    fn small_counts_by_hand() {
        let bytes = |first: u8| Place::from_slice(&[first; 32]).unwrap();
        let places = [0x00, 0x00, 0x40, 0xC0].map(bytes);
        let found = density(&places, 2).unwrap();
        assert_eq!((found.min, found.max, found.freedom(), found.probability), (0, 2, 3, None));
        // (2 − 1)² + (1 − 1)² + (0 − 1)² + (1 − 1)², over 1.
        near(found.chi_squared, 2.0);
        near(found.dispersion(), 2.0 / 3.0);
        assert_eq!(density(&[], 2), None);
    }
}
