//! Connections from the lines that told of their opening and their closing.

use std::sync::Arc;

use arrow::datatypes::{TimestampNanosecondType, UInt8Type, UInt32Type};
use arrow::record_batch::RecordBatch;
use tg_model::table::{CONN_EVENTS, CONNECTIONS};

use super::columns::{Named, number, text};
use super::rows::Rows;
use super::schema::Shape;
use super::scratch::Scratch;
use super::sort::Sorter;
use super::write::TableWriter;
use crate::error::CollectError;

/// A connection whose end was not seen yet.
#[derive(Debug, Clone)]
struct Open {
    instance: u32,
    conn: String,
    file_id: u32,
    line: u32,
    ts: Option<i64>,
    local: Option<u32>,
    remote: Option<u32>,
    direction: u8,
    transport: Option<String>,
    addr: Option<String>,
    relayed: Option<bool>,
}

/// Joins the lines of `conn_events`, sorted by connection, into `connections`.
pub(crate) struct Joiner {
    shape: Shape,
    rows: Rows,
    sorter: Sorter,
    open: Option<Open>,
}

impl Joiner {
    pub(crate) fn new(scratch: &Arc<Scratch>) -> Result<Self, CollectError> {
        let out = Shape::of(&CONNECTIONS);
        let sorter = Sorter::new(&out, &out.sort, scratch)?;
        Ok(Self { shape: Shape::of(&CONN_EVENTS), rows: Rows::new(out), sorter, open: None })
    }

    /// Takes lines, sorted by instance, connection, file and line.
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<(), CollectError> {
        let shape = self.shape.clone();
        let named = Named::new(&shape, batch);
        let (files, lines) = (named.numbers::<UInt32Type>("file_id")?, named.numbers::<UInt32Type>("line")?);
        let (instances, conns) = (named.numbers::<UInt32Type>("instance")?, named.text("conn")?);
        let (times, kinds) = (named.numbers::<TimestampNanosecondType>("ts")?, named.text("kind")?);
        let (local, remote) = (named.numbers::<UInt32Type>("local_idx")?, named.numbers::<UInt32Type>("remote_idx")?);
        let (direction, relayed) = (named.numbers::<UInt8Type>("direction")?, named.bools("relayed")?);
        let (transport, addr) = (named.text("transport")?, named.text("addr")?);
        let reason = named.text("reason")?;
        for row in 0..batch.num_rows() {
            let this = Open {
                instance: instances.value(row),
                conn: conns.value(row).to_owned(),
                file_id: files.value(row),
                line: lines.value(row),
                ts: number(times, row),
                local: number(local, row),
                remote: number(remote, row),
                direction: direction.value(row),
                transport: text(transport, row).map(str::to_owned),
                addr: text(addr, row).map(str::to_owned),
                relayed: arrow::array::Array::is_valid(relayed, row).then(|| relayed.value(row)),
            };
            let before = self.open.take();
            if kinds.value(row) == "open" {
                if let Some(before) = before {
                    self.put(&before, true, None, None)?;
                }
                self.open = Some(this);
                continue;
            }
            let reason = text(reason, row);
            match before {
                Some(open) if open.instance == this.instance && open.conn == this.conn => {
                    self.put(&open, true, this.ts, reason)?;
                }
                other => {
                    if let Some(other) = other {
                        self.put(&other, true, None, None)?;
                    }
                    self.put(&this, false, this.ts, reason)?;
                }
            }
        }
        Ok(())
    }

    fn put(&mut self, open: &Open, known: bool, close: Option<i64>, reason: Option<&str>) -> Result<(), CollectError> {
        self.rows
            .row(open.file_id, open.line)
            .put(open.instance)
            .put(open.local)
            .put(open.remote)
            .put(open.direction)
            .put(open.ts.filter(|_| known))
            .put(close)
            .put(known)
            .put(open.transport.as_deref())
            .put(open.addr.as_deref())
            .put(open.relayed)
            .put(reason)
            .end();
        if self.rows.len() >= 8192 {
            self.sorter.push(super::finish::batch(&mut self.rows)?)?;
        }
        Ok(())
    }

    pub(crate) fn finish(mut self, table: &mut TableWriter) -> Result<(), CollectError> {
        if let Some(open) = self.open.take() {
            self.put(&open, true, None, None)?;
        }
        if self.rows.len() > 0 {
            self.sorter.push(super::finish::batch(&mut self.rows)?)?;
        }
        self.sorter.finish(&mut |batch| table.push(batch))
    }
}
