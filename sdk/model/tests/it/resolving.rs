//! What good input gives.

use std::path::Path;
use std::time::Duration;

use tg_model::env::mix;
use tg_model::resolve::repeat_seed;
use tg_model::{Composition, Expect, Manifest, RunSpec, Wish, resolve};

use crate::{manifest, problems, problems_with, resolved, resolved_with};

const HEAD: &str = "[global]\nplan = \"pings\"\ncase = \"rtt\"\nbuilder = \"exec:cargo\"\nrunner = \"local:exec\"\n";

fn param<'a>(run: &'a RunSpec, group: usize, name: &str) -> Option<&'a str> {
    run.groups[group].params.get(name).map(String::as_str)
}

#[test]
fn shares_are_rounded_half_up() {
    for (share, total, count) in
        [(0.5, 5, 3), (0.25, 10, 3), (0.15, 10, 2), (0.3, 10, 3), (0.49, 5, 2), (0.125, 20, 3), (0.001, 9, 0)]
    {
        let text = format!(
            "{}total_instances = {total}\n[[groups]]\nid = \"a\"\ninstances = {{ percentage = {share} }}\n\
             [[groups]]\nid = \"b\"\ninstances = {{ count = {} }}\n",
            HEAD.replace("rtt", "free"),
            total - count
        );
        let runs = resolved(&text).expect("the counts add up");
        let found = runs[0].groups.iter().find(|group| group.name.as_str() == "a").map_or(0, |group| group.count);
        assert_eq!(found, count, "{share} of {total}");
        assert_eq!(runs[0].instances(), total);
    }
}

