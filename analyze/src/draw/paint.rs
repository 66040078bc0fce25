//! Which colour a node has, and what the legend says of it.

use std::collections::BTreeMap;

use super::palette::{CATEGORIES, Colour, OTHER, amount};
use super::svg::{Anchor, N, Style, Svg, cut, escape};
use crate::graph::Network;
use crate::graph::betweenness::betweenness;
use crate::graph::components::weak;
use crate::graph::cores::core_numbers;
use crate::graph::degree::degrees;

/// What colours tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColourBy {
    /// The group of the instance.
    #[default]
    Group,
    /// How the instance ended.
    Outcome,
    /// The component that it is in.
    Component,
    /// How many neighbours it has.
    Degree,
    /// Its core number.
    Core,
    /// How many shortest paths lead through it.
    Betweenness,
}

impl ColourBy {
    fn title(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Outcome => "outcome",
            Self::Component => "component",
            Self::Degree => "degree",
            Self::Core => "core number",
            Self::Betweenness => "betweenness",
        }
    }
}

/// The colours of nodes.
#[derive(Debug, Clone)]
pub(super) struct Paint {
    pub(super) of: Vec<String>,
    title: &'static str,
    legend: Legend,
}

#[derive(Debug, Clone)]
enum Legend {
    /// Colour, name and how many; the most frequent first.
    Names(Vec<(Colour, String, usize)>),
    /// From the least to the most, and whether the scale is logarithmic.
    Scale(f64, f64, Scale),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    Linear,
    /// Of the value plus 1: few nodes have nearly all of it.
    Log,
}

impl Paint {
    pub(super) fn new(network: &Network, by: ColourBy) -> Self {
        let both = network.graph.undirected();
        match by {
            ColourBy::Group => Self::of_names(by, network.nodes.iter().map(|node| node.group_or_foreign().to_owned())),
            ColourBy::Outcome => {
                let outcome = |node: &crate::graph::Node| node.outcome().unwrap_or("(foreign)").to_owned();
                Self::of_names(by, network.nodes.iter().map(outcome))
            }
            ColourBy::Component => {
                let parts = weak(&network.graph);
                Self::of_names(by, parts.of.iter().map(|part| format!("component {}", part + 1)))
            }
            ColourBy::Degree => Self::of_amounts(by, degrees(both).of.into_iter().map(f64::from), Scale::Linear),
            ColourBy::Core => Self::of_amounts(by, core_numbers(both).into_iter().map(f64::from), Scale::Linear),
            ColourBy::Betweenness => {
                let sources: Vec<u32> = both.ids().collect();
                Self::of_amounts(by, betweenness(both, &sources).into_iter(), Scale::Log)
            }
        }
    }

    fn of_names(by: ColourBy, names: impl Iterator<Item = String>) -> Self {
        let names: Vec<String> = names.collect();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for name in &names {
            *counts.entry(name).or_insert(0) += 1;
        }
        let mut frequent: Vec<(&str, usize)> = counts.into_iter().collect();
        frequent.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let room = if frequent.len() > CATEGORIES.len() { CATEGORIES.len() - 1 } else { CATEGORIES.len() };
        let mut colours: BTreeMap<&str, Colour> = BTreeMap::new();
        let mut legend = Vec::new();
        for (&(name, count), colour) in frequent.iter().zip(CATEGORIES).take(room) {
            colours.insert(name, colour);
            legend.push((colour, name.to_owned(), count));
        }
        let rest = &frequent[legend.len()..];
        if !rest.is_empty() {
            let count = rest.iter().map(|(_, count)| count).sum();
            legend.push((OTHER, format!("{} others", rest.len()), count));
        }
        let of = names.iter().map(|name| (*colours.get(name.as_str()).unwrap_or(&OTHER)).to_owned()).collect();
        Self { of, title: by.title(), legend: Legend::Names(legend) }
    }

    fn of_amounts(by: ColourBy, values: impl Iterator<Item = f64>, scale: Scale) -> Self {
        let values: Vec<f64> = values.collect();
        let (low, high) =
            values.iter().fold((f64::MAX, f64::MIN), |(low, high), &value| (value.min(low), value.max(high)));
        let at = |value: f64| match scale {
            Scale::Linear => value,
            Scale::Log => value.ln_1p(),
        };
        let width = at(high) - at(low);
        let share = |value: f64| if width > 0.0 { (at(value) - at(low)) / width } else { 0.5 };
        let of = values.iter().map(|&value| amount(share(value))).collect();
        Self { of, title: by.title(), legend: Legend::Scale(low, high, scale) }
    }

    /// Draws the legend at a place; gives the height that it took.
    pub(super) fn legend(&self, svg: &mut Svg, x: f64, y: f64, width: f64) -> f64 {
        let small = Style::new(13.0);
        svg.text(x, y + 12.0, self.title, Style { size: 14.0, ..small });
        match &self.legend {
            Legend::Names(names) => {
                for (row, (colour, name, count)) in (0_u32..).zip(names) {
                    let y = y + 34.0 + 22.0 * f64::from(row);
                    svg.add(format_args!(
                        "<circle cx=\"{}\" cy=\"{}\" r=\"6\" fill=\"{colour}\"/>",
                        N(x + 7.0),
                        N(y - 4.5)
                    ));
                    svg.text(x + 20.0, y, &cut(name, 13.0, width - 70.0), small);
                    let faint = Style { colour: super::palette::FAINT, ..small };
                    svg.text(x + width, y, &grouped(*count), faint.at(Anchor::End));
                }
                30.0 + 22.0 * names.len() as f64
            }
            Legend::Scale(low, high, scale) => {
                let id = escape(&self.title.replace(' ', "-"));
                let stops: Vec<String> = (0..=8)
                    .map(|i| {
                        format!(
                            "<stop offset=\"{}\" stop-color=\"{}\"/>",
                            N(f64::from(i) / 8.0),
                            amount(f64::from(i) / 8.0)
                        )
                    })
                    .collect();
                svg.add(format_args!("<defs><linearGradient id=\"{id}\">{}</linearGradient></defs>", stops.concat()));
                svg.rect([x, y + 24.0, width, 12.0], &format!("url(#{id})"));
                svg.text(x, y + 52.0, &short(*low), small);
                svg.text(x + width, y + 52.0, &short(*high), small.at(Anchor::End));
                if *scale == Scale::Log {
                    svg.text(x + width / 2.0, y + 52.0, "log", small.at(Anchor::Middle));
                }
                60.0
            }
        }
    }
}

/// A count with commas between thousands.
pub fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number in three or four characters.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        size if !size.is_finite() => "–".to_owned(),
        size if size >= 1e6 => format!("{:.1}M", value / 1e6),
        size if size >= 1e4 => format!("{:.0}k", value / 1e3),
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
