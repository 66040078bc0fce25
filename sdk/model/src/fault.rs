//! What is broken on purpose in a run, when, and whom it hits.

use std::fmt;
use std::time::Duration;

use crate::composition::Size;
use crate::env::mix;
use crate::ids::InstanceId;
use crate::link::Link;
use crate::node::At;
use crate::spec::{GroupSpec, RunSpec};

/// One fault of a composition.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// The line of the header.
    pub line: Option<u32>,
    /// What it waits for.
    pub trigger: Trigger,
    /// How long after that.
    pub delay: Duration,
    /// How long it lasts; without end if absent.
    pub lasts: Option<Duration>,
    /// What happens.
    pub action: Action,
}

/// What a fault waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// All instances have been started.
    Start,
    /// This barrier, at which someone waits, has been reached for the first time.
    Barrier(String),
    /// Every instance that has not ended told that this stage is over for it.
    Stage(String),
}

/// What a fault does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// SIGKILL.
    Kill(Selection),
    /// All processes stop, without knowing.
    Pause(Selection),
    /// They go on.
    Resume(Selection),
    /// SIGKILL, and as long as the fault lasts nothing; then they begin again, on the same hosts.
    Restart(Selection),
    /// Packets do not pass from one side to another.
    Partition(Sides),
    /// Every partition ends.
    Heal,
    /// Links get worse, in both directions.
    Degrade {
        /// Whose links.
        of: Selection,
        /// Those towards whom; to everybody if empty.
        towards: Vec<At<Who>>,
        /// What differs from what the links were.
        link: Box<Link>,
    },
}

impl Action {
    /// The word for it in compositions, events and tables.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Kill(_) => "kill",
            Self::Pause(_) => "pause",
            Self::Resume(_) => "resume",
            Self::Restart(_) => "restart",
            Self::Partition(_) => "partition",
            Self::Heal => "heal",
            Self::Degrade { .. } => "degrade",
        }
    }

    /// Whether it needs a network of tg's own.
    pub fn needs_hosts(&self) -> bool {
        matches!(self, Self::Partition(_) | Self::Heal | Self::Degrade { .. })
    }
}

/// The sides of a partition.
#[derive(Debug, Clone, PartialEq)]
pub enum Sides {
    /// As listed; whoever is on none is on one more.
    Listed(Vec<Vec<At<Who>>>),
    /// All instances drawn into so many sides, as equal as can be.
    Drawn(u32),
    /// Those chosen on one side, the others on the other.
    Apart(Selection),
}

/// A group or one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// All instances of a group.
    Group(String),
    /// One.
    One(InstanceId),
}

impl std::str::FromStr for Who {
    type Err = crate::ids::BadName;

    /// A group, or an instance as `group/3`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('/') {
            text.parse().map(Self::One)
        } else {
            text.parse::<crate::ids::GroupName>().map(|name| Self::Group(name.to_string()))
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(name) => f.write_str(name),
            Self::One(id) => id.fmt(f),
        }
    }
}

/// Some of the instances of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Selection {
    /// Of whom; of everybody if empty.
    pub of: Vec<At<Who>>,
    /// How many of them, drawn from the seed; all if absent.
    pub size: Option<Size>,
}

/// A fault with everything drawn. Instances are numbered from 0 in the order of the run's groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// What it waits for.
    pub trigger: Trigger,
    /// How long after that.
    pub delay: Duration,
    /// How long it lasts.
    pub lasts: Option<Duration>,
    /// What happens.
    pub action: Action,
    /// Whom it hits, ascending, each with the side that it is on; a fault without sides has only side 0.
    pub hit: Vec<(u32, u32)>,
    /// For [`Action::Degrade`]: towards whom, ascending.
    pub towards: Vec<u32>,
}

/// Draws whom the faults of a run hit. The same seed draws the same; no kill draws whom an earlier one has drawn.
pub fn draw(spec: &RunSpec) -> Vec<Drawn> {
    let mut killed: Vec<u32> = Vec::new();
    let one = |(number, fault)| draw_one(fault, number, spec, &mut killed);
    (0_u64..).zip(&spec.faults).map(one).collect()
}

