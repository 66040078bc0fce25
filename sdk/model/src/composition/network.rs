//! Reads `[network]`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::faults;
use super::links::{self, LINK, MOST_DELAY};
use crate::fault::Who;
use crate::link::Link;
use crate::network::{Behind, Between, FIGURES, Matrix, Nat, Network, Regions, Topology, TopologyKind, Unreachable};
use crate::node::{At, Fields, Reader, Table, Value};
use crate::param::parse_duration;
use crate::problem::{shown, suggestion};

/// The keys of `[[network.links]]`: whose links, and those of a link.
const BETWEEN: &[&str] = &{
    const FIRST: [&str; 3] = ["between", "from", "to"];
    let mut keys = [""; FIRST.len() + LINK.len()];
    let mut nth = 0;
    while nth < keys.len() {
        keys[nth] = if nth < FIRST.len() { FIRST[nth] } else { LINK[nth - FIRST.len()] };
        nth += 1;
    }
    keys
};
/// The ways to say how far regions are from one another.
const DISTANCES: [&str; 3] = ["matrix", "latency", "round_trip"];
/// The most regions of one composition.
const MOST_REGIONS: usize = 200;
/// By how much shares may miss 1 because of their rounding.
const ROUNDING: f64 = 1e-6;

pub(super) fn network(r: &mut Reader<'_>, table: &Table, line: Option<u32>) -> Network {
    let fields = r.fields(table, line, "`[network]`", &["link", "links", "regions", "topology", "routers"]);
    if table.is_empty() {
        let hint = "add `[network.link]`, `[[network.links]]`, `[network.regions]`, `[network.topology]` or `[[network.routers]]`".to_owned();
        r.problem(line, "`[network]` says nothing of the network", Some(hint));
    }
    let link = r.table(&fields, "link").map(|(table, line)| {
        let inner = r.fields(table, line, "`[network.link]`", LINK);
        changed(r, &inner)
    });
    let links = r.tables(&fields, "links").into_iter().filter_map(|(table, line)| between(r, table, line)).collect();
    let regions = r.table(&fields, "regions").map(|(table, line)| regions(r, table, line));
    let topology = r.table(&fields, "topology").and_then(|(table, line)| topology(r, table, line));
    let routers = r.tables(&fields, "routers").into_iter().filter_map(|(table, line)| behind(r, table, line)).collect();
    Network { line, link: link.unwrap_or_default(), links, regions, topology, routers }
}

/// Who is behind a router, and what it does.
fn behind(r: &mut Reader<'_>, table: &Table, line: Option<u32>) -> Option<Behind> {
    let fields = r.fields(table, line, "`[[network.routers]]`", &["of", "nat", "shared"]);
    r.required(&fields, "nat", "say what it does: `nat = \"port-restricted\"`")?;
    let words: Vec<(&str, Nat)> = Nat::ALL.iter().map(|nat| (nat.word(), *nat)).collect();
    let nat = links::word(r, &fields, "nat", &words)?;
    let shared = r.bool(&fields, "shared").is_some_and(|at| at.value);
    let Some(at) = fields.get("of") else {
        let hint = "write groups and instances in a list: `of = [\"clients\"]`".to_owned();
        r.problem(line, "`[[network.routers]]` does not say who is behind it", Some(hint));
        return None;
    };
    let of = faults::members(r, at, "of", &fields.place);
    (!of.is_empty()).then_some(Behind { of, nat, shared })
}

/// A link that says something.
fn changed(r: &mut Reader<'_>, fields: &Fields<'_>) -> Link {
    let before = r.problems.len();
    let link = links::link(r, fields);
    if link.is_open() && r.problems.len() == before {
        let hint = "add a key of a link, such as `latency = \"20ms\"`".to_owned();
        r.problem(fields.line, format!("{} says nothing of the link", fields.place), Some(hint));
    }
    link
}