#[test]
fn each_layer_of_parameters_holds_against_those_below() {
    let text = format!(
        "{HEAD}[global.run.test_params]\nrounds = 1\nnote = \"global\"\ndelay = \"\"\n\
         [[groups]]\nid = \"g\"\ninstances = {{ count = 2 }}\n[groups.run.test_params]\nrounds = 2\nnote = \"group\"\n\
         [[runs]]\nid = \"a\"\ntest_params = {{ rounds = 3 }}\n[[runs.groups]]\nid = \"g\"\ntest_params = {{ rounds = 4, note = \"\" }}\n\
         [[runs]]\nid = \"b\"\ntest_params = {{ rounds = 3 }}\n[[runs.groups]]\nid = \"h\"\ngroup_id = \"g\"\n\
         [[runs]]\nid = \"c\"\n[[runs.groups]]\nid = \"g\"\n"
    );
    let runs = resolved(&text).expect("a good composition");
    assert_eq!(runs.iter().map(|run| run.config["run"].as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(
        [param(&runs[0], 0, "rounds"), param(&runs[1], 0, "rounds"), param(&runs[2], 0, "rounds")].map(Option::unwrap),
        ["4", "3", "2"]
    );
    assert_eq!(runs[1].groups[0].name.as_str(), "h");
    assert_eq!(param(&runs[0], 0, "note"), Some("group"), "an empty text gives way to a lower layer");
    assert_eq!(param(&runs[0], 0, "delay"), Some("10ms"), "even to the manifest");
    assert_eq!(param(&runs[0], 0, "secure"), Some("false"), "a default that is no text is JSON");
    assert_eq!(param(&runs[0], 0, "sizes"), Some("[\"1KB\",\"1MB\"]"));

    let wish = Wish { params: [("rounds".to_owned(), "9".to_owned())].into(), ..Wish::default() };
    for run in resolved_with(&text, &wish).expect("a good composition") {
        assert_eq!(param(&run, 0, "rounds"), Some("9"));
    }
    let wish = Wish { run_ids: vec!["b".to_owned()], ..Wish::default() };
    assert_eq!(resolved_with(&text, &wish).expect("one run").len(), 1);
}

#[test]
fn bare_values_are_carried_as_text() {
    let text = format!(
        "{}[[groups]]\nid = \"g\"\ninstances = {{ count = 2 }}\n[groups.run.test_params]\n\
         a = 10\nb = true\nc = 0.10\nd = [1, \"x\", true]\ne = 1979-05-27\nf = {{ k = [1] }}\ng = 0x1F\nh = 1e30\n",
        HEAD.replace("rtt", "free")
    );
    let runs = resolved(&text).expect("a case without parameters takes any");
    let found: Vec<&str> =
        ["a", "b", "c", "d", "e", "f", "g", "h"].iter().filter_map(|n| param(&runs[0], 0, n)).collect();
    assert_eq!(found, ["10", "true", "0.1", "[1,\"x\",true]", "1979-05-27", "{\"k\":[1]}", "31", "1e30"]);
}

#[test]
fn settings_of_builder_and_backend_come_from_all_layers() {
    let text = format!(
        "{HEAD}concurrent_builds = 2\ndisable_metrics = true\nseed = 7\ndeadline = \"1m30s\"\n\
         [global.build_config]\nprofile = \"dev\"\npath = \"all/\"\n[global.run_config]\nulimit = 5\n\
         [global.build]\nselectors = [\"s\"]\n[[global.build.dependencies]]\nmodule = \"m\"\nversion = \"1\"\n\
         [[global.build.dependencies]]\nmodule = \"n\"\nversion = \"1\"\n[global.run]\nartifact = \"all.bin\"\n\
         [[groups]]\nid = \"a\"\ninstances = {{ count = 2 }}\nresources = {{ memory = \"1Gi\", cpu = 2 }}\nexpect = \"exit:3\"\n\
         build_config = {{ path = \"a/\" }}\n[groups.build]\nSelectors = [\"t\"]\n\
         [[groups.build.dependencies]]\nmodule = \"m\"\ntarget = \"fork\"\nversion = \"2\"\n[groups.run]\nartifact = \"a.bin\"\n\
         profiles = {{ cpu = \"true\" }}\n[[groups]]\nid = \"b\"\ninstances = {{ count = 1 }}\n"
    );
    let run = &resolved(&text).expect("a good composition")[0];
    assert_eq!((run.plan.as_str(), run.case.as_str(), run.backend.as_str()), ("pings", "rtt", "local:exec"));
    assert_eq!(run.plan_dir, Path::new("plans/pings"));
    assert_eq!((run.concurrent_builds, run.disable_metrics, run.deadline), (2, true, Some(Duration::from_secs(90))));
    assert_eq!(run.run_config.to_string().trim(), "ulimit = 5");
    assert_eq!(run.composition.as_deref(), Some(text.as_str()));
    let [a, b] = run.groups.as_slice() else { panic!("two groups") };
    assert_eq!(a.build.config["path"].as_str(), Some("a/"));
    assert_eq!(a.build.config["profile"].as_str(), Some("dev"));
    assert_eq!(a.build.config["features"].as_array().map(Vec::len), Some(1), "what only the manifest sets");
    assert!(!a.build.config.contains_key("enabled"));
    assert_eq!(b.build.config["path"].as_str(), Some("all/"));
    assert_eq!((a.build.selectors.join(","), b.build.selectors.join(",")), ("t".to_owned(), "s".to_owned()));
    let modules = |group: &tg_model::GroupSpec| -> Vec<String> {
        group
            .build
            .dependencies
            .iter()
            .map(|d| format!("{}@{}", d.module, d.version.clone().unwrap_or_default()))
            .collect()
    };
    assert_eq!(
        (modules(a), modules(b)),
        (vec!["m@2".to_owned(), "n@1".to_owned()], vec!["m@1".to_owned(), "n@1".to_owned()])
    );
    assert_eq!((a.artifact.as_deref(), b.artifact.as_deref()), (Some("a.bin"), Some("all.bin")));
    assert_eq!((a.expect, b.expect), (Expect::Exit(3), Expect::Ok));
    assert_eq!((a.resources.memory.as_deref(), a.resources.cpu.as_deref()), (Some("1Gi"), Some("2")));
    assert_eq!(a.profiles["cpu"], "true");
}

#[test]
fn a_matrix_makes_every_combination_and_repeats_are_interleaved() {
    let text = format!(
        "{HEAD}[[groups]]\nid = \"servers\"\ninstances = {{ count = 1 }}\n[[groups]]\nid = \"clients\"\ninstances = {{ count = 2 }}\n\
         [matrix]\nrounds = [1, 10]\n\"groups.servers.count\" = [50, 100]\ngroups.clients.test_params.delay = [\"1ms\"]\n"
    );
    let wish = Wish { seed: 42, repeats: 2, ..Wish::default() };
    let runs = resolved_with(&text, &wish).expect("a good matrix");
    let seen: Vec<(u32, &str, u32)> =
        runs.iter().map(|run| (run.repeat, run.config["rounds"].as_str(), run.groups[0].count)).collect();
    let once = [("1", 50), ("1", 100), ("10", 50), ("10", 100)];
    let wanted: Vec<_> = (0..2).flat_map(|repeat| once.map(|(rounds, count)| (repeat, rounds, count))).collect();
    assert_eq!(seen, wanted);
    for run in &runs {
        assert_eq!(param(run, 0, "rounds"), Some(run.config["rounds"].as_str()));
        assert_eq!((param(run, 0, "delay"), param(run, 1, "delay")), (Some("10ms"), Some("1ms")));
        assert_eq!(run.config["groups.servers.count"], run.groups[0].count.to_string());
        assert_eq!((run.seed, run.repeats), (repeat_seed(42, run.repeat), 2));
        assert!(!run.config.contains_key("run"), "there is only one run");
    }
    assert_eq!((repeat_seed(42, 0), repeat_seed(42, 1)), (42, mix(mix(42) ^ 1)));

    let pinned = Wish { params: [("rounds".to_owned(), "3".to_owned())].into(), ..Wish::default() };
    let runs = resolved_with(&text, &pinned).expect("a good matrix");
    assert_eq!(runs.len(), 2, "a flag pins its axis");
    assert!(runs.iter().all(|run| param(run, 0, "rounds") == Some("3") && !run.config.contains_key("rounds")));
}

#[test]
fn a_run_without_a_composition_takes_what_the_manifest_offers() {
    let single = Composition::single("pings", "rtt", 3);
    let runs = resolve(&manifest(), Path::new("."), &single, &Wish::default()).expect("a good wish");
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].groups[0].name.as_str(), runs[0].groups[0].count), ("single", 3));
    assert_eq!((runs[0].backend.as_str(), runs[0].groups[0].build.builder.as_str()), ("local:exec", "exec:cargo"));
    assert!(runs[0].composition.is_none() && runs[0].config.is_empty());

    let wish =
        Wish { builder: Some("docker:generic".to_owned()), backend: Some("cluster:k8s".to_owned()), ..Wish::default() };
    let runs = resolve(&manifest(), Path::new("."), &single, &wish).expect("a good wish");
    assert_eq!((runs[0].backend.as_str(), runs[0].groups[0].build.builder.as_str()), ("cluster:k8s", "docker:generic"));

    let wish = Wish {
        builder: Some("exec:crgo".to_owned()),
        backend: Some("local:docker".to_owned()),
        repeats: 0,
        ..Wish::default()
    };
    let problems =
        resolve(&manifest(), Path::new("."), &Composition::single("pings", "rt", 500), &wish).expect_err("bad flags");
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("500 instances, but case `rtt`")), "as if `rtt` was meant");
    assert!(lines.iter().any(|line| line == "--builder: tg has no builder `exec:crgo`"));
}