/// Draws one fault, of this number. `killed` are those whom kills before it have drawn.
fn draw_one(fault: &Fault, number: u64, spec: &RunSpec, killed: &mut Vec<u32>) -> Drawn {
    let mut dice = Dice::new(mix(spec.seed ^ mix(number.wrapping_add(0xfa17))));
    let everyone: Vec<u32> = (0..spec.instances()).collect();
    let on_one_side = |labels: Vec<u32>| labels.into_iter().map(|label| (label, 0)).collect();
    let mut towards = Vec::new();
    let hit: Vec<(u32, u32)> = match &fault.action {
        Action::Kill(selection) => {
            let chosen = choose(selection, &spec.groups, &mut dice, killed);
            killed.extend(&chosen);
            on_one_side(chosen)
        }
        Action::Pause(selection) | Action::Resume(selection) | Action::Restart(selection) => {
            on_one_side(choose(selection, &spec.groups, &mut dice, &[]))
        }
        Action::Degrade { of, towards: to, .. } => {
            towards = if to.is_empty() { everyone.clone() } else { labels(to, &spec.groups) };
            on_one_side(choose(of, &spec.groups, &mut dice, &[]))
        }
        Action::Heal => Vec::new(),
        Action::Partition(sides) => {
            let mut side_of = vec![None; everyone.len()];
            match sides {
                Sides::Listed(sides) => {
                    for (side, members) in (0_u32..).zip(sides) {
                        for label in labels(members, &spec.groups) {
                            side_of[label as usize] = Some(side);
                        }
                    }
                    let rest = u32::try_from(sides.len()).unwrap_or(u32::MAX);
                    for side in &mut side_of {
                        *side = side.or(Some(rest));
                    }
                }
                Sides::Drawn(sides) => {
                    let mut order = everyone.clone();
                    dice.shuffle(&mut order);
                    for (place, label) in (0_u32..).zip(order) {
                        side_of[label as usize] = Some(place % (*sides).max(1));
                    }
                }
                Sides::Apart(selection) => {
                    side_of.fill(Some(1));
                    for label in choose(selection, &spec.groups, &mut dice, &[]) {
                        side_of[label as usize] = Some(0);
                    }
                }
            }
            everyone.iter().map(|&label| (label, side_of[label as usize].unwrap_or(0))).collect()
        }
    };
    let Fault { trigger, delay, lasts, action, .. } = fault.clone();
    Drawn { trigger, delay, lasts, action, hit, towards }
}

/// A fault that an instance asks for while the run goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Requested {
    /// The fault, drawn.
    pub drawn: Drawn,
    /// The state to signal once it has begun.
    pub callback_state: Option<String>,
}

/// What is wrong with a fault that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRequest {
    /// The state at which its author waits, if that much can be read.
    pub callback_state: Option<String>,
    /// What is wrong, and what to do about it.
    pub why: String,
}

/// Reads a fault that an instance asks for: a JSON object with the keys of `[[faults]]` and `callback_state`. Without
/// `at`, `after_barrier` and `after_stage` it is for now. `before` are the faults of the run so far.
pub fn request(payload: &str, spec: &RunSpec, before: &[&Drawn]) -> Result<Requested, BadRequest> {
    let mut callback_state = None;
    let fault = read(payload, &mut callback_state);
    let bad = |why: String| BadRequest { callback_state: callback_state.clone(), why };
    let fault = fault.map_err(&bad)?;
    if let Some(stranger) = named(&fault.action).find(|who| labels(std::slice::from_ref(who), &spec.groups).is_empty())
    {
        return Err(bad(format!("the run has no `{}`", stranger.value)));
    }
    let kills = before.iter().filter(|fault| matches!(fault.action, Action::Kill(_)));
    let mut killed = kills.flat_map(|fault| fault.hit.iter().map(|(label, _)| *label)).collect();
    Ok(Requested { drawn: draw_one(&fault, before.len() as u64, spec, &mut killed), callback_state })
}

