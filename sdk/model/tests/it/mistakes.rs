//! What bad input gets.

use crate::problems;

#[test]
fn ten_mistakes_get_ten_messages() {
    let text = r#"
[global]
plan = "pings"
case = "rrt"
biulder = "exec:cargo"
runner = "local:docker"
total_instances = 10
deadline = "5 minutes"

[[groups]]
id = "servers"
builder = "exec:crago"
instances = { count = 5, percentage = 0.5 }

[[groups]]
id = "clients"
builder = "exec:cargo"
instances = { percentage = 30 }
expect = "fine"
  [groups.run.test_params]
  "a=b" = "c"

[[groups]]
id = "clients"
builder = "exec:cargo"
instances = { count = "4" }
"#;
    let found = problems(text);
    let wanted = [
        ("composition.toml:4:", "did you mean `rtt`?"),
        ("composition.toml:5:", "did you mean `builder`?"),
        ("composition.toml:6:", "--backend local:exec"),
        ("composition.toml:8:", "deadline = \"5m\""),
        ("composition.toml:12:", "did you mean `exec:cargo`?"),
        ("composition.toml:13:", "keep one of them"),
        ("composition.toml:18:", "write `percentage = 0.3`"),
        ("composition.toml:19:", "\"ok\", \"exit:3\""),
        ("composition.toml:21:", "a name holds no"),
        ("composition.toml:24:", "an id of its own"),
        ("composition.toml:26:", "a whole number"),
    ];
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
    for (problem, (place, part)) in found.iter().zip(wanted) {
        assert!(problem.starts_with(place) && problem.contains(part), "{problem} should be {place} {part}");
    }
}

/// What stands between a problem and its hint.
const HINT: &str = " -> ";

const HEAD: &str = "[global]\nplan = \"p\"\ncase = \"rtt\"\nbuilder = \"exec:cargo\"\nrunner = \"local:exec\"\n\
                    [[groups]]\nid = \"g\"\ninstances = { count = 2 }\n";

