//! `--draw` and `--export`: networks as pictures and as files for other programs.

use std::fs;
use std::path::{Path, PathBuf};

use tg_analyze::draw::{Arrangement, ColourBy, NetworkStyle, degree_ccdf, grouped, network, png, robustness};
use tg_analyze::export::{Format, Named, export};
use tg_analyze::graph::Network;
use tg_analyze::{AnalyzeError, Dataset};
use tg_model::Exit;

use super::which::Which;
use crate::message::Failure;
use crate::render::publish;

/// What to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Drawing {
    /// Nodes and edges, arranged by forces: whoever is connected stands near.
    #[default]
    Network,
    /// Nodes on a circle, by group.
    Circle,
    /// The share of nodes with at least a degree.
    Ccdf,
    /// What hangs together as nodes are removed.
    Robustness,
}

/// What colours tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Colour {
    /// The group.
    #[default]
    Group,
    /// How the instance ended.
    Outcome,
    /// The component.
    Component,
    /// How many neighbours.
    Degree,
    /// The core number.
    Core,
    /// How many shortest paths lead through it.
    Betweenness,
}

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ExportFormat {
    /// Graphviz.
    Dot,
    /// `GraphML`, which most graph programs read.
    Graphml,
    /// GEXF 1.3, of Gephi.
    Gexf,
    /// Nodes and edges as two CSV files, into a folder.
    Csv,
    /// Nodes and edges as two Parquet files, into a folder.
    Parquet,
}

impl ExportFormat {
    fn format(self) -> Format {
        match self {
            Self::Dot => Format::Dot,
            Self::Graphml => Format::Graphml,
            Self::Gexf => Format::Gexf,
            Self::Csv => Format::Csv,
            Self::Parquet => Format::Parquet,
        }
    }
}

/// The flags for pictures and files of networks.
#[derive(Debug, clap::Args)]
pub(super) struct PictureArgs {
    /// Draw to this file, `.svg` or `.png`, instead of answering.
    #[arg(long, value_name = "FILE", help_heading = "Pictures and exports", conflicts_with = "export")]
    draw: Option<PathBuf>,
    /// What to draw.
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "WHAT",
        help_heading = "Pictures and exports",
        requires = "draw"
    )]
    draw_kind: Drawing,
    /// What the colours of nodes tell.
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "WHAT",
        help_heading = "Pictures and exports",
        requires = "draw"
    )]
    colour_by: Colour,
    /// Write the network in this format to the file or folder given with -o, instead of answering.
    ///
    /// Into a folder go the connections and routing tables of every snapshot: `<snapshot>-conn.dot`, `<snapshot>-rt.dot`.
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Pictures and exports")]
    export: Option<ExportFormat>,
}

/// A file ready to be written: where, and what.
type Ready = (PathBuf, Vec<u8>);

impl PictureArgs {
    /// Whether a picture or an export is wanted rather than an answer.
    pub(super) fn is_wanted(&self) -> bool {
        self.draw.is_some() || self.export.is_some()
    }

    /// Draws or exports.
    pub(super) fn make(
        &self,
        dataset: &Dataset,
        which: &Which,
        seed: u64,
        output: Option<&Path>,
    ) -> Result<Exit, Failure> {
        let failed = |error: AnalyzeError| Failure::from_error(error.exit(), &error);
        let files = match (&self.draw, self.export) {
            (Some(file), _) => {
                which.refuse_many()?;
                check_ending(file)?;
                let named = which.read(dataset).map_err(failed)?;
                vec![(file.clone(), drawn(file, self.picture(&named, seed))?)]
            }
            (None, Some(format)) => Self::exported(dataset, which, format.format(), output)?,
            (None, None) => Vec::new(),
        };
        for (path, bytes) in &files {
            write(path, bytes)?;
        }
        Ok(Exit::Ok)
    }

