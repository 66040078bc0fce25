//! `tg plan new`: a small plan in the language of choice, which runs as it stands.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use tg_model::Exit;
use tg_model::layout::PARTIAL;

use super::find;
use crate::message::Failure;
use crate::output::to_stdout;

/// What `tg plan new` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg plan new pings                      a plan in Rust in ./pings; `tg run pings` runs it
  tg plan new pings --lang go            the same with the published Go SDK
  tg plan new pings --lang generic       a shell script: the contract without any SDK")]
pub(super) struct Args {
    /// Where to write it; the last part of the path names the plan.
    #[arg(value_name = "NAME")]
    path: PathBuf,
    /// The language.
    #[arg(long, value_enum, default_value_t = Language::Rust)]
    lang: Language,
    /// The folder of `tg-sdk`, for a plan in Rust; in a checkout of tg it is known.
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

/// The languages of new plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Language {
    /// With tg-sdk.
    Rust,
    /// With the Go SDK of Testground.
    Go,
    /// With the JavaScript SDK of Testground.
    Js,
    /// Any program: here a shell script.
    Generic,
}

const COMPOSITION: &str = include_str!("templates/composition.toml");
const RUST: [(&str, &str); 4] = [
    ("manifest.toml", include_str!("templates/rust/manifest.toml")),
    ("Cargo.toml", include_str!("templates/rust/Cargo.toml.in")),
    ("src/main.rs", include_str!("templates/rust/main.rs.in")),
    (".gitignore", "/target\n"),
];
const GO: [(&str, &str); 4] = [
    ("manifest.toml", include_str!("templates/go/manifest.toml")),
    ("go.mod", include_str!("templates/go/go.mod.in")),
    ("go.sum", include_str!("templates/go/go.sum.in")),
    ("main.go", include_str!("templates/go/main.go.in")),
];
const JS: [(&str, &str); 4] = [
    ("manifest.toml", include_str!("templates/js/manifest.toml")),
    ("package.json", include_str!("templates/js/package.json.in")),
    ("index.js", include_str!("templates/js/index.js.in")),
    (".gitignore", "/node_modules\n"),
];
const GENERIC: [(&str, &str); 2] = [
    ("manifest.toml", include_str!("templates/generic/manifest.toml")),
    ("plan.sh", include_str!("templates/generic/plan.sh.in")),
];

impl Language {
    fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Rust => &RUST,
            Self::Go => &GO,
            Self::Js => &JS,
            Self::Generic => &GENERIC,
        }
    }

    fn builder(self) -> &'static str {
        match self {
            Self::Rust => "exec:cargo",
            Self::Go => "exec:go",
            Self::Js => "exec:node",
            Self::Generic => "exec:generic",
        }
    }

    /// The file in which the author goes on.
    fn source(self) -> &'static str {
        match self {
            Self::Rust => "src/main.rs",
            Self::Go => "main.go",
            Self::Js => "index.js",
            Self::Generic => "plan.sh",
        }
    }
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let name = args.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if let Some(why) = bad_name(name, args.lang) {
        let failure = Failure::new(Exit::Usage, format!("`{}` is no name for a plan: {why}", args.path.display()));
        return Err(failure.hint("use lower-case letters, digits, `-` and `_`, beginning with a letter"));
    }
    if fs::symlink_metadata(&args.path).is_ok() {
        let failure = Failure::new(Exit::Usage, format!("`{}` is already there", args.path.display()));
        return Err(failure.hint("choose another name, or move it away"));
    }
    let sdk = if args.lang == Language::Rust { sdk(args.sdk.as_deref())? } else { String::new() };
    write(args, name, &sdk).map_err(|error| {
        Failure::new(Exit::Environment, format!("cannot write the plan to `{}`", args.path.display())).cause(&error)
    })?;
    let path = args.path.display();
    to_stdout(|out| {
        writeln!(out, "Wrote plan {name} to {path}. Next:")?;
        writeln!(out, "  tg run {path}                      run it with 3 instances")?;
        writeln!(out, "  tg run {path}/composition.toml     run it in two groups")?;
        writeln!(out, "  tg plan describe {path}            its cases and parameters")?;
        writeln!(out, "Then change {path}/{}.", args.lang.source())
    })?;
    Ok(Exit::Ok)
}

