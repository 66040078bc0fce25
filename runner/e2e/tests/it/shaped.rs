//! Networks that compositions shape.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tg_e2e::{Home, Run, Tool, has};

/// The plan that comes with tg.
fn network() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/plans/network")
}

/// A composition of the case that measures round trips, beside the home.
fn composition(home: &Home, rest: &str) -> String {
    let text = format!(
        "[global]\nplan = \"{}\"\ncase = \"distances\"\nbuilder = \"exec:cargo\"\nrunner = \"local:exec\"\nseed = \
         7\ndeadline = \"2m\"\n{rest}",
        network().display()
    );
    home.file("shaped.toml", &text).to_str().expect("a plain path").to_owned()
}

/// The least round trip of each pair, by the names of the two.
fn trips(run: &Run) -> BTreeMap<(String, String), Duration> {
    let mut out = BTreeMap::new();
    for name in run.ends().keys() {
        let text = fs::read_to_string(run.output(name, "results.out")).expect("results");
        for line in text.lines() {
            let record: serde_json::Value = serde_json::from_str(line).expect("a record");
            let Some(to) = record["name"].as_str().and_then(|name| name.strip_prefix("least_rtt_ns,to=")) else {
                continue;
            };
            let ns = record["measures"]["value"].as_f64().expect("a value");
            out.insert((name.clone(), to.to_owned()), Duration::from_secs_f64(ns / 1e9));
        }
    }
    out
}

#[test]
fn every_pair_has_the_link_that_the_composition_gives_it() {
    if !has(Tool::Hosts, "links by composition") {
        return;
    }
    let home = Home::new();
    let path = network().join("compositions/links.toml");
    home.tg(["run", path.to_str().expect("a plain path"), "--isolation", "host"]).expect(0);
    let run = home.runs().pop().expect("a run");
    let found = trips(&run);
    assert_eq!(found.len(), 5 * 4);
    let of = |from: &str, to: &str| {
        let pairs = found.iter().filter(|((a, b), _)| a.starts_with(from) && b.starts_with(to));
        pairs.map(|(_, took)| *took).min().expect("a pair")
    };
    let ms = Duration::from_millis;
    let (near, far) = (of("clients", "clients"), of("clients", "servers"));
    assert!(of("servers", "servers") >= ms(10) && near >= ms(10) && near < far, "{found:?}");
    assert!(far >= ms(80) && of("servers", "clients") >= ms(80), "{found:?}");
    let show = home.tg(["runs", "show", "latest"]);
    assert!(show.stdout.contains("latency 5 ms; servers – clients: latency 40 ms; clients → all:"), "{}", show.stdout);
}

#[test]
fn regions_are_as_far_apart_as_asked_and_the_seed_says_who_is_where() {
    if !has(Tool::Hosts, "regions") {
        return;
    }
    let home = Home::new();
    let path = composition(
        &home,
        r#"
[[groups]]
id = "fixed"
region = "a"
instances = { count = 1 }
[[groups]]
id = "spread"
instances = { count = 5 }
[network.link]
latency = "1ms"
[network.regions.latency]
a = { b = "20ms", c = "60ms" }
b = { a = "30ms", c = "10ms" }
[network.regions.shares]
a = 0.2
b = 0.4
c = 0.4
"#,
    );
    let mut wheres = Vec::new();
    for seed in ["7", "7", "8"] {
        home.tg(["run", &path, "--isolation", "host", "--seed", seed]).expect(0);
        let run = home.runs().pop().expect("a run");
        let laid = run.file.network.clone().expect("the network is recorded");
        let regions = laid.regions.as_ref().expect("regions");
        assert_eq!(regions.counts(), [2, 2, 2], "{regions:?}");
        let place = |name: &str| {
            let (group, index) = name.split_once('/').expect("an instance");
            let index: usize = index.parse().expect("a number");
            regions.of[&group.parse::<tg_model::GroupName>().expect("a group")][index] as usize
        };
        let one_way = |from: usize, to: usize| Duration::from_nanos(regions.latency_ns[from][to].unwrap_or(1_000_000));
        let found = trips(&run);
        assert_eq!(found.len(), 6 * 5);
        for ((from, to), took) in &found {
            let (here, there) = (place(from), place(to));
            let least = one_way(here, there) + one_way(there, here);
            assert!(*took >= least, "{from} to {to} took {took:?}, and {least:?} was asked for");
        }
        let between = |a: usize, b: usize| {
            let pairs = found.iter().filter(|((from, to), _)| (place(from), place(to)) == (a, b));
            pairs.map(|(_, took)| *took).min().expect("a pair")
        };
        // 2, 20, 50 and 120 ms.
        assert!(between(0, 0) < between(1, 2) && between(1, 2) < between(0, 1) && between(0, 1) < between(0, 2));
        wheres.push(regions.of.clone());
    }
    assert_eq!(wheres[0], wheres[1]);
    assert_ne!(wheres[0], wheres[2]);
}

