//! Who wrote a trace.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use polars::prelude::{DataType, col};
use tg_model::table::{INSTANCES, PEERS};

use crate::dataset::Dataset;
use crate::error::AnalyzeError;
use crate::frame;
use crate::run::{Instance, Life};

/// A pubsub router: a peer that wrote a trace. An instance has one, unless its plan runs several peers in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Router {
    /// `group/3`; with the end of the peer's id where the instance has several.
    pub name: String,
    /// The group of its instance.
    pub group: String,
    /// Its peer, by its number in the dataset, if that is known.
    pub peer: Option<u32>,
    /// The first nanosecond of its instance's life.
    pub from: i64,
    /// The first nanosecond after it, or after the end of all traces.
    pub until: i64,
    /// Whether its trace tells more than publishes, deliveries, grafts and prunes: a filtered trace has no duplicates,
    /// no subscriptions and no RPCs, which is not to say that there were none.
    pub whole: bool,
}

/// The routers of a dataset, by the instance and the peer that wrote.
#[derive(Debug, Default)]
pub(super) struct Routers {
    pub(super) all: Vec<Router>,
    at: HashMap<(u32, Option<u32>), u32>,
    own: HashMap<u32, u32>,
    instances: BTreeMap<u32, (String, String, Life)>,
}

impl Routers {
    /// The instances of a run, and no router yet.
    pub(super) fn read(dataset: &Dataset) -> Result<Self, AnalyzeError> {
        let mut routers = Self::default();
        let Some(scan) = dataset.scan(&INSTANCES)? else { return Ok(routers) };
        let time = |name: &str| col(name).cast(DataType::Int64);
        let rows = dataset.collect(&INSTANCES, scan.select([col("instance"), time("start_ts"), time("end_ts")]))?;
        let read = || {
            let times = frame::ints(&rows, "start_ts")?.into_iter().zip(frame::ints(&rows, "end_ts")?);
            Ok(frame::indices(&rows, "instance")?.into_iter().zip(times).collect::<HashMap<_, _>>())
        };
        let times = read().map_err(|source| dataset.unreadable(&INSTANCES, source))?;
        for instance in Instance::read_all(dataset)? {
            let (start, end) = times.get(&Some(instance.number)).copied().unwrap_or_default();
            let told = (instance.name(), instance.group.clone(), instance.life(start, end));
            routers.instances.insert(instance.number, told);
            routers.own.extend(instance.peer_idx.map(|peer| (instance.number, peer)));
        }
        Ok(routers)
    }

    /// The number of the router that wrote as a peer of an instance, or as the instance itself.
    pub(super) fn number(&mut self, instance: u32, local: Option<u32>) -> u32 {
        let peer = local.or_else(|| self.own.get(&instance).copied());
        let next = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        let number = *self.at.entry((instance, peer)).or_insert(next);
        if number == next {
            let (name, group, life) = self.instances.get(&instance).cloned().unwrap_or_else(|| {
                let life = Life { from: i64::MIN, until: i64::MAX, end_known: false };
                (format!("instance {instance}"), String::new(), life)
            });
            self.all.push(Router { name, group, peer, from: life.from, until: life.until, whole: false });
        }
        number
    }

    /// How many instances have no router.
    pub(super) fn silent(&self) -> u64 {
        let told: BTreeSet<u32> = self.at.keys().map(|&(instance, _)| instance).collect();
        self.instances.keys().filter(|instance| !told.contains(instance)).count() as u64
    }

    /// Tells routers of one instance apart by the ends of their peer ids.
    pub(super) fn name(&mut self, dataset: &Dataset) -> Result<(), AnalyzeError> {
        let mut times: BTreeMap<&str, u32> = BTreeMap::new();
        for router in &self.all {
            *times.entry(&router.name).or_default() += 1;
        }
        if times.values().all(|&n| n == 1) {
            return Ok(());
        }
        let Some(scan) = dataset.scan(&PEERS)? else { return Ok(()) };
        let rows = dataset.collect(&PEERS, scan.select([col("peer_idx"), col("peer_id")]))?;
        let read = || {
            let ids = frame::text(&rows, "peer_id")?;
            Ok(frame::indices(&rows, "peer_idx")?.into_iter().zip(ids).collect::<HashMap<_, _>>())
        };
        let ids = read().map_err(|source| dataset.unreadable(&PEERS, source))?;
        let several: BTreeSet<String> =
            times.into_iter().filter(|&(_, n)| n > 1).map(|(name, _)| name.to_owned()).collect();
        for router in self.all.iter_mut().filter(|router| several.contains(&router.name)) {
            if let Some(Some(id)) = ids.get(&router.peer) {
                let end: String = id.chars().skip(id.chars().count().saturating_sub(6)).collect();
                router.name = format!("{} …{end}", router.name);
            }
        }
        Ok(())
    }
}
