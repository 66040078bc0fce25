//! One run, completely resolved: what the runner is given.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::fault::Fault;
use crate::ids::GroupName;
use crate::network::Network;
use crate::outcome::Expect;

/// One run, with every default filled in and every problem already reported.
///
/// It has no id yet: the command that starts it gives one, since ids need a clock.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSpec {
    /// The plan's name.
    pub plan: String,
    /// The folder of the plan: where its manifest lies, and what builders build.
    pub plan_dir: PathBuf,
    /// The case.
    pub case: String,
    /// The backend, such as `local:exec`.
    pub backend: String,
    /// The backend's own settings, as in the composition.
    pub run_config: toml::Table,
    /// The run's seed.
    pub seed: u64,
    /// The groups, in the order of the composition. Names are unique.
    pub groups: Vec<GroupSpec>,
    /// What is broken on purpose.
    pub faults: Vec<Fault>,
    /// The network between the instances, if the composition says something of it.
    pub network: Option<Network>,
    /// `TEST_DISABLE_METRICS`.
    pub disable_metrics: bool,
    /// How many builds may go on at once; 0 is no limit of its own.
    pub concurrent_builds: u32,
    /// How long the run may take, if the composition or a flag says so.
    pub deadline: Option<Duration>,
    /// The composition's text after its template was filled in, if there was a file.
    pub composition: Option<String>,
    /// What the matrix varied and which run of the composition this is; empty if there is only one.
    pub config: BTreeMap<String, String>,
    /// The number of the repeat, from 0.
    pub repeat: u32,
    /// How many repeats there are.
    pub repeats: u32,
}

impl RunSpec {
    /// The number of instances of all groups.
    pub fn instances(&self) -> u32 {
        self.groups.iter().map(|group| group.count).sum()
    }
}

/// One group of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupSpec {
    /// Its name in this run.
    pub name: GroupName,
    /// How many instances.
    pub count: u32,
    /// Parameters, with all layers merged. No value holds `|`.
    pub params: BTreeMap<String, String>,
    /// What makes the thing that runs.
    pub build: BuildSpec,
    /// A ready artifact (a path or an image) that makes a build unnecessary.
    pub artifact: Option<String>,
    /// Profiles to capture: `cpu = "true"`, `heap = "5s"`.
    pub profiles: BTreeMap<String, String>,
    /// Memory and processors, as Kubernetes writes them.
    pub resources: Resources,
    /// What is expected of its instances.
    pub expect: Expect,
}

/// What to build, and how. Groups with equal ones share one build.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildSpec {
    /// The builder, such as `exec:cargo`.
    pub builder: String,
    /// The builder's settings: the composition's over the manifest's.
    pub config: toml::Table,
    /// Build tags or features.
    pub selectors: Vec<String>,
    /// Replaced dependencies.
    pub dependencies: Vec<Dependency>,
    /// Folders outside the plan's that this builder needs, relative to the plan's folder.
    pub extra_sources: Vec<String>,
}

/// A dependency to replace before a build.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependency {
    /// The module or package.
    pub module: String,
    /// What takes its place, if it is another one.
    pub target: Option<String>,
    /// The version.
    pub version: Option<String>,
}

/// Memory and processors of an instance, as Kubernetes writes them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resources {
    /// `100Mi`.
    pub memory: Option<String>,
    /// `100m`.
    pub cpu: Option<String>,
}
