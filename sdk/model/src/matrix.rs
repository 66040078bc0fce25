//! The matrix of a composition: every combination of the values that it lists.

use crate::composition::Size;
use crate::node::{At, Reader, Table, Value};
use crate::problem::shown;

/// What one line of the matrix varies, and its values.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// The key as written; the name of this axis in the configuration of a run.
    pub key: String,
    /// The line.
    pub line: Option<u32>,
    /// What it varies.
    pub target: Target,
    /// The values, in the order of the file.
    pub values: Vec<At<Setting>>,
}

/// What an axis varies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A parameter of all groups.
    Param(String),
    /// A parameter of one group.
    GroupParam(String, String),
    /// The number of instances of a group, or its share of all.
    GroupSize(String),
    /// The number of all instances.
    Total,
}

/// One value of an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// As shown in the configuration of a run, and as a parameter carries it.
    pub text: String,
    /// For sizes: the size.
    pub size: Option<Size>,
}

/// Every combination of the axes' values, by index; the last axis turns fastest. Nothing if there are too many.
pub(crate) fn combinations(axes: &[&Axis], most: usize) -> Option<Vec<Vec<usize>>> {
    let mut out: Vec<Vec<usize>> = vec![Vec::new()];
    for axis in axes {
        if axis.values.len().checked_mul(out.len()).is_none_or(|n| n > most) {
            return None;
        }
        out = out
            .into_iter()
            .flat_map(|head| {
                (0..axis.values.len()).map(move |i| head.iter().copied().chain(std::iter::once(i)).collect())
            })
            .collect();
    }
    Some(out)
}

/// Reads `[matrix]`. Dotted keys may be written with quotes or without.
pub(crate) fn read(r: &mut Reader<'_>, table: &Table) -> Vec<Axis> {
    let mut axes = Vec::new();
    let mut flat = Vec::new();
    flatten("", table, &mut flat);
    for (key, found) in flat {
        let Some(target) = target(&key) else {
            let text = format!("`{}` is nothing that a matrix can vary", shown(&key));
            let hint = "vary a parameter by its name, `\"groups.ID.count\"`, `\"groups.ID.percentage\"`, \
                        `\"groups.ID.test_params.NAME\"` or `total_instances`";
            r.problem(found.line, text, Some(hint.to_owned()));
            continue;
        };
        let Value::List(items) = &found.value else {
            let hint = format!("write `{key} = [{}]`", shown(&found.value.as_param()));
            r.problem(found.line, format!("`{}` in `[matrix]` must be a list of values", shown(&key)), Some(hint));
            continue;
        };
        if items.is_empty() {
            let hint = format!("write `{key} = [1, 2]`, or leave it out");
            r.problem(found.line, format!("`{}` in `[matrix]` has no values", shown(&key)), Some(hint));
        }
        let mut values: Vec<At<Setting>> = Vec::new();
        for item in items {
            let Some(setting) = setting(r, &key, &target, item) else { continue };
            if values.iter().any(|other| other.value.text == setting.text) {
                let text = format!("`{}` in `[matrix]` lists `{}` twice", shown(&key), shown(&setting.text));
                r.problem(item.line, text, Some("for more runs of the same kind use `--repeat`".to_owned()));
                continue;
            }
            values.push(At { value: setting, line: item.line });
        }
        if !values.is_empty() {
            axes.push(Axis { key, line: found.line, target, values });
        }
    }
    axes.sort_by(|a, b| (a.line, &a.key).cmp(&(b.line, &b.key)));
    axes
}

fn flatten<'n>(prefix: &str, table: &'n Table, out: &mut Vec<(String, &'n At<Value>)>) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match &value.value {
            Value::Table(inner) => flatten(&key, inner, out),
            _ => out.push((key, value)),
        }
    }
}

fn target(key: &str) -> Option<Target> {
    if key == "total_instances" {
        return Some(Target::Total);
    }
    // Ids may hold dots, so the known parts are taken off both ends.
    let Some(rest) = key.strip_prefix("groups.") else {
        return (!key.is_empty()).then(|| Target::Param(key.to_owned()));
    };
    if let Some((group, param)) = rest.split_once(".test_params.") {
        return (!group.is_empty() && !param.is_empty())
            .then(|| Target::GroupParam(group.to_owned(), param.to_owned()));
    }
    let group = rest.strip_suffix(".count").or_else(|| rest.strip_suffix(".percentage"))?;
    let group = group.strip_suffix(".instances").unwrap_or(group);
    (!group.is_empty()).then(|| Target::GroupSize(group.to_owned()))
}

fn setting(r: &mut Reader<'_>, key: &str, target: &Target, item: &At<Value>) -> Option<Setting> {
    let text = item.value.as_param();
    let size = match (target, &item.value) {
        (Target::GroupSize(_), Value::Float(share)) if key.ends_with("percentage") && (0.0..=1.0).contains(share) => {
            Some(Size::Share(*share))
        }
        (Target::GroupSize(_), Value::Int(n @ (0 | 1))) if key.ends_with("percentage") => {
            Some(Size::Share(if *n == 0 { 0.0 } else { 1.0 }))
        }
        (Target::GroupSize(_), Value::Int(n)) if key.ends_with("count") => u32::try_from(*n).ok().map(Size::Count),
        (Target::Total, Value::Int(n)) => u32::try_from(*n).ok().filter(|n| *n > 0).map(Size::Count),
        _ => None,
    };
    if size.is_none() && !matches!(target, Target::Param(_) | Target::GroupParam(..)) {
        let (wanted, example) = match target {
            Target::GroupSize(_) if key.ends_with("percentage") => ("a part of 1, such as 0.3", "[0.1, 0.3]"),
            Target::Total => ("a whole number from 1", "[50, 100]"),
            _ => ("a whole number from 0", "[50, 100]"),
        };
        let problem = format!("`{}` in `[matrix]` cannot be `{}`: it must be {wanted}", shown(key), shown(&text));
        r.problem(item.line, problem, Some(format!("write numbers without quotes, such as `{example}`")));
        return None;
    }
    Some(Setting { text, size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_the_matrix_name_what_they_vary() {
        let size = |group: &str| Some(Target::GroupSize(group.to_owned()));
        assert_eq!(target("rounds"), Some(Target::Param("rounds".to_owned())));
        assert_eq!(target("a.b"), Some(Target::Param("a.b".to_owned())));
        assert_eq!(target("groups.v0.11.count"), size("v0.11"));
        assert_eq!(target("groups.a.instances.count"), size("a"));
        assert_eq!(target("groups.a.percentage"), size("a"));
        assert_eq!(target("groups.a.test_params.x.y"), Some(Target::GroupParam("a".to_owned(), "x.y".to_owned())));
        assert_eq!(target("total_instances"), Some(Target::Total));
        for key in ["groups.a.color", "groups.count", "groups..count", "groups.", ""] {
            assert_eq!(target(key), None, "{key}");
        }
    }

    #[test]
    fn the_last_axis_turns_fastest() {
        let axis = |n: usize| Axis {
            key: "x".to_owned(),
            line: None,
            target: Target::Total,
            values: vec![At::nowhere(Setting { text: String::new(), size: None }); n],
        };
        let (a, b) = (axis(2), axis(3));
        let all = combinations(&[&a, &b], 6).expect("six fit");
        assert_eq!(all, [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]);
        assert_eq!(combinations(&[&a, &b], 5), None);
        assert_eq!(combinations(&[], 1), Some(vec![vec![]]));
    }
}
