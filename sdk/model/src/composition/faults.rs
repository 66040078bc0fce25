//! Reads `[[faults]]`.

use std::time::Duration;

use super::Size;
use super::links::{self, duration};
use crate::fault::{Action, Fault, Selection, Sides, Trigger, Who};
use crate::link::Link;
use crate::node::{At, Fields, Reader, Table, Value, parse};
use crate::problem::{Problem, shown, suggestion};

const FAULT: &[&str] =
    &["at", "after_barrier", "after_stage", "for", "do", "of", "share", "count", "sides", "towards", "link"];
const ACTIONS: [&str; 7] = ["kill", "pause", "resume", "restart", "partition", "heal", "degrade"];

/// A fault that a text of its own holds, without a header.
pub(crate) fn fault_of(text: &str) -> Result<Fault, Vec<Problem>> {
    let table = parse("the fault", text, None)?;
    let mut reader = Reader { file: "the fault", problems: Vec::new() };
    let found = fault(&mut reader, &table, None);
    found.filter(|_| reader.problems.is_empty()).ok_or(reader.problems)
}

/// One fault, or nothing if too little of it can be read.
pub(super) fn fault(r: &mut Reader<'_>, table: &Table, line: Option<u32>) -> Option<Fault> {
    let fields = r.fields(table, line, "`[[faults]]`", FAULT);
    let (trigger, delay) = when(r, &fields);
    let lasts = duration(r, &fields, "for", "10s");
    let word = r.required(&fields, "do", "say what happens: `do = \"kill\"`")?;
    let action = action(r, &fields, &word)?;
    if lasts.is_some() && matches!(action, Action::Kill(_) | Action::Resume(_) | Action::Heal) {
        let text = format!("`for` in {} means nothing for `{}`", fields.place, word.value);
        let hint = "a pause, a partition and a degraded link can end, and a restart can take a while".to_owned();
        r.problem(fields.get("for").and_then(|at| at.line), text, Some(hint));
    }
    // Who is restarted is back at once, if nothing else is said.
    let lasts = if matches!(action, Action::Restart(_)) { lasts.or(Some(Duration::ZERO)) } else { lasts };
    Some(Fault { line, trigger, delay, lasts, action })
}

fn when(r: &mut Reader<'_>, fields: &Fields<'_>) -> (Trigger, Duration) {
    let delay = duration(r, fields, "at", "10s");
    let barrier = r.some_text(fields, "after_barrier");
    let stage = r.some_text(fields, "after_stage");
    let trigger = match (barrier, stage) {
        (Some(barrier), None) => Trigger::Barrier(barrier.value),
        (None, Some(stage)) => Trigger::Stage(stage.value),
        (Some(_), Some(stage)) => {
            let text = format!("{} has both `after_barrier` and `after_stage`", fields.place);
            r.problem(stage.line, text, Some("keep one of them".to_owned()));
            Trigger::Stage(stage.value)
        }
        (None, None) => {
            if fields.get("at").is_none()
                && fields.get("after_barrier").is_none()
                && fields.get("after_stage").is_none()
            {
                let hint = "write `at = \"10s\"`, `after_barrier = \"ready\"` or `after_stage = \"warmup\"`".to_owned();
                r.problem(fields.line, format!("{} does not say when", fields.place), Some(hint));
            }
            Trigger::Start
        }
    };
    (trigger, delay.unwrap_or_default())
}

fn action(r: &mut Reader<'_>, fields: &Fields<'_>, word: &At<String>) -> Option<Action> {
    let only = |r: &mut Reader<'_>, keys: &[&str], allowed: &[&str]| {
        for key in keys.iter().filter(|key| !allowed.contains(key)) {
            if let Some(at) = fields.get(key) {
                let text = format!("`{key}` in {} means nothing for `{}`", fields.place, shown(&word.value));
                r.problem(at.line, text, Some("leave it out".to_owned()));
            }
        }
    };
    let special = ["sides", "towards", "link", "of", "share", "count"];
    let whom = ["of", "share", "count"];
    Some(match word.value.as_str() {
        "kill" => {
            only(r, &special, &whom);
            Action::Kill(some(r, fields)?)
        }
        "pause" => {
            only(r, &special, &whom);
            Action::Pause(some(r, fields)?)
        }
        "restart" => {
            only(r, &special, &whom);
            Action::Restart(some(r, fields)?)
        }
        "resume" => {
            only(r, &special, &whom);
            Action::Resume(selection(r, fields))
        }
        "heal" => {
            only(r, &special, &[]);
            Action::Heal
        }
        "partition" => {
            only(r, &special, &["sides", "of", "share", "count"]);
            Action::Partition(sides(r, fields)?)
        }
        "degrade" => {
            only(r, &special, &["towards", "link", "of", "share", "count"]);
            let link = degraded(r, fields)?;
            Action::Degrade { of: selection(r, fields), towards: who(r, fields, "towards"), link: Box::new(link) }
        }
        other => {
            let text = format!("`do = \"{}\"` in {} means nothing", shown(other), fields.place);
            r.problem(word.line, text, Some(suggestion(other, "action", &ACTIONS)));
            return None;
        }
    })
}

