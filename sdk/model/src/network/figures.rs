//! Matrices of latencies that were published, and ship with tg.

/// How far the regions of some network are from one another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// The name of the matrix in compositions. It holds the year, since figures of another year get another name.
    pub name: &'static str,
    /// Who published the figures, when, and what they are.
    pub source: &'static str,
    /// The regions.
    pub regions: &'static [&'static str],
    /// What a figure is.
    pub unit: Unit,
    /// Figures in milliseconds. With `Unit::RoundTrip`: for each region, those to the regions after it. With
    /// `Unit::OneWay`: for each region, those to itself and to the regions after it.
    pub ms: &'static [&'static [u16]],
}

/// What a figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// There and back between two regions; nothing was published for within one.
    RoundTrip,
    /// One way, within regions too.
    OneWay,
}

/// All of them, by name.
pub const FIGURES: [Figures; 2] = [
    Figures {
        name: "azure-2024",
        source: "Microsoft, \"Azure network round-trip latency statistics\", median round trips of the 30 days that \
                 ended on 2024-04-09",
        regions: &[
            "westus2",
            "eastus",
            "brazilsouth",
            "uksouth",
            "westeurope",
            "southafricanorth",
            "uaenorth",
            "centralindia",
            "southeastasia",
            "japaneast",
            "australiaeast",
        ],
        unit: Unit::RoundTrip,
        // The region of the row is the source; the way back differs by a few milliseconds, where it was published.
        ms: &[
            &[67, 184, 139, 145, 299, 246, 212, 163, 100, 161],
            &[117, 77, 83, 232, 191, 207, 223, 157, 202],
            &[180, 186, 334, 294, 310, 340, 281, 310],
            &[11, 160, 118, 134, 157, 226, 258],
            &[161, 120, 137, 159, 226, 258],
            &[253, 269, 293, 360, 379],
            &[37, 87, 154, 170],
            &[54, 121, 140],
            &[72, 90],
            &[103],
            &[],
        ],
    },
    Figures {
        name: "internet-2019",
        source: "SimBlock (Tokyo Institute of Technology), mean latencies between hosts of a peer-to-peer network in \
                 2019, one way",
        regions: &["north-america", "europe", "south-america", "asia-pacific", "japan", "australia"],
        unit: Unit::OneWay,
        ms: &[
            &[32, 124, 184, 198, 151, 189],
            &[11, 227, 237, 252, 294],
            &[88, 325, 301, 322],
            &[85, 58, 198],
            &[12, 126],
            &[16],
        ],
    },
];

impl Figures {
    /// One way from one region to another, by their places, in nanoseconds; nothing where none was published.
    pub fn one_way_ns(&self, from: usize, to: usize) -> Option<u64> {
        let (near, far) = (from.min(to), from.max(to));
        let (place, ns_per_figure) = match self.unit {
            Unit::RoundTrip => ((far - near).checked_sub(1)?, 500_000),
            Unit::OneWay => (far - near, 1_000_000),
        };
        self.ms.get(near)?.get(place).map(|figure| u64::from(*figure) * ns_per_figure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_matrix_has_a_figure_for_every_pair() {
        for figures in FIGURES {
            let all = figures.regions.len();
            assert_eq!(figures.ms.len(), all, "{}", figures.name);
            for (nth, row) in figures.ms.iter().enumerate() {
                let wanted = all - nth - usize::from(figures.unit == Unit::RoundTrip);
                assert_eq!(row.len(), wanted, "{} {}", figures.name, figures.regions[nth]);
            }
            for region in figures.regions {
                assert!(region.parse::<crate::ids::GroupName>().is_ok(), "{region}");
            }
        }
        let ms = |name: &str, from: &str, to: &str| {
            let figures = FIGURES.iter().find(|figures| figures.name == name).expect("a matrix");
            let place = |region: &str| figures.regions.iter().position(|other| *other == region).expect("a region");
            figures.one_way_ns(place(from), place(to))
        };
        // From the published tables.
        assert_eq!(ms("azure-2024", "westeurope", "uksouth"), Some(5_500_000));
        assert_eq!(ms("azure-2024", "eastus", "westeurope"), Some(41_500_000));
        assert_eq!(ms("azure-2024", "australiaeast", "japaneast"), Some(51_500_000));
        assert_eq!(ms("azure-2024", "eastus", "eastus"), None);
        assert_eq!(ms("internet-2019", "europe", "europe"), Some(11_000_000));
        assert_eq!(ms("internet-2019", "australia", "asia-pacific"), Some(198_000_000));
        assert_eq!(ms("internet-2019", "japan", "asia-pacific"), Some(58_000_000));
    }
}
