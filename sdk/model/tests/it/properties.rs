//! What holds for every input.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use tg_model::composition::Size;
use tg_model::template::{Resolver, expand};
use tg_model::{Composition, Manifest, Wish, resolve};

use crate::{manifest, resolved};

struct Nothing;

impl Resolver for Nothing {
    fn env(&self, _: &str) -> Option<String> {
        None
    }

    fn read(&self, _: &str) -> Result<String, String> {
        Ok("a = [1, 2]\n[b]\nc = 1\n".to_owned())
    }
}

/// Text made of the words of compositions, right and wrong, so that it gets past the first check.
fn scraps() -> impl Strategy<Value = String> {
    let words = [
        "[global]\n",
        "plan = \"p\"\n",
        "case = \"rtt\"\n",
        "builder = \"exec:cargo\"\n",
        "runner = \"local:exec\"\n",
        "total_instances = 4\n",
        "total_instances = -1\n",
        "[[groups]]\n",
        "id = \"a\"\n",
        "id = \"b\"\n",
        "id = 1\n",
        "instances = { count = 2 }\n",
        "instances = { percentage = 0.5 }\n",
        "instances = { percentage = nan }\n",
        "instances = { count = 4294967295 }\n",
        "[groups.run.test_params]\n",
        "rounds = 3\n",
        "rounds = \"\"\n",
        "[[runs]]\n",
        "[[runs.groups]]\n",
        "group_id = \"a\"\n",
        "test_params = { rounds = 1 }\n",
        "[matrix]\n",
        "\"groups.a.count\" = [1, 2]\n",
        "total_instances = [2, 4]\n",
        "groups = []\n",
        "runs = 3\n",
        "= =\n",
        "expect = \"exit:1\"\n",
        "deadline = \"1h\"\n",
        "seed = 99999999999999999999999\n",
        "x.y.z = 1\n",
        "\"\" = 1\n",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..25).prop_map(|words| words.concat())
}

fn actions() -> impl Strategy<Value = String> {
    let words = [
        "{{",
        "}}",
        "{{ ",
        " }}",
        "{{- ",
        " -}}",
        "if ",
        "range ",
        "with ",
        "else ",
        "end",
        "define \"a\"",
        "template \"a\" ",
        "break",
        ".",
        ".Env",
        ".Env.X",
        "$x",
        " := ",
        " = ",
        "$",
        "|",
        "(",
        ")",
        ",",
        "\"s\"",
        "`",
        "'",
        "1",
        "1.5",
        "-",
        "load_resource \"r\" ",
        "toml ",
        "pick . \"a\" ",
        "index ",
        "slice ",
        "eq ",
        "printf \"%d%s\" ",
        "atoi ",
        "split ",
        "len ",
        "and ",
        "or ",
        "nil",
        "/*",
        "*/",
        "é",
        "\n",
        " ",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..40).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn arbitrary_compositions_never_panic(text in scraps(), repeats in 0u32..3) {
        if let Ok(composition) = Composition::read("c.toml", &text, &Nothing) {
            let wish = Wish { repeats, ..Wish::default() };
            match resolve(&manifest(), Path::new("."), &composition, &wish) {
                Ok(runs) => prop_assert!(runs.iter().all(|run| run.instances() > 0)),
                Err(problems) => prop_assert!(!problems.is_empty()),
            }
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}") {
        let _manifest = Manifest::parse("m.toml", &text);
        let _composition = Composition::read("c.toml", &text, &Nothing);
    }

    #[test]
    fn arbitrary_templates_never_panic(text in actions()) {
        let _made = expand("c.toml", &text, &Nothing);
    }

    #[test]
    fn text_without_actions_goes_through_unchanged(text in "[a-z \n\t}-]{0,80}") {
        prop_assert_eq!(expand("c.toml", &text, &Nothing), Ok(text));
    }

    #[test]
    fn shares_lie_within_half_an_instance(share in 0.0..=1.0f64, total in 0u32..=10_000_000) {
        let count = Size::Share(share).of(total);
        prop_assert!((f64::from(count) - share * f64::from(total)).abs() <= 0.5);
        prop_assert!(count <= total);
    }

    #[test]
    fn a_matrix_has_as_many_runs_as_combinations(sizes in prop::collection::vec(1usize..5, 0..4), repeats in 1u32..4) {
        let mut text = "[global]\nplan = \"p\"\ncase = \"free\"\nbuilder = \"exec:cargo\"\nrunner = \"local:exec\"\n\
                        [[groups]]\nid = \"g\"\ninstances = { count = 2 }\n[matrix]\n".to_owned();
        for (i, n) in sizes.iter().enumerate() {
            let values: Vec<String> = (0..*n).map(|v| v.to_string()).collect();
            text.extend([format!("p{i} = [{}]\n", values.join(", "))]);
        }
        let composition = Composition::parse("c.toml", &text).expect("TOML");
        let wish = Wish { repeats, ..Wish::default() };
        let runs = resolve(&manifest(), Path::new("."), &composition, &wish).expect("a good matrix");
        let product: usize = sizes.iter().product();
        prop_assert_eq!(runs.len(), product * repeats as usize);
        // Every combination once in each repeat, and repeats one after another.
        for (repeat, runs) in runs.chunks(product).enumerate() {
            let different: std::collections::BTreeSet<_> = runs.iter().map(|run| run.config.clone()).collect();
            prop_assert_eq!(different.len(), product);
            prop_assert!(runs.iter().all(|run| run.repeat as usize == repeat));
        }
    }

    #[test]
    fn the_highest_layer_that_sets_a_parameter_wins(layers in prop::collection::vec(prop::option::of(0u32..1000), 5)) {
        let layer = |i: usize| layers[i].map(|n| format!("rounds = {n}")).unwrap_or_default();
        let text = format!(
            "[global]\nplan = \"p\"\ncase = \"rtt\"\nbuilder = \"exec:cargo\"\nrunner = \"local:exec\"\n\
             [global.run.test_params]\n{}\n[[groups]]\nid = \"g\"\ninstances = {{ count = 2 }}\n[groups.run.test_params]\n{}\n\
             [[runs]]\nid = \"r\"\ntest_params = {{ {} }}\n[[runs.groups]]\nid = \"g\"\ntest_params = {{ {} }}\n",
            layer(0), layer(1), layer(2), layer(3),
        );
        let mut params = BTreeMap::new();
        params.extend(layers[4].map(|n| ("rounds".to_owned(), n.to_string())));
        let wanted = layers.iter().rev().find_map(|n| *n).unwrap_or(5).to_string();
        let wish = Wish { params, ..Wish::default() };
        let runs = crate::resolved_with(&text, &wish).expect("a good composition");
        prop_assert_eq!(&runs[0].groups[0].params["rounds"], &wanted);
        prop_assert!(resolved(&text).is_ok());
    }
}
