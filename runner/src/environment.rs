//! The environment of an instance: exactly what the contract of Testground's plans says for plain processes.

use std::collections::BTreeMap;
use std::ffi::OsString;

use tg_model::env;
use tg_model::spec::{GroupSpec, RunSpec};
use tg_model::{InstanceId, RunId};

use crate::isolation::SUBNET;
use crate::spawn::Folders;

/// What the instances of a run have in common.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    pub(crate) plan: String,
    pub(crate) case: String,
    run: String,
    count: u32,
    seed: u64,
    disable_metrics: bool,
    pub(crate) start_time: String,
    hostname: String,
    path: OsString,
}

impl Common {
    pub(crate) fn new(spec: &RunSpec, run: &RunId, started_ns: u64) -> Self {
        Self {
            plan: spec.plan.replace('/', "-"),
            case: spec.case.replace('/', "-"),
            run: run.to_string(),
            count: spec.instances(),
            seed: spec.seed,
            disable_metrics: spec.disable_metrics,
            start_time: rfc3339(started_ns),
            hostname: hostname(),
            path: std::env::var_os("PATH").unwrap_or_default(),
        }
    }

    /// The environment of one instance; `own_host` is the name of its host, if it has one of its own.
    pub(crate) fn of(
        &self,
        group: &GroupSpec,
        id: &InstanceId,
        folders: &Folders,
        sync_host: &str,
        own_host: Option<&str>,
    ) -> Vec<(String, OsString)> {
        let flag = |on: bool| if on { "true" } else { "false" };
        let mut vars: Vec<(&str, OsString)> = vec![
            (env::TEST_PLAN, self.plan.clone().into()),
            (env::TEST_CASE, self.case.clone().into()),
            (env::TEST_RUN, self.run.clone().into()),
            (env::TEST_INSTANCE_COUNT, self.count.to_string().into()),
            (env::TEST_GROUP_ID, group.name.as_str().into()),
            (env::TEST_GROUP_INSTANCE_COUNT, group.count.to_string().into()),
            (env::TEST_INSTANCE_PARAMS, pack(&group.params).into()),
            (env::TEST_CAPTURE_PROFILES, pack(&group.profiles).into()),
            (env::TEST_OUTPUTS_PATH, folders.outputs.clone().into()),
            (env::TEST_TEMP_PATH, folders.temp().into()),
            (env::TEST_SIDECAR, flag(own_host.is_some()).into()),
            (env::TEST_SUBNET, if own_host.is_some() { SUBNET } else { "127.1.0.0/16" }.into()),
            (env::TEST_START_TIME, self.start_time.clone().into()),
            (env::TEST_DISABLE_METRICS, flag(self.disable_metrics).into()),
            (env::REDIS_HOST, "localhost".into()),
            (env::SYNC_SERVICE_HOST, sync_host.into()),
            (env::TG_SEED, env::instance_seed(self.seed, group.name.as_str(), id.index).to_string().into()),
            (env::TG_INSTANCE_INDEX, id.index.to_string().into()),
            // The published Rust SDK does not start without it.
            ("HOSTNAME", own_host.unwrap_or(&self.hostname).into()),
            ("PATH", self.path.clone()),
        ];
        // There is no InfluxDB: an address at which nobody answers costs each Go plan seven seconds at its end.
        for name in [env::INFLUXDB_URL, env::TEST_REPO, env::TEST_BRANCH, env::TEST_TAG, env::TEST_INSTANCE_ROLE] {
            vars.push((name, OsString::new()));
        }
        vars.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// `k=v|k2=v2`, sorted by key. The format has no escape for `|`; the resolver refuses values that hold one.
pub(crate) fn pack(pairs: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join("|")
}

/// Seconds with the local offset, as the SDKs expect it.
fn rfc3339(ns: u64) -> String {
    let stamp = jiff::Timestamp::from_nanosecond(ns.into()).unwrap_or_default();
    stamp.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// The machine's name: plain processes have no host of their own.
fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_packed_in_order() {
        let pairs = [("b", "2"), ("a", "x=y")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(pack(&pairs.into_iter().collect()), "a=x=y|b=2");
        assert_eq!(pack(&BTreeMap::new()), "");
    }

    #[test]
    fn start_times_have_seconds_and_an_offset() {
        let text = rfc3339(1_795_385_730_417_000_000);
        let time: jiff::Timestamp = text.parse().expect("RFC 3339");
        assert_eq!(time.as_second(), 1_795_385_730);
        assert_eq!(text.len(), "2022-01-12T15:48:07-05:00".len());
    }
}
