//! Says in words what a quiet run waits for.

use std::collections::BTreeMap;

use tg_model::InstanceId;

use crate::state::{State, short_state};
use crate::sync::Waiting;

/// How many instances are named; more are counted.
const NAMED: usize = 5;

/// One line for each barrier that someone waits at.
pub(crate) fn waiting_for(waiting: &[Waiting], state: &State) -> Vec<String> {
    let ids: Vec<&InstanceId> = state.ids().collect();
    waiting.iter().map(|waiting| line(waiting, &ids, state)).collect()
}

fn line(waiting: &Waiting, ids: &[&InstanceId], state: &State) -> String {
    let Waiting { target, count, .. } = *waiting;
    let said = format!("barrier `{}`: {count} of {target}", short_state(&waiting.state));
    let missing = missing(waiting, ids);
    if missing.is_empty() {
        return format!("{said}, {} more signals from whoever", target.saturating_sub(count));
    }
    let mut words: Vec<String> = missing
        .iter()
        .take(NAMED)
        .map(|label| {
            let id = ids[*label as usize];
            state.standing(*label).map_or_else(|| id.to_string(), |standing| format!("{id} ({standing})"))
        })
        .collect();
    if missing.len() > NAMED {
        words.push(format!("{} more", missing.len() - NAMED));
    }
    format!("{said}, missing {}", words.join(", "))
}

/// The instances that have not signalled, if it follows from the target who is meant: everyone, or one or more whole
/// groups.
fn missing(waiting: &Waiting, ids: &[&InstanceId]) -> Vec<u32> {
    let has_signalled = |label: &u32| waiting.signalled.binary_search(label).is_ok();
    let all = (0..).zip(ids).map(|(label, _)| label);
    if waiting.target >= ids.len() as u64 {
        return all.filter(|label| !has_signalled(label)).collect();
    }
    let mut sizes: BTreeMap<_, u64> = BTreeMap::new();
    for id in ids {
        *sizes.entry(&id.group).or_default() += 1;
    }
    let involved = |label: &u32| ids.get(*label as usize).map(|id| &id.group);
    let groups: std::collections::BTreeSet<_> =
        waiting.signalled.iter().chain(&waiting.waiters).filter_map(involved).collect();
    let size: u64 = groups.iter().filter_map(|group| sizes.get(*group)).sum();
    if size != waiting.target {
        return Vec::new();
    }
    all.filter(|label| groups.contains(&ids[*label as usize].group) && !has_signalled(label)).collect()
}