    fn picture(&self, named: &Named, seed: u64) -> String {
        let (title, subtitle) = (named.title(), subtitle(&named.network));
        let arrangement = match self.draw_kind {
            Drawing::Network => Arrangement::Forces,
            Drawing::Circle => Arrangement::Circle,
            Drawing::Ccdf => return degree_ccdf(&named.network, &format!("Degrees: {title}"), &subtitle),
            Drawing::Robustness => {
                return robustness(&named.network, &format!("Robustness: {title}"), &subtitle, seed);
            }
        };
        let colour_by = match self.colour_by {
            Colour::Group => ColourBy::Group,
            Colour::Outcome => ColourBy::Outcome,
            Colour::Component => ColourBy::Component,
            Colour::Degree => ColourBy::Degree,
            Colour::Core => ColourBy::Core,
            Colour::Betweenness => ColourBy::Betweenness,
        };
        network(&named.network, &title, &subtitle, NetworkStyle { arrangement, colour_by, seed })
    }

    /// The files of an export, by name and bytes.
    fn exported(
        dataset: &Dataset,
        which: &Which,
        format: Format,
        output: Option<&Path>,
    ) -> Result<Vec<Ready>, Failure> {
        let failed = |error: AnalyzeError| Failure::from_error(error.exit(), &error);
        let Some(output) = output else {
            return Err(Failure::new(Exit::Usage, "an export needs a file or a folder to go to")
                .hint("`-o net.dot` writes one network, `-o DIR/` those of all snapshots"));
        };
        let is_folder = output.is_dir() || output.as_os_str().to_string_lossy().ends_with(std::path::is_separator);
        if !is_folder {
            which.refuse_many()?;
            if format.is_tables() {
                return Err(Failure::new(
                    Exit::Usage,
                    format!("two files cannot go to the one file `{}`", output.display()),
                )
                .hint("nodes and edges go into a folder: `-o DIR/`"));
            }
            let named = which.read(dataset).map_err(failed)?;
            let files = export(&named, format, "network").map_err(failed)?;
            return Ok(files.into_iter().map(|file| (output.to_owned(), file.bytes)).collect());
        }
        fs::create_dir_all(output).map_err(|source| {
            Failure::new(Exit::Environment, format!("cannot make the folder `{}`", output.display())).cause(&source)
        })?;
        let mut ready: Vec<Ready> = Vec::new();
        for named in which.read_many(dataset).map_err(failed)? {
            let mut stem = named.stem();
            // Two labels may look alike once they are safe.
            let taken = |stem: &str| {
                ready.iter().any(|(path, _)| {
                    path.file_name().is_some_and(|name| {
                        name.to_string_lossy().starts_with(&format!("{stem}."))
                            || name.to_string_lossy().starts_with(&format!("{stem}-nodes."))
                    })
                })
            };
            while taken(&stem) {
                stem.push('_');
            }
            let files = export(&named, format, &stem).map_err(failed)?;
            ready.extend(files.into_iter().map(|file| (output.join(file.name), file.bytes)));
        }
        Ok(ready)
    }
}

fn subtitle(network: &Network) -> String {
    format!("{} nodes, {} edges", grouped(network.nodes.len()), grouped(network.graph.edges()))
}

fn ends_in(file: &Path, wanted: &str) -> bool {
    file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(wanted))
}

/// Whether we can draw to such a file.
pub(super) fn check_ending(file: &Path) -> Result<(), Failure> {
    if ends_in(file, "svg") || ends_in(file, "png") {
        return Ok(());
    }
    let why = format!("cannot draw to `{}`: a picture's name ends in `.svg` or `.png`", file.display());
    Err(Failure::new(Exit::Usage, why))
}

/// A picture in the format that the file's name asks for.
pub(super) fn drawn(file: &Path, svg: String) -> Result<Vec<u8>, Failure> {
    if ends_in(file, "png") {
        return png(&svg).map_err(|error| Failure::from_error(Exit::Fault, &error));
    }
    Ok(svg.into_bytes())
}

/// Writes a file whole or not at all.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    publish(path, bytes)
        .map_err(|source| Failure::new(Exit::Environment, format!("cannot write `{}`", path.display())).cause(&source))
}
