//! Names that were checked once, at the edge: runs, groups, instances.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {what}: {why}")]
pub struct BadName {
    /// What the text was meant to name.
    pub what: &'static str,
    /// The text as given.
    pub text: String,
    /// The rule that it breaks.
    pub why: &'static str,
}

/// Names that some systems take for devices, whatever follows the first dot.
const DEVICES: [&str; 30] = [
    "con",
    "prn",
    "aux",
    "nul",
    "com1",
    "com2",
    "com3",
    "com4",
    "com5",
    "com6",
    "com7",
    "com8",
    "com9",
    "lpt1",
    "lpt2",
    "lpt3",
    "lpt4",
    "lpt5",
    "lpt6",
    "lpt7",
    "lpt8",
    "lpt9",
    "com\u{b9}",
    "com\u{b2}",
    "com\u{b3}",
    "lpt\u{b9}",
    "lpt\u{b2}",
    "lpt\u{b3}",
    "conin$",
    "conout$",
];

/// Whether a part of a path names a device on some system, so that no file or folder can be called so there.
pub fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    DEVICES.contains(&stem.as_str())
}

fn check(what: &'static str, text: &str, longest: usize) -> Result<(), BadName> {
    let bad = |why| BadName { what, text: text.chars().take(80).collect(), why };
    if text.is_empty() {
        return Err(bad("it is empty"));
    }
    if text.len() > longest {
        return Err(bad("it is too long"));
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
        return Err(bad("use letters, digits, `-`, `_` and `.` only"));
    }
    if !text.as_bytes()[0].is_ascii_alphanumeric() {
        return Err(bad("it must begin with a letter or a digit"));
    }
    if text.ends_with('.') {
        return Err(bad("some systems drop the dot at its end"));
    }
    if is_device(text) {
        return Err(bad("some systems take it for a device, and make no folder of that name"));
    }
    Ok(())
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $longest:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadName;
            fn from_str(text: &str) -> Result<Self, BadName> {
                check($what, text, $longest)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(text: String) -> Result<Self, BadName> {
                check($what, &text, $longest)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name_type! {
    /// A run's id. Those that tg makes sort by time; any other safe file name is accepted, so that runs of other
    /// tools can be collected.
    RunId, "run id", 100
}

name_type! {
    /// The name of a group of instances, as in the composition.
    GroupName, "group name", 63
}

impl RunId {
    /// A new id from the wall clock (milliseconds since the epoch, UTC) and 20 random bits.
    ///
    /// `20261122-221530417-k7qx`: date, time with milliseconds, and a tail that keeps two runs of one millisecond
    /// apart. The text order of ids is their order in time.
    pub fn new(unix_ms: u64, random: u32) -> Self {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let (days, ms) = (unix_ms / 86_400_000, unix_ms % 86_400_000);
        let (year, month, day) = civil_from_days(days);
        let tail: String = (0..4).map(|i| char::from(ALPHABET[(random >> (5 * i)) as usize & 31])).collect();
        let (h, m, s, milli) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
        Self(format!("{year:04}{month:02}{day:02}-{h:02}{m:02}{s:02}{milli:03}-{tail}"))
    }
}

/// Days since 1970-01-01 to (year, month, day), proleptic Gregorian (H. Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms").
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z - era * 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + u64::from(month <= 2), month, day)
}

/// One instance of a run: its group and its number in the group, from 0. Written `group/3`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceId {
    /// The group.
    pub group: GroupName,
    /// The number in the group, from 0.
    pub index: u32,
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.group, self.index)
    }
}

impl FromStr for InstanceId {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        let bad = |why| BadName { what: "instance", text: text.chars().take(80).collect(), why };
        let (group, index) = text.split_once('/').ok_or_else(|| bad("write it as `group/3`"))?;
        let index = index.parse().or(Err(bad("what follows the `/` must be a number")))?;
        Ok(Self { group: group.parse()?, index })
    }
}

impl TryFrom<String> for InstanceId {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<InstanceId> for String {
    fn from(id: InstanceId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_sort_by_time_and_show_it() {
        let id = RunId::new(1_795_385_730_417, 0);
        assert_eq!(id.as_str(), "20261122-221530417-aaaa");
        assert!(RunId::new(1_795_385_730_418, 0) > RunId::new(1_795_385_730_417, u32::MAX));
        assert_eq!(RunId::new(951_827_696_000, 1).as_str(), "20000229-123456000-baaa");
    }

    #[test]
    fn names_that_could_leave_a_folder_are_refused() {
        for text in ["", "..", ".x", "a/b", "a b", "-rf", "ü", &"x".repeat(101)] {
            assert!(text.parse::<RunId>().is_err(), "{text}");
        }
        assert!("c7fjstge5te621cen4i0".parse::<RunId>().is_ok());
    }

    #[test]
    fn names_that_no_folder_can_have_somewhere_are_refused() {
        for text in ["nul", "CON", "aux.1", "Lpt1.x.y", "a."] {
            assert!(text.parse::<RunId>().is_err() && text.parse::<GroupName>().is_err(), "{text}");
        }
        for text in ["null", "console", "com10", "x.nul", "a.b"] {
            assert!(text.parse::<RunId>().is_ok() && text.parse::<GroupName>().is_ok(), "{text}");
        }
    }

    #[test]
    fn instances_read_as_they_are_written() {
        let id: InstanceId = "servers/12".parse().expect("a good id");
        assert_eq!((id.group.as_str(), id.index), ("servers", 12));
        assert_eq!(id.to_string(), "servers/12");
        assert!("servers".parse::<InstanceId>().is_err() && "servers/x".parse::<InstanceId>().is_err());
    }
}