#[test]
fn each_mistake_is_named_with_its_line_and_what_to_do() {
    let rows = [
        (
            "[groups.run.test_params]\nrounds = \"ten\"\n",
            ":10: parameter `rounds`: `ten` is not of type `int`",
            "pings",
        ),
        ("[groups.run.test_params]\nsecure = \"yes\"\n", ":10: parameter `secure`", "`true` or `false`"),
        ("[groups.run.test_params]\ndelay = 5\n", ":10: parameter `delay`", "300ms"),
        (
            "[groups.run.test_params]\nroudns = 5\n",
            ":10: case `rtt` has no parameter `roudns`",
            "did you mean `rounds`?",
        ),
        (
            "[groups.run.test_params]\nlatency = 5\n",
            ":10: case `rtt` has no parameter `latency`",
            "declare it in manifest.toml",
        ),
        ("[groups.run.test_params]\nnote = \"a|b\"\n", ":10: parameter `note`: `a|b` holds `|`", "separator"),
        ("[groups.run.profiles]\ncpu = \"a|b\"\n", ":10: profile `cpu`", "heap"),
        ("[[groups]]\ninstances = { count = 2 }\n", ":9: `[[groups]]` has no `id`", "servers"),
        ("[[groups]]\nid = \"../x\"\ninstances = { count = 2 }\n", ":10: `id = \"../x\"` is no good name", "folders"),
        ("[[groups]]\nid = \"h\"\n", ":10: group `h` has no `instances`", "count = 10"),
        (
            "[[groups]]\nid = \"h\"\ninstances = 3\n",
            ":11: `instances` of `[[groups]]` `h` must be a table",
            "{ count = 3 }",
        ),
        (
            "[[groups]]\nid = \"h\"\ninstances = { count = 0 }\n",
            ":11: `instances` of `[[groups]]` `h` give neither",
            "count = 10",
        ),
        ("[[groups]]\nid = \"h\"\ninstances = { cuont = 1 }\n", ":11: unknown key `cuont`", "did you mean `count`?"),
        (
            "[[groups]]\nid = \"h\"\nbuilder = \"docker:nod\"\ninstances = { count = 1 }\n",
            ":11: tg has no builder `docker:nod`",
            "did you mean `docker:node`?",
        ),
        (
            "[[groups]]\nid = \"h\"\nbuilder = \"exec:node\"\ninstances = { count = 1 }\n",
            ":11: the manifest does not list builder `exec:node`",
            "[builders.\"exec:node\"]",
        ),
        (
            "[[groups]]\nid = \"h\"\nbuilder = \"docker:generic\"\ninstances = { count = 1 }\n",
            ":11: backend `local:exec` cannot run",
            "`exec:` builder",
        ),
        (
            "[[groups]]\nid = \"h\"\nbuilder = \"exec:go\"\ninstances = { count = 1 }\n[groups.run.test_params]\nnote = \"a=b\"\n",
            ":14: parameter `note`",
            "without `=`",
        ),
        ("[runs]\nid = \"a\"\n", ":9: `runs` in the composition must be a list", "`[[runs]]`"),
        ("[[runs]]\nid = \"a\"\n", ":10: `[[runs]]` `a` has no groups", "[[runs.groups]]"),
        (
            "[[runs]]\nid = \"a\"\n[[runs.groups]]\nid = \"x\"\ngroup_id = \"h\"\n",
            ":13: there is no group `h`",
            "did you mean `g`?",
        ),
        (
            "[[runs]]\nid = \"a\"\n[[runs.groups]]\nid = \"g\"\n[[runs.groups]]\nid = \"g\"\n",
            ":14: group of a run `g` is there twice",
            "line 12",
        ),
        ("[matrix]\nrounds = 5\n", ":10: `rounds` in `[matrix]` must be a list", "rounds = [5]"),
        ("[matrix]\nrounds = []\n", ":10: `rounds` in `[matrix]` has no values", "rounds = [1, 2]"),
        ("[matrix]\nrounds = [1, 1]\n", ":10: `rounds` in `[matrix]` lists `1` twice", "--repeat"),
        ("[matrix]\nrounds = [1, \"x\"]\n", ":10: parameter `rounds`: `x` is not of type", ""),
        (
            "[matrix]\n\"groups.g.colour\" = [1]\n",
            ":10: `groups.g.colour` is nothing that a matrix can vary",
            "groups.ID.count",
        ),
        ("[matrix]\n\"groups.g.count\" = [-1]\n", ":10: `groups.g.count` in `[matrix]` cannot be `-1`", "[50, 100]"),
        ("[metrics]\nx = 1\n", ":9: unknown key `metrics` in the composition", ""),
        (
            "[metadata]\nname = 3\n",
            ":10: `name` in `[metadata]` must be a text in quotes, not a whole number",
            "name = \"3\"",
        ),
        ("[[groups]]\nid = \"h\"\ninstances = { count = \"4\" }\n", ":11: `count` in", "without quotes: `count = 4`"),
        ("[[groups]]\nid = \"h\"\ninstances = { count = 1 }\nexpect = \"exit:900\"\n", ":12: `expect", "0 to 255"),
        ("[groups.run.test_params]\n\"na=me\" = 1\n", ":10: parameter `na=me` has a name", "rename it"),
        // What a higher layer hides, and a group that no run uses.
        (
            "[groups.run.test_params]\nrounds = \"ten\"\n[matrix]\nrounds = [1]\n",
            ":10: parameter `rounds`: `ten` is not",
            "pings",
        ),
        (
            "[[groups]]\nid = \"h\"\ninstances = { count = 1 }\nrun = { test_params = { rounds = \"ten\" } }\n\
             [[runs]]\nid = \"a\"\n[[runs.groups]]\nid = \"g\"\n",
            ":12: parameter `rounds`: `ten` is not",
            "pings",
        ),
        (
            "[[groups]]\nid = \"h\"\ninstances = { count = 1 }\nresources = { memory = \"lots\", cpu = 2 }\n",
            ":12: `memory` in `resources`",
            "512Mi",
        ),
        ("x = \"a\n", ":9: not TOML", "close texts with the quote"),
        ("x = [1 2]\n", ":9: not TOML", "commas between values"),
        ("[runs\n", ":9: not TOML", "`]`"),
    ];
    for (tail, text, hint) in rows {
        let found = problems(&format!("{HEAD}{tail}"));
        assert_eq!(found.len(), 1, "{tail}\n{found:#?}");
        assert!(found[0].contains(text) && found[0].contains(hint), "{} should be {text} … {hint}", found[0]);
        assert!(found[0].contains(HINT), "{} says what to do", found[0]);
    }
}

