//! Where plans lie, and which one a name means.

use std::fs;
use std::path::{Path, PathBuf};

use tg_model::problem::nearest;
use tg_model::{Exit, Manifest};

use super::{refused, text_of};
use crate::home::Home;
use crate::message::Failure;

/// The file that makes a folder a plan.
pub(crate) const MANIFEST: &str = "manifest.toml";

/// How deep below a folder of plans a plan may lie: published ones have names such as `libp2p/ping/go`.
const DEPTH: u32 = 3;

/// How many folders above a composition are looked at for its plan.
const ABOVE: usize = 4;

/// A folder that may hold plans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
    /// How it is called in messages.
    pub(crate) what: &'static str,
}

/// The folders in which plans are looked for by name, nearest first.
pub(crate) fn places(home: &Home) -> Result<Vec<Place>, Failure> {
    let mut out = vec![
        Place { dir: PathBuf::from("."), what: "this folder" },
        Place { dir: home.path()?.join("plans"), what: "tg's home" },
    ];
    if let Some(sdk) = checkout_sdk() {
        out.push(Place { dir: sdk.join("plans"), what: "the plans of tg" });
    }
    Ok(out)
}

/// The folder of `tg-sdk` in the checkout that this tg was built from, while it is still there.
pub(crate) fn checkout_sdk() -> Option<PathBuf> {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.join("sdk");
    is_sdk(&sdk).then_some(sdk)
}

/// Whether a folder holds the package `tg-sdk`.
pub(crate) fn is_sdk(dir: &Path) -> bool {
    fs::read_to_string(dir.join("Cargo.toml")).is_ok_and(|text| {
        let package = text.parse::<toml::Table>().ok().and_then(|table| table.get("package")?.get("name").cloned());
        package.as_ref().and_then(toml::Value::as_str) == Some("tg-sdk")
    })
}

/// The folder of a plan: a path to it (or to its manifest), or a name that is looked for beside the composition
/// and above it, in this folder, in tg's home and among the plans of tg.
pub(crate) fn find(name: &str, home: &Home, composition: Option<&Path>) -> Result<PathBuf, Failure> {
    let path = Path::new(name);
    if path.file_name().is_some_and(|file| file == MANIFEST) && path.is_file() {
        return Ok(path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned());
    }
    if let Some(dir) = composition.and_then(|file| near(name, file)) {
        return Ok(dir);
    }
    let places = places(home)?;
    for place in &places {
        // A path that is absolute takes the place of the folder.
        let dir = if place.dir == Path::new(".") { path.to_owned() } else { place.dir.join(path) };
        if is_plan(&dir) {
            return Ok(dir);
        }
    }
    Err(not_found(name, &places))
}

fn not_found(name: &str, places: &[Place]) -> Failure {
    let path = Path::new(name);
    if path.is_dir() {
        return Failure::new(Exit::Usage, format!("`{name}` is no plan: it has no `{MANIFEST}`"))
            .hint(format!("`tg plan new {name}` writes one where there is nothing yet"));
    }
    if path.is_file() {
        return Failure::new(Exit::Usage, format!("`{name}` is neither a plan nor a composition"))
            .hint("a plan is a folder with a `manifest.toml`; the name of a composition ends in `.toml`");
    }
    let mut failure = Failure::new(Exit::Usage, format!("there is no plan `{}`", crate::text::short(name, 100)));
    let mut known = Vec::new();
    for place in places {
        failure = failure.note(format!("not in {} (`{}`)", place.what, place.dir.display()));
        known.extend(all(&place.dir).into_iter().map(|(name, _)| name));
    }
    let hint = match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`tg plan list` lists plans, `tg plan new` writes one".to_owned(),
    };
    failure.hint(hint)
}

/// The plan of a composition: the folder that it lies in, or one above, or a neighbour of one of these.
fn near(name: &str, composition: &Path) -> Option<PathBuf> {
    let file = std::path::absolute(composition).ok()?;
    for dir in file.ancestors().skip(1).take(ABOVE) {
        let last = Path::new(name).file_name();
        if is_plan(dir) && (dir.file_name() == last || manifest(dir).is_ok_and(|manifest| manifest.name == name)) {
            return Some(dir.to_owned());
        }
        let neighbour = dir.join(name);
        if is_plan(&neighbour) {
            return Some(neighbour);
        }
    }
    None
}

/// Whether a folder holds a plan.
pub(crate) fn is_plan(dir: &Path) -> bool {
    dir.join(MANIFEST).is_file()
}

/// A plan's manifest, read and checked.
pub(crate) fn manifest(dir: &Path) -> Result<Manifest, Failure> {
    let path = dir.join(MANIFEST);
    let shown = path.display().to_string();
    Manifest::parse(&shown, &text_of(&path)?).map_err(|problems| refused("the manifest cannot be used", &problems))
}

/// The plans below a folder by the name that finds them there, sorted.
pub(crate) fn all(dir: &Path) -> Vec<(String, PathBuf)> {
    let mut out = Vec::new();
    below(dir, "", DEPTH, &mut out);
    out.sort();
    out
}

fn below(dir: &Path, prefix: &str, depth: u32, out: &mut Vec<(String, PathBuf)>) {
    // A folder that cannot be read has no plans for us.
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let hidden = name.starts_with('.') || matches!(name.as_str(), "target" | "node_modules");
        // Links are not followed, so that the walk ends.
        if hidden || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let path = entry.path();
        let name = format!("{prefix}{name}");
        if is_plan(&path) {
            out.push((name.clone(), path.clone()));
        }
        if depth > 1 {
            below(&path, &format!("{name}/"), depth - 1, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(dir: &Path, name: &str) {
        fs::create_dir_all(dir).unwrap();
        let text = format!("name = \"{name}\"\n[[testcases]]\nname = \"c\"\n");
        fs::write(dir.join(MANIFEST), text).unwrap();
    }

    #[test]
    fn a_plan_is_found_by_path_by_name_and_from_its_composition() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(Some(dir.path().join("home")));
        plan(&dir.path().join("home/plans/libp2p/ping"), "libp2p/ping");
        plan(&dir.path().join("work/pings"), "pings-and-pongs");
        let work = dir.path().join("work");

        assert_eq!(find("libp2p/ping", &home, None).unwrap(), dir.path().join("home/plans/libp2p/ping"));
        for path in [work.join("pings"), work.join("pings").join(MANIFEST)] {
            assert_eq!(find(path.to_str().unwrap(), &home, None).unwrap(), work.join("pings"));
        }
        for (name, file) in [
            ("pings", "work/pings/compositions/a.toml"),
            ("pings-and-pongs", "work/pings/a.toml"),
            ("pings", "work/a.toml"),
            ("pings", "work/compositions/a.toml"),
        ] {
            assert_eq!(find(name, &home, Some(&dir.path().join(file))).unwrap(), work.join("pings"), "{file}");
        }
        assert!(find("pongs-and-pings", &home, Some(&dir.path().join("work/a.toml"))).is_err());
        assert_eq!(all(&dir.path().join("home/plans")).len(), 1);
    }
}