#[test]
fn a_composition_of_february_2020_runs() {
    let manifest = "name = \"dht\"\nsource_path = \"file://${X}/plans/dht\"\n[defaults]\nbuilder = \"exec:go\"\nrunner = \"local:exec\"\n\
        [build_strategies.\"exec:go\"]\nenabled = true\nmodule_path = \"example.org/dht\"\n[run_strategies.\"local:exec\"]\nenabled = true\n\
        [[testcases]]\nname = \"store\"\ninstances = { min = 1, max = 250, default = 16 }\nroles = [\"storer\"]\n\
        [testcases.params]\nbucket_size = { type = \"int\", desc = \"\", unit = \"peers\" }\n";
    let text = "[metadata]\nname = \"x\"\nauthor = \"y\"\n[global]\nplan = \"dht\"\ncase = \"store\"\ntotal_instances = 5\n\
        builder = \"exec:go\"\nrunner = \"local:exec\"\n[global.build_config]\npush_registry = true\n\
        [[groups]]\nid = \"a\"\n[groups.instances]\ncount = 5\npercentage = 0.0\n[groups.build]\nSelectors = [\"balsam\"]\n\
        [groups.run]\nartifact = \"\"\n[groups.run.test_params]\nbucket_size = \"10\"\n";
    let manifest = Manifest::parse("manifest.toml", manifest).expect("a good manifest");
    let composition = Composition::parse("c.toml", text).expect("TOML");
    let runs = resolve(&manifest, Path::new("."), &composition, &Wish::default()).expect("a good composition");
    assert_eq!(runs[0].instances(), 5);
    assert_eq!(runs[0].groups[0].build.selectors, ["balsam"]);
    assert_eq!(runs[0].groups[0].build.config["module_path"].as_str(), Some("example.org/dht"));
    assert_eq!(runs[0].groups[0].artifact, None);
}

#[test]
fn totals_bounds_and_limits_are_checked() {
    let group = |size: &str| format!("[[groups]]\nid = \"g\"\ninstances = {{ {size} }}\n");
    let one = |text: String, part: &str| {
        let found = problems(&text);
        assert!(found.len() == 1 && found[0].contains(part), "{found:#?} should be about {part}");
    };
    one(
        format!("{HEAD}total_instances = 5\n{}", group("count = 4")),
        "composition.toml:6: the groups have 4 instances together",
    );
    one(format!("{HEAD}{}", group("count = 1")), "takes 2 to 200");
    one(format!("{HEAD}{}", group("count = 201")), "takes 2 to 200");
    one(format!("{HEAD}{}", group("percentage = 0.5")), "there is no total");
    one(format!("{}{}", HEAD.replace("rtt", "free"), group("count = 10_000_001")), "the most is 10000000");
    one(format!("{}{}", HEAD.replace("rtt", "free"), group("count = 5_000_000_000")), "too large");
    one(
        format!("{HEAD}{}[matrix]\n\"groups.g.count\" = [100, 300]\n", group("count = 2")),
        "with groups.g.count = 300",
    );
    one(format!("{HEAD}{}[matrix]\n\"groups.h.count\" = [100]\n", group("count = 2")), "did you mean `g`?");
    let many: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    let many = many.join(", ");
    one(format!("{HEAD}{}[matrix]\nrounds = [{many}]\nnote = [{many}]\n", group("count = 2")), "a matrix of 200 × 200");
    let wish = Wish { repeats: 20_000, ..Wish::default() };
    assert!(problems_with(&format!("{HEAD}{}", group("count = 2")), &wish)[0].contains("10000"));
}
