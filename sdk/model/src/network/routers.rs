//! Routers with address translation.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Laid;

/// What a router with address translation does (RFC 3489, section 5; RFC 4787 has the terms in brackets).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nat {
    /// One port outside for each inside, and anybody may send to it (endpoint-independent mapping and filtering).
    FullCone,
    /// One port, and only hosts that were sent to may send to it (address-dependent filtering).
    AddressRestricted,
    /// One port, and only ports of hosts that were sent to may send to it (address and port-dependent filtering).
    PortRestricted,
    /// A port for each destination, and only that may send to it (address and port-dependent mapping and filtering).
    Symmetric,
}

impl Nat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::FullCone, Self::AddressRestricted, Self::PortRestricted, Self::Symmetric];

    /// The word for it in compositions.
    pub fn word(self) -> &'static str {
        match self {
            Self::FullCone => "full-cone",
            Self::AddressRestricted => "address-restricted",
            Self::PortRestricted => "port-restricted",
            Self::Symmetric => "symmetric",
        }
    }
}

/// Who is behind a router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaidRouter {
    /// Groups, and instances as `group/3`.
    pub of: Vec<String>,
    /// What it does.
    pub nat: Nat,
    /// Whether all are behind one, and not each behind its own.
    #[serde(default)]
    pub shared: bool,
}

impl fmt::Display for LaidRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.shared { "one router" } else { "routers of their own" };
        write!(f, "{} behind {how} ({})", self.of.join("+"), self.nat.word())
    }
}

impl Laid {
    /// For each instance of these groups the router that it is behind, and the kinds of all routers.
    pub fn behind<'a>(&self, groups: impl IntoIterator<Item = (&'a str, u32)>) -> (Vec<Option<u32>>, Vec<Nat>) {
        let (mut of, mut kinds): (Vec<Option<u32>>, Vec<Nat>) = (Vec::new(), Vec::new());
        let mut shared: Vec<Option<u32>> = vec![None; self.routers.len()];
        for (group, count) in groups {
            for index in 0..count {
                let one = format!("{group}/{index}");
                let is_of = |router: &LaidRouter| router.of.iter().any(|name| *name == group || *name == one);
                let Some(nth) = self.routers.iter().rposition(is_of) else {
                    of.push(None);
                    continue;
                };
                let next = u32::try_from(kinds.len()).unwrap_or(u32::MAX);
                let router = if self.routers[nth].shared { *shared[nth].get_or_insert(next) } else { next };
                if router == next {
                    kinds.push(self.routers[nth].nat);
                }
                of.push(Some(router));
            }
        }
        (of, kinds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_behind_the_last_router_that_names_it() {
        let router =
            |of: &[&str], nat, shared| LaidRouter { of: of.iter().map(|&s| s.to_owned()).collect(), nat, shared };
        let laid = Laid {
            routers: vec![router(&["a"], Nat::FullCone, true), router(&["a/1", "b"], Nat::Symmetric, false)],
            ..Laid::default()
        };
        let (of, kinds) = laid.behind([("a", 3), ("b", 2), ("c", 1)]);
        assert_eq!(of, [Some(0), Some(1), Some(0), Some(2), Some(3), None]);
        assert_eq!(kinds, [Nat::FullCone, Nat::Symmetric, Nat::Symmetric, Nat::Symmetric]);
        assert_eq!(laid.to_string(), "a behind one router (full-cone); a/1+b behind routers of their own (symmetric)");
    }
}