#[test]
fn values_are_checked_even_if_the_case_is_not_known() {
    let text = format!("{}[groups.run.test_params]\nanything = \"a|b\"\n", HEAD.replace("rtt", "rrt"));
    let found = problems(&text);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].contains("no case `rrt`") && found[1].contains(":10: parameter `anything`: `a|b` holds `|`"));
}

#[test]
fn parameters_are_checked_against_the_case_that_was_probably_meant() {
    let tail = "[groups.run.test_params]\nroudns = \"5\"\nsecure = \"yes\"\n";
    let found = problems(&format!("{}{tail}", HEAD.replace("rtt", "rrt")));
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[1].contains("did you mean `rounds`?") && found[2].contains("parameter `secure`"), "{found:#?}");
}

#[test]
fn a_count_that_cannot_be_says_what_can() {
    let found = problems(&HEAD.replace("count = 2", "count = -2"));
    assert!(found[0].contains("is negative") && found[0].contains("from 0 on"), "{found:#?}");
    let found = problems(&HEAD.replace("count = 2", "count = 5000000000"));
    assert!(found[0].contains("is too large") && found[0].contains("4294967295"), "{found:#?}");
}

#[test]
fn what_is_no_toml_gives_its_lines() {
    let found = problems("[global]\nplan = \"p\"\ncase = rtt\nx = = 3\n\n[[groups]]\nid = \"a\nx = 1\n");
    assert!(found.len() >= 2, "{found:#?}");
    for line in [3, 4, 7] {
        assert!(found.iter().any(|p| p.starts_with(&format!("composition.toml:{line}: not TOML"))), "{found:#?}");
    }
    let found = problems("[global]\nplan = \"p\"\nplan = \"q\"\n");
    assert!(found[0].starts_with("composition.toml:3: not TOML: duplicate key"), "{found:#?}");
    assert!(problems("")[0].contains("no `[global]`"));
}

#[test]
fn the_default_case_of_a_manifest_has_to_be_one() {
    let with = |case: &str| {
        let text = format!("name = \"p\"\n[defaults]\ncase = \"{case}\"\n[[testcases]]\nname = \"a\"\n");
        tg_model::Manifest::parse("m.toml", &text)
    };
    assert_eq!(with("a").expect("a manifest").default_case.as_deref(), Some("a"));
    let problems = with("b").expect_err("no such case");
    assert_eq!(problems.len(), 1);
    assert!(problems[0].to_string().starts_with("m.toml:3: `defaults.case` names `b`"), "{}", problems[0]);
}

#[test]
fn a_manifest_reports_all_its_mistakes_too() {
    let text = "nmae = \"p\"\n[builders]\n\"exec:go\" = true\n[[testcases]]\nname = \"a\"\ninstances = { min = 5, max = 2 }\n\
                params = { x = 5, y = { tpye = \"int\" } }\n[[testcases]]\nname = \"a\"\n[extra_sources]\nexec_go = \"../x\"\n";
    let problems = tg_model::Manifest::parse("m.toml", text).expect_err("mistakes");
    let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 8, "{found:#?}");
    for line in [
        "m.toml: the manifest has no `name`",
        "m.toml:1:",
        "m.toml:2:",
        "m.toml:6:",
        "m.toml:7:",
        "m.toml:8:",
        "m.toml:11:",
    ] {
        assert!(found.iter().any(|problem| problem.starts_with(line)), "{line} {found:#?}");
    }
}