fn between(r: &mut Reader<'_>, table: &Table, line: Option<u32>) -> Option<Between> {
    let fields = r.fields(table, line, "`[[network.links]]`", BETWEEN);
    let link = changed(r, &fields);
    let one_way = ["from", "to"].into_iter().find_map(|key| fields.get(key));
    match (fields.get("between"), one_way) {
        (Some(_), Some(at)) => {
            let text = format!("{} has `between`, and `from` or `to` as well", fields.place);
            let hint = "`between` holds in both directions, `from` and `to` in one; keep one of them".to_owned();
            r.problem(at.line, text, Some(hint));
            None
        }
        (Some(At { value: Value::List(items), .. }), None) if items.len() == 2 => {
            let from = side(r, &items[0], "between", &fields);
            let to = side(r, &items[1], "between", &fields);
            Some(Between { from: from?, to: to?, both_ways: true, link })
        }
        (Some(at), None) => {
            let hint = "write `between = [\"servers\", \"clients\"]`, or the same group twice for links within it";
            r.problem(at.line, format!("`between` in {} is not two sides", fields.place), Some(hint.to_owned()));
            None
        }
        (None, Some(_)) => {
            let mut sides = ["from", "to"].into_iter().map(|key| match fields.get(key) {
                Some(at) => side(r, at, key, &fields),
                None => Some(Vec::new()),
            });
            let (from, to) = (sides.next().flatten(), sides.next().flatten());
            Some(Between { from: from?, to: to?, both_ways: false, link })
        }
        (None, None) => {
            let hint = "write `between = [\"servers\", \"clients\"]`, or `from` and `to` for one direction".to_owned();
            r.problem(fields.line, format!("{} does not say whose links", fields.place), Some(hint));
            None
        }
    }
}

/// One side of a link: a group, an instance, or a list of them.
fn side(r: &mut Reader<'_>, at: &At<Value>, key: &str, fields: &Fields<'_>) -> Option<Vec<At<Who>>> {
    let found = match &at.value {
        Value::List(_) => faults::members(r, at, key, &fields.place),
        _ => faults::member(r, at, &format!("`{key}` in {}", fields.place)).into_iter().collect(),
    };
    // An empty side would mean everybody.
    (!found.is_empty()).then_some(found)
}

fn regions(r: &mut Reader<'_>, table: &Table, line: Option<u32>) -> Regions {
    let fields = r.fields(table, line, "`[network.regions]`", &["matrix", "latency", "round_trip", "shares"]);
    let given: Vec<&str> = DISTANCES.into_iter().filter(|key| fields.get(key).is_some()).collect();
    let before = r.problems.len();
    let matrix = match given[..] {
        ["matrix"] => named(r, &fields),
        [key] => written(r, &fields, key),
        [] => {
            let names: Vec<&str> = FIGURES.iter().map(|figures| figures.name).collect();
            let hint = format!("write `matrix = \"{}\"`, or a table `round_trip` or `latency`", names[0]);
            r.problem(line, "`[network.regions]` does not say how far regions are from one another", Some(hint));
            Matrix::default()
        }
        [_, second, ..] => {
            let text = format!("`[network.regions]` has both `{}` and `{second}`", given[0]);
            r.problem(fields.get(second).and_then(|at| at.line), text, Some("keep one of them".to_owned()));
            Matrix::default()
        }
    };
    // Without a matrix, nothing is known of the names.
    let known = (r.problems.len() == before).then_some(&matrix);
    let shares = shares(r, &fields, known);
    Regions { line, matrix, shares, of: BTreeMap::new() }
}

fn topology(r: &mut Reader<'_>, table: &Table, line: Option<u32>) -> Option<Topology> {
    let fields = r.fields(table, line, "`[network.topology]`", &["kind", "degree", "edges", "unreachable"]);
    let words = [("reject", Unreachable::Reject), ("drop", Unreachable::Drop)];
    let unreachable = links::word(r, &fields, "unreachable", &words).unwrap_or_default();
    let word = r.required(&fields, "kind", "write `kind = \"random\"` or `kind = \"scale-free\"`")?;
    // Each kind has a number that says how dense it is, and knows nothing of the other's.
    let (needs, other, example) = match word.value.as_str() {
        "random" => ("degree", "edges", "degree = 6"),
        "scale-free" => ("edges", "degree", "edges = 3"),
        unknown => {
            let text = format!("`kind = \"{}\"` in {} means nothing", shown(unknown), fields.place);
            r.problem(word.line, text, Some(suggestion(unknown, "kind", &["random", "scale-free"])));
            return None;
        }
    };
    if let Some(at) = fields.get(other) {
        let text = format!("`{other}` in {} means nothing for `{}`", fields.place, word.value);
        r.problem(at.line, text, Some(format!("write `{example}`")));
    }
    if fields.get(needs).is_none() {
        let text = format!("{} has no `{needs}`", fields.place);
        r.problem(line, text, Some(format!("write `{example}`")));
        return None;
    }
    let number = r.number(&fields, needs)?;
    let kind = if needs == "degree" {
        (number.value > 0.0 && number.value.is_finite()).then_some(TopologyKind::Random { degree: number.value })
    } else {
        let edges = r.count(&fields, needs)?.value;
        (edges > 0).then_some(TopologyKind::ScaleFree { edges })
    };
    if kind.is_none() {
        let hint = Some(format!("write `{example}`"));
        r.problem(number.line, format!("`{needs}` in {} is not above 0", fields.place), hint);
    }
    kind.map(|kind| Topology { line, kind, unreachable })
}