fn degraded(r: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Link> {
    let Some((table, line)) = r.table(fields, "link") else {
        if fields.get("link").is_none() {
            let hint = "write `link = { latency = \"200ms\", loss = 5 }`".to_owned();
            r.problem(fields.line, format!("{} does not say what the link becomes", fields.place), Some(hint));
        }
        return None;
    };
    let inner = r.fields(table, line, format!("`link` of {}", fields.place), links::LINK);
    let before = r.problems.len();
    let link = links::link(r, &inner);
    if link == Link::default() && r.problems.len() == before {
        let hint = Some("write `link = { latency = \"200ms\", loss = 5 }`".to_owned());
        r.problem(line, format!("`link` of {} changes nothing", fields.place), hint);
    }
    Some(link)
}

/// A selection that must name somebody: a slip must not kill everyone.
fn some(r: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Selection> {
    if !["of", "share", "count"].iter().any(|key| fields.get(key).is_some()) {
        let hint = "write `of = [\"servers\", \"clients/3\"]`, `share = 0.3` or `count = 2`".to_owned();
        r.problem(fields.line, format!("{} does not say whom", fields.place), Some(hint));
        return None;
    }
    Some(selection(r, fields))
}

fn selection(r: &mut Reader<'_>, fields: &Fields<'_>) -> Selection {
    let of = who(r, fields, "of");
    let count = r.count(fields, "count");
    let share = r.number(fields, "share");
    if let (Some(_), Some(share)) = (&count, &share) {
        let text = format!("{} has both `count` and `share`", fields.place);
        r.problem(share.line, text, Some("keep one of them".to_owned()));
    }
    let size = match (count, share) {
        (Some(count), _) => Some(Size::Count(count.value)),
        (None, Some(share)) if share.value > 0.0 && share.value <= 1.0 => Some(Size::Share(share.value)),
        (None, Some(share)) => {
            let hint = "write a part of 1, such as `share = 0.3`".to_owned();
            r.problem(share.line, format!("`share` in {} is not between 0 and 1", fields.place), Some(hint));
            None
        }
        (None, None) => None,
    };
    Selection { of, size }
}

fn sides(r: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Sides> {
    let chosen = ["of", "share", "count"].iter().find_map(|key| fields.get(key));
    match (fields.get("sides"), chosen) {
        (Some(at), Some(_)) => {
            let text = format!("{} has `sides` and says who is cut off as well", fields.place);
            r.problem(at.line, text, Some("keep one of them".to_owned()));
            None
        }
        (None, Some(_)) => Some(Sides::Apart(selection(r, fields))),
        (Some(At { value: Value::Int(n), line }), None) => {
            let sides = u32::try_from(*n).ok().filter(|sides| *sides >= 2);
            if sides.is_none() {
                let hint = Some("write `sides = 2` for two halves".to_owned());
                r.problem(*line, format!("`sides` in {} is not 2 or more", fields.place), hint);
            }
            sides.map(Sides::Drawn)
        }
        (Some(At { value: Value::List(items), .. }), None) => {
            let sides = items.iter().map(|item| members(r, item, "sides", &fields.place)).collect();
            Some(Sides::Listed(sides))
        }
        (other, None) => {
            let line = other.map_or(fields.line, |at| at.line);
            let hint = "write `sides = [[\"a\"], [\"b\"]]`, `sides = 2`, or `share = 0.3` for a part against the rest";
            r.problem(line, format!("{} does not say which sides there are", fields.place), Some(hint.to_owned()));
            None
        }
    }
}

fn who(r: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Vec<At<Who>> {
    fields.get(key).map(|at| members(r, at, key, &fields.place)).unwrap_or_default()
}

/// Groups and instances in a list.
pub(super) fn members(r: &mut Reader<'_>, at: &At<Value>, key: &str, place: &str) -> Vec<At<Who>> {
    let Value::List(items) = &at.value else {
        let hint = "write groups and instances in a list: `[\"servers\", \"clients/3\"]`".to_owned();
        r.problem(at.line, format!("`{key}` in {place} must be a list of texts"), Some(hint));
        return Vec::new();
    };
    let mut out = Vec::new();
    if items.is_empty() {
        let hint = Some("name groups and instances, such as `[\"servers\", \"clients/3\"]`".to_owned());
        r.problem(at.line, format!("a list of `{key}` in {place} is empty"), hint);
    }
    for item in items {
        out.extend(member(r, item, &format!("an item of `{key}` in {place}")));
    }
    out
}

/// A group, or an instance as `group/3`.
pub(super) fn member(r: &mut Reader<'_>, item: &At<Value>, what: &str) -> Option<At<Who>> {
    let parsed = match &item.value {
        Value::Text(text) if text.contains('/') => text.parse().ok().map(Who::One),
        Value::Text(text) => Some(Who::Group(text.clone())),
        _ => None,
    };
    if parsed.is_none() {
        let hint = "name a group, or an instance as `group/3`".to_owned();
        r.problem(item.line, format!("{what} is no instance"), Some(hint));
    }
    parsed.map(|value| At { value, line: item.line })
}
