//! The composition: which groups of instances make up a run, and with which parameters.

mod read;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::matrix::Axis;
use crate::node::{self, At, Reader};
use crate::outcome::Expect;
use crate::problem::Problem;
use crate::spec::{Dependency, Resources};

/// A composition file, or what stands for it when a run has none.
///
/// Problems that leave something to check are kept in it, so that [`crate::resolve::resolve`] reports them together
/// with its own; [`Composition::problems`] shows them.
#[derive(Debug, Clone, PartialEq)]
pub struct Composition {
    /// The file as the user named it.
    pub file: String,
    /// Its text after the template was filled in, if there was a file.
    pub text: Option<String>,
    /// `[metadata] name`.
    pub name: Option<String>,
    /// `[metadata] author`.
    pub author: Option<String>,
    /// What holds for all groups.
    pub global: Global,
    /// The groups.
    pub groups: Vec<Group>,
    /// The runs, if the file lists any.
    pub runs: Vec<Run>,
    /// What the matrix varies.
    pub matrix: Vec<Axis>,
    pub(crate) problems: Vec<Problem>,
}

/// `[global]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Global {
    /// The line of the header.
    pub line: Option<u32>,
    /// Where the plan is, as the user wrote it.
    pub plan: Option<At<String>>,
    /// The case.
    pub case: Option<At<String>>,
    /// `runner`: the backend.
    pub backend: Option<At<String>>,
    /// The builder of groups that name none.
    pub builder: Option<At<String>>,
    /// How many instances all groups have together.
    pub total_instances: Option<At<u32>>,
    /// How many builds may go on at once.
    pub concurrent_builds: u32,
    /// Settings for the builders of all groups.
    pub build_config: toml::Table,
    /// Settings for the backend.
    pub run_config: toml::Table,
    /// Whether plans should keep quiet about metrics.
    pub disable_metrics: bool,
    /// Build tags and dependencies of all groups.
    pub build: Build,
    /// Parameters of all groups.
    pub run: RunParams,
    /// The seed.
    pub seed: Option<u64>,
    /// How long a run may take.
    pub deadline: Option<Duration>,
}

/// `[[groups]]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Group {
    /// Its name.
    pub id: At<String>,
    /// Its builder.
    pub builder: Option<At<String>>,
    /// Settings for the builder.
    pub build_config: toml::Table,
    /// Build tags and dependencies.
    pub build: Build,
    /// Memory and processors.
    pub resources: Resources,
    /// How many instances.
    pub instances: Option<Instances>,
    /// Parameters and more.
    pub run: RunParams,
    /// What is expected of its instances.
    pub expect: Option<Expect>,
}

/// How many instances a group has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Instances {
    /// The line.
    pub line: Option<u32>,
    /// The number, or the share of the total; absent if it could not be read, which is a problem noted already.
    pub size: Option<Size>,
}

/// A number of instances, or a share of all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Size {
    /// So many.
    Count(u32),
    /// This part of the total, above 0 and at most 1.
    Share(f64),
}

impl Size {
    /// The number of instances; half an instance is rounded up.
    pub fn of(self, total: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of 0 to 1 of a u32; the cast saturates"
            )]
            Self::Share(share) => (share * f64::from(total)).round() as u32,
        }
    }
}

/// `build`: tags and dependencies.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Build {
    /// Build tags or features.
    pub selectors: Vec<String>,
    /// Replaced dependencies.
    pub dependencies: Vec<Dependency>,
}

/// `run`: a ready artifact, parameters, profiles.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunParams {
    /// A path or an image that makes a build unnecessary.
    pub artifact: Option<String>,
    /// Parameters.
    pub params: BTreeMap<String, At<String>>,
    /// Profiles to capture.
    pub profiles: BTreeMap<String, At<String>>,
}

/// `[[runs]]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Run {
    /// Its name.
    pub id: At<String>,
    /// How many instances all its groups have together.
    pub total_instances: Option<At<u32>>,
    /// Parameters of all its groups.
    pub params: BTreeMap<String, At<String>>,
    /// Its groups.
    pub groups: Vec<RunGroup>,
}

/// `[[runs.groups]]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunGroup {
    /// Its name in this run.
    pub id: At<String>,
    /// The group that it is made from.
    pub group_id: At<String>,
    /// How many instances, if not as the group says.
    pub instances: Option<Instances>,
    /// Memory and processors, where they are not as the group says.
    pub resources: Resources,
    /// Parameters.
    pub params: BTreeMap<String, At<String>>,
    /// Profiles to capture.
    pub profiles: BTreeMap<String, At<String>>,
    /// What is expected of its instances, if not as the group says.
    pub expect: Option<Expect>,
}

impl Composition {
    /// Reads a composition whose template has been filled in. Fails only where the text is no TOML.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        Self::parse_mapped(file, text, None)
    }

    /// Fills in the template and reads what comes out; problems give the lines of the file itself.
    pub fn read(file: &str, text: &str, resolver: &dyn crate::template::Resolver) -> Result<Self, Vec<Problem>> {
        let filled = crate::template::fill(file, text, resolver)?;
        Self::parse_mapped(file, &filled.text, Some(&filled.lines))
    }

    fn parse_mapped(file: &str, text: &str, lines: Option<&[u32]>) -> Result<Self, Vec<Problem>> {
        let root = node::parse(file, text, lines)?;
        let mut reader = Reader { file, problems: Vec::new() };
        let mut composition = read::read(&mut reader, &root);
        composition.text = Some(text.to_owned());
        composition.problems = reader.problems;
        Ok(composition)
    }

    /// What stands for a composition when a run has none: one group `single`.
    pub fn single(plan: &str, case: &str, instances: u32) -> Self {
        let global = Global {
            plan: Some(At::nowhere(plan.to_owned())),
            case: Some(At::nowhere(case.to_owned())),
            ..Global::default()
        };
        let group = Group {
            id: At::nowhere("single".to_owned()),
            instances: Some(Instances { line: None, size: Some(Size::Count(instances)) }),
            ..Group::default()
        };
        Self {
            file: "command line".to_owned(),
            text: None,
            name: None,
            author: None,
            global,
            groups: vec![group],
            runs: Vec::new(),
            matrix: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Problems found while reading; resolving reports them again, with its own.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Where the plan is, as the user wrote it.
    pub fn plan(&self) -> Option<&str> {
        self.global.plan.as_ref().map(|at| at.value.as_str())
    }

    /// `[global] seed`.
    pub fn seed(&self) -> Option<u64> {
        self.global.seed
    }
}
