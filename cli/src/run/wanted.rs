//! From the command line to runs with everything filled in, or to every problem at once.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher as _, Hasher as _};
use std::path::{Path, PathBuf};

use tg_model::template::Resolver;
use tg_model::{Composition, Exit, Manifest, Problem, RunSpec, Wish, resolve};

use super::Args;
use crate::Context;
use crate::message::Failure;
use crate::plan::{find, refused, text_of};

/// The runs that the command line asks for. Nothing is started, nothing is written.
/// Says too whether somebody chose their seed.
pub(crate) fn wanted(args: &Args, context: &Context) -> Result<(Vec<RunSpec>, bool), Failure> {
    let path = Path::new(&args.what);
    let is_composition = path.extension().is_some_and(|ending| ending == "toml")
        && path.file_name().is_some_and(|name| name != find::MANIFEST)
        && !path.is_dir();
    let (composition, manifest, plan_dir) = if is_composition {
        with_composition(args, path, context)?
    } else {
        let (plan, case) = plan_and_case(args);
        let plan_dir = find::find(plan, &context.home, None)?;
        let manifest = find::manifest(&plan_dir)?;
        let composition = alone(args, case, &manifest)?;
        (composition, manifest, plan_dir)
    };
    let mut params = BTreeMap::new();
    for (key, value) in &args.params {
        if params.insert(key.clone(), value.clone()).is_some() {
            return Err(Failure::new(Exit::Usage, format!("parameter `{key}` is given twice")));
        }
    }
    let seed = args.seed.or(composition.seed());
    let wish = Wish {
        seed: seed.unwrap_or_else(draw),
        repeats: args.repeat,
        run_ids: args.run_ids.clone(),
        params,
        backend: args.backend.clone(),
        builder: args.builder.clone(),
        deadline: args.deadline,
    };
    let plan_dir = std::path::absolute(&plan_dir).map_err(|error| {
        Failure::new(Exit::Environment, format!("cannot make `{}` an absolute path", plan_dir.display())).cause(&error)
    })?;
    let what = if is_composition { "the composition cannot be run" } else { "the plan cannot be run like this" };
    let specs = resolve(&manifest, &plan_dir, &composition, &wish).map_err(|problems| refused(what, &problems))?;
    Ok((specs, seed.is_some()))
}

fn with_composition(args: &Args, path: &Path, context: &Context) -> Result<(Composition, Manifest, PathBuf), Failure> {
    for (flag, given) in [("--case", args.case.is_some()), ("--instances", args.instances.is_some())] {
        if given {
            return Err(Failure::new(Exit::Usage, format!("`{flag}` does not go with a composition"))
                .hint("the composition says so itself; change it there, or run the plan without it"));
        }
    }
    let text = text_of(path)?;
    let resolver = Surroundings { folder: path.parent().unwrap_or(Path::new("")).to_owned() };
    let composition = Composition::read(&args.what, &text, &resolver)
        .map_err(|problems| refused("the composition cannot be read", &problems))?;
    let Some(plan) = composition.plan() else {
        return Err(refused("the composition cannot be run", composition.problems()));
    };
    // Problems of the composition are told together with that of its plan.
    let found = find::find(plan, &context.home, Some(path)).and_then(|dir| Ok((find::manifest(&dir)?, dir)));
    match found {
        Ok((manifest, dir)) => Ok((composition, manifest, dir)),
        Err(failure) => {
            // What does not depend on the plan is told in the same round.
            let case = composition.global.case.as_ref().map(|case| case.value.as_str());
            let wish = Wish { backend: args.backend.clone(), builder: args.builder.clone(), ..Wish::default() };
            let checked = resolve(&Manifest::anything(case), Path::new(""), &composition, &wish);
            let mut problems = checked.err().unwrap_or_default();
            let line = composition.global.plan.as_ref().and_then(|plan| plan.line);
            problems.push(Problem { file: args.what.clone(), line, text: failure.told(), hint: failure.advice() });
            problems.sort();
            Err(refused("the composition cannot be run", &problems))
        }
    }
}

/// `PLAN:CASE` is what tables of runs say, so it can be typed, too. A path that exists is never taken apart.
fn plan_and_case(args: &Args) -> (&str, Option<&str>) {
    match args.what.rsplit_once(':') {
        Some((plan, case)) if args.case.is_none() && !plan.is_empty() && !Path::new(&args.what).exists() => {
            (plan, Some(case))
        }
        _ => (&args.what, args.case.as_deref()),
    }
}

/// What stands for a composition when there is none.
fn alone(args: &Args, case: Option<&str>, manifest: &Manifest) -> Result<Composition, Failure> {
    if !args.run_ids.is_empty() {
        return Err(Failure::new(Exit::Usage, "`--run-ids` needs a composition that lists runs"));
    }
    let cases: Vec<String> = manifest.cases.iter().map(|case| format!("`{}`", case.name)).collect();
    let case = match (case.or(manifest.default_case.as_deref()), manifest.cases.as_slice()) {
        (Some(case), _) => case.to_owned(),
        (None, [only]) => only.name.clone(),
        (None, []) => {
            return Err(Failure::new(Exit::Usage, format!("plan `{}` has no cases", manifest.name))
                .hint("add `[[testcases]]` with a `name` to its manifest"));
        }
        (None, _) => {
            return Err(Failure::new(Exit::Usage, format!("plan `{}` has several cases", manifest.name))
                .hint(format!("choose one with `--case`: {}", cases.join(", "))));
        }
    };
    let known = manifest.case(&case);
    let instances =
        args.instances.or_else(|| known.and_then(|case| case.default.or(case.min).filter(|n| *n > 0))).unwrap_or(1);
    Ok(Composition::single(&manifest.name, &case, instances))
}

/// The environment and the files that templates of compositions ask for.
struct Surroundings {
    folder: PathBuf,
}

impl Resolver for Surroundings {
    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn read(&self, path: &str) -> Result<String, String> {
        let path = self.folder.join(path);
        fs::read_to_string(&path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))
    }
}

/// A seed that nobody chose. Small enough for every language to read it as a number.
fn draw() -> u64 {
    random() >> 11
}

/// Random bits, from the keys that the standard library draws for its hash maps.
pub(super) fn random() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}
