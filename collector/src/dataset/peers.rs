//! Every peer of a run, and the number that it has: by a sort on disk, since a run may name more than memory holds.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array as _, StringArray, UInt32Array};
use arrow::datatypes::UInt32Type;
use arrow::record_batch::RecordBatch;
use tg_model::table::Kind;

use super::columns::Named;
use super::instances::Instances;
use super::places::Places;
use super::rows::Rows;
use super::schema::{ColumnShape, Shape};
use super::scratch::{Pile, PileWriter, Scratch};
use super::segment::Part;
use super::sort::Sorter;
use super::write::TableWriter;
use crate::error::CollectError;
use crate::read::peer;

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;

/// The peers that one part names, sorted, with the number that each has in the part.
#[derive(Debug)]
pub(crate) struct PartPeers {
    pile: Pile,
    count: u32,
}

fn shape(name: &str, columns: &[(&str, Kind)]) -> Shape {
    let column = |&(name, kind): &(&str, Kind)| ColumnShape {
        name: name.to_owned(),
        kind,
        nullable: false,
        doc: String::new(),
        unit: None,
    };
    Shape::new(name.to_owned(), String::new(), columns.iter().map(column).collect(), Vec::new())
}

/// A peer of a part, by its number there.
fn named() -> Shape {
    shape("peers of parts", &[("id", Kind::Text), ("part", Kind::U32), ("local", Kind::U32)])
}

/// The number that a peer of a part has in the run.
fn numbered() -> Shape {
    shape("numbers of peers", &[("part", Kind::U32), ("local", Kind::U32), ("idx", Kind::U32)])
}

fn columns(source: arrow::error::ArrowError) -> CollectError {
    CollectError::Columns { what: "peers".to_owned(), source }
}

impl PartPeers {
    /// Takes the peers of a part out of the way.
    pub(crate) fn new(
        peers: impl Iterator<Item = (String, u32)>,
        scratch: &Arc<Scratch>,
    ) -> Result<Self, CollectError> {
        let mut sorted: Vec<(String, u32)> = peers.collect();
        sorted.sort_unstable();
        let mut pile = PileWriter::new(scratch);
        let mut count = 0;
        for chunk in sorted.chunks(BATCH_ROWS) {
            let ids: StringArray = chunk.iter().map(|(id, _)| Some(id.as_str())).collect();
            let locals = UInt32Array::from_iter_values(chunk.iter().map(|(_, local)| *local));
            // The part has no number yet.
            let parts = UInt32Array::from_value(0, chunk.len());
            let columns_of = vec![Arc::new(ids) as _, Arc::new(parts) as _, Arc::new(locals) as _];
            pile.push(RecordBatch::try_new(named().loose, columns_of).map_err(columns)?)?;
            count += u32::try_from(chunk.len()).unwrap_or(u32::MAX);
        }
        Ok(Self { pile: pile.finish()?, count })
    }
}

/// The peers of a run.
pub(crate) struct Peers {
    /// The place of each peer in the keyspace.
    pub(crate) places: Places,
    maps: Maps,
    /// The peers that instances are.
    known: HashMap<String, u32>,
}

impl Peers {
    /// Numbers the peers of all parts, and those that instances say they are, in the order of their ids, and writes
    /// table `peers`. What the parts hold of peers is gone then.
    pub(crate) fn number(
        parts: &mut [Part],
        instances: &Instances,
        scratch: &Arc<Scratch>,
        mut table: TableWriter,
    ) -> Result<(Self, TableWriter), CollectError> {
        let shape = named();
        let mut by_id = Sorter::new(&shape, &["id".to_owned()], scratch)?;
        let mut begins = vec![0_u64];
        for (number, part) in (0_u32..).zip(parts.iter_mut()) {
            let Some(peers) = part.peers.take() else {
                begins.extend(begins.last().copied());
                continue;
            };
            begins.extend(begins.last().map(|begin| begin + u64::from(peers.count)));
            for batch in peers.pile.read()? {
                let mut columns_of = batch?.columns().to_vec();
                columns_of[1] = Arc::new(UInt32Array::from_value(number, columns_of[0].len()));
                by_id.push(RecordBatch::try_new(shape.loose.clone(), columns_of).map_err(columns)?)?;
            }
        }
        let own: HashSet<&str> = instances.peer_ids().collect();
        let mut own: Vec<(String, u32)> = own.into_iter().map(str::to_owned).zip(0..).collect();
        own.sort_unstable();
        let number = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        let ids: StringArray = own.iter().map(|(id, _)| Some(id.as_str())).collect();
        let locals = UInt32Array::from_iter_values(own.iter().map(|(_, local)| *local));
        let columns_of =
            vec![Arc::new(ids) as _, Arc::new(UInt32Array::from_value(number, own.len())) as _, Arc::new(locals) as _];
        by_id.push(RecordBatch::try_new(shape.loose.clone(), columns_of).map_err(columns)?)?;
        drop(own);

        let mut names: HashSet<String> = instances.names().collect();
        names.extend(instances.peer_ids().map(str::to_owned));
        let mut numbering = Numbering {
            instances,
            names,
            rows: Rows::new(Shape::of(&tg_model::table::PEERS)),
            last: None,
            places: Places::new(scratch),
            known: HashMap::new(),
            by_part: Sorter::new(&numbered(), &["part".to_owned(), "local".to_owned()], scratch)?,
        };
        by_id.finish(&mut |batch| numbering.push(&shape, &batch, &mut table))?;
        if numbering.rows.len() > 0 {
            table.push(super::finish::batch(&mut numbering.rows)?)?;
        }
        let maps = Maps::write(numbering.by_part, begins, scratch)?;
        let places = numbering.places.finish()?;
        Ok((Self { places, maps, known: numbering.known }, table))
    }