#[test]
fn only_neighbours_in_the_topology_reach_one_another() {
    if !has(Tool::Hosts, "topologies") {
        return;
    }
    let home = Home::new();
    let path = composition(
        &home,
        r#"
[global.run.test_params]
rounds = 1
[[groups]]
id = "b"
instances = { count = 2 }
[[groups]]
id = "a"
instances = { count = 3 }
[network.topology]
kind = "scale-free"
edges = 1
"#,
    );
    home.tg(["run", &path, "--isolation", "host"]).expect(0);
    let run = home.run();
    let topology = run.file.network.as_ref().and_then(|laid| laid.topology.clone()).expect("the topology is recorded");
    // A tree.
    assert_eq!(topology.edges.len(), 4);
    let names = ["b/0", "b/1", "a/0", "a/1", "a/2"];
    let mut wanted: Vec<(String, String)> = topology
        .edges
        .iter()
        .flat_map(|&[a, b]| [(a, b), (b, a)])
        .map(|(a, b)| (names[a as usize].to_owned(), names[b as usize].to_owned()))
        .collect();
    wanted.sort();
    assert_eq!(trips(&run).into_keys().collect::<Vec<_>>(), wanted);
}

#[test]
fn a_network_is_refused_where_tg_is_not_the_network() {
    let home = Home::new();
    let path =
        composition(&home, "[[groups]]\nid = \"all\"\ninstances = { count = 2 }\n[network.link]\nlatency = \"5ms\"\n");
    let plain = home.tg(["run", &path, "--isolation", "none"]);
    plain.expect(14);
    assert!(plain.stderr.contains("`[network]` needs a host of its own for each instance"), "{}", plain.stderr);
    let cluster = home.tg(["run", &path, "--backend", "cluster:k8s"]);
    cluster.expect(2);
    assert!(cluster.stderr.contains("shaped.toml:11: `[network]` shapes a network of tg's own"), "{}", cluster.stderr);
    assert!(home.runs().is_empty(), "a run began");
    // Nothing was built for it either.
    assert!(!plain.stderr.contains("Compiling"), "{}", plain.stderr);
    let wrong = composition(
        &home,
        "[[groups]]\nid = \"all\"\nregion = \"eastsu\"\ninstances = { count = 2 }\n[network.regions]\nmatrix = \
         \"azure-2024\"\n",
    );
    let wrong = home.tg(["run", &wrong]);
    wrong.expect(2);
    assert!(wrong.stderr.contains("shaped.toml:10: there is no region `eastsu`"), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("did you mean `eastus`?"), "{}", wrong.stderr);
}

