//! The plans that come with tg.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tg_e2e::{Home, Run};
use tg_model::outcome::Outcome;

use crate::table::run_case;

pub(crate) fn shipped(name: &str) -> PathBuf {
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

/// The sum over all instances of a number that the plan itself counted.
pub(crate) fn counted(run: &Run, name: &str) -> u64 {
    let mut sum = 0.0;
    for instance in run.ends().keys() {
        let text = fs::read_to_string(run.output(instance, "results.out")).expect("results");
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a metric"));
        let values = lines.filter(|line| line["name"] == name).filter_map(|line| line["measures"]["value"].as_f64());
        sum += values.sum::<f64>();
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sum of counts")]
    let sum = sum as u64;
    sum
}

#[test]
fn what_is_told_of_gossip_is_what_the_nodes_counted() {
    let home = Home::new();
    // Four nodes want one topic and four the other; of those publish three and two.
    let params = [
        "topics=2",
        "topology=full",
        "publishers=5",
        "rate=10",
        "duration=1s",
        "d=2",
        "dlo=2",
        "dhi=3",
        "heartbeat=200ms",
        "warmup=1s",
        "cooldown=1m",
    ];
    let (done, run) = run_case(&home, &shipped("gossip"), "publish", 8, &params);
    done.expect(0);
    home.tg(["collect", "latest"]).expect(0);
    let asked = home.tg(["analyze", "pubsub", "latest", "--format", "json"]);
    asked.expect(0);
    let report: Value = serde_json::from_str(&asked.stdout).expect("the report is JSON");
    let (reach, cost) = (&report["reach"], &report["cost"]);
    assert_eq!(reach["routers"], 8);
    for name in ["published", "expected", "delivered", "missed"] {
        assert_eq!(reach[name], counted(&run, name), "{name}");
    }
    assert_eq!(cost["duplicates"], counted(&run, "duplicates"));
    // Nothing was broken, and the four that do not want a topic miss nothing of it.
    assert_eq!((&reach["published"], &reach["expected"]), (&Value::from(50), &Value::from(150)));
    assert_eq!(reach["delivery_ratio"], 1.0);
    let topics = report["topics"].as_array().expect("topics");
    let of = |key: &str| topics.iter().map(|topic| topic[key].as_u64()).collect::<Vec<_>>();
    assert_eq!(of("expected"), [Some(90), Some(60)]);
    assert_eq!(of("routers"), [Some(4), Some(4)]);
    // Every path leads back to its publisher, and everybody's mesh is on record.
    assert_eq!(report["hops"].as_array().expect("hops").iter().filter(|row| row["hops"].is_null()).count(), 0);
    assert!(report["mesh"].as_array().expect("meshes").iter().all(|mesh| mesh["grafts"].as_u64() > Some(0)));
    // What nobody sees is absent.
    let control = report["control"].as_array().expect("kinds of RPCs");
    assert!(control.iter().all(|kind| kind["sent"].is_null() && !kind["received"].is_null()), "{control:?}");
    // What the tracers counted is what their traces have.
    assert!(report["counted"].as_array().is_some_and(|totals| totals.len() > 5));
    assert_eq!(report["notes"].as_array().map(Vec::len), Some(0), "{}", report["notes"]);

    let wrong = home.tg(["analyze", "pubsub", "latest", "--topic", "t7"]);
    wrong.expect(2);
    assert!(wrong.stderr.contains("there is no topic `t7`: the run has t0, t1"), "{}", wrong.stderr);
    home.tg(["analyze", "pubsub", "latest", "--dlo", "9", "--dhi", "3"]).expect(2);
    home.tg(["analyze", "pubsub", "latest", "--deadline", "soon"]).expect(2);
}

#[test]
fn a_run_without_pubsub_is_told_so() {
    let home = Home::new();
    run_case(&home, &shipped("mesh"), "quiet", 1, &[]).0.expect(0);
    home.tg(["collect", "latest"]).expect(0);
    let asked = home.tg(["analyze", "pubsub", "latest"]);
    asked.expect(30);
    assert!(asked.stderr.contains("the run recorded no pubsub traces"), "{}", asked.stderr);
    assert_eq!(asked.stdout, "");
}

#[test]
fn every_composition_that_ships_can_be_run() {
    let home = Home::new();
    let plans = fs::read_dir(shipped("")).expect("the plans").map(|entry| entry.expect("an entry").path());
    let folders = plans.map(|plan| plan.join("compositions")).filter(|folder| folder.is_dir());
    let mut checked = 0;
    for entry in folders.flat_map(|folder| fs::read_dir(folder).expect("compositions")) {
        let path = entry.expect("an entry").path();
        let done = home.tg(["run", path.to_str().expect("a plain path"), "--dry-run"]);
        assert_eq!(done.code(), 0, "{}: {}", path.display(), done.stderr);
        checked += 1;
    }
    assert!(checked >= 20, "{checked} compositions");
}