fn read(payload: &str, callback_state: &mut Option<String>) -> Result<Fault, String> {
    let mut object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(payload).map_err(|error| format!("the fault cannot be read: {error}"))?;
    if let Some(serde_json::Value::String(state)) = object.remove("callback_state") {
        *callback_state = Some(state).filter(|state| !state.is_empty());
    }
    object.retain(|_, value| !value.is_null());
    if !["at", "after_barrier", "after_stage"].iter().any(|key| object.contains_key(*key)) {
        object.insert("at".to_owned(), "0s".into());
    }
    let text = toml::to_string(&object).map_err(|error| format!("the fault cannot be read: {error}"))?;
    crate::composition::fault_of(&text).map_err(|problems| {
        let words = |problem: &crate::Problem| match &problem.hint {
            Some(hint) => format!("{} ({hint})", problem.text),
            None => problem.text.clone(),
        };
        problems.iter().map(words).collect::<Vec<_>>().join("; ")
    })
}

/// Whom an action names.
pub(crate) fn named(action: &Action) -> impl Iterator<Item = &At<Who>> {
    let (some, more): (Vec<&At<Who>>, &[At<Who>]) = match action {
        Action::Kill(Selection { of, .. })
        | Action::Pause(Selection { of, .. })
        | Action::Resume(Selection { of, .. })
        | Action::Restart(Selection { of, .. })
        | Action::Partition(Sides::Apart(Selection { of, .. })) => (of.iter().collect(), &[]),
        Action::Degrade { of, towards, .. } => (of.of.iter().collect(), towards),
        Action::Partition(Sides::Listed(sides)) => (sides.iter().flatten().collect(), &[]),
        Action::Partition(Sides::Drawn(_)) | Action::Heal => (Vec::new(), &[]),
    };
    some.into_iter().chain(more)
}

/// The numbers of these, ascending, each once; what the run does not have is left out.
fn labels(of: &[At<Who>], groups: &[GroupSpec]) -> Vec<u32> {
    let mut out = Vec::new();
    let mut first = 0;
    for group in groups {
        for who in of {
            match &who.value {
                Who::Group(name) if name == group.name.as_str() => out.extend(first..first + group.count),
                Who::One(id) if id.group == group.name && id.index < group.count => out.push(first + id.index),
                Who::Group(_) | Who::One(_) => {}
            }
        }
        first += group.count;
    }
    out.sort_unstable();
    out.dedup();
    out
}

/// The numbers of groups and instances in a run, ascending, each once; what the run does not have is left out.
pub fn numbers(of: &[Who], groups: &[GroupSpec]) -> Vec<u32> {
    let of: Vec<At<Who>> = of.iter().cloned().map(At::nowhere).collect();
    labels(&of, groups)
}

fn choose(selection: &Selection, groups: &[GroupSpec], dice: &mut Dice, but: &[u32]) -> Vec<u32> {
    let all: u32 = groups.iter().map(|group| group.count).sum();
    let mut of = if selection.of.is_empty() { (0..all).collect() } else { labels(&selection.of, groups) };
    // A share is one of all that are named, whoever of them was drawn before.
    let size = selection.size.map(|size| size.of(u32::try_from(of.len()).unwrap_or(u32::MAX)));
    of.retain(|label| !but.contains(label));
    if let Some(size) = size {
        dice.shuffle(&mut of);
        of.truncate(size as usize);
        of.sort_unstable();
    }
    of
}

