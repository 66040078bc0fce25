//! Networks as files that other programs read: DOT, `GraphML`, GEXF, CSV, Parquet.

mod attributes;
mod dot;
mod gexf;
mod graphml;
mod networks;
mod tables;
mod timed;

pub use attributes::Attributes;
pub use networks::{Kind, Named, When};
pub(crate) use timed::places;

use crate::error::AnalyzeError;

/// A format to export to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Graphviz.
    Dot,
    /// `GraphML`, an XML that most graph programs read.
    Graphml,
    /// GEXF 1.3, that of Gephi.
    Gexf,
    /// Two tables as CSV.
    Csv,
    /// Two tables as Parquet.
    Parquet,
}

impl Format {
    /// The ending of its files.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Dot => "dot",
            Self::Graphml => "graphml",
            Self::Gexf => "gexf",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }

    /// Whether a network becomes two files, of nodes and of edges.
    pub fn is_tables(self) -> bool {
        matches!(self, Self::Csv | Self::Parquet)
    }
}

/// A file that is not written yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name, without a folder.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// A network as files: one, or one of nodes and one of edges. `stem` is their name without the ending.
pub fn export(named: &Named, format: Format, stem: &str) -> Result<Vec<File>, AnalyzeError> {
    let attributes = Attributes::of(&named.network);
    let ending = format.ending();
    let one = |text: String| vec![File { name: format!("{stem}.{ending}"), bytes: text.into_bytes() }];
    let two = |[nodes, edges]: [Vec<u8>; 2]| {
        vec![
            File { name: format!("{stem}-nodes.{ending}"), bytes: nodes },
            File { name: format!("{stem}-edges.{ending}"), bytes: edges },
        ]
    };
    Ok(match format {
        Format::Dot => one(dot::write(named, &attributes)),
        Format::Graphml => one(graphml::write(named, &attributes)),
        Format::Gexf => one(gexf::write(named, &attributes)),
        Format::Csv => two(tables::csv(named, &attributes)?),
        Format::Parquet => two(tables::parquet(named, &attributes)?),
    })
}
