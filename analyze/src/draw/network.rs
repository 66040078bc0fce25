//! A network as a picture.

use super::layout::{circular, force_directed};
use super::paint::{ColourBy, Paint, grouped, short};
use super::palette::{FAINT, INK};
use super::svg::{Anchor, N, Style, Svg, cut, width_of};
use crate::graph::Network;
use crate::graph::degree::degrees;
use crate::graph::random::Random;

/// The square that nodes stand in.
const SIDE: f64 = 900.0;
const MARGIN: f64 = 40.0;
const TOP: f64 = 84.0;
const LEGEND: f64 = 210.0;
/// No more edges than this are drawn; of more, so many by chance.
const MOST_EDGES: usize = 60_000;
/// No more nodes than this are named.
const MOST_NAMES: usize = 40;

/// Of no more nodes than this those that lie on one another are moved apart; more are small.
const MOST_PARTED: usize = 1000;

/// How nodes are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Arrangement {
    /// By forces: whoever is connected stands near.
    #[default]
    Forces,
    /// On a circle, by group and name.
    Circle,
}

/// How to draw a network.
#[derive(Debug, Clone, Copy, Default)]
pub struct NetworkStyle {
    /// How nodes are arranged.
    pub arrangement: Arrangement,
    /// What their colours tell.
    pub colour_by: ColourBy,
    /// The seed of the arrangement, and of the choice of edges where there are too many.
    pub seed: u64,
}

/// Draws a network: nodes sized by their degree, edges light behind them, a legend beside them. The same network,
/// title and style give the same picture.
pub fn network(network: &Network, title: &str, subtitle: &str, style: NetworkStyle) -> String {
    let both = network.graph.undirected();
    let order = order(network);
    let mut places = match style.arrangement {
        Arrangement::Forces => force_directed(&network.graph, style.seed),
        Arrangement::Circle => circular(&order),
    };
    let inset = match style.arrangement {
        Arrangement::Circle if network.nodes.len() <= MOST_NAMES => 90.0,
        _ => 18.0,
    };
    for place in &mut places {
        let inner = SIDE - 2.0 * inset;
        *place = [MARGIN + inset + inner * place[0], TOP + inset + inner * place[1]];
    }
    let degree = degrees(both).of;
    let radii = radii(&degree);
    if style.arrangement == Arrangement::Forces && places.len() <= MOST_PARTED {
        part(&mut places, &radii);
    }
    // The picture is as high as what is in it: a wide network has no empty bands above and below.
    let high = places.iter().map(|place| place[1]).fold(TOP + SIDE - inset, f64::min);
    for place in &mut places {
        place[1] -= high - TOP - inset;
    }
    let bottom = places.iter().map(|place| place[1]).fold(TOP + inset, f64::max) + inset;
    let paint = Paint::new(network, style.colour_by);
    let mut svg = Svg::new(2.0 * MARGIN + SIDE + LEGEND, bottom + MARGIN / 2.0);
    let width = SIDE + LEGEND;
    svg.text(MARGIN, 42.0, &cut(title, 24.0, width), Style::new(24.0));
    let drawn = edges(network, style.seed);
    let mut said = subtitle.to_owned();
    if drawn.len() < network.graph.edges() {
        said = format!("{said}; {} of the edges are drawn, chosen by chance", grouped(drawn.len()));
    }
    svg.text(MARGIN, 66.0, &cut(&said, 15.0, width), Style { colour: FAINT, ..Style::new(15.0) });
    draw_edges(&mut svg, &drawn, &places, style.arrangement);
    draw_nodes(&mut svg, &places, &radii, &paint);
    if network.nodes.len() <= MOST_NAMES {
        match style.arrangement {
            Arrangement::Forces => name_beside(&mut svg, network, &places, &radii, &drawn, bottom),
            Arrangement::Circle => name_around(&mut svg, network, &places, &radii),
        }
    }
    let x = MARGIN + SIDE + 20.0;
    let used = paint.legend(&mut svg, x, TOP + 10.0, LEGEND - 20.0);
    let end = size_legend(&mut svg, [x, TOP + 40.0 + used], &degree, &radii);
    svg.at_least_high(end + MARGIN / 2.0);
    svg.finish(title)
}

/// Nodes by group and name.
fn order(network: &Network) -> Vec<u32> {
    let mut order: Vec<u32> = network.graph.undirected().ids().collect();
    order.sort_by_key(|&node| {
        let one = &network.nodes[node as usize];
        // `a/10` behind `a/9`.
        (one.member.is_none(), one.group().map(str::to_owned), one.name.len(), one.name.clone())
    });
    order
}

/// Radii whose areas go with the degrees, and that leave room between as many nodes.
fn radii(degree: &[u32]) -> Vec<f64> {
    let n = degree.len().max(1) as f64;
    let typical = (SIDE * (0.075 / (std::f64::consts::PI * n)).sqrt()).clamp(1.6, 11.0);
    let mean = degree.iter().map(|&d| f64::from(d)).sum::<f64>() / n;
    let scale = |&d: &u32| if mean > 0.0 { (f64::from(d) / mean).sqrt().clamp(0.5, 2.4) } else { 1.0 };
    degree.iter().map(|d| typical * scale(d)).collect()
}

