//! Distributions in a line of text.

/// How many columns a line has.
const WIDTH: usize = 24;
const LEVELS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The cumulative distributions of several samples on one axis, from the 1st to the 99th percentile of them all.
#[derive(Debug, Clone, PartialEq)]
pub struct Shapes {
    /// Where the axis begins.
    pub low: f64,
    /// Where it ends.
    pub high: f64,
    /// One line for each sample: the height of a column is the share of values at or below its right end.
    pub lines: Vec<String>,
}

impl Shapes {
    /// Of ascending values; nothing where no sample has any.
    pub fn of(samples: &[Vec<f64>]) -> Option<Self> {
        let ends = |share| samples.iter().filter_map(move |one| crate::percentile(one, share));
        let low = ends(0.01).min_by(f64::total_cmp)?;
        let high = ends(0.99).max_by(f64::total_cmp)?;
        let line = |sample: &Vec<f64>| -> String {
            (1..=WIDTH)
                .map(|column| {
                    let edge = low + (high - low) * column as f64 / WIDTH as f64;
                    let below = sample.partition_point(|&value| value <= edge);
                    level(below as f64 / sample.len().max(1) as f64)
                })
                .collect()
        };
        Some(Self { low, high, lines: samples.iter().map(line).collect() })
    }
}

/// Numbers as columns between the least and the greatest of them; what is absent is a dot.
pub fn sparkline(values: &[Option<f64>]) -> String {
    let known = || values.iter().flatten().copied().filter(|value| value.is_finite());
    let (Some(low), Some(high)) = (known().min_by(f64::total_cmp), known().max_by(f64::total_cmp)) else {
        return "·".repeat(values.len());
    };
    let height = |value: f64| if high > low { (value - low) / (high - low) } else { 0.5 };
    // The least value is still a column and not a gap.
    values.iter().map(|value| value.map_or('·', |value| level((1.0 + 7.0 * height(value)) / 8.0))).collect()
}

fn level(share: f64) -> char {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 8")]
    let at = (share.clamp(0.0, 1.0) * 8.0).round() as usize;
    LEVELS[at.min(8)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_distribution_rises_later() {
        let base: Vec<f64> = (0..100).map(f64::from).collect();
        let new: Vec<f64> = (50..150).map(f64::from).collect();
        let shapes = Shapes::of(&[base, new]).unwrap();
        assert_eq!((shapes.low, shapes.high), (0.99, 148.01));
        assert!(shapes.lines[1].starts_with("     ") && shapes.lines[0].ends_with("███████"), "{:?}", shapes.lines);
        assert_eq!(Shapes::of(&[vec![], vec![]]), None);
        assert_eq!(Shapes::of(&[vec![1.0]]).unwrap().lines[0].chars().count(), WIDTH);
    }

    #[test]
    fn what_is_absent_is_a_dot() {
        assert_eq!(sparkline(&[Some(1.0), None, Some(8.0)]), "▁·█");
        assert_eq!(sparkline(&[Some(2.0), Some(2.0)]), "▅▅");
        assert_eq!(sparkline(&[None]), "·");
    }
}
