//! What was read from a stretch of instances: rows by table, with peers by a dictionary of their own.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tg_model::table::{self, Table};

use super::own_rows::{OwnPile, OwnRows};
use super::peers::PartPeers;
use super::rows::{Row, Rows};
use super::schema::Shape;
use super::scratch::{Pile, PileWriter, Scratch};
use crate::error::CollectError;

/// The tables that readers fill, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(usize)]
pub(crate) enum T {
    Events,
    Metrics,
    Steps,
    ConnEvents,
    ConnSnapshots,
    RoutingTable,
    RtDumps,
    RtEvents,
    GcpResults,
    TableHealth,
    Readings,
    PubsubTrace,
    PubsubCounts,
    PubsubTopology,
    PeerScores,
    PeerFacts,
    RunEvents,
    Resources,
    Host,
    Links,
    Copies,
    Logs,
    Files,
    Notes,
}

impl T {
    pub(crate) const ALL: [Self; 24] = [
        Self::Events,
        Self::Metrics,
        Self::Steps,
        Self::ConnEvents,
        Self::ConnSnapshots,
        Self::RoutingTable,
        Self::RtDumps,
        Self::RtEvents,
        Self::GcpResults,
        Self::TableHealth,
        Self::Readings,
        Self::PubsubTrace,
        Self::PubsubCounts,
        Self::PubsubTopology,
        Self::PeerScores,
        Self::PeerFacts,
        Self::RunEvents,
        Self::Resources,
        Self::Host,
        Self::Links,
        Self::Copies,
        Self::Logs,
        Self::Files,
        Self::Notes,
    ];

    pub(crate) fn table(self) -> &'static Table {
        match self {
            Self::Events => &table::EVENTS,
            Self::Metrics => &table::METRICS,
            Self::Steps => &super::lookups::STEPS,
            Self::ConnEvents => &table::CONN_EVENTS,
            Self::ConnSnapshots => &table::CONN_SNAPSHOTS,
            Self::RoutingTable => &table::ROUTING_TABLE,
            Self::RtDumps => &table::RT_DUMPS,
            Self::RtEvents => &table::RT_EVENTS,
            Self::GcpResults => &table::GCP_RESULTS,
            Self::TableHealth => &table::TABLE_HEALTH,
            Self::Readings => &table::READINGS,
            Self::PubsubTrace => &table::PUBSUB_TRACE,
            Self::PubsubCounts => &table::PUBSUB_COUNTS,
            Self::PubsubTopology => &table::PUBSUB_TOPOLOGY,
            Self::PeerScores => &table::PEER_SCORES,
            Self::PeerFacts => &table::PEER_FACTS,
            Self::RunEvents => &table::RUN_EVENTS,
            Self::Resources => &table::RESOURCES,
            Self::Host => &table::HOST,
            Self::Links => &table::LINKS,
            Self::Copies => &table::COPIES,
            Self::Logs => &table::LOGS,
            Self::Files => &table::FILES,
            Self::Notes => &table::NOTES,
        }
    }
}

/// Rows of a batch of a table, about.
const BATCH_BYTES: usize = 512 << 10;
/// How much is read before it is looked at how large everything has grown.
const SETTLE_BYTES: usize = 32 << 10;
/// What a line counts for beside its bytes.
const LINE_BYTES: usize = 32;
/// A segment with more peers ends, so that its dictionary stays small.
const MOST_PEERS: usize = 100_000;

/// The shapes of the tables that readers fill.
#[derive(Debug)]
pub(crate) struct Shapes(Vec<Shape>);

impl Shapes {
    pub(crate) fn new() -> Self {
        Self(T::ALL.iter().map(|t| Shape::of(t.table())).collect())
    }

    pub(crate) fn of(&self, t: T) -> &Shape {
        &self.0[t as usize]
    }
}

/// A segment that is being read.
pub(crate) struct Segment {
    shapes: Arc<Shapes>,
    scratch: Arc<Scratch>,
    tables: Vec<Option<(Rows, PileWriter)>>,
    own: BTreeMap<String, OwnRows>,
    peers: HashMap<String, u32>,
    done: Vec<Part>,
    /// Bytes of lines since it was last looked at how large everything has grown.
    unsettled: usize,
}

