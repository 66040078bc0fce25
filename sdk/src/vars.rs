//! What an instance is told when it starts: the environment variables, read once and completely.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tg_model::env as name;

use crate::sync::{Address, Keys};

/// The environment of an instance, checked.
#[derive(Debug, Clone)]
pub(crate) struct Vars {
    pub(crate) plan: String,
    pub(crate) case: String,
    pub(crate) run: String,
    pub(crate) group: String,
    pub(crate) instances: u64,
    pub(crate) group_instances: u64,
    pub(crate) index: Option<u32>,
    pub(crate) seed: Option<u64>,
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) outputs: PathBuf,
    pub(crate) temp: PathBuf,
    pub(crate) sidecar: bool,
    pub(crate) subnet: String,
    pub(crate) start_time: String,
    pub(crate) disable_metrics: bool,
    pub(crate) hostname: Option<String>,
    pub(crate) sync: Address,
    pub(crate) other: Other,
}

/// What only the start event repeats.
#[derive(Debug, Clone)]
pub(crate) struct Other {
    pub(crate) repo: String,
    pub(crate) branch: String,
    pub(crate) tag: String,
    pub(crate) role: String,
    pub(crate) capture_profiles: String,
}

/// Why the environment cannot be that of an instance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum VarsError {
    /// Nobody set anything: the plan was started by hand.
    #[error("this program is a test plan, and is started by `tg run`, once for every instance")]
    ByHand,
    /// Every problem there is.
    #[error("the environment of this instance is not complete:\n  {}", .0.join("\n  "))]
    Problems(Vec<String>),
}

impl Vars {
    /// Reads the variables with `get`.
    pub(crate) fn read(get: &dyn Fn(&str) -> Option<String>) -> Result<Self, VarsError> {
        if get(name::TEST_PLAN).is_none() && get(name::TEST_CASE).is_none() && get(name::TEST_RUN).is_none() {
            return Err(VarsError::ByHand);
        }
        let mut reader = Reader { get, problems: Vec::new() };
        let mut vars = Self {
            plan: reader.filled(name::TEST_PLAN),
            case: reader.filled(name::TEST_CASE),
            run: reader.filled(name::TEST_RUN),
            group: reader.filled(name::TEST_GROUP_ID),
            instances: reader.count(name::TEST_INSTANCE_COUNT),
            group_instances: reader.count(name::TEST_GROUP_INSTANCE_COUNT),
            index: reader.number(name::TG_INSTANCE_INDEX),
            seed: reader.number(name::TG_SEED),
            params: reader.packed(name::TEST_INSTANCE_PARAMS),
            outputs: reader.folder(name::TEST_OUTPUTS_PATH),
            temp: PathBuf::from(get(name::TEST_TEMP_PATH).unwrap_or_default()),
            sidecar: reader.flag(name::TEST_SIDECAR),
            subnet: get(name::TEST_SUBNET).unwrap_or_default(),
            start_time: get(name::TEST_START_TIME).unwrap_or_default(),
            disable_metrics: reader.flag(name::TEST_DISABLE_METRICS),
            hostname: get("HOSTNAME").filter(|text| !text.is_empty()),
            sync: Address {
                host: get(name::SYNC_SERVICE_HOST)
                    .filter(|text| !text.is_empty())
                    .unwrap_or_else(|| Address::DEFAULT_HOST.to_owned()),
                port: reader.number(name::SYNC_SERVICE_PORT).unwrap_or(name::SYNC_PORT),
            },
            other: Other {
                repo: get(name::TEST_REPO).unwrap_or_default(),
                branch: get(name::TEST_BRANCH).unwrap_or_default(),
                tag: get(name::TEST_TAG).unwrap_or_default(),
                role: get(name::TEST_INSTANCE_ROLE).unwrap_or_default(),
                capture_profiles: get(name::TEST_CAPTURE_PROFILES).unwrap_or_default(),
            },
        };
        // Where all instances of a group have the same environment but for the index.
        if let (None, Some(run_seed), Some(index)) = (vars.seed, reader.number(name::TG_RUN_SEED), vars.index) {
            vars.seed = Some(name::instance_seed(run_seed, &vars.group, index));
        }
        if reader.problems.is_empty() { Ok(vars) } else { Err(VarsError::Problems(reader.problems)) }
    }

    pub(crate) fn keys(&self) -> Keys {
        Keys { run: self.run.clone(), plan: self.plan.clone(), case: self.case.clone() }
    }
}

