//! What the machine did to the run.

use super::{INSTANCE, Kind, T_REL, TS, Table, may, must};

/// `resources`: what instances used.
pub const RESOURCES: Table = Table {
    name: "resources",
    doc: "One row per instance and window of time in which it was sampled. Counters are those of the window, which ends at `ts`; what could not be sampled is null.",
    columns: &[
        INSTANCE,
        TS,
        T_REL,
        must("span_ns", Kind::I64, "How long the window is."),
        must("of", Kind::Text, "What was looked at: its processes, or its cgroup."),
        may("cpu_ns", Kind::I64, "Time on a processor, summed over its threads."),
        may(
            "cpu_wait_ns",
            Kind::I64,
            "Time in which it could have run and had no processor: of processes the wait in run queues, summed over threads; of a cgroup the time in which any task waited or was throttled.",
        ),
        may("starved", Kind::Bool, "Whether it waited for a tenth of the window or more."),
        may("turns", Kind::I64, "How often its threads got a processor: `cpu_wait_ns` / `turns` is the mean wait."),
        may("memory_bytes", Kind::I64, "Resident memory at the end; what processes share counts for each."),
        may("processes", Kind::I64, "Processes at the end."),
        may("threads", Kind::I64, "Threads at the end."),
        may("descriptors", Kind::I64, "Open descriptors at the end."),
        may("sent_packets", Kind::I64, "Packets that it sent over the data network and that got through."),
        may("sent_bytes", Kind::I64, "Their bytes, from the IP header on."),
        may("received_packets", Kind::I64, "Packets that it received over the data network."),
        may("received_bytes", Kind::I64, "Their bytes, from the IP header on."),
    ],
    sort: &["instance", "ts", "line"],
};

/// `host`: how the machine was doing.
pub const HOST: Table = Table {
    name: "host",
    doc: "One row per machine of the run and window of time in which it was sampled. Counters are those of the window, which ends at `ts`.",
    columns: &[
        TS,
        T_REL,
        must("span_ns", Kind::I64, "How long the window is."),
        may("node", Kind::Text, "Which machine, where there are several."),
        may("cpus", Kind::I64, "Its processors."),
        may("busy_ns", Kind::I64, "Time that they were busy, summed."),
        may("steal_ns", Kind::I64, "Time that another virtual machine had them, summed."),
        may("memory_bytes", Kind::I64, "Its memory."),
        may("available_bytes", Kind::I64, "How much of it can still be had, at the end."),
        may("cpu_some_ns", Kind::I64, "Time in which some task waited for a processor (PSI)."),
        may("memory_some_ns", Kind::I64, "Time in which some task waited for memory (PSI)."),
        may("memory_full_ns", Kind::I64, "Time in which every task waited for memory (PSI)."),
        may("io_some_ns", Kind::I64, "Time in which some task waited for a disk (PSI)."),
        may("io_full_ns", Kind::I64, "Time in which every task waited for a disk (PSI)."),
        may("tg_cpu_ns", Kind::I64, "Time that tg itself was on a processor, its network between hosts included."),
        may("tg_wait_ns", Kind::I64, "Time in which tg could have run and had no processor, summed over its threads."),
        may("tg_memory_bytes", Kind::I64, "Resident memory of tg, at the end."),
        may("sampling_ns", Kind::I64, "Processor time that the sample before this took, instances and links included."),
    ],
    sort: &["file_id", "line"],
};

/// `links`: what became of packets by pair.
pub const LINKS: Table = Table {
    name: "links",
    doc: "One row per pair of instances, direction and window of time in which packets were sent from one to the other over the network of tg. A window begins with its first packet and ends at `ts`.",
    columns: &[
        must("from_instance", Kind::U32, "Who sent: `instances.instance`."),
        must("to_instance", Kind::U32, "To whom: `instances.instance`."),
        TS,
        T_REL,
        must("span_ns", Kind::I64, "How long the window is."),
        must(
            "packets",
            Kind::I64,
            "Packets that got through; a segment that travels whole counts as those that it stands for.",
        ),
        must("bytes", Kind::I64, "Their bytes, from the IP header on."),
        must("lost", Kind::I64, "Packets that were lost because loss was asked for."),
        must("queue_drops", Kind::I64, "Packets that found the queue of their link full."),
        must("filtered", Kind::I64, "Packets that a filter, a partition or a device that is down kept."),
        must("not_taken", Kind::I64, "Packets that the receiver's device did not take."),
        must(
            "late_max_ns",
            Kind::I64,
            "By how much the latest packet came after the moment for which its link had it.",
        ),
    ],
    sort: &["from_instance", "to_instance", "ts", "line"],
};
