//! Student's t distribution, and the comparison of two means with it.

use super::resample::Interval;

/// The difference of two means with its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Means {
    /// Second less first.
    pub(super) difference: f64,
    /// Its standard error.
    pub(super) error: f64,
    /// Degrees of freedom.
    pub(super) freedom: f64,
    /// How likely a difference as large is if the means are one.
    pub(super) p: f64,
}

impl Means {
    /// The more careful of two tests: B. Welch's ("The generalization of Student's problem when several different
    /// population variances are involved", 1947), which lets the variances differ, and Student's, which does not.
    /// Welch's alone finds too much far out in the tail where one side has few values and the other many; Student's
    /// alone where the side with few values is the one that varies more. A side of one value leaves Student's only;
    /// with one value on either side there is no test.
    ///
    /// Where no value differs from the others of its side the tests would be sure of anything: then `p` is that of the
    /// exchange of sides, 2 among all ways to part the values.
    pub(super) fn compare(first: &[f64], second: &[f64]) -> Option<Self> {
        let (n, m) = (first.len() as f64, second.len() as f64);
        if first.is_empty() || second.is_empty() || first.len() + second.len() < 3 {
            return None;
        }
        let (mean_a, square_a) = moments(first);
        let (mean_b, square_b) = moments(second);
        let difference = mean_b - mean_a;
        let most = n + m - 2.0;
        let of = |variance: f64, freedom: f64| {
            let error = variance.sqrt();
            Self { difference, error, freedom, p: two_sided(difference / error, freedom) }
        };
        let student_variance = (square_a + square_b) / most * (1.0 / n + 1.0 / m);
        if student_variance.sqrt() <= 1e-12 * mean_a.abs().max(mean_b.abs()) {
            let p = if difference == 0.0 { 1.0 } else { (2.0 / ways(first.len(), second.len())).min(1.0) };
            return Some(Self { difference, error: 0.0, freedom: most, p });
        }
        let student = of(student_variance, most);
        if first.len() == 1 || second.len() == 1 {
            return Some(student);
        }
        let (a, b) = (square_a / (n - 1.0) / n, square_b / (m - 1.0) / m);
        let welch = of(a + b, (a + b).powi(2) / (a * a / (n - 1.0) + b * b / (m - 1.0)));
        let half = |one: &Self| quantile(0.975, one.freedom) * one.error;
        let wider = if half(&student) > half(&welch) { student } else { welch };
        Some(Self { p: student.p.max(welch.p), ..wider })
    }

    /// The interval that holds the true difference with this confidence.
    pub(super) fn interval(&self, confidence: f64) -> Interval {
        let half = quantile(f64::midpoint(1.0, confidence), self.freedom) * self.error;
        Interval { low: self.difference - half, high: self.difference + half }
    }
}

/// E. Wilson's interval for a share ("Probable inference, the law of succession, and statistical inference", 1927), 95 %.
pub(crate) fn wilson(ones: f64, n: f64) -> Interval {
    const Z: f64 = 1.959_963_984_540_054;
    let share = ones / n;
    let middle = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    Interval { low: (middle - half).max(0.0), high: (middle + half).min(1.0) }
}

/// R. Newcombe's interval for the difference of two shares, second less first ("Interval estimation for the difference
/// between independent proportions: comparison of eleven methods", 1998, method 10), 95 %.
pub(super) fn newcombe(first: (f64, f64), second: (f64, f64)) -> Interval {
    let (a, b) = (first.0 / first.1, second.0 / second.1);
    let (of_a, of_b) = (wilson(first.0, first.1), wilson(second.0, second.1));
    let down = ((b - of_b.low).powi(2) + (of_a.high - a).powi(2)).sqrt();
    let up = ((of_b.high - b).powi(2) + (a - of_a.low).powi(2)).sqrt();
    Interval { low: b - a - down, high: b - a + up }
}

/// The mean and the sum of squares about it.
fn moments(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (mean, values.iter().map(|value| (value - mean).powi(2)).sum())
}

/// In how many ways `n + m` values can be parted into `n` and `m`.
fn ways(n: usize, m: usize) -> f64 {
    (1..=n.min(m)).fold(1.0, |ways, k| ways * (n + m + 1 - k) as f64 / k as f64)
}

/// How likely a value of t at least as far from 0 is.
pub(super) fn two_sided(t: f64, freedom: f64) -> f64 {
    beta(freedom / (freedom + t * t), freedom / 2.0, 0.5)
}

