//! The builders, with real toolchains. Where one is missing the test says so by name; with `CI` set that is a failure.

use std::fs;
use std::path::Path;

use tg_model::event::EventKind;
use tg_model::outcome::Outcome;
use tg_model::spec::{Dependency, RunSpec};
use tg_model::{Exit, RunEvent};
use tg_runner::{Artifacts, BuildError, BuildOptions, build_all};
use tokio::sync::mpsc;

use crate::harness::{Bench, group};

fn write(dir: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
}

fn bench(builder: &str, config: &str, files: &[(&str, &str)]) -> Bench {
    let mut bench = Bench::new(vec![group("single", 1, "")]);
    let plan_dir = bench.home.path().join("plan");
    write(&plan_dir, files);
    bench.spec.plan_dir = plan_dir;
    builder.clone_into(&mut bench.spec.groups[0].build.builder);
    bench.spec.groups[0].build.config = config.parse().expect("TOML");
    bench
}

async fn build(bench: &Bench, specs: &[RunSpec]) -> (Result<Artifacts, BuildError>, Vec<RunEvent>) {
    let (to, mut from) = mpsc::channel(8);
    let options = BuildOptions::new(bench.home.path(), specs);
    let building = async {
        let to = to;
        build_all(specs, &options, &to, &bench.cancel).await
    };
    let mut events = Vec::new();
    let (built, ()) = tokio::join!(building, async {
        while let Some(event) = from.recv().await {
            events.push(event);
        }
    });
    (built, events)
}

/// Builds and says of each build whether it was cached.
async fn cached(bench: &Bench) -> Vec<bool> {
    let (built, events) = build(bench, std::slice::from_ref(&bench.spec)).await;
    built.expect("it builds");
    let cached = |event: &RunEvent| match event.kind {
        EventKind::BuildFinished { cached, .. } => Some(cached),
        _ => None,
    };
    events.iter().filter_map(cached).collect()
}

async fn error(bench: &Bench) -> (BuildError, Vec<RunEvent>) {
    let (built, events) = build(bench, std::slice::from_ref(&bench.spec)).await;
    (built.expect_err("it cannot be built"), events)
}

#[expect(clippy::print_stderr, reason = "a test that skips says so")]
fn has(tool: &str) -> bool {
    let found = std::process::Command::new(tool).arg("--version").output().is_ok()
        || std::process::Command::new(tool).arg("version").output().is_ok();
    assert!(found || std::env::var_os("CI").is_none(), "`{tool}` is missing");
    if !found {
        eprintln!("skipped: `{tool}` is missing");
    }
    found
}

