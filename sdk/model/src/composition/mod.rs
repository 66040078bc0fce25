//! The composition: which groups of instances make up a run, and with which parameters.

mod faults;
mod links;
mod network;
mod read;

pub(crate) use faults::fault_of;
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) use network::unknown_region;

use crate::fault::Fault;
use crate::matrix::Axis;
use crate::network::Network;
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
    /// What is broken on purpose.
    pub faults: Vec<Fault>,
    /// The network between the instances.
    pub network: Option<Network>,
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
    /// Where its instances are.
    pub region: Option<At<String>>,
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
    /// Where its instances are, if not where the group says.
    pub region: Option<At<String>>,
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
            faults: Vec::new(),
            network: None,
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

#[cfg(test)]
pub(crate) mod tests {
    use super::Composition;
    use crate::spec::RunSpec;
    use crate::{Manifest, Wish, resolve};

    const MANIFEST: &str = r#"
name = "p"
[defaults]
builder = "exec:generic"
runner = "local:exec"
[builders."exec:generic"]
enabled = true
[runners."local:exec"]
enabled = true
[[testcases]]
name = "c"
instances = { min = 1, max = 100, default = 1 }
"#;

    /// Resolves a composition, given without its `[global]`.
    pub(crate) fn resolved(rest: &str) -> Result<RunSpec, Vec<String>> {
        let head = "[global]\nplan = \"p\"\ncase = \"c\"\nbuilder = \"exec:generic\"\nrunner = \"local:exec\"\n";
        let manifest = Manifest::parse("manifest.toml", MANIFEST).expect("a good manifest");
        let composition = Composition::parse("c.toml", &format!("{head}{rest}")).expect("TOML");
        let specs = resolve(&manifest, "p".as_ref(), &composition, &Wish::default());
        specs.map(|mut specs| specs.remove(0)).map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    pub(crate) fn spec_of(rest: &str) -> RunSpec {
        resolved(rest).expect("a good composition")
    }

    /// One group `a` of three, and these faults: the problems.
    fn problems(faults: &str) -> Vec<String> {
        let group = "[[groups]]\nid = \"a\"\ninstances = { count = 3 }\n";
        resolved(&format!("{group}{faults}")).map(|spec| assert!(!spec.faults.is_empty())).err().unwrap_or_default()
    }

    #[test]
    fn good_faults_are_read_and_bad_ones_are_told_all_at_once() {
        for good in [
            "at = \"1s\"\ndo = \"kill\"\nof = [\"a/2\"]",
            "after_barrier = \"ready\"\ndo = \"pause\"\ncount = 1\nfor = \"2s\"",
            "after_stage = \"warm\"\nat = \"3s\"\ndo = \"partition\"\nsides = 2",
            "at = \"0s\"\ndo = \"degrade\"\nlink = { latency = \"1s\", loss = 3, loss_burst = 5 }",
            "at = \"0s\"\ndo = \"heal\"",
        ] {
            assert_eq!(problems(&format!("[[faults]]\n{good}\n")), [""; 0], "{good}");
        }
        let cases = [
            ("do = \"kill\"\nof = [\"a\"]", "does not say when"),
            ("at = \"1s\"\ndo = \"kill\"", "does not say whom"),
            ("at = \"1s\"", "has no `do`"),
            (
                "at = \"1s\"\ndo = \"degrade\"\nlink = { loss = 90, loss_burst = 1 }",
                "more than spells of 1 packets can lose",
            ),
            ("at = 3\ndo = \"heal\"", "`at` in `[[faults]]` is no duration"),
            ("at = \"1s\"\ndo = \"kil\"\nshare = 0.5", "`do = \"kil\"` in `[[faults]]` means nothing"),
            ("at = \"1s\"\ndo = \"kill\"\nshare = 30", "not between 0 and 1"),
            ("at = \"1s\"\ndo = \"kill\"\nof = [\"a/3\"]", "the group has 3 instances"),
            ("at = \"1s\"\ndo = \"kill\"\nof = [\"b\"]", "group `b`, which is not there"),
            ("at = \"1s\"\ndo = \"kill\"\nof = \"a\"", "must be a list of texts"),
            (
                "at = \"1s\"\ndo = \"kill\"\nof = [\"a\"]\nfor = \"1s\"",
                "`for` in `[[faults]]` means nothing for `kill`",
            ),
            ("at = \"1s\"\ndo = \"partition\"", "which sides there are"),
            ("at = \"1s\"\ndo = \"partition\"\nsides = 1", "is not 2 or more"),
            ("at = \"1s\"\ndo = \"degrade\"", "what the link becomes"),
            (
                "at = \"1s\"\ndo = \"degrade\"\nlink = { latency = 20 }",
                "`latency` in `link` of `[[faults]]` is no duration",
            ),
            ("at = \"1s\"\ndo = \"degrade\"\nlink = { loss = 120 }", "`loss` in `link` of `[[faults]]` is 120"),
            ("at = \"1s\"\ndo = \"degrade\"\nlink = { loss = 120, lag = 1 }", "unknown key `lag`"),
            ("at = \"1s\"\ndo = \"degrade\"\nlink = {}", "changes nothing"),
            ("at = \"1s\"\ndo = \"kill\"\ncount = 1\nsides = 2", "`sides` in `[[faults]]` means nothing for `kill`"),
        ];
        for (fault, wanted) in cases {
            let found = problems(&format!("[[faults]]\n{fault}\n"));
            assert!(found.iter().any(|text| text.contains(wanted)), "{fault}: {found:?}");
        }
        let both = problems("[[faults]]\ndo = \"kil\"\n[[faults]]\nat = \"1s\"\ndo = \"kill\"\n");
        assert_eq!(both.len(), 3, "{both:?}");
    }
}
