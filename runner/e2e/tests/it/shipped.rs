//! The plans that come with tg.

use std::path::{Path, PathBuf};

use tg_e2e::Home;
use tg_model::outcome::Outcome;

use crate::table::run_case;

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/plans").join(name)
}

#[test]
fn the_demo_leads_from_a_build_to_a_graph() {
    let home = Home::new();
    let done = home.tg(["demo"]);
    done.expect(0);
    let run = home.run();
    assert_eq!(run.ends().len(), 20);
    assert!(run.ends().values().all(|end| end.outcome == Outcome::Ok));
    let graph = home.tg(["analyze", "graph", "latest", "--format", "json"]);
    graph.expect(0);
    serde_json::from_str::<serde_json::Value>(&graph.stdout).expect("the graph is JSON");
}

#[test]
fn five_hundred_quiet_instances_are_all_ok() {
    let home = Home::new();
    let (done, run) = run_case(&home, &shipped("mesh"), "quiet", 500, &[]);
    done.expect(0);
    assert_eq!(run.file.tally.values().filter_map(|by| by.get(&Outcome::Ok)).sum::<u32>(), 500);
    assert_eq!(run.ends().len(), 500);
}