const SAY_OK: &str = r#"fn main() { println!("{{\"event\":{{\"success_event\":{{\"group\":\"single\"}}}}}}"); }"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cargo_builds_what_changed_and_runs_it() {
    let manifest =
        "[package]\nname = \"shell\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[features]\nbad = []\n[workspace]\n";
    let main = format!("#[cfg(feature = \"bad\")]\ncompile_error!(\"bad is on\");\n{SAY_OK}");
    let mut bench = bench("exec:cargo", "", &[("Cargo.toml", manifest), ("src/main.rs", &main)]);
    assert_eq!(cached(&bench).await, [false]);
    assert_eq!(cached(&bench).await, [true]);
    assert_eq!(bench.run().await.outcome().0, Outcome::Ok);

    // The compiler's own words.
    bench.spec.groups[0].build.selectors = vec!["bad".to_owned()];
    let (failed, events) = error(&bench).await;
    assert_eq!(failed.exit(), Exit::Build);
    let words = failed.to_string();
    assert!(words.contains("bad is on") && words.contains("src/main.rs:2"), "{words}");
    let EventKind::BuildFailed { output, .. } = &events.last().expect("some").kind else { panic!("{events:?}") };
    assert!(output.contains("bad is on"));
    assert!(matches!(&events[0].kind, EventKind::BuildStarted { groups, .. } if groups.len() == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_with_equal_builds_share_one_and_others_do_not_mix() {
    let manifest =
        "[package]\nname = \"shell\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[features]\nloud = []\n[workspace]\n";
    let main = r#"fn main() { std::process::exit(if cfg!(feature = "loud") { 3 } else { 4 }) }"#;
    let mut bench = bench("exec:cargo", "", &[("Cargo.toml", manifest), ("src/main.rs", main)]);
    let quiet = bench.spec.groups[0].clone();
    for (name, selectors) in [("same", vec![]), ("loud", vec!["loud".to_owned()])] {
        let mut group = quiet.clone();
        group.name = name.parse().expect("a name");
        group.build.selectors = selectors;
        bench.spec.groups.push(group);
    }
    assert_eq!(cached(&bench).await.len(), 2);
    let ran = bench.run().await;
    let mut codes: Vec<_> = ran.finished().map(|(id, _, _, evidence)| (id, evidence.exit_code())).collect();
    codes.sort_unstable();
    assert_eq!(codes, [("loud/0", 3), ("same/0", 4), ("single/0", 4)].map(|(id, code)| (id.to_owned(), Some(code))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn generic_artifacts_are_cached_by_the_content_of_the_sources() {
    let config = r#"build = ["sh", "-c", "cp plan.sh made; echo x >> ../count"]
artifact = "made""#;
    let script = "#!/bin/sh\necho '{\"event\":{\"success_event\":{\"group\":\"single\"}}}'\n";
    let bench = bench("exec:generic", config, &[("plan.sh", script)]);
    let plan = bench.spec.plan_dir.join("plan.sh");
    fs::set_permissions(&plan, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("set");
    assert_eq!([cached(&bench).await, cached(&bench).await], [[false], [true]]);
    assert_eq!(bench.run().await.outcome().0, Outcome::Ok);
    fs::write(&plan, format!("{script}# changed\n")).expect("written");
    assert_eq!([cached(&bench).await, cached(&bench).await], [[false], [true]]);
    let count = fs::read_to_string(bench.home.path().join("count")).expect("it ran");
    assert_eq!(count.lines().count(), 2);
}

#[tokio::test]
async fn extra_sources_are_sources_too() {
    let config = "artifact = \"plan.sh\"\nbuild = [\"sh\", \"-c\", \"cp ../lib/plan.sh . && chmod +x plan.sh\"]";
    let mut bench = bench("exec:generic", config, &[("README", "")]);
    bench.spec.groups[0].build.extra_sources = vec!["../lib".to_owned()];
    let (failed, _) = error(&bench).await;
    assert!(failed.to_string().contains("`../lib`, which is no folder"), "{failed}");
    assert_eq!(failed.exit(), Exit::Usage);
    let lib = bench.home.path().join("lib");
    write(&lib, &[("plan.sh", "#!/bin/sh\n")]);
    assert_eq!([cached(&bench).await, cached(&bench).await], [[false], [true]]);
    write(&lib, &[("plan.sh", "#!/bin/sh\nexit 1\n")]);
    assert_eq!([cached(&bench).await, cached(&bench).await], [[false], [true]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_is_said_before_anything_is_built() {
    let rows: &[(&str, &str, Exit, &str)] = &[
        ("exec:generic", "", Exit::Usage, "give `command"),
        ("exec:generic", "command = \"sh\"", Exit::Usage, "`command` must be a list of texts"),
        ("exec:generic", "comand = [\"sh\"]", Exit::Usage, "has no setting `comand`"),
        ("exec:generic", "command = [\"no-such-program\"]", Exit::Usage, "`no-such-program` is not there"),
        ("exec:generic", "artifact = \"x\"\nbuild = [\"sh\", \"-c\", \"echo words; exit 3\"]", Exit::Build, "words"),
        ("exec:generic", "artifact = \"x\"\nbuild = [\"true\"]", Exit::Usage, "left no program `x`"),
        ("exec:cargo", "", Exit::Usage, "there is no Cargo.toml"),
        ("exec:go", "", Exit::Usage, "there is no go.mod"),
        ("exec:node", "", Exit::Usage, "there is no package.json"),
        ("docker:node", "", Exit::Usage, "there is no package.json"),
        ("docker:bun", "", Exit::Usage, "builder `docker:bun` is not known"),
    ];
    for (builder, config, exit, words) in rows {
        if matches!(*builder, "exec:go" if !has("go")) || matches!(*builder, "exec:node" | "docker:node" if !has("npm"))
        {
            continue;
        }
        let (error, _) = error(&bench(builder, config, &[("a", "")])).await;
        assert_eq!(error.exit(), *exit, "{builder} {config}: {error}");
        assert!(error.to_string().contains(words), "{builder} {config}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn go_modules_are_built_with_tags_and_replaced_dependencies() {
    if !has("go") {
        return;
    }
    let files = [
        (
            "go.mod",
            "module example.org/plan\n\ngo 1.20\n\nrequire example.org/dep v0.0.0\n\nreplace example.org/dep => ./dep\n",
        ),
        ("dep/go.mod", "module example.org/dep\n\ngo 1.20\n"),
        ("dep/dep.go", "package dep\n\nconst Code = 3\n"),
        ("other/go.mod", "module example.org/dep\n\ngo 1.20\n"),
        ("other/dep.go", "package dep\n\nconst Code = 4\n"),
        (
            "cmd/main.go",
            "package main\n\nimport (\n\t\"os\"\n\n\t\"example.org/dep\"\n)\n\nfunc main() { os.Exit(dep.Code + extra) }\n",
        ),
        ("cmd/plain.go", "//go:build !more\n\npackage main\n\nconst extra = 0\n"),
        ("cmd/more.go", "//go:build more\n\npackage main\n\nconst extra = 10\n"),
    ];
    let mut bench = bench("exec:go", "exec_pkg = \"cmd\"\nmodule_path = \"example.org/plan\"", &files);
    let plain = bench.spec.groups[0].clone();
    let mut tagged = plain.clone();
    tagged.name = "tagged".parse().expect("a name");
    tagged.build.selectors = vec!["more".to_owned()];
    let mut replaced = plain.clone();
    replaced.name = "replaced".parse().expect("a name");
    replaced.build.dependencies =
        vec![Dependency { module: "example.org/dep".to_owned(), target: Some("./other".to_owned()), version: None }];
    bench.spec.groups.extend([tagged, replaced]);
    let ran = bench.run().await;
    let mut codes: Vec<_> = ran.finished().map(|(id, _, _, evidence)| (id, evidence.exit_code())).collect();
    codes.sort_unstable();
    assert_eq!(
        codes,
        [("replaced/0", 4), ("single/0", 3), ("tagged/0", 13)].map(|(id, code)| (id.to_owned(), Some(code)))
    );
    assert_eq!(cached(&bench).await, [true, true, true]);
    let left = fs::read_dir(bench.home.path().join("cache/builds")).expect("a cache");
    assert!(
        !left.map(|entry| entry.expect("an entry").file_name()).any(|name| name.to_string_lossy().contains(".partial"))
    );
    let gomod = fs::read_to_string(bench.spec.plan_dir.join("go.mod")).expect("still there");
    assert!(gomod.contains("=> ./dep"), "the plan's own go.mod stays as it is");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_packages_are_installed_into_a_copy() {
    if !has("npm") {
        return;
    }
    let files = [
        (
            "package.json",
            r#"{"name":"plan","version":"1.0.0","scripts":{"start":"node main.js"},"dependencies":{"dep":"file:./dep"}}"#,
        ),
        ("dep/package.json", r#"{"name":"dep","version":"1.0.0","main":"index.js"}"#),
        ("dep/index.js", "module.exports = 3\n"),
        ("main.js", "require('fs').writeFileSync('here', ''); process.exit(require('dep'))\n"),
    ];
    let bench = bench("exec:node", "", &files);
    assert_eq!([cached(&bench).await, cached(&bench).await], [[false], [true]]);
    let ran = bench.run().await;
    assert_eq!(ran.finished().next().expect("one").3.exit_code(), Some(3));
    assert!(!bench.spec.plan_dir.join("node_modules").exists());
    fs::write(bench.spec.plan_dir.join("package.json"), r#"{"dependencies":{"dep":"file:../dep"}}"#).expect("written");
    assert!(error(&bench).await.0.to_string().contains("outside the plan's folder"));
}
