//! Colours that people with any kind of colour vision can tell apart.

/// A colour as SVG writes it.
pub(super) type Colour = &'static str;

/// For categories: M. Okabe, K. Ito, "Color universal design", 2008, with two of P. Tol's muted scheme; most different
/// first.
pub(super) const CATEGORIES: [Colour; 9] =
    ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#882255", "#999933", "#F0E442"];

/// For everything beyond the categories, and what has none.
pub(super) const OTHER: Colour = "#9A9A9A";

/// For text and axes.
pub(super) const INK: Colour = "#222222";

/// For what is said in passing.
pub(super) const FAINT: Colour = "#666666";

/// For lines behind the data.
pub(super) const GRID: Colour = "#DDDDDD";

/// Stations of viridis (S. van der Walt, N. Smith, 2015), from low to high: even in lightness, also without colour.
const VIRIDIS: [[u8; 3]; 9] = [
    [68, 1, 84],
    [71, 44, 122],
    [59, 81, 139],
    [44, 113, 142],
    [33, 144, 141],
    [39, 173, 129],
    [92, 200, 99],
    [170, 220, 50],
    [253, 231, 37],
];

/// The colour of a share of 1 on the scale for amounts.
pub(super) fn amount(share: f64) -> String {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let at = share * (VIRIDIS.len() - 1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the last station")]
    let low = (at.floor() as usize).min(VIRIDIS.len() - 2);
    let rest = at - low as f64;
    let mix = |channel: usize| {
        let (a, b) = (f64::from(VIRIDIS[low][channel]), f64::from(VIRIDIS[low + 1][channel]));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two bytes")]
        let mixed = (a + (b - a) * rest).round() as u8;
        mixed
    };
    format!("#{:02X}{:02X}{:02X}", mix(0), mix(1), mix(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_go_from_dark_to_light() {
        assert_eq!(
            (amount(0.0).as_str(), amount(1.0).as_str(), amount(-3.0).as_str()),
            ("#440154", "#FDE725", "#440154")
        );
        assert_eq!((amount(0.5).as_str(), amount(f64::NAN).as_str()), ("#21908D", "#440154"));
    }
}