/// `splitmix64`.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From 0 to below `n`; the bias is below 2^-32 for what is shuffled here.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let wide = u128::from(mix(self.0)) * n as u128;
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    /// Fisher and Yates.
    pub(crate) fn shuffle(&mut self, items: &mut [u32]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::composition::tests::spec_of;

    fn drawn(seed: u64, faults: &str) -> Vec<Drawn> {
        let mut spec = spec_of(&format!(
            "[[groups]]\nid = \"a\"\ninstances = {{ count = 9 }}\n[[groups]]\nid = \"b\"\ninstances = {{ count = 3 }}\n{faults}"
        ));
        spec.seed = seed;
        draw(&spec)
    }

    #[test]
    fn the_same_seed_draws_the_same_and_no_one_dies_twice() {
        let third = "[[faults]]\nat = \"1s\"\ndo = \"kill\"\nof = [\"a\"]\nshare = 0.34\n";
        let text = third.repeat(4);
        let first = drawn(7, &text);
        assert_eq!(first, drawn(7, &text));
        assert_ne!(first, drawn(8, &text));
        let hit: Vec<u32> = first.iter().flat_map(|fault| fault.hit.iter().map(|hit| hit.0)).collect();
        assert_eq!(first.iter().map(|fault| fault.hit.len()).collect::<Vec<_>>(), [3, 3, 3, 0]);
        let once: std::collections::BTreeSet<u32> = hit.iter().copied().collect();
        assert_eq!(once, (0..9).collect());
    }

    #[test]
    fn a_plan_may_ask_for_what_a_composition_may() {
        let spec = spec_of("[[groups]]\nid = \"a\"\ninstances = { count = 9 }\n");
        let kill = r#"{"do":"kill","of":["a"],"count":3,"callback_state":"done"}"#;
        let first = request(kill, &spec, &[]).expect("a good one");
        assert_eq!((first.drawn.hit.len(), first.callback_state.as_deref()), (3, Some("done")));
        assert_eq!((&first.drawn.trigger, first.drawn.delay), (&Trigger::Start, Duration::ZERO));
        let second = request(kill, &spec, &[&first.drawn]).expect("a good one");
        assert!(first.drawn.hit.iter().all(|hit| !second.drawn.hit.contains(hit)), "no one dies twice");
        let link = r#"{"do":"degrade","at":"1s","for":"5s","towards":null,"link":{"latency":"20ms","loss":3}}"#;
        let link = request(link, &spec, &[]).expect("a good one").drawn;
        assert_eq!((link.delay, link.lasts, link.hit.len()), (Duration::from_secs(1), Some(Duration::from_secs(5)), 9));
        let restart = request(r#"{"do":"restart","of":["a/2"]}"#, &spec, &[]).expect("a good one").drawn;
        assert_eq!((restart.lasts, restart.hit), (Some(Duration::ZERO), vec![(2, 0)]));
        for (payload, wanted) in [
            ("7", "cannot be read"),
            (r#"{"do":"kill","callback_state":"s"}"#, "does not say whom"),
            (r#"{"do":"kil","callback_state":"s","of":["a"]}"#, "did you mean `kill`?"),
            (r#"{"do":"kill","callback_state":"s","of":["b"]}"#, "the run has no `b`"),
            (r#"{"do":"kill","callback_state":"s","of":["a/9"]}"#, "the run has no `a/9`"),
            (r#"{"do":"heal","callback_state":"s","who":1}"#, "unknown key `who`"),
        ] {
            let bad = request(payload, &spec, &[]).expect_err(payload);
            assert!(bad.why.contains(wanted), "{payload}: {}", bad.why);
            assert_eq!(bad.callback_state.is_some(), payload != "7", "{payload}");
        }
    }

    #[test]
    fn sides_are_as_listed_or_drawn_evenly() {
        let sides = |text: &str| {
            let fault = drawn(1, &format!("[[faults]]\nat = \"1s\"\ndo = \"partition\"\n{text}\n")).remove(0);
            fault.hit.into_iter().map(|(_, side)| side).collect::<Vec<_>>()
        };
        assert_eq!(sides("sides = [[\"b\"], [\"a/0\", \"a/1\"]]"), [1, 1, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0]);
        let drawn = sides("sides = 3");
        assert_eq!((0..3).map(|side| drawn.iter().filter(|&&s| s == side).count()).collect::<Vec<_>>(), [4, 4, 4]);
        let apart = sides("share = 0.25");
        assert_eq!(apart.iter().filter(|&&side| side == 0).count(), 3);
    }
}