fn named(r: &mut Reader<'_>, fields: &Fields<'_>) -> Matrix {
    let Some(name) = r.text(fields, "matrix") else { return Matrix::default() };
    Matrix::named(&name.value).unwrap_or_else(|| {
        let names: Vec<&str> = FIGURES.iter().map(|figures| figures.name).collect();
        let text = format!("tg has no matrix `{}`", shown(&name.value));
        r.problem(name.line, text, Some(suggestion(&name.value, "matrix", &names)));
        Matrix::default()
    })
}

/// A matrix that the composition holds: for each region a table of the others.
fn written(r: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Matrix {
    let place = format!("`[network.regions.{key}]`");
    let Some((table, line)) = r.table(fields, key) else { return Matrix::default() };
    let before = r.problems.len();
    let mut given: BTreeMap<(String, String), Duration> = BTreeMap::new();
    for (from, row) in table {
        region_name(r, from, row.line);
        let Value::Table(cells) = &row.value else {
            let hint = format!("write `{} = {{ us = \"90ms\", asia = \"180ms\" }}`", shown(from));
            r.problem(row.line, format!("`{}` in {place} is no table", shown(from)), Some(hint));
            continue;
        };
        for (to, cell) in cells {
            region_name(r, to, cell.line);
            let parsed = if let Value::Text(text) = &cell.value { parse_duration(text) } else { None };
            match parsed {
                Some(time) if time <= MOST_DELAY => {
                    given.insert((from.clone(), to.clone()), time);
                }
                Some(_) => {
                    let text = format!("`{}` of `{}` in {place} is longer than an hour", shown(to), shown(from));
                    r.problem(cell.line, text, Some(format!("write less: `{} = \"90ms\"`", shown(to))));
                }
                None => {
                    let text = format!("`{}` of `{}` in {place} is no duration", shown(to), shown(from));
                    let hint = format!("write a duration with units: `{} = \"90ms\"`", shown(to));
                    r.problem(cell.line, text, Some(hint));
                }
            }
        }
    }
    if given.is_empty() && r.problems.len() == before {
        let hint = format!("add a line such as `eu = {{ us = \"90ms\" }}` to {place}");
        r.problem(line, format!("{place} has no regions"), Some(hint));
    }
    // What could not be read would be missed a second time.
    if r.problems.len() > before {
        return Matrix::default();
    }
    let matrix = if key == "round_trip" { Matrix::of_round_trips(&given) } else { Matrix::of(&given) };
    match matrix {
        Ok(matrix) if matrix.regions.len() > MOST_REGIONS => {
            let text = format!("{place} has {} regions; the most is {MOST_REGIONS}", matrix.regions.len());
            r.problem(line, text, Some("put regions that lie close to one another into one".to_owned()));
            Matrix::default()
        }
        Ok(matrix) => matrix,
        Err(problem) => {
            let (from, to) = &problem.between;
            if problem.twice {
                let hint = "a round trip is the same from both ends; for two directions that differ use `latency`";
                let text = format!("{place} has two figures that differ for `{from}` and `{to}`");
                r.problem(table.get(from).and_then(|row| row.line).or(line), text, Some(hint.to_owned()));
            } else {
                let text = format!("{place} does not say how far `{from}` is from `{to}`");
                r.problem(line, text, Some(format!("add `{to} = \"90ms\"` to `{from}`")));
            }
            Matrix::default()
        }
    }
}

fn region_name(r: &mut Reader<'_>, name: &str, line: Option<u32>) {
    if let Err(error) = name.parse::<crate::ids::GroupName>() {
        let hint = "use letters, digits, `-`, `_` and `.`, such as `eu-west`".to_owned();
        r.problem(line, format!("`{}` is no good name of a region: {}", shown(name), error.why), Some(hint));
    }
}

fn shares(r: &mut Reader<'_>, fields: &Fields<'_>, matrix: Option<&Matrix>) -> BTreeMap<String, f64> {
    let Some((table, line)) = r.table(fields, "shares") else { return BTreeMap::new() };
    let before = r.problems.len();
    let mut out = BTreeMap::new();
    for (region, at) in table {
        let share = match at.value {
            Value::Float(share) => Some(share),
            Value::Int(1) => Some(1.0),
            Value::Int(0) => Some(0.0),
            _ => None,
        };
        if let Some(share) = share.filter(|share| (0.0..=1.0).contains(share)) {
            out.insert(region.clone(), share);
        } else {
            let text = format!("`{}` in `[network.regions.shares]` is not between 0 and 1", shown(region));
            r.problem(at.line, text, Some(format!("write a part of 1, such as `{} = 0.3`", shown(region))));
        }
        if let Some(matrix) = matrix {
            known(r, matrix, region, at.line);
        }
    }
    let sum: f64 = out.values().sum();
    if r.problems.len() == before && (sum - 1.0).abs() > ROUNDING {
        let text = format!("`[network.regions.shares]` add up to {}", (sum * 1e6).round() / 1e6);
        r.problem(line, text, Some("shares are parts of 1 and add up to it".to_owned()));
    }
    out
}

/// Notes a region that the matrix does not have.
fn known(r: &mut Reader<'_>, matrix: &Matrix, region: &str, line: Option<u32>) {
    if let Some((text, hint)) = unknown_region(matrix, region) {
        r.problem(line, text, Some(hint));
    }
}

/// What to say of a region that the matrix does not have.
pub(crate) fn unknown_region(matrix: &Matrix, region: &str) -> Option<(String, String)> {
    let names: Vec<&str> = matrix.regions.iter().map(String::as_str).collect();
    (!names.contains(&region))
        .then(|| (format!("there is no region `{}`", shown(region)), suggestion(region, "region", &names)))
}

#[cfg(test)]
mod tests {
    use crate::composition::tests::resolved;

    const GROUPS: &str = "[[groups]]\nid = \"a\"\ninstances = { count = 3 }\n[[groups]]\nid = \"b\"\ninstances = { \
                          count = 2 }\n";

    fn problems(network: &str) -> Vec<String> {
        resolved(&format!("{GROUPS}{network}")).err().unwrap_or_default()
    }

    #[test]
    fn good_networks_are_read_and_bad_ones_are_told_all_at_once() {
        let shares = "[network.regions.shares]\neu = 1.0\n";
        for good in [
            "[network.link]\nlatency = \"20ms\"\nloss = 1\n",
            "[[network.links]]\nbetween = [\"a\", \"b\"]\nlatency = \"80ms\"\n",
            "[[network.links]]\nbetween = [\"a\", \"a\"]\nlatency = \"80ms\"\n",
            "[[network.links]]\nbetween = [[\"a\", \"b/1\"], \"b/0\"]\nbandwidth = \"1Mbit\"\n",
            "[[network.links]]\nfrom = \"a\"\nto = [\"b\"]\nlatency = \"80ms\"\n[[network.links]]\nto = \"a\"\nloss = 2\n",
            "[network.regions]\nmatrix = \"azure-2024\"\nshares = { eastus = 0.5, uksouth = 0.5 }\n",
            "[network.topology]\nkind = \"random\"\ndegree = 2.5\nunreachable = \"drop\"\n",
            "[network.topology]\nkind = \"scale-free\"\nedges = 2\n",
            &format!("[network.regions.round_trip]\neu = {{ us = \"90ms\", eu = \"2ms\" }}\n{shares}"),
            &format!("[network.regions.latency]\neu = {{ us = \"45ms\" }}\nus = {{ eu = \"50ms\" }}\n{shares}"),
        ] {
            assert_eq!(problems(good), [""; 0], "{good}");
        }
        let regions = |rest: &str| format!("[network.regions]\nmatrix = \"azure-2024\"\n{rest}");
        let trips = |rest: &str| format!("[network.regions.round_trip]\n{rest}{shares}");
        let cases = [
            ("[network]\n".to_owned(), "`[network]` says nothing"),
            ("[network]\nlnk = 1\n".to_owned(), "unknown key `lnk` in `[network]`"),
            ("[network.link]\n".to_owned(), "`[network.link]` says nothing of the link"),
            ("[network.link]\nlatency = 20\n".to_owned(), "`latency` in `[network.link]` is no duration"),
            ("[network.link]\nloss = 101\n".to_owned(), "`loss` in `[network.link]` is 101"),
            ("[network.link]\nlatncy = \"1ms\"\n".to_owned(), "unknown key `latncy`"),
            ("[[network.links]]\nlatency = \"1ms\"\n".to_owned(), "does not say whose links"),
            ("[[network.links]]\nbetween = [\"a\", \"b\"]\n".to_owned(), "says nothing of the link"),
            ("[[network.links]]\nbetween = [\"a\"]\nloss = 1\n".to_owned(), "is not two sides"),
            ("[[network.links]]\nbetween = \"a\"\nloss = 1\n".to_owned(), "is not two sides"),
            ("[[network.links]]\nbetween = [\"a\", \"b\"]\nto = \"a\"\nloss = 1\n".to_owned(), "has `between`, and"),
            ("[[network.links]]\nbetween = [\"a\", \"c\"]\nloss = 1\n".to_owned(), "group `c`, which is not there"),
            ("[[network.links]]\nfrom = \"a/3\"\nloss = 1\n".to_owned(), "the group has 3 instances"),
            ("[[network.links]]\nfrom = []\nloss = 1\n".to_owned(), "is empty"),
            ("[network.links]\nbetween = [\"a\", \"b\"]\nloss = 1\n".to_owned(), "must be a list of tables"),
            ("[network.regions]\n".to_owned(), "does not say how far"),
            ("[network.regions]\nmatrix = \"azure\"\n".to_owned(), "tg has no matrix `azure`"),
            (regions("round_trip = { a = { b = \"1ms\" } }\n"), "has both `matrix` and `round_trip`"),
            (regions(""), "group `a` has no region"),
            (regions("shares = { eastus = 0.5 }\n"), "add up to 0.5"),
            (regions("shares = { eastus = 50 }\n"), "is not between 0 and 1"),
            (regions("shares = { eastsu = 1.0 }\n"), "there is no region `eastsu`"),
            (trips("eu = { us = \"90ms\" }\nasia = { eu = \"1s\" }\n"), "how far `asia` is from `us`"),
            (trips("eu = { us = \"90ms\" }\nus = { eu = \"91ms\" }\n"), "two figures that differ for `eu` and `us`"),
            (trips("eu = { us = 90 }\n"), "`us` of `eu` in `[network.regions.round_trip]` is no duration"),
            (trips("eu = { us = \"2h\" }\n"), "is longer than an hour"),
            (trips("eu = \"90ms\"\n"), "`eu` in `[network.regions.round_trip]` is no table"),
            (trips(""), "`[network.regions.round_trip]` has no regions"),
            ("[network.topology]\nkind = \"ring\"\n".to_owned(), "`kind = \"ring\"` in `[network.topology]` means"),
            ("[network.topology]\ndegree = 3\n".to_owned(), "`[network.topology]` has no `kind`"),
            ("[network.topology]\nkind = \"random\"\n".to_owned(), "`[network.topology]` has no `degree`"),
            (
                "[network.topology]\nkind = \"random\"\ndegree = 0\n".to_owned(),
                "`degree` in `[network.topology]` is not",
            ),
            ("[network.topology]\nkind = \"scale-free\"\ndegree = 3\nedges = 1\n".to_owned(), "means nothing for"),
            ("[network.topology]\nkind = \"scale-free\"\nedges = 2.5\n".to_owned(), "must be a whole number"),
            ("[network.topology]\nkind = \"random\"\ndegree = 9e9\n".to_owned(), "the most is 2000000"),
            (trips("\"e u\" = { us = \"1ms\" }\n"), "is no good name of a region"),
        ];
        for (network, wanted) in cases {
            let found = problems(&network);
            assert!(found.iter().any(|text| text.contains(wanted)), "{network}: {found:?}");
        }
        let two = problems("[network.link]\nlatency = 1\n[[network.links]]\nloss = 1\n");
        assert_eq!(two.len(), 2, "{two:?}");
    }

    #[test]
    fn regions_of_groups_are_checked() {
        let with = |region: &str, rest: &str| {
            resolved(&format!("[[groups]]\nid = \"a\"\n{region}instances = {{ count = 3 }}\n{rest}"))
                .err()
                .unwrap_or_default()
        };
        let azure = "[network.regions]\nmatrix = \"azure-2024\"\n";
        assert_eq!(with("region = \"eastus\"\n", azure), [""; 0]);
        let found = with("region = \"eastsu\"\n", azure);
        assert!(found.len() == 1 && found[0].contains(":8: there is no region `eastsu`"), "{found:?}");
        let found = with("region = \"eastus\"\n", "");
        assert!(found.len() == 1 && found[0].contains("there are no `[network.regions]`"), "{found:?}");
    }
}
