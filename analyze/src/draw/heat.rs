//! How full routing tables are, as a heat map.

use super::palette::{FAINT, INK, amount};
use super::svg::{Anchor, N, Style, Svg, cut};
use crate::routing::{Owner, Routing};

/// No more rows than this; of more tables some share a row.
const MOST_ROWS: usize = 120;
/// No more tables than this are named.
const MOST_NAMES: usize = 40;
const LEFT: f64 = 170.0;
const TOP: f64 = 110.0;
const HEIGHT: f64 = 560.0;

/// The fill of every bucket: a column for each number of shared bits, a row for each table or some of them, the least
/// complete at the top.
pub fn fill_heat_map(routing: &Routing) -> String {
    let (snapshot, k) = (routing.snapshot(), routing.options.k);
    let mut owners: Vec<&Owner> = snapshot.owners.iter().collect();
    owners.sort_by(|a, b| {
        let share = |owner: &Owner| owner.health.completeness(k).unwrap_or(1.0);
        share(a).total_cmp(&share(b)).then(a.number.cmp(&b.number))
    });
    let columns = owners.iter().map(|owner| owner.health.buckets.len()).max().unwrap_or(0).max(1);
    let width = (640.0 / columns as f64).clamp(12.0, 64.0);
    let right = LEFT + width * columns as f64;
    let mut svg = Svg::new(right.max(560.0) + 200.0, TOP + HEIGHT + 120.0);
    let title = format!("Fill of routing tables of {}", routing.title);
    let room = right.max(560.0) + 150.0;
    svg.text(30.0, 40.0, &cut(&title, 22.0, room), Style::new(22.0));
    let said =
        format!("snapshot {}: {} tables, {} live servers, k = {k}", snapshot.label, owners.len(), snapshot.servers);
    svg.text(30.0, 64.0, &cut(&said, 14.0, room), Style { colour: FAINT, ..Style::new(14.0) });
    let rows = owners.len().div_ceil(owners.len().div_ceil(MOST_ROWS).max(1)).max(1);
    let height = (HEIGHT / rows as f64).min(40.0);
    let bottom = TOP + height * rows as f64;
    for (row, some) in owners.chunks(owners.len().div_ceil(rows).max(1)).enumerate() {
        let y = TOP + height * row as f64;
        for column in 0..columns {
            let fills: Vec<f64> = some.iter().filter_map(|owner| owner.health.buckets.get(column)?.fill(k)).collect();
            let colour = if fills.is_empty() {
                "#EDEDED".to_owned()
            } else {
                amount(fills.iter().sum::<f64>() / fills.len() as f64)
            };
            // A hair wider than its place: no seams between cells.
            svg.rect([LEFT + width * column as f64, y, width + 0.3, height + 0.3], &colour);
        }
        if owners.len() <= MOST_NAMES {
            let name = cut(&routing.world.name(some[0].number), 12.0, LEFT - 40.0);
            svg.text(LEFT - 8.0, y + height / 2.0 + 4.0, &name, Style::new(12.0).at(Anchor::End));
        }
    }
    if owners.len() > MOST_NAMES {
        for percent in [0.0, 25.0, 50.0, 75.0, 100.0] {
            let y = TOP + (bottom - TOP) * percent / 100.0;
            svg.line([LEFT - 5.0, y, LEFT, y], INK, 1.0);
            svg.text(LEFT - 10.0, y + 4.5, &format!("{percent} %"), Style::new(13.0).at(Anchor::End));
        }
        let turned = Style { turned: -90.0, ..Style::new(14.0).at(Anchor::Middle) };
        svg.text(96.0, f64::midpoint(TOP, bottom), "tables, the least complete at the top", turned);
    }
    columns_below(&mut svg, routing, width, bottom, columns);
    scale(&mut svg, right + 40.0, bottom);
    svg.finish(&title)
}

/// Under each column its number of bits, and the mean fill of its buckets.
fn columns_below(svg: &mut Svg, routing: &Routing, width: f64, bottom: f64, columns: usize) {
    let (snapshot, k) = (routing.snapshot(), routing.options.k);
    let every = if width < 22.0 { 2 } else { 1 };
    let middle = LEFT + width * columns as f64 / 2.0;
    for column in (0..columns).step_by(every) {
        let x = LEFT + width * (column as f64 + 0.5);
        svg.text(x, bottom + 20.0, &column.to_string(), Style::new(13.0).at(Anchor::Middle));
        let fills: Vec<f64> =
            snapshot.owners.iter().filter_map(|owner| owner.health.buckets.get(column)?.fill(k)).collect();
        if width >= 34.0 && !fills.is_empty() {
            let mean = format!("{:.0} %", 100.0 * fills.iter().sum::<f64>() / fills.len() as f64);
            svg.text(x, TOP - 8.0, &mean, Style { colour: FAINT, ..Style::new(12.0).at(Anchor::Middle) });
        }
    }
    svg.text(middle, bottom + 46.0, "bits shared with the owner: far to near", Style::new(14.0).at(Anchor::Middle));
}

fn scale(svg: &mut Svg, x: f64, bottom: f64) {
    let height = (bottom - TOP).clamp(80.0, 260.0);
    svg.text(x, TOP - 8.0, "fill", Style::new(14.0));
    let steps = 60_u32;
    for step in 0..steps {
        let share = 1.0 - f64::from(step) / f64::from(steps - 1);
        let part = height / f64::from(steps);
        svg.rect([x, TOP + part * f64::from(step), 18.0, part + 0.3], &amount(share));
    }
    for share in [0.0, 0.5, 1.0] {
        let y = TOP + height * (1.0 - share);
        svg.text(x + 26.0, y + 4.5, &format!("{:.0} %", 100.0 * share), Style::new(13.0));
    }
    let y = TOP + height + 24.0;
    svg.add(format_args!("<rect x=\"{}\" y=\"{}\" width=\"18\" height=\"12\" fill=\"#EDEDED\"/>", N(x), N(y)));
    svg.text(x + 26.0, y + 10.5, "nobody there", Style::new(13.0));
}
