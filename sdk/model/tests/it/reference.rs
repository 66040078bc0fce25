//! The examples of the reference pages are read and resolved.

use std::path::Path;

use tg_model::template::Resolver;
use tg_model::{Composition, Manifest, Wish, resolve};

struct Versions;

impl Resolver for Versions {
    fn env(&self, _: &str) -> Option<String> {
        None
    }

    fn read(&self, path: &str) -> Result<String, String> {
        assert_eq!(path, "./versions.toml");
        Ok("[[groups]]\nid = \"1\"\nbuilder = \"exec:cargo\"\n[[groups]]\nid = \"2\"\nbuilder = \"exec:cargo\"\n"
            .to_owned())
    }
}

/// The blocks of TOML of a reference page.
fn examples(page: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/reference").join(page);
    let text = std::fs::read_to_string(&path).expect("the page is in the checkout");
    text.split("```toml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned())).collect()
}

#[test]
fn the_examples_of_the_reference_resolve() {
    let manifests = examples("manifest.md");
    let manifest = Manifest::parse("manifest.toml", &manifests[0]).expect("the example is good");
    let compositions = examples("composition.md");
    let composition = Composition::parse("composition.toml", &compositions[0]).expect("the example is TOML");
    let runs = resolve(&manifest, Path::new("."), &composition, &Wish::default()).expect("the example resolves");
    assert_eq!(runs.iter().map(tg_model::RunSpec::instances).collect::<Vec<_>>(), [10, 12, 10, 12]);

    let text = format!("[global]\nplan = \"pings\"\ncase = \"rtt\"\nrunner = \"local:exec\"\n{}", compositions[1]);
    let composition = Composition::read("composition.toml", &text, &Versions).expect("the template is good");
    let runs = resolve(&manifest, Path::new("."), &composition, &Wish::default()).expect("the example resolves");
    assert_eq!(runs[0].groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["v1", "v2"]);
}
