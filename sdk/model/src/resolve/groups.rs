//! The groups of a run, put together from the composition's groups, the run and the configuration.

use super::{Configuration, Resolver, fill_unset};
use crate::composition::{Build, Group, Run};
use crate::outcome::Expect;
use crate::problem::{shown, suggestion};
use crate::spec::{BuildSpec, Dependency, GroupSpec, Resources};

impl Resolver<'_> {
    pub(super) fn groups(
        &mut self,
        run: &Run,
        chosen: &Configuration<'_>,
        builders: &[Option<String>],
    ) -> Vec<GroupSpec> {
        let composition = self.composition;
        let counts = self.counts(run, chosen);
        let mut out = Vec::new();
        for (member, count) in run.groups.iter().zip(counts) {
            let found = composition.groups.iter().position(|group| group.id.value == member.group_id.value);
            let Some(index) = found else {
                if !member.group_id.value.is_empty() {
                    let known: Vec<&str> = composition.groups.iter().map(|group| group.id.value.as_str()).collect();
                    let text = format!("there is no group `{}`", shown(&member.group_id.value));
                    self.problem(member.group_id.line, text, suggestion(&member.group_id.value, "group", &known));
                }
                continue;
            };
            let group = &composition.groups[index];
            let builder = builders[index].clone().unwrap_or_default();
            let params = self.params(run, member, group, chosen, &builder);
            let profiles = self.profiles(member, group);
            // Bad names were noted when the file was read.
            let Ok(name) = member.id.value.parse() else { continue };
            // A group without instances takes no part, and need not be built.
            if count == 0 {
                continue;
            }
            out.push(GroupSpec {
                name,
                count,
                params,
                build: self.build(group, builder),
                artifact: group.run.artifact.clone().or_else(|| composition.global.run.artifact.clone()),
                profiles,
                resources: Resources {
                    memory: member.resources.memory.clone().or_else(|| group.resources.memory.clone()),
                    cpu: member.resources.cpu.clone().or_else(|| group.resources.cpu.clone()),
                },
                expect: member.expect.or(group.expect).unwrap_or(Expect::Ok),
            });
        }
        out
    }

    fn build(&self, group: &Group, builder: String) -> BuildSpec {
        let global = &self.composition.global;
        let mut config = group.build_config.clone();
        fill_unset(&mut config, &global.build_config);
        if let Some(settings) = self.manifest.builders.get(&builder) {
            fill_unset(&mut config, settings);
        }
        let selectors =
            if group.build.selectors.is_empty() { &global.build.selectors } else { &group.build.selectors }.clone();
        let dependencies = dependencies(&group.build, &global.build);
        let extra_sources = self.manifest.extra_sources.get(&builder).cloned().unwrap_or_default();
        BuildSpec { builder, config, selectors, dependencies, extra_sources }
    }
}

/// Those of the group, and of the others those for modules that the group leaves alone.
fn dependencies(own: &Build, others: &Build) -> Vec<Dependency> {
    let mut out = own.dependencies.clone();
    for other in &others.dependencies {
        if !own.dependencies.iter().any(|dependency| dependency.module == other.module) {
            out.push(other.clone());
        }
    }
    out
}
