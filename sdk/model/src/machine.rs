//! What the machine did to a run: the lines of `machine.ndjson`, sampled by whoever runs the instances.
//!
//! A line tells of a window of time, `span_ns` long, that ends at `ts`, and its counters are those of the window. What
//! cannot be sampled is absent. Nothing here depends on how instances are run: what a runner reads from `/proc` for a
//! process, an agent reads from the cgroup of a pod.

use serde::{Deserialize, Serialize};

use crate::ids::InstanceId;

/// From this share of a window on, an instance that waited for a processor starved: 1 in 10.
///
/// The wait is summed over its threads, so that two threads that wait for 5 % each make it, too.
pub const STARVED_RATIO: f64 = 0.1;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Sample {
    /// What one instance used.
    Resources(Resources),
    /// How its machine was doing.
    Host(HostLoad),
    /// What became of the packets from one instance to another.
    Link(LinkLoad),
}

/// What was looked at for an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// Its processes, one by one: what one used after it was last looked at is not counted.
    Processes,
    /// Its control group.
    Cgroup,
}

impl Of {
    /// The word for it in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Processes => "processes",
            Self::Cgroup => "cgroup",
        }
    }
}

/// What one instance used in a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// The end of the window, in nanoseconds since the epoch.
    pub ts: u64,
    /// How long the window is.
    pub span_ns: u64,
    /// The instance.
    pub instance: InstanceId,
    /// What was looked at.
    pub of: Of,
    /// Time on a processor, summed over its threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ns: Option<u64>,
    /// Time in which it could have run and had no processor: of processes the wait in run queues, summed over threads;
    /// of a control group the time in which any task waited (pressure `some`) or was throttled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_wait_ns: Option<u64>,
    /// How often its threads got a processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns: Option<u64>,
    /// Resident memory at the end; what processes share counts for each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Processes at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
    /// Threads at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u64>,
    /// Open descriptors at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub descriptors: Option<u64>,
    /// What it sent over the data network and what got through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Traffic>,
    /// What it received over the data network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<Traffic>,
}

impl Resources {
    /// Whether it starved; unknown where its wait was not sampled.
    pub fn is_starved(&self) -> Option<bool> {
        self.cpu_wait_ns.map(|wait| wait as f64 >= STARVED_RATIO * self.span_ns as f64)
    }
}

/// Packets and their bytes, from the IP header on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// Packets; a segment that travels whole counts as the packets that it stands for.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// How a machine was doing in a window.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HostLoad {
    /// The end of the window, in nanoseconds since the epoch.
    pub ts: u64,
    /// How long the window is.
    pub span_ns: u64,
    /// Which machine, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Its processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<u64>,
    /// Time that they were busy, summed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busy_ns: Option<u64>,
    /// Time that another virtual machine had them while this one wanted them, summed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steal_ns: Option<u64>,
    /// Its memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// How much of it can still be had, at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_bytes: Option<u64>,
    /// Time in which some task waited for a processor (pressure stall information, as the next four).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_some_ns: Option<u64>,
    /// Time in which some task waited for memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_some_ns: Option<u64>,
    /// Time in which every task waited for memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_full_ns: Option<u64>,
    /// Time in which some task waited for a disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io_some_ns: Option<u64>,
    /// Time in which every task waited for a disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io_full_ns: Option<u64>,
    /// Time that tg itself was on a processor, its network between hosts included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tg_cpu_ns: Option<u64>,
    /// Time in which tg itself could have run and had no processor, summed over its threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tg_wait_ns: Option<u64>,
    /// Resident memory of tg, at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tg_memory_bytes: Option<u64>,
    /// Processor time that the sample before this took, instances and links included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling_ns: Option<u64>,
}

/// What became of the packets from one instance to another in a window, which begins with the first of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkLoad {
    /// The end of the window, in nanoseconds since the epoch.
    pub ts: u64,
    /// How long the window is.
    pub span_ns: u64,
    /// Who sent.
    pub from: InstanceId,
    /// To whom.
    pub to: InstanceId,
    /// What got through.
    #[serde(flatten)]
    pub passed: Traffic,
    /// Packets that were lost because loss was asked for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: u64,
    /// Packets that found the queue of their link full.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub queue_drops: u64,
    /// Packets that a filter, a partition or a device that is down kept.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub filtered: u64,
    /// Packets that the receiver's device did not take.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_taken: u64,
    /// By how much the latest packet came after the moment for which its link had it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub late_max_ns: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_sampled_and_nothing_else() {
        let sample = Sample::Resources(Resources {
            ts: 9,
            span_ns: 5,
            instance: "a/1".parse().expect("an id"),
            of: Of::Processes,
            cpu_ns: Some(3),
            cpu_wait_ns: None,
            turns: None,
            memory_bytes: Some(4096),
            processes: Some(1),
            threads: Some(2),
            descriptors: None,
            sent: Some(Traffic { packets: 1, bytes: 84 }),
            received: None,
        });
        let line = serde_json::to_string(&sample).expect("it serialises");
        assert_eq!(
            line,
            r#"{"type":"resources","ts":9,"span_ns":5,"instance":"a/1","of":"processes","cpu_ns":3,"memory_bytes":4096,"processes":1,"threads":2,"sent":{"packets":1,"bytes":84}}"#
        );
        assert_eq!(serde_json::from_str::<Sample>(&line).expect("it parses"), sample);
        let line = r#"{"type":"link","ts":9,"span_ns":5,"from":"a/0","to":"a/1","packets":2,"bytes":168,"lost":1}"#;
        let link: Sample = serde_json::from_str(line).expect("it parses");
        assert_eq!(serde_json::to_string(&link).expect("it serialises"), line);
    }

    #[test]
    fn who_waits_a_tenth_of_the_time_starves() {
        let of = |wait| {
            let line = format!(r#"{{"ts":9,"span_ns":1000,"instance":"a/1","of":"cgroup"{wait}}}"#);
            serde_json::from_str::<Resources>(&line).expect("it parses").is_starved()
        };
        assert_eq!(of(",\"cpu_wait_ns\":100"), Some(true));
        assert_eq!(of(",\"cpu_wait_ns\":99"), Some(false));
        assert_eq!(of(""), None);
    }
}