/// Moves nodes that lie on one another apart, and leaves all others where they are.
fn part(places: &mut [[f64; 2]], radii: &[f64]) {
    const ROUNDS: usize = 60;
    for _ in 0..ROUNDS {
        let mut is_done = true;
        for a in 0..places.len() {
            for b in 0..a {
                let [dx, dy] = [0, 1].map(|axis| places[a][axis] - places[b][axis]);
                let (apart, wanted) = (dx.hypot(dy), radii[a] + radii[b]);
                if apart >= wanted {
                    continue;
                }
                is_done = false;
                let way = if apart > 1e-9 { [dx / apart, dy / apart] } else { [1.0, 0.0] };
                // A little more than half each, so that it comes to an end.
                let step = 0.51 * (wanted - apart) + 0.01;
                for axis in 0..2 {
                    places[a][axis] += step * way[axis];
                    places[b][axis] -= step * way[axis];
                }
            }
        }
        if is_done {
            return;
        }
    }
}

/// The edges to draw: all, or as many as can be seen.
fn edges(network: &Network, seed: u64) -> Vec<(u32, u32)> {
    let both = network.graph.undirected();
    let all = both.ids().flat_map(|a| both.of(a).iter().filter(move |&&b| a < b).map(move |&b| (a, b)));
    let mut edges: Vec<(u32, u32)> = all.collect();
    let mut random = Random::new(seed);
    if edges.len() > MOST_EDGES {
        random.shuffle(&mut edges);
        edges.truncate(MOST_EDGES);
    }
    edges
}

fn draw_edges(svg: &mut Svg, edges: &[(u32, u32)], places: &[[f64; 2]], arrangement: Arrangement) {
    let m = edges.len().max(1) as f64;
    let opacity = (0.5 * (250.0 / m).sqrt()).clamp(0.05, 0.6);
    let width = (1.3 * (400.0 / m).powf(0.25)).clamp(0.35, 1.3);
    svg.add(format_args!(
        "<g fill=\"none\" stroke=\"#6F7C8A\" stroke-opacity=\"{}\" stroke-width=\"{}\">",
        N(opacity),
        N(width)
    ));
    // Lines of one path do not darken one another: many paths show where many edges run.
    for some in edges.chunks(edges.len().div_ceil(1500).max(1)) {
        let lines: Vec<String> = some
            .iter()
            .map(|&(a, b)| {
                let ([x1, y1], [x2, y2]) = (places[a as usize], places[b as usize]);
                let middle = [MARGIN + SIDE / 2.0, TOP + SIDE / 2.0];
                match arrangement {
                    Arrangement::Forces => format!("M{} {}L{} {}", P(x1), P(y1), P(x2), P(y2)),
                    Arrangement::Circle => {
                        let pull = |a: f64, b: f64, middle: f64| 0.7 * middle + 0.15 * (a + b);
                        let bend = [pull(x1, x2, middle[0]), pull(y1, y2, middle[1])];
                        format!("M{} {}Q{} {} {} {}", P(x1), P(y1), P(bend[0]), P(bend[1]), P(x2), P(y2))
                    }
                }
            })
            .collect();
        svg.add(format_args!("<path d=\"{}\"/>", lines.concat()));
    }
    svg.add(format_args!("</g>"));
}

/// A place in tenths of a pixel: there are many of them.
struct P(f64);

impl std::fmt::Display for P {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", (self.0 * 10.0).round() / 10.0)
    }
}

fn draw_nodes(svg: &mut Svg, places: &[[f64; 2]], radii: &[f64], paint: &Paint) {
    let typical = radii.iter().sum::<f64>() / radii.len().max(1) as f64;
    svg.add(format_args!("<g stroke=\"#FFFFFF\" stroke-width=\"{}\">", N((typical * 0.14).clamp(0.25, 1.5))));
    let mut order: Vec<usize> = (0..places.len()).collect();
    // Small ones over large ones.
    order.sort_by(|&a, &b| radii[b].total_cmp(&radii[a]).then(a.cmp(&b)));
    for node in order {
        let ([x, y], r, colour) = (places[node], radii[node], &paint.of[node]);
        svg.add(format_args!("<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{colour}\"/>", P(x), P(y), N(r)));
    }
    svg.add(format_args!("</g>"));
}

/// A box: left, top, right, bottom.
type Area = [f64; 4];

fn overlap(a: Area, b: Area) -> f64 {
    let side = |axis: usize| (a[axis + 2].min(b[axis + 2]) - a[axis].max(b[axis])).max(0.0);
    side(0) * side(1)
}

/// How much of a line lies in a box, roughly.
fn crossed(area: Area, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) -> f64 {
    const STEPS: u32 = 40;
    let inside = (0..=STEPS).filter(|&step| {
        let share = f64::from(step) / f64::from(STEPS);
        let (x, y) = (x1 + share * (x2 - x1), y1 + share * (y2 - y1));
        area[0] < x && x < area[2] && area[1] < y && y < area[3]
    });
    inside.count() as f64 / f64::from(STEPS) * (x2 - x1).hypot(y2 - y1)
}

