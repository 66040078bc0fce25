//! What the machine lacks: one clear error, and nothing half-written under a final name.

use std::fs;

use tg_e2e::{Home, plan};

fn shell() -> String {
    plan("shell").to_str().expect("a plain path").to_owned()
}

#[test]
fn a_home_that_cannot_be_written_is_named() {
    let home = Home::new();
    let file = home.file("file", "");
    for place in [file.join("home").to_str().expect("a plain path"), "/proc/tg-home"] {
        let done = home.tg(["--home", place, "run", &shell(), "--case", "ok"]);
        done.expect(14).says(place);
    }
    assert!(!home.path().exists());
}

#[test]
fn a_missing_toolchain_is_named_before_anything_starts() {
    for (name, tool) in [("go-sdk", "go"), ("js-sdk", "node")] {
        let home = Home::new();
        let empty = home.path().with_file_name("empty");
        fs::create_dir(&empty).expect("a folder");
        let plan = plan(name);
        let mut command = home.command(["run", plan.to_str().expect("a plain path"), "--case", "success"]);
        let done = tg_e2e::finish(command.env("PATH", &empty));
        done.expect(14).says(&format!("`{tool}`"));
        assert!(home.runs().iter().all(|run| run.pids().is_empty()), "no instance was started");
    }
}

#[test]
fn a_command_that_is_not_there_is_named() {
    let home = Home::new();
    let folder = home.path().with_file_name("plan");
    fs::create_dir(&folder).expect("a folder");
    let manifest = fs::read_to_string(plan("shell").join("manifest.toml")).expect("a manifest");
    fs::write(folder.join("manifest.toml"), manifest).expect("a manifest");
    let done = home.tg(["run", folder.to_str().expect("a plain path"), "--case", "ok"]);
    assert_ne!(done.code(), 0);
    done.says("plan.sh");
}
