//! The plans that come with tg: their files are as the model wants them.

use std::path::Path;

use tg_model::composition::Composition;
use tg_model::manifest::Manifest;
use tg_model::resolve::{Wish, resolve};

#[test]
fn the_compositions_of_the_plan_mesh_resolve() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/mesh");
    let read = |path: &Path| std::fs::read_to_string(path).expect("a file");
    let manifest = Manifest::parse("manifest.toml", &read(&dir.join("manifest.toml"))).expect("a good manifest");
    let source = read(&dir.join("src/main.rs"));
    for case in &manifest.cases {
        assert!(source.contains(&format!("case(\"{}\",", case.name)), "`{}` is no case of the program", case.name);
    }
    for (name, runs) in [("demo.toml", &[20][..]), ("quiet.toml", &[500]), ("matrix.toml", &[8, 16, 8, 16])] {
        let text = read(&dir.join("compositions").join(name));
        let composition = Composition::parse(name, &text).expect(name);
        let specs = resolve(&manifest, &dir, &composition, &Wish::default()).expect(name);
        assert_eq!(specs.iter().map(tg_model::RunSpec::instances).collect::<Vec<_>>(), runs, "{name}");
    }
}