/// What a finished segment holds.
#[derive(Debug)]
pub(crate) struct Part {
    /// Rows by table.
    pub(crate) tables: Vec<Option<Pile>>,
    /// Rows of tables of the author's own.
    pub(crate) own: BTreeMap<String, OwnPile>,
    /// The peers that the rows name, with their numbers in this segment, until they have numbers in the run.
    pub(crate) peers: Option<PartPeers>,
}

impl Segment {
    pub(crate) fn new(shapes: &Arc<Shapes>, scratch: &Arc<Scratch>) -> Self {
        Self {
            shapes: shapes.clone(),
            scratch: scratch.clone(),
            tables: T::ALL.iter().map(|_| None).collect(),
            own: BTreeMap::new(),
            peers: HashMap::new(),
            done: Vec::new(),
            unsettled: 0,
        }
    }

    /// Begins a row.
    pub(crate) fn row(&mut self, t: T, file_id: u32, line: u32) -> Row<'_> {
        let (rows, _) = self.tables[t as usize]
            .get_or_insert_with(|| (Rows::new(self.shapes.of(t).clone()), PileWriter::new(&self.scratch)));
        rows.row(file_id, line)
    }

    /// Adds a row to a table of the author's own; false if the line is no JSON object.
    pub(crate) fn own(&mut self, table: &str, instance: u32, file_id: u32, line: u32, text: &str) -> bool {
        if let Some(rows) = self.own.get_mut(table) {
            return rows.push(instance, file_id, line, text);
        }
        let mut rows = OwnRows::new(&self.scratch);
        let taken = rows.push(instance, file_id, line, text);
        if taken {
            self.own.insert(table.to_owned(), rows);
        }
        taken
    }

    /// Where what does not fit in memory goes.
    pub(crate) fn scratch(&self) -> &Arc<Scratch> {
        &self.scratch
    }

    /// The number of a peer in this segment.
    pub(crate) fn peer(&mut self, id: &str) -> u32 {
        if let Some(&idx) = self.peers.get(id) {
            return idx;
        }
        let idx = u32::try_from(self.peers.len()).unwrap_or(u32::MAX);
        self.peers.insert(id.to_owned(), idx);
        idx
    }

    /// Moves what has grown large out of the way. To be called after each line, with its bytes.
    pub(crate) fn settle(&mut self, bytes: usize) -> Result<(), CollectError> {
        self.unsettled += bytes + LINE_BYTES;
        if self.unsettled < SETTLE_BYTES {
            return Ok(());
        }
        self.unsettled = 0;
        for (rows, pile) in self.tables.iter_mut().flatten() {
            if rows.bytes() >= BATCH_BYTES {
                pile.push(take(rows)?)?;
            }
        }
        for rows in self.own.values_mut() {
            rows.settle(BATCH_BYTES)?;
        }
        if self.peers.len() >= MOST_PEERS {
            self.rotate()?;
        }
        Ok(())
    }

    fn rotate(&mut self) -> Result<(), CollectError> {
        let mut tables = Vec::with_capacity(self.tables.len());
        for slot in &mut self.tables {
            tables.push(match slot.take() {
                None => None,
                Some((mut rows, mut pile)) => {
                    if rows.len() > 0 {
                        pile.push(take(&mut rows)?)?;
                    }
                    Some(pile.finish()?)
                }
            });
        }
        let mut own = BTreeMap::new();
        for (name, rows) in std::mem::take(&mut self.own) {
            own.insert(name, rows.finish()?);
        }
        let peers = PartPeers::new(self.peers.drain(), &self.scratch)?;
        self.done.push(Part { tables, own, peers: Some(peers) });
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<Vec<Part>, CollectError> {
        self.rotate()?;
        Ok(self.done)
    }
}

fn take(rows: &mut Rows) -> Result<arrow::record_batch::RecordBatch, CollectError> {
    rows.take().map_err(|source| CollectError::Columns { what: "rows that were read".to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::T;

    #[test]
    fn numbers_and_order_agree() {
        for (at, t) in T::ALL.iter().enumerate() {
            assert_eq!(*t as usize, at, "{t:?}");
        }
    }
}