/// The absolute folder of `tg-sdk`.
fn sdk(asked: Option<&Path>) -> Result<String, Failure> {
    let hint = "give the folder `sdk` of a checkout of tg: `--sdk ~/src/tg/sdk`";
    let found = match asked {
        Some(dir) if !find::is_sdk(dir) => {
            let text = format!("`{}` is not the folder of tg-sdk", dir.display());
            return Err(Failure::new(Exit::Usage, text).hint(hint));
        }
        Some(dir) => dir.to_owned(),
        None => find::checkout_sdk().ok_or_else(|| {
            let text = "a plan in Rust needs tg-sdk, and the checkout that this tg was built from is gone";
            Failure::new(Exit::Usage, text).hint(format!("{hint}, or use another language with `--lang`"))
        })?,
    };
    let found = fs::canonicalize(&found).map_err(|error| {
        Failure::new(Exit::Environment, format!("cannot find the real path of `{}`", found.display())).cause(&error)
    })?;
    match found.to_str() {
        Some(path) => Ok(path.to_owned()),
        None => Err(Failure::new(Exit::Usage, format!("`{}` is no UTF-8, which Cargo.toml needs", found.display()))),
    }
}

/// Names that cargo refuses for a program.
const RESERVED: [&str; 9] = ["alloc", "build", "core", "deps", "examples", "incremental", "proc_macro", "std", "test"];

fn bad_name(name: &str, lang: Language) -> Option<&'static str> {
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Some("it does not begin with a lower-case letter");
    }
    if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_')) {
        return Some("it holds other characters than lower-case letters, digits, `-` and `_`");
    }
    if name.len() > 60 {
        return Some("it is longer than 60 characters");
    }
    (lang == Language::Rust && RESERVED.contains(&name)).then_some("cargo keeps this name for itself")
}

/// Writes all files beside the plan's final place, and then moves them there.
fn write(args: &Args, name: &str, sdk: &str) -> io::Result<()> {
    let parent = args.path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    let partial = parent.join(format!("{name}-{}{PARTIAL}", std::process::id()));
    let written = files(args.lang, name, sdk).try_for_each(|(file, text)| {
        let path = partial.join(file);
        fs::create_dir_all(path.parent().unwrap_or(&partial))?;
        fs::write(path, text)
    });
    let moved = written.and_then(|()| fs::rename(&partial, &args.path));
    if moved.is_err() {
        // The first error says more than one of cleaning up.
        let _left = fs::remove_dir_all(&partial);
    }
    moved
}

fn files<'a>(lang: Language, name: &'a str, sdk: &'a str) -> impl Iterator<Item = (&'static str, String)> + 'a {
    // A path in Cargo.toml is a TOML text.
    let sdk = toml::Value::from(sdk).to_string();
    let all = lang.files().iter().copied().chain([("composition.toml", COMPOSITION)]);
    all.map(move |(file, text)| {
        let text = text.replace("@NAME@", name).replace("\"@SDK@\"", &sdk).replace("@BUILDER@", lang.builder());
        (file, text)
    })
}

#[cfg(test)]
mod tests {
    use tg_model::{Composition, Manifest, Wish, resolve};

    use super::*;

    #[test]
    fn every_new_plan_resolves_with_and_without_its_composition() {
        for lang in [Language::Rust, Language::Go, Language::Js, Language::Generic] {
            let files: Vec<(&str, String)> = files(lang, "pings", "/src/tg/sdk").collect();
            let text = |name: &str| &files.iter().find(|(file, _)| *file == name).unwrap().1;
            assert!(files.iter().all(|(_, text)| !text.contains("@NAME@") && !text.contains("@SDK@")));
            let manifest = Manifest::parse("manifest.toml", text("manifest.toml")).unwrap();
            let case = &manifest.cases[0];
            let composition = Composition::parse("composition.toml", text("composition.toml")).unwrap();
            let single = Composition::single("pings", &case.name, case.default.unwrap());
            for composition in [composition, single] {
                let runs = resolve(&manifest, Path::new("."), &composition, &Wish::default()).unwrap();
                assert_eq!(runs[0].groups[0].build.builder, lang.builder());
                assert_eq!(runs[0].plan, "pings");
            }
        }
    }

    #[test]
    fn names_that_would_not_build_are_refused() {
        for name in ["", "Pings", "9lives", "a b", "a/b", "ä", "..", "test", &"x".repeat(61)] {
            assert!(bad_name(name, Language::Rust).is_some(), "{name}");
        }
        assert!(bad_name("my-plan_2", Language::Rust).is_none() && bad_name("test", Language::Go).is_none());
    }

    #[test]
    fn a_plan_is_written_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let args = Args { path: dir.path().join("deep/pings"), lang: Language::Generic, sdk: None };
        run(&args).unwrap();
        assert!(find::is_plan(&args.path));
        assert!(run(&args).is_err(), "what is there is not written over");
        let left: Vec<_> = fs::read_dir(dir.path().join("deep")).unwrap().collect();
        assert_eq!(left.len(), 1);
    }
}
