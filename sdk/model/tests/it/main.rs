//! Manifests and compositions, read and resolved as the command does it.

mod mistakes;
mod properties;
mod reference;
mod resolving;
mod templates;

use std::path::Path;

use tg_model::{Composition, Manifest, Problem, RunSpec, Wish, resolve};

/// A plan with two cases, that every builder and backend of tg can build and run.
const MANIFEST: &str = r#"
name = "pings"

[defaults]
builder = "exec:cargo"
runner = "local:exec"

[builders]
"exec:cargo" = { enabled = true, profile = "release", features = ["a"] }
"exec:go" = { enabled = true }
"exec:generic" = { enabled = true }
"docker:generic" = { enabled = true }

[runners]
"local:exec" = { enabled = true, ulimit = 1024 }
"cluster:k8s" = { enabled = true }

[[testcases]]
name = "rtt"
instances = { min = 2, max = 200, default = 2 }
  [testcases.params]
  rounds = { type = "int", desc = "pings per pair", unit = "pings", default = 5 }
  secure = { type = "bool", desc = "with TLS", default = false }
  delay = { type = "duration", desc = "between pings", default = "10ms" }
  sizes = { type = "array", desc = "payloads", default = ["1KB", "1MB"] }
  note = { type = "string", desc = "free text" }

[[testcases]]
name = "free"
"#;

fn manifest() -> Manifest {
    Manifest::parse("manifest.toml", MANIFEST).expect("a good manifest")
}

fn resolved_with(text: &str, wish: &Wish) -> Result<Vec<RunSpec>, Vec<Problem>> {
    let composition = Composition::parse("composition.toml", text)?;
    resolve(&manifest(), Path::new("plans/pings"), &composition, wish)
}

fn resolved(text: &str) -> Result<Vec<RunSpec>, Vec<Problem>> {
    resolved_with(text, &Wish::default())
}

/// The problems as the command prints them, hints behind an arrow.
fn problems(text: &str) -> Vec<String> {
    problems_with(text, &Wish::default())
}

fn problems_with(text: &str, wish: &Wish) -> Vec<String> {
    let problems = resolved_with(text, wish).expect_err("a composition with mistakes");
    problems.iter().map(|p| format!("{p}{}", p.hint.as_ref().map(|h| format!(" -> {h}")).unwrap_or_default())).collect()
}