/// The value of t below which this share of the distribution lies, for shares of one half and more.
///
/// By I. Newton's method from 0: what lies beyond t is convex in t, so that no step goes too far.
pub(super) fn quantile(share: f64, freedom: f64) -> f64 {
    let norm =
        (gamma(f64::midpoint(freedom, 1.0)) - gamma(freedom / 2.0)).exp() / (freedom * std::f64::consts::PI).sqrt();
    let mut t = 0.0_f64;
    for _ in 0..200 {
        let density = norm * (1.0 + t * t / freedom).powf(-(freedom + 1.0) / 2.0);
        let step = (two_sided(t, freedom) / 2.0 - (1.0 - share)) / density;
        t += step;
        if step.is_nan() || step.abs() <= 1e-12 * t.abs() {
            break;
        }
    }
    t
}

/// The regularised incomplete beta function by its continued fraction (NIST Digital Library of Mathematical
/// Functions, 8.17.22).
fn beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (gamma(a + b) - gamma(a) - gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(x, a, b) / a
    } else {
        1.0 - front * fraction(1.0 - x, b, a) / b
    }
}

/// The continued fraction by W. Lentz's method.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut above = 1.0;
    let mut below = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut product = below;
    for nth in 1..400 {
        let m = f64::from(nth);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        for step in [even, odd] {
            below = 1.0 / away(1.0 + step * below);
            above = away(1.0 + step / above);
            product *= below * above;
        }
        if (below * above - 1.0).abs() < 1e-15 {
            break;
        }
    }
    product
}

/// The logarithm of the gamma function for positive arguments: Stirling's series, after shifting the argument up.
fn gamma(mut x: f64) -> f64 {
    let mut shift = 0.0;
    while x < 10.0 {
        shift -= x.ln();
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0))) / x;
    shift + (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (share, freedom, wanted) in [
            (0.975, 1.0, 12.706_205),
            (0.975, 4.0, 2.776_445),
            (0.995, 8.0, 3.355_387),
            (0.975, 30.0, 2.042_272),
            (0.8, 10.0, 0.879_058),
            (0.975, 1e7, 1.959_964),
        ] {
            let found = quantile(share, freedom);
            assert!((found - wanted).abs() < 2e-6, "{share} {freedom}: {found} is not {wanted}");
        }
    }

    #[test]
    fn welch_is_that_of_the_textbook() {
        // By hand: means 2 and 4, variances 1 and 4 of three values each: t = 2 / sqrt(5/3), nu = (5/3)² / (17/18).
        let means = Means::compare(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]).unwrap();
        assert!((means.difference - 2.0).abs() < 1e-12 && (means.freedom - 50.0 / 17.0).abs() < 1e-12);
        assert!((means.error - (5.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        let interval = means.interval(0.95);
        assert!(interval.low < 0.0 && interval.high > 4.0);
    }

    #[test]
    fn shares_have_the_intervals_of_the_papers() {
        let eight = wilson(8.0, 10.0);
        assert!((eight.low - 0.4902).abs() < 5e-5 && (eight.high - 0.9433).abs() < 5e-5, "{eight:?}");
        // Newcombe's table: 56/70 less 48/80 lies between 0.0524 and 0.3339.
        let found = newcombe((48.0, 80.0), (56.0, 70.0));
        assert!((found.low - 0.0524).abs() < 5e-5 && (found.high - 0.3339).abs() < 5e-5, "{found:?}");
    }

    #[test]
    fn the_more_careful_test_counts() {
        // The few values lie close together by chance: Welch's test is surer than Student's.
        let many = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let found = Means::compare(&many, &[7.0, 7.01, 7.02]).unwrap();
        assert!((found.freedom - 9.0).abs() < 1e-12 && found.error > 1.4, "{found:?}");
        // The few vary most: Student's would be surer.
        let found = Means::compare(&[1.0, 1.01, 1.02, 1.03, 1.04, 1.05], &[0.0, 4.0]).unwrap();
        assert!(found.freedom < 1.1 && found.p > 0.5, "{found:?}");
    }

    #[test]
    fn without_variance_nothing_is_certain() {
        let p = |n: usize, m: usize| Means::compare(&vec![3.0; n], &vec![4.0; m]).unwrap().p;
        assert!((p(2, 2) - 2.0 / 6.0).abs() < 1e-12);
        assert!((p(4, 4) - 2.0 / 70.0).abs() < 1e-12);
        assert!(Means::compare(&[1.0, 1.0], &[1.0, 1.0]).unwrap().p > 0.999);
        assert_eq!(Means::compare(&[1.0], &[2.0]), None);
        assert_eq!(Means::compare(&[], &[2.0, 3.0]), None);
        // One run against many: the variance is that of the many.
        let one = Means::compare(&[1.0, 2.0, 3.0], &[4.0]).unwrap();
        assert!((one.error - (4.0_f64 / 3.0).sqrt()).abs() < 1e-12 && (one.freedom - 2.0).abs() < 1e-12);
    }
}
