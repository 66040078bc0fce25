//! Whether the faults of a composition name what its runs have.

use super::Resolver;
use crate::fault::{Fault, Who, named};
use crate::node::At;
use crate::problem::{shown, suggestion};
use crate::spec::GroupSpec;

impl Resolver<'_> {
    /// Checks the faults against the groups of one run.
    pub(super) fn faults(&mut self, groups: &[GroupSpec]) -> Vec<Fault> {
        let faults = self.composition.faults.clone();
        for fault in &faults {
            for who in named(&fault.action) {
                self.is_there("a fault", who, groups);
            }
        }
        faults
    }

    /// Notes a group or an instance that the run does not have; `what` names it.
    pub(super) fn is_there(&mut self, what: &str, who: &At<Who>, groups: &[GroupSpec]) {
        let name = match &who.value {
            Who::Group(name) => name.as_str(),
            Who::One(id) => id.group.as_str(),
        };
        match (groups.iter().find(|group| group.name.as_str() == name), &who.value) {
            (Some(group), Who::One(id)) if id.index >= group.count => {
                let text = format!("{what} names `{id}`, but the group has {} instances", group.count);
                self.problem(who.line, text, format!("the last is `{name}/{}`", group.count.saturating_sub(1)));
            }
            (Some(_), _) => {}
            // With several runs, a group may be in some of them only.
            (None, _) if self.composition.runs.iter().any(|run| run.groups.iter().any(|g| g.id.value == name)) => {}
            // A group that is there and has no instances in this configuration takes no part in it.
            (None, _)
                if self.composition.groups.iter().any(|g| g.id.value == name) && self.composition.runs.is_empty() => {}
            (None, _) => {
                let known: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
                let text = format!("{what} names group `{}`, which is not there", shown(name));
                self.problem(who.line, text, suggestion(name, "group", &known));
            }
        }
    }
}