#[test]
fn routers_map_and_filter_as_the_composition_asks() {
    if !has(Tool::Hosts, "routers") {
        return;
    }
    let home = Home::new();
    let path = network().join("compositions/routers.toml");
    let text = fs::read_to_string(path).expect("it comes with tg");
    for nat in ["full-cone", "address-restricted", "port-restricted", "symmetric"] {
        let plan = network();
        let text = text.replace("plan = \"network\"", &format!("plan = \"{}\"", plan.display()));
        let text = text.replace("{{ or .Env.NAT \"port-restricted\" }}", nat);
        let path = home.file("routers.toml", &text);
        // The plan succeeds only if it finds by its own sockets what was asked for.
        home.tg(["run", path.to_str().expect("a plain path"), "--isolation", "host"]).expect(0);
    }
    let show = home.tg(["runs", "show", "latest"]);
    assert!(show.stdout.contains("inside behind routers of their own (symmetric)"), "{}", show.stdout);
    // The plan is no yes-man.
    let wrong = text
        .replace("nat = \"{{ or .Env.NAT \"port-restricted\" }}\"\n\n[[groups]]", "nat = \"symmetric\"\n\n[[groups]]");
    let wrong = wrong.replace("plan = \"network\"", &format!("plan = \"{}\"", network().display()));
    let path = home.file("routers.toml", &wrong);
    let failed = home.tg(["run", path.to_str().expect("a plain path"), "--isolation", "host"]);
    failed.expect(10);
    assert!(failed.stderr.contains("the router is port-restricted"), "{}", failed.stderr);
    let bad = text.replace("[[network.routers]]\nof = [\"inside\"]", "[[network.routers]]\nof = [\"insid\"]");
    let path = home.file("routers.toml", &bad);
    let refused = home.tg(["run", path.to_str().expect("a plain path")]);
    refused.expect(2);
    assert!(refused.stderr.contains("a router of `[network]` names group `insid`"), "{}", refused.stderr);
}

#[test]
fn programs_of_debian_talk_over_the_network_as_it_is_shaped() {
    if !has(Tool::Hosts, "ping, curl and iperf3") || !has(Tool::NetworkPrograms, "ping, curl and iperf3") {
        return;
    }
    let home = Home::new();
    let text = format!(
        "[global]\nplan = \"{}\"\ncase = \"talk\"\nbuilder = \"exec:generic\"\nrunner = \"local:exec\"\ndeadline = \"2m\"\n\
         [[groups]]\nid = \"single\"\ninstances = {{ count = 2 }}\n\
         [network.link]\nlatency = \"10ms\"\nbandwidth = \"20Mbit\"\n",
        tg_e2e::plan("tools").display()
    );
    let path = home.file("tools.toml", &text);
    let done = home.tg(["run", path.to_str().expect("a plain path"), "--isolation", "host", "--collect"]);
    done.expect(0);
    let run = home.run();
    let read = |name: &str| fs::read_to_string(run.output("single/1", name)).expect("a file");
    assert_eq!(read("page.txt"), "hello from single-0\n");
    let ping = read("ping.txt");
    assert!(ping.contains("(16.0.0.2)") && ping.contains(" 0% packet loss"), "{ping}");
    let least: f64 = ping
        .split("rtt min/avg/max/mdev = ")
        .nth(1)
        .and_then(|rest| rest.split('/').next()?.parse().ok())
        .unwrap_or_else(|| panic!("no round trip in {ping}"));
    assert!(least >= 20.0, "two times 10 ms were asked for, and it was {least} ms");
    assert!(read("ping6.txt").contains("fd74:6700::2"), "{}", read("ping6.txt"));
    let iperf: serde_json::Value = serde_json::from_str(&read("iperf3.json")).expect("iperf3 speaks JSON");
    // The server tells what it had when the client was done; the rest was on its way.
    assert!(iperf["end"]["sum_sent"]["bytes"].as_u64().is_some_and(|bytes| bytes >= 2 << 20), "{iperf}");
    let rate = iperf["end"]["sum_received"]["bits_per_second"].as_f64().expect("a rate");
    // IP and TCP headers are of the 20 Mbit/s; what comes through is less in any case.
    assert!(rate > 0.0 && rate < 20e6, "{rate} bit/s came through 20 Mbit/s");
}
