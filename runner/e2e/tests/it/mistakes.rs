//! Mistakes in what the user wrote: each gets its message, all at once, and nothing is started.

use tg_e2e::{Home, plan};

#[test]
fn ten_mistakes_get_ten_messages() {
    let home = Home::new();
    let text = format!(
        r#"
[metadata]
auhtor = "me"

[global]
plan = "{}"
case = "flod"
builder = "exec:generic"
runner = "local:exec"
total_instances = "many"
deadline = "soon"
seed = -1

[[groups]]
id = "a/b"
instances = {{ count = 1 }}

[[groups]]
id = "twice"
instances = {{ count = 1, percentage = 0.5 }}
expect = "fine"

[[groups]]
id = "twice"
biulder = "exec:generic"
instances = {{ count = -3 }}
"#,
        plan("shell").display()
    );
    let composition = home.file("composition.toml", &text);
    let done = home.tg(["run", composition.to_str().expect("a plain path")]);
    done.expect(2);
    for (line, word) in [
        (3, "author"),
        (7, "flood"),
        (10, "total_instances"),
        (11, "deadline"),
        (12, "seed"),
        (15, "a/b"),
        (20, "percentage"),
        (21, "fine"),
        (24, "twice"),
        (25, "builder"),
        (26, "negative"),
    ] {
        let place = format!("composition.toml:{line}:");
        let told: Vec<&str> = done.stderr.split(&place).skip(1).collect();
        assert_eq!(told.len(), 1, "one message on line {line}\n{}", done.stderr);
        assert!(told[0].lines().take(3).any(|text| text.contains(word)), "`{word}` in line {line}\n{}", done.stderr);
    }
    assert!(home.runs().is_empty(), "nothing was started");
}

#[test]
fn what_is_not_there_is_named() {
    let home = Home::new();
    home.tg(["run", "no/such/plan"]).expect(2).says("no/such/plan");
    home.tg(["runs", "show", "20200101"]).expect(20).says("20200101");
    home.tg(["collect", "20200101"]).expect(20).says("20200101");
    home.tg(["runn"]).expect(2).says("runn");
}

#[test]
fn a_plan_that_is_not_there_is_one_problem_among_the_others() {
    let home = Home::new();
    let text = "[global]\nplan = \"nosuchplan\"\ncase = \"c\"\n[[groups]]\nid = \"a\"\nexpect = \"fine\"\n";
    let composition = home.file("composition.toml", text);
    let done = home.tg(["run", composition.to_str().expect("a plain path"), "--dry-run"]);
    done.expect(2).says("5 problems");
    for told in [
        ":1: `[global]` has no `runner`",
        ":2: there is no plan `nosuchplan`",
        ":5: group `a` has no builder",
        ":5: group `a` has no `instances`",
        ":6: `expect = \"fine\"`",
    ] {
        done.says(told);
    }
}

#[test]
fn a_setting_that_no_builder_has_is_told_before_anything_is_built() {
    let home = Home::new();
    let text = format!(
        "[global]\nplan = \"{}\"\ncase = \"exit\"\nbuilder = \"exec:generic\"\nrunner = \"local:exec\"\n[[groups]]\nid = \"a\"\n\
         instances = {{ count = 1 }}\nbuild_config = {{ comand = [\"x\"] }}\n",
        plan("shell").display()
    );
    let composition = home.file("composition.toml", &text);
    let done = home.tg(["run", composition.to_str().expect("a plain path"), "--dry-run"]);
    done.expect(2).says("`comand`").says("did you mean `command`?");
}
