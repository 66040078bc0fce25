//! How many instances each group of a run has.

use super::{Configuration, MOST_INSTANCES, Resolver};
use crate::composition::{Instances, Run, Size};
use crate::matrix::Target;
use crate::node::At;
use crate::problem::shown;

impl Resolver<'_> {
    /// The instances of each group of a run, checked against the totals.
    pub(super) fn counts(&mut self, run: &Run, chosen: &Configuration<'_>) -> Vec<u32> {
        let varied = |wanted: &Target| {
            chosen.iter().find(|(axis, _)| axis.target == *wanted).and_then(|(_, at)| Some((at.value.size?, at.line)))
        };
        let total = match varied(&Target::Total) {
            Some((Size::Count(n), line)) => Some(At { value: n, line }),
            _ => run.total_instances.clone(),
        };
        let mut counts = Vec::new();
        let mut complete = !run.groups.is_empty();
        for member in &run.groups {
            let group = self.composition.groups.iter().find(|group| group.id.value == member.group_id.value);
            let instances = match varied(&Target::GroupSize(member.id.value.clone())) {
                Some((size, line)) => Some(Instances { line, size: Some(size) }),
                None => member.instances.or_else(|| group.and_then(|group| group.instances)),
            };
            let size = instances.and_then(|instances| instances.size);
            let count = match (size, &total) {
                (Some(Size::Share(_)), None) => {
                    let line = instances.and_then(|instances| instances.line);
                    let place = if self.composition.runs.is_empty() { "`[global]`" } else { "`[[runs]]`" };
                    let text = format!("group `{}` has a `percentage`, but there is no total", shown(&member.id.value));
                    self.problem(line, text, format!("add `total_instances` to {place}"));
                    None
                }
                (Some(size), total) => Some(size.of(total.as_ref().map_or(0, |at| at.value))),
                (None, _) if instances.is_none() && (group.is_some() || member.instances.is_some()) => {
                    let text = format!("group `{}` has no `instances`", shown(&member.id.value));
                    self.problem(member.id.line, text, "write `instances = { count = 10 }`".to_owned());
                    None
                }
                (None, _) => None,
            };
            complete &= count.is_some();
            counts.push(count.unwrap_or(0));
        }
        if complete {
            self.check_total(run, total, &counts, chosen);
        }
        counts
    }

    fn check_total(&mut self, run: &Run, total: Option<At<u32>>, counts: &[u32], chosen: &Configuration<'_>) {
        let sum: u64 = counts.iter().map(|n| u64::from(*n)).sum();
        let whose = if self.composition.runs.is_empty() {
            "the groups".to_owned()
        } else {
            format!("the groups of run `{}`", shown(&run.id.value))
        };
        let sizes: Vec<String> = chosen
            .iter()
            .filter(|(axis, _)| !matches!(axis.target, Target::Param(_) | Target::GroupParam(..)))
            .map(|(axis, at)| format!("{} = {}", shown(&axis.key), shown(&at.value.text)))
            .collect();
        let with = if sizes.is_empty() { String::new() } else { format!(" with {}", sizes.join(", ")) };
        let line = total.as_ref().map_or(run.id.line, |at| at.line);
        if let Some(total) = total
            && u64::from(total.value) != sum
        {
            let text = format!("{whose} have {sum} instances together{with}, but `total_instances` is {}", total.value);
            let hint = "shares are rounded, half up; change a share, give a `count`, or leave the total out";
            self.problem(line, text, hint.to_owned());
            return;
        }
        if sum == 0 {
            let hint = match self.composition.text {
                Some(_) => "give a group a `count` of 1 or more",
                None => "ask for 1 or more: `-n 1`",
            };
            self.problem(line, format!("{whose} have no instances{with}"), hint.to_owned());
        } else if sum > u64::from(MOST_INSTANCES) {
            let text = format!("{whose} have {sum} instances{with}; the most is {MOST_INSTANCES}");
            self.problem(line, text, "ask for fewer, or make several runs".to_owned());
        } else if let Some(case) = self.case {
            let (min, max) = (case.min.unwrap_or(0), case.max.unwrap_or(u32::MAX));
            if !(u64::from(min)..=u64::from(max)).contains(&sum) {
                let range = match (case.min, case.max) {
                    (Some(min), Some(max)) => format!("{min} to {max}"),
                    (Some(min), None) => format!("at least {min}"),
                    _ => format!("at most {max}"),
                };
                let text =
                    format!("{whose} have {sum} instances{with}, but case `{}` takes {range}", shown(&case.name));
                let hint = format!("see `instances` of the case in {}", self.manifest.file);
                self.problem(line, text, hint);
            }
        }
    }
}
