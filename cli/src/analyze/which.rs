//! Which of a run's networks is meant: what joins two nodes, and when.

use std::time::Duration;

use tg_analyze::export::{Kind, Named, When};
use tg_analyze::{AnalyzeError, Dataset};
use tg_model::Exit;
use tg_model::param::parse_duration;

use crate::message::Failure;

/// What joins two nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Joined {
    /// Connections, dialler to listener.
    Conn,
    /// Entries of routing tables, owner to entry.
    Rt,
    /// Places in the meshes of pubsub routers, owner to member.
    Mesh,
}

/// The flags that name a network; report, picture and export obey them alike.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// What joins two nodes [default: conn].
    #[arg(long, alias = "edges", value_enum, value_name = "WHAT")]
    kind: Option<Joined>,
    /// A snapshot, by its label [default: all that there was at any time, where that is known, else the last snapshot].
    #[arg(long, alias = "at-snapshot", value_name = "LABEL", conflicts_with_all = ["at", "all_snapshots"])]
    snapshot: Option<String>,
    /// What there was at a time after the run's begin, such as 90s or 1m30s.
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "all_snapshots")]
    at: Option<Duration>,
    /// Every snapshot: a row for each, with the turnover since the one before; of an export, a file for each.
    #[arg(long)]
    all_snapshots: bool,
}

pub(super) fn time(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "a time is a number with a unit, such as 90s, 1m30s or 250ms".to_owned())
}

impl Which {
    pub(super) fn kind(&self) -> Kind {
        match self.kind {
            None | Some(Joined::Conn) => Kind::Connections,
            Some(Joined::Rt) => Kind::RoutingTables,
            Some(Joined::Mesh) => Kind::Mesh,
        }
    }

    pub(super) fn when(&self) -> When {
        match (&self.snapshot, self.at) {
            (Some(label), _) => When::Snapshot(label.clone()),
            (None, Some(time)) => When::At(time),
            (None, None) => When::Whole,
        }
    }

    /// Whether every snapshot is wanted.
    pub(super) fn is_all(&self) -> bool {
        self.all_snapshots
    }

    /// The one network.
    pub(super) fn read(&self, dataset: &Dataset) -> Result<Named, AnalyzeError> {
        Named::read(dataset, self.kind(), &self.when())
    }

    /// The networks that go into a folder: the one at a time, those of a snapshot, every snapshot of a kind, or all.
    pub(super) fn read_many(&self, dataset: &Dataset) -> Result<Vec<Named>, AnalyzeError> {
        if self.at.is_some() || (self.kind.is_some() && self.snapshot.is_some()) || self.kind == Some(Joined::Mesh) {
            return Ok(vec![self.read(dataset)?]);
        }
        if self.all_snapshots {
            return Named::read_snapshots(dataset, self.kind());
        }
        let mut all = Named::read_all(dataset)?;
        all.retain(|named| self.kind.is_none() || named.kind == self.kind());
        if let Some(label) = &self.snapshot {
            all.retain(|named| named.label.as_ref() == Some(label));
            if all.is_empty() {
                return Err(AnalyzeError::Question(format!("there is no snapshot `{label}`")));
            }
        }
        Ok(all)
    }

    /// Refuses many networks where one is meant.
    pub(super) fn refuse_many(&self) -> Result<(), Failure> {
        if !self.all_snapshots {
            return Ok(());
        }
        Err(Failure::new(Exit::Usage, "every snapshot does not fit into one file")
            .hint("name one with `--snapshot LABEL`, or export into a folder: `-o DIR/`"))
    }
}
