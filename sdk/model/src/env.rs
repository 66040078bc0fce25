//! Names of the environment variables that an instance gets.
//!
//! The `TEST_*` names are those of Testground's SDKs; the `TG_*` names are ours and optional for a plan.

#![expect(missing_docs, reason = "the constants are described in the table of the reference page")]

pub const TEST_PLAN: &str = "TEST_PLAN";
pub const TEST_CASE: &str = "TEST_CASE";
pub const TEST_RUN: &str = "TEST_RUN";
pub const TEST_REPO: &str = "TEST_REPO";
pub const TEST_BRANCH: &str = "TEST_BRANCH";
pub const TEST_TAG: &str = "TEST_TAG";
pub const TEST_INSTANCE_ROLE: &str = "TEST_INSTANCE_ROLE";
pub const TEST_INSTANCE_COUNT: &str = "TEST_INSTANCE_COUNT";
pub const TEST_GROUP_ID: &str = "TEST_GROUP_ID";
pub const TEST_GROUP_INSTANCE_COUNT: &str = "TEST_GROUP_INSTANCE_COUNT";
pub const TEST_INSTANCE_PARAMS: &str = "TEST_INSTANCE_PARAMS";
pub const TEST_CAPTURE_PROFILES: &str = "TEST_CAPTURE_PROFILES";
pub const TEST_OUTPUTS_PATH: &str = "TEST_OUTPUTS_PATH";
pub const TEST_TEMP_PATH: &str = "TEST_TEMP_PATH";
pub const TEST_SIDECAR: &str = "TEST_SIDECAR";
pub const TEST_SUBNET: &str = "TEST_SUBNET";
pub const TEST_START_TIME: &str = "TEST_START_TIME";
pub const TEST_DISABLE_METRICS: &str = "TEST_DISABLE_METRICS";
pub const INFLUXDB_URL: &str = "INFLUXDB_URL";
pub const REDIS_HOST: &str = "REDIS_HOST";
pub const SYNC_SERVICE_HOST: &str = "SYNC_SERVICE_HOST";
pub const SYNC_SERVICE_PORT: &str = "SYNC_SERVICE_PORT";
/// The seed of this instance, a decimal u64: see [`instance_seed`].
pub const TG_SEED: &str = "TG_SEED";
/// The seed of the run, a decimal u64, on a backend that gives every instance of a group the same environment: see
/// [`instance_seed`].
pub const TG_RUN_SEED: &str = "TG_RUN_SEED";
/// The number of this instance in its group, from 0.
pub const TG_INSTANCE_INDEX: &str = "TG_INSTANCE_INDEX";

/// The port that every published SDK dials when none is given.
pub const SYNC_PORT: u16 = 5050;

/// The seed of one instance, derived from the run's seed, the group's name and the index in the group.
///
/// `splitmix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014) over the run's
/// seed, FNV-1a of the group's name and the index; a language without this crate can compute the same.
pub fn instance_seed(run_seed: u64, group: &str, index: u32) -> u64 {
    let mut name = 0xcbf2_9ce4_8422_2325_u64;
    for byte in group.bytes() {
        name = (name ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    mix(mix(run_seed ^ mix(name)) ^ u64::from(index))
}

/// One step of `splitmix64`.
pub fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_differ_by_run_group_and_index_and_stay_as_published() {
        // The first output of splitmix64 from state 0, from the reference implementation.
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
        let base = instance_seed(1, "servers", 0);
        for other in [instance_seed(2, "servers", 0), instance_seed(1, "clients", 0), instance_seed(1, "servers", 1)] {
            assert_ne!(base, other);
        }
    }
}