/// Names each node where the name covers least of nodes, edges and other names.
fn name_beside(
    svg: &mut Svg,
    network: &Network,
    places: &[[f64; 2]],
    radii: &[f64],
    edges: &[(u32, u32)],
    bottom: f64,
) {
    const SIZE: f64 = 13.0;
    let mut taken: Vec<Area> = places.iter().zip(radii).map(|(&[x, y], r)| [x - r, y - r, x + r, y + r]).collect();
    for (node, &[x, y]) in network.nodes.iter().zip(places) {
        let r = radii[taken.len() - places.len()] + 4.0;
        let name = cut(&node.name, SIZE, 130.0);
        let width = width_of(&name, SIZE);
        let spots = [
            ([x + r, y - SIZE / 2.0], Anchor::Start),
            ([x - r - width, y - SIZE / 2.0], Anchor::End),
            ([x - width / 2.0, y + r], Anchor::Middle),
            ([x - width / 2.0, y - r - SIZE], Anchor::Middle),
        ];
        let area = |[left, top]: [f64; 2]| [left, top, left + width, top + SIZE];
        let inside = |a: Area| a[0] > 4.0 && a[2] < MARGIN + SIDE + 10.0 && a[1] > TOP - 10.0 && a[3] < bottom + 14.0;
        let cost = |spot: &([f64; 2], Anchor)| {
            let own = area(spot.0);
            let covered: f64 = taken.iter().map(|&other| overlap(own, other)).sum();
            let lines = edges.iter().map(|&(a, b)| crossed(own, places[a as usize], places[b as usize])).sum::<f64>();
            20.0 * covered + lines + if inside(own) { 0.0 } else { 1e6 }
        };
        let Some(best) = spots.iter().min_by(|a, b| cost(a).total_cmp(&cost(b))) else { continue };
        let [left, top, right, _] = area(best.0);
        let at = match best.1 {
            Anchor::Start => left,
            Anchor::Middle => x,
            Anchor::End => right,
        };
        let style = Style { seam: true, colour: INK, ..Style::new(SIZE) };
        svg.text(at, top + SIZE * 0.82, &name, style.at(best.1));
        taken.push(area(best.0));
    }
}

/// Names each node outside of the circle, turned so that names stand apart.
fn name_around(svg: &mut Svg, network: &Network, places: &[[f64; 2]], radii: &[f64]) {
    for ((node, &[x, y]), r) in network.nodes.iter().zip(places).zip(radii) {
        let (dx, dy) = (x - MARGIN - SIDE / 2.0, y - TOP - SIDE / 2.0);
        let size = dx.hypot(dy).max(1.0);
        let (x, y) = (x + dx / size * (r + 6.0), y + dy / size * (r + 6.0));
        let angle = dy.atan2(dx).to_degrees();
        let (turned, anchor) = if dx < -1e-6 { (angle + 180.0, Anchor::End) } else { (angle, Anchor::Start) };
        let style = Style { turned, seam: true, ..Style::new(13.0) };
        svg.text(x, y + 4.0, &cut(&node.name, 13.0, 90.0), style.at(anchor));
    }
}

/// Three nodes with their degrees; gives where it ends.
fn size_legend(svg: &mut Svg, [x, y]: [f64; 2], degree: &[u32], radii: &[f64]) -> f64 {
    let mut nodes: Vec<(u32, f64)> = degree.iter().copied().zip(radii.iter().copied()).collect();
    nodes.sort_by_key(|(degree, _)| *degree);
    let (Some(least), Some(most)) = (nodes.first(), nodes.last()) else { return y };
    let mut shown = vec![*least, nodes[nodes.len() / 2], *most];
    shown.dedup_by_key(|(degree, _)| *degree);
    svg.text(x, y + 12.0, "size by degree", Style::new(14.0));
    let widest = most.1;
    let mut at = y + 26.0;
    for (degree, r) in shown {
        at += r.max(8.0);
        svg.add(format_args!(
            "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"#FFFFFF\" stroke=\"{INK}\"/>",
            N(x + widest.max(7.0)),
            N(at),
            N(r)
        ));
        svg.text(x + 2.0 * widest.max(7.0) + 10.0, at + 4.5, &short(f64::from(degree)), Style::new(13.0));
        at += r.max(8.0) + 6.0;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_that_lie_on_one_another_part_and_others_stay() {
        let mut places = vec![[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 2.0], [200.0, 5.0]];
        let radii = [10.0, 10.0, 8.0, 9.0, 3.0];
        part(&mut places, &radii);
        for a in 0..places.len() {
            for b in 0..a {
                let apart = (places[a][0] - places[b][0]).hypot(places[a][1] - places[b][1]);
                assert!(apart >= radii[a] + radii[b], "{a} {b}: {places:?}");
            }
        }
        assert!((places[4][0] - 200.0).abs() < f64::EPSILON && (places[4][1] - 5.0).abs() < f64::EPSILON);
        assert!(places.iter().flatten().all(|at| at.abs() < 60.0 || *at > 199.0), "{places:?}");
    }
}
