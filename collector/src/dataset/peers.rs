//! Every peer of a run, and the number that it has.

use std::collections::BTreeMap;

use super::instances::Instances;
use super::rows::Rows;
use super::schema::Shape;
use super::segment::Part;
use super::write::TableWriter;
use crate::error::CollectError;
use crate::read::peer;

/// The peers of a run.
pub(crate) struct Peers {
    /// For each part, the number in the run of each of its peers.
    pub(crate) maps: Vec<Vec<u32>>,
    /// The place of each peer in the keyspace.
    pub(crate) places: Vec<Option<[u8; 32]>>,
    by_id: BTreeMap<String, u32>,
}

impl Peers {
    /// Numbers the peers of all parts, and those that instances say they are, in the order of their ids.
    pub(crate) fn number(parts: &[Part], instances: &Instances) -> Result<Self, CollectError> {
        let mut by_id: BTreeMap<String, u32> = BTreeMap::new();
        for id in parts.iter().flat_map(|part| &part.peers) {
            if !by_id.contains_key(id) {
                by_id.insert(id.clone(), 0);
            }
        }
        for id in instances.peer_ids() {
            by_id.entry(id.to_owned()).or_default();
        }
        if u32::try_from(by_id.len()).is_err() {
            return Err(CollectError::TooMany { what: "peers", most: u64::from(u32::MAX) });
        }
        for (number, idx) in (0..).zip(by_id.values_mut()) {
            *idx = number;
        }
        let maps = parts.iter().map(|part| part.peers.iter().map(|id| by_id[id]).collect()).collect();
        let places = by_id.keys().map(|id| instances.place(id).or_else(|| peer::kad(id))).collect();
        Ok(Self { maps, places, by_id })
    }

    /// The number of a peer.
    pub(crate) fn idx(&self, id: &str) -> Option<u32> {
        self.by_id.get(id).copied()
    }

    /// Writes table `peers`.
    pub(crate) fn write(&self, instances: &Instances, mut table: TableWriter) -> Result<TableWriter, CollectError> {
        let mut rows = Rows::new(Shape::of(&tg_model::table::PEERS));
        for ((id, &idx), place) in self.by_id.iter().zip(&self.places) {
            let (file_id, line, instance) = instances.whose(id);
            rows.row(file_id, line).put(idx).put(id.as_str()).put(place.as_ref()).put(instance).end();
            if rows.len() == 8192 {
                table.push(super::finish::batch(&mut rows)?)?;
            }
        }
        if rows.len() > 0 {
            table.push(super::finish::batch(&mut rows)?)?;
        }
        Ok(table)
    }
}
