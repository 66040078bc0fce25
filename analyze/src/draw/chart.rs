//! Lines over two axes.

use super::palette::{CATEGORIES, FAINT, GRID, INK};
use super::svg::{Anchor, N, Style, Svg, cut, width_of};

/// The plot's left, top, right and bottom.
const AREA: [f64; 4] = [90.0, 96.0, 690.0, 516.0];
/// Lines are told apart without colour too.
const DASHES: [&str; 4] = ["", "8 4", "2 3", "10 3 2 3"];

/// An axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    pub(super) title: &'static str,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) is_log: bool,
}

impl Axis {
    fn share(&self, value: f64) -> f64 {
        let at = |value: f64| if self.is_log { value.log10() } else { value };
        let width = at(self.high) - at(self.low);
        if width > 0.0 { (at(value) - at(self.low)) / width } else { 0.5 }
    }

    fn ticks(&self) -> Vec<f64> {
        if self.is_log {
            let mut ticks = Vec::new();
            let mut power = 10_f64.powf(self.low.log10().floor());
            while power <= self.high * 1.000_001 {
                ticks.push(power);
                power *= 10.0;
            }
            if ticks.len() < 4 {
                ticks = ticks.iter().flat_map(|&tick| [tick, 2.0 * tick, 5.0 * tick]).collect();
            }
            ticks.retain(|&tick| tick >= self.low * 0.999_999 && tick <= self.high * 1.000_001);
            return ticks;
        }
        let rough = (self.high - self.low) / 5.0;
        let power = 10_f64.powf(rough.max(1e-12).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|&step| step >= rough * 0.999);
        let step = step.unwrap_or(power);
        let first = (self.low / step).ceil();
        (0..20).map(|i| (first + f64::from(i)) * step).take_while(|&tick| tick <= self.high * 1.000_001).collect()
    }
}

/// A line with its name.
#[derive(Debug, Clone)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

fn label(value: f64) -> String {
    if value >= 1e4 {
        return format!("{}k", value / 1e3);
    }
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Draws lines with their names beside.
pub(super) fn chart(title: &str, subtitle: &str, [x, y]: [Axis; 2], series: &[Series]) -> String {
    let widest = series.iter().map(|one| width_of(&one.name, 14.0)).fold(0.0, f64::max).clamp(60.0, 260.0);
    let mut svg = Svg::new(AREA[2] + 70.0 + widest, AREA[3] + 70.0);
    let room = AREA[2] + widest;
    svg.text(30.0, 40.0, &cut(title, 22.0, room), Style::new(22.0));
    svg.text(30.0, 64.0, &cut(subtitle, 14.0, room), Style { colour: FAINT, ..Style::new(14.0) });
    let at_x = |value: f64| AREA[0] + (AREA[2] - AREA[0]) * x.share(value);
    let at_y = |value: f64| AREA[3] - (AREA[3] - AREA[1]) * y.share(value);
    let small = Style::new(13.0);
    for tick in x.ticks() {
        svg.line([at_x(tick), AREA[1], at_x(tick), AREA[3]], GRID, 1.0);
        svg.text(at_x(tick), AREA[3] + 20.0, &label(tick), small.at(Anchor::Middle));
    }
    for tick in y.ticks() {
        svg.line([AREA[0], at_y(tick), AREA[2], at_y(tick)], GRID, 1.0);
        svg.text(AREA[0] - 10.0, at_y(tick) + 4.5, &label(tick), small.at(Anchor::End));
    }
    svg.line([AREA[0], AREA[3], AREA[2], AREA[3]], INK, 1.2);
    svg.line([AREA[0], AREA[1], AREA[0], AREA[3]], INK, 1.2);
    let middle = [0, 1].map(|axis| f64::midpoint(AREA[axis], AREA[axis + 2]));
    svg.text(middle[0], AREA[3] + 48.0, x.title, Style::new(14.0).at(Anchor::Middle));
    svg.text(32.0, middle[1], y.title, Style { turned: -90.0, ..Style::new(14.0).at(Anchor::Middle) });
    for (row, one) in series.iter().enumerate() {
        let (colour, dash) = (CATEGORIES[row % CATEGORIES.len()], DASHES[row % DASHES.len()]);
        let step = |(at, &(px, py)): (usize, &(f64, f64))| {
            let (px, py) = (N(at_x(px)), N(at_y(py)));
            format!("{}{px} {py}", if at == 0 { 'M' } else { 'L' })
        };
        let path = one.points.iter().enumerate().map(step).collect::<Vec<_>>().concat();
        let style = format!("stroke=\"{colour}\" stroke-width=\"2.2\" stroke-dasharray=\"{dash}\" fill=\"none\"");
        svg.add(format_args!("<path d=\"{path}\" {style} stroke-linejoin=\"round\"/>"));
        let legend = AREA[1] + 14.0 + 26.0 * row as f64;
        svg.add(format_args!("<path d=\"M{} {}h30\" {style}/>", N(AREA[2] + 16.0), N(legend - 5.0)));
        svg.text(AREA[2] + 54.0, legend, &cut(&one.name, 14.0, 260.0), Style::new(14.0));
    }
    svg.finish(title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        let axis = |low, high, is_log| Axis { title: "", low, high, is_log };
        assert_eq!(axis(0.0, 1.0, false).ticks().len(), 6);
        assert_eq!(axis(1.0, 10_000.0, true).ticks(), [1.0, 10.0, 100.0, 1000.0, 10_000.0]);
        assert_eq!(axis(1.0, 60.0, true).ticks(), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0]);
        assert_eq!([0.2, 1.0, 20_000.0, 0.001].map(label), ["0.2", "1", "20k", "0.001"]);
    }
}
