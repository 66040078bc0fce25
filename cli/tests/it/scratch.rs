//! A scratch folder with a home and a plan that needs no toolchain.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// What one `tg` left: exit code, stdout, stderr.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("tg prints UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// The folder.
pub(crate) struct Scratch {
    dir: TempDir,
}

const MANIFEST: &str = r#"
name = "shell"
[defaults]
builder = "exec:generic"
runner = "local:exec"
[builders."exec:generic"]
enabled = true
command = ["sh", "{plan_dir}/plan.sh"]
[runners."local:exec"]
enabled = true
[[testcases]]
name = "ok"
instances = { min = 1, max = 100, default = 2 }
[testcases.params]
rounds = { type = "int", default = 1 }
[[testcases]]
name = "fail"
instances = { min = 1, max = 100, default = 3 }
[[testcases]]
name = "hang"
instances = { min = 1, max = 100, default = 2 }
"#;

const SCRIPT: &str = r#"#!/bin/sh
case $TEST_CASE in
ok)
    echo "plain line of $TG_INSTANCE_INDEX"
    printf '2026-11-22T22:15:3%s.5Z ERROR oops \033[2Jof %s\n' "$TG_INSTANCE_INDEX" "$TG_INSTANCE_INDEX" >&2
    echo '{"ts":1,"event":{"success_event":{"group":"'"$TEST_GROUP_ID"'"}}}' ;;
fail)
    printf 'last \377 words\n' >&2
    exit 3 ;;
hang)
    echo ready
    exec sleep 1000 ;;
esac
"#;

impl Scratch {
    /// A home and the plan `shell`.
    pub(crate) fn new() -> Self {
        let dir = TempDir::with_prefix("tg-cli-").expect("a scratch folder");
        let scratch = Self { dir };
        fs::create_dir_all(scratch.path("shell")).expect("a folder");
        fs::write(scratch.path("shell/manifest.toml"), MANIFEST).expect("a manifest");
        fs::write(scratch.path("shell/plan.sh"), SCRIPT).expect("a script");
        fs::set_permissions(scratch.path("shell/plan.sh"), fs::Permissions::from_mode(0o755)).expect("a program");
        scratch
    }

    /// A path below the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `tg` with these arguments, not started yet.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tg"));
        command.args(args).current_dir(self.dir.path()).env("TG_HOME", self.path("home")).stdin(Stdio::null());
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        command
    }

    /// Runs `tg` to its end.
    pub(crate) fn tg(&self, args: &[&str]) -> Done {
        self.command(args).output().expect("tg starts").into()
    }

    /// The ids of the runs, the newest first.
    pub(crate) fn runs(&self) -> Vec<String> {
        let list = self.tg(&["runs", "list", "--format", "json"]);
        let json: serde_json::Value = serde_json::from_str(&list.out).expect("JSON");
        let rows = json["runs"].as_array().expect("a table of runs");
        rows.iter().map(|row| row["run"].as_str().expect("an id").to_owned()).collect()
    }
}