struct Reader<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn filled(&mut self, name: &str) -> String {
        match (self.get)(name) {
            Some(text) if !text.is_empty() => text,
            Some(_) => self.problem(format!("`{name}` is empty")),
            None => self.problem(format!("`{name}` is not set")),
        }
    }

    fn problem<T: Default>(&mut self, text: String) -> T {
        self.problems.push(text);
        T::default()
    }

    fn number<T: std::str::FromStr>(&mut self, name: &str) -> Option<T> {
        let text = (self.get)(name).filter(|text| !text.is_empty())?;
        let number = text.parse().ok();
        if number.is_none() {
            self.problems.push(format!("`{name}` is no number that fits: `{text}`"));
        }
        number
    }

    fn count(&mut self, name: &str) -> u64 {
        if (self.get)(name).is_none_or(|text| text.is_empty()) {
            return self.problem(format!("`{name}` is not set"));
        }
        self.number(name).unwrap_or_default()
    }

    fn flag(&mut self, name: &str) -> bool {
        let text = (self.get)(name).unwrap_or_default();
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" => true,
            "" | "false" | "0" => false,
            _ => self.problem(format!("`{name}` is neither true nor false: `{text}`")),
        }
    }

    fn folder(&mut self, name: &str) -> PathBuf {
        let path = PathBuf::from(self.filled(name));
        if !path.as_os_str().is_empty() && !path.is_dir() {
            self.problems.push(format!("`{name}` is no folder: `{}`", path.display()));
        }
        path
    }

    /// `k=v|k2=v2`: a value may hold `=`, but not `|`.
    fn packed(&mut self, name: &str) -> BTreeMap<String, String> {
        let text = (self.get)(name).unwrap_or_default();
        let mut params = BTreeMap::new();
        for piece in text.split('|').filter(|piece| !piece.is_empty()) {
            match piece.split_once('=') {
                Some((key, value)) => {
                    params.insert(key.to_owned(), value.to_owned());
                }
                None => self.problems.push(format!("`{name}` holds `{piece}`, which has no `=`")),
            }
        }
        params
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A complete environment, for other tests as well.
    pub(crate) fn complete(outputs: &str) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            (name::TEST_PLAN, "p".to_owned()),
            (name::TEST_CASE, "c".to_owned()),
            (name::TEST_RUN, "r".to_owned()),
            (name::TEST_GROUP_ID, "g".to_owned()),
            (name::TEST_INSTANCE_COUNT, "3".to_owned()),
            (name::TEST_GROUP_INSTANCE_COUNT, "2".to_owned()),
            (name::TEST_OUTPUTS_PATH, outputs.to_owned()),
            (name::TEST_INSTANCE_PARAMS, "rounds=10|expr=a=b".to_owned()),
        ])
    }

    #[test]
    fn a_complete_environment_is_read() {
        let mut map = complete("/tmp");
        map.insert(name::TEST_SIDECAR, "TRUE".to_owned());
        map.insert(name::TG_SEED, "18446744073709551615".to_owned());
        let vars = Vars::read(&|name| map.get(name).cloned()).expect("complete");
        assert_eq!((vars.instances, vars.group_instances, vars.sidecar, vars.index), (3, 2, true, None));
        assert_eq!(vars.seed, Some(u64::MAX));
        assert_eq!(vars.params["expr"], "a=b");
        assert_eq!(vars.sync.to_string(), "testground-sync-service:5050");
    }

    #[test]
    fn nothing_at_all_is_a_start_by_hand() {
        assert_eq!(Vars::read(&|_| None).expect_err("by hand"), VarsError::ByHand);
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let mut map = complete("/no/such/folder");
        map.remove(name::TEST_GROUP_ID);
        map.insert(name::TEST_INSTANCE_COUNT, "many".to_owned());
        map.insert(name::TEST_SIDECAR, "perhaps".to_owned());
        map.insert(name::TEST_INSTANCE_PARAMS, "alone".to_owned());
        let VarsError::Problems(problems) = Vars::read(&|name| map.get(name).cloned()).expect_err("problems") else {
            panic!("problems expected");
        };
        assert_eq!(
            problems,
            [
                "`TEST_GROUP_ID` is not set",
                "`TEST_INSTANCE_COUNT` is no number that fits: `many`",
                "`TEST_INSTANCE_PARAMS` holds `alone`, which has no `=`",
                "`TEST_OUTPUTS_PATH` is no folder: `/no/such/folder`",
                "`TEST_SIDECAR` is neither true nor false: `perhaps`",
            ]
        );
    }
}
