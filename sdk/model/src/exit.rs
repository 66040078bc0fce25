//! Exit codes of the `tg` command: one published table.

/// Why `tg` ended, as a process exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, and as expected.
    Ok = 0,
    /// A fault of tg itself.
    Fault = 1,
    /// Wrong usage: flags, names, files that the user wrote.
    Usage = 2,
    /// Instances did not do what was expected of them.
    NotAsExpected = 10,
    /// The run was cancelled.
    Cancelled = 11,
    /// The run met its deadline, or an answer its budget.
    Deadline = 12,
    /// A build failed.
    Build = 13,
    /// The environment lacks something: a tool, a port, disk space, a writable home.
    Environment = 14,
    /// No run of that name.
    RunNotFound = 20,
    /// A stored format that this build cannot read.
    Format = 21,
    /// There are notes, and `--strict` was asked for.
    Notes = 22,
    /// The source cannot be reached or refuses us.
    Source = 23,
    /// Another collect of the same run is going on.
    Busy = 24,
    /// Not enough data for the answer.
    NoData = 30,
    /// An assertion failed, or a comparison came out worse.
    Assertion = 31,
    /// The runs cannot be compared.
    NotComparable = 32,
}

impl Exit {
    /// Every code, in order, with its meaning, for the reference page.
    pub const TABLE: [(Self, &str); 16] = [
        (Self::Ok, "done, and as expected"),
        (Self::Fault, "a fault of tg itself"),
        (Self::Usage, "wrong usage: a flag, a name, a file that you wrote"),
        (Self::NotAsExpected, "instances did not do what was expected of them"),
        (Self::Cancelled, "the run was cancelled"),
        (
            Self::Deadline,
            "the run met its deadline, or a metric that was asked for by its name did not fit into `--budget`",
        ),
        (Self::Build, "a build failed"),
        (Self::Environment, "the environment lacks something: a tool, a port, disk space, a writable home"),
        (Self::RunNotFound, "no run of that name"),
        (Self::Format, "a stored format that this build of tg cannot read"),
        (Self::Notes, "there are notes, and --strict was given"),
        (Self::Source, "the source cannot be reached, or refuses access"),
        (Self::Busy, "another collect of the same run is going on"),
        (Self::NoData, "not enough data for the answer"),
        (Self::Assertion, "an assertion failed, or a comparison came out worse"),
        (Self::NotComparable, "the runs cannot be compared"),
    ];

    /// What a process of `tg` that ended with this code told; a fault if it is none of ours.
    pub fn of_code(code: i32) -> Self {
        Self::TABLE.iter().find(|(exit, _)| i32::from(*exit as u8) == code).map_or(Self::Fault, |(exit, _)| *exit)
    }
}