    /// The number of a peer, if an instance is that peer, or is called so.
    pub(crate) fn idx(&self, id: &str) -> Option<u32> {
        self.known.get(id).copied()
    }

    /// For each number of a peer in a part, the number in the run.
    pub(crate) fn map(&self, part: usize) -> Result<Vec<u32>, CollectError> {
        self.maps.of(part)
    }
}

/// Gives each id the next number as the ids come by in order.
struct Numbering<'a> {
    instances: &'a Instances,
    names: HashSet<String>,
    rows: Rows,
    last: Option<(String, u32)>,
    places: Places,
    known: HashMap<String, u32>,
    by_part: Sorter,
}

impl Numbering<'_> {
    fn push(&mut self, shape: &Shape, batch: &RecordBatch, table: &mut TableWriter) -> Result<(), CollectError> {
        let named = Named::new(shape, batch);
        let ids = named.text("id")?;
        let mut numbers = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let id = ids.value(row);
            let idx = match &self.last {
                Some((last, idx)) if last == id => *idx,
                _ => self.next(id, table)?,
            };
            numbers.push(idx);
        }
        let (part, local) = (batch.column(1).clone(), batch.column(2).clone());
        let batch = RecordBatch::try_new(numbered().loose, vec![part, local, Arc::new(UInt32Array::from(numbers))]);
        self.by_part.push(batch.map_err(columns)?)
    }

    fn next(&mut self, id: &str, table: &mut TableWriter) -> Result<u32, CollectError> {
        let idx = match &self.last {
            None => 0,
            Some((_, last)) => {
                last.checked_add(1).ok_or(CollectError::TooMany { what: "peers", most: u64::from(u32::MAX) })?
            }
        };
        let place = self.instances.place(id).or_else(|| peer::kad(id));
        self.places.push(place)?;
        if self.names.contains(id) {
            self.known.insert(id.to_owned(), idx);
        }
        let (file_id, line, instance) = self.instances.whose(id);
        self.rows.row(file_id, line).put(idx).put(id).put(place.as_ref()).put(instance).end();
        if self.rows.len() == BATCH_ROWS {
            table.push(super::finish::batch(&mut self.rows)?)?;
        }
        self.last = Some((id.to_owned(), idx));
        Ok(idx)
    }
}

/// The numbers in the run of the peers of each part, one after another in a file.
struct Maps {
    path: PathBuf,
    file: File,
    /// Where each part's begin, counted in numbers; and the end of the last.
    begins: Vec<u64>,
}

impl Maps {
    fn write(sorter: Sorter, begins: Vec<u64>, scratch: &Scratch) -> Result<Self, CollectError> {
        let path = scratch.file();
        let failed = |source| CollectError::Write { path: path.clone(), source };
        let file = File::options().read(true).write(true).create_new(true).open(&path).map_err(failed)?;
        let mut out = BufWriter::with_capacity(256 << 10, &file);
        let shape = numbered();
        sorter.finish(&mut |batch| {
            let numbers = Named::new(&shape, &batch).numbers::<UInt32Type>("idx")?.clone();
            for number in numbers.values() {
                out.write_all(&number.to_le_bytes()).map_err(failed)?;
            }
            Ok(())
        })?;
        out.flush().map_err(failed)?;
        drop(out);
        Ok(Self { path, file, begins })
    }

    fn of(&self, part: usize) -> Result<Vec<u32>, CollectError> {
        let (begin, end) = (self.begins[part], self.begins[part + 1]);
        let mut bytes = vec![0; usize::try_from(4 * (end - begin)).unwrap_or(usize::MAX)];
        self.file
            .read_exact_at(&mut bytes, 4 * begin)
            .map_err(|source| CollectError::Read { path: self.path.clone(), source })?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|number| u32::from_le_bytes(*number)).collect())
    }
}
