//! Exports that other programs open, and pictures.

use std::fs;
use std::path::Path;
use std::process::Command;

use tg_e2e::{Home, Tool, has};

use crate::routing::collected;

/// A run whose group names what an attacker would: a quote, a bracket, a backslash.
const NASTY: &str = "a\"b<c>&d\\";

#[test]
fn all_snapshots_are_exported_under_the_old_names_and_graphviz_reads_them() {
    let home = Home::new();
    let dataset = collected(&home);
    home.tg(["analyze", "graph", &dataset, "--export", "dot", "-o", "graphs/"]).expect(0);
    let folder = home.path().parent().expect("a scratch folder").join("graphs");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .expect("a folder")
        .map(|e| e.expect("a file").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let wanted = ["ab-conn.dot", "ab-rt.dot", "ar-conn.dot", "ar-rt.dot", "br-conn.dot", "br-rt.dot"];
    assert_eq!(names, wanted);
    if !has(Tool::Graphviz, "reading our DOT with Graphviz") {
        return;
    }
    for name in wanted {
        let done = Command::new("nop").arg(folder.join(name)).output().expect("it starts");
        assert!(done.status.success() && done.stderr.is_empty(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

/// Reads the three files with networkx and pydot, and holds our attributes against its own.
const PYTHON: &str = r#"
import sys, csv, networkx as nx, pydot
folder, nodes, edges = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
g = nx.read_graphml(folder + "/n.graphml")
h = nx.read_gexf(folder + "/n.gexf")
d = pydot.graph_from_dot_file(folder + "/n.dot")[0]
assert (len(g), g.number_of_edges()) == (nodes, edges), (len(g), g.number_of_edges())
assert (len(h), h.number_of_edges()) == (nodes, edges)
assert (len(d.get_nodes()), len(d.get_edges())) == (nodes, edges)
u = g.to_undirected()
core, through = nx.core_number(u), nx.betweenness_centrality(u, normalized=False)
for node, own in g.nodes.items():
    assert own["core"] == core[node] and own["degree"] == u.degree(node)
    assert abs(own["betweenness"] - through[node]) < 1e-6
    assert own["in_degree"] == g.in_degree(node) and own["out_degree"] == g.out_degree(node)
    assert {k: v for k, v in h.nodes[node].items()} == own
rows = list(csv.DictReader(open(folder + "/tables/ab-conn-nodes.csv", newline="")))
assert len(rows) == nodes and {row["name"] for row in rows} == {own["label"] for own in g.nodes.values()}
"#;

#[test]
fn networkx_reads_every_format_and_finds_the_same_attributes() {
    let home = Home::new();
    let dataset = collected(&home);
    let folder = home.path().parent().expect("a scratch folder").to_owned();
    for (format, output) in
        [("graphml", "n.graphml"), ("gexf", "n.gexf"), ("dot", "n.dot"), ("csv", "tables/"), ("parquet", "tables/")]
    {
        home.tg(["analyze", "graph", &dataset, "--export", format, "-o", output]).expect(0);
    }
    assert!(folder.join("tables/ar-rt-edges.parquet").is_file());
    let edges = fs::read_to_string(folder.join("tables/ab-conn-edges.csv")).expect("a table").lines().count() - 1;
    if has(Tool::Networkx, "reading our exports with networkx") {
        let args = ["-c", PYTHON, &folder.display().to_string(), "60", &edges.to_string()].map(str::to_owned);
        let done = Command::new("python3").args(args).output().expect("it starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

#[test]
fn no_name_breaks_a_file() {
    let home = Home::new();
    let folder = home.path().parent().expect("a scratch folder").to_owned();
    for (index, other) in [("0", "1"), ("1", "0")] {
        let dir = folder.join("made/r1/g").join(index);
        fs::create_dir_all(&dir).expect("a folder");
        let id = |index: &str| serde_json::Value::from(format!("{NASTY}{index}"));
        let line = format!("{{\"ts\":1,\"msg\":\"../x\",\"From\":{},\"To\":{}}}\n", id(index), id(other));
        fs::write(dir.join("dht_graphs.out"), line).expect("a file");
    }
    // A foreign peer is named by its id.
    let line = format!(
        "{{\"ts\":1,\"msg\":\"../x\",\"From\":{0},\"To\":{1}}}\n",
        serde_json::Value::from(format!("{NASTY}0")),
        serde_json::Value::from(NASTY)
    );
    fs::write(folder.join("made/r1/g/0/dht_graphs.out"), line).expect("a file");
    home.tg(["collect", "r1", "--source", "dir:made/r1", "-o", "run"]).expect(0);
    for (format, ending) in [("graphml", "graphml"), ("gexf", "gexf"), ("dot", "dot"), ("csv", "csv")] {
        home.tg(["analyze", "graph", "./run", "--export", format, "-o", "out/"]).expect(0);
        let stem = if format == "csv" { "_x-conn-nodes" } else { "_x-conn" };
        let found = fs::read_dir(folder.join("out")).expect("a folder");
        let names: Vec<String> = found.map(|e| e.expect("a file").file_name().to_string_lossy().into_owned()).collect();
        assert!(names.iter().any(|name| *name == format!("{stem}.{ending}")), "{names:?}");
    }
    assert!(!folder.join("x-conn.dot").exists());
    home.tg(["analyze", "graph", "./run", "--draw", "x.svg"]).expect(0);
    home.tg(["analyze", "graph", "./run", "--export", "graphml", "-o", "n.graphml"]).expect(0);
    home.tg(["analyze", "graph", "./run", "--export", "gexf", "-o", "n.gexf"]).expect(0);
    home.tg(["analyze", "graph", "./run", "--export", "dot", "-o", "n.dot"]).expect(0);
    if has(Tool::Networkx, "reading hostile names with networkx") {
        let read = "import sys, networkx as nx, pydot, xml.dom.minidom as m\n\
                    f = sys.argv[1]\nname = sys.argv[2]\nm.parse(f + '/x.svg')\n\
                    assert name in {d['label'] for d in nx.read_graphml(f + '/n.graphml').nodes.values()}\n\
                    assert name in {d['label'] for d in nx.read_gexf(f + '/n.gexf').nodes.values()}\n\
                    assert len(pydot.graph_from_dot_file(f + '/n.dot')[0].get_nodes()) == 3\n";
        let done = Command::new("python3").args(["-c", read]).arg(&folder).arg(NASTY).output().expect("it starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

#[test]
fn pictures_are_drawn_the_same_every_time() {
    let home = Home::new();
    let dataset = collected(&home);
    let folder = home.path().parent().expect("a scratch folder").to_owned();
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_else(|why| panic!("{name}: {why}"));
    for kind in ["network", "circle", "ccdf", "robustness"] {
        for name in ["a.svg", "b.svg"] {
            home.tg(["analyze", "graph", &dataset, "--draw", name, "--draw-kind", kind, "--seed", "4"]).expect(0);
        }
        assert!(read("a.svg") == read("b.svg"), "{kind}");
    }
    home.tg(["analyze", "graph", &dataset, "--draw", "net.svg", "--edges", "rt"]).expect(0);
    let text = read("net.svg");
    // 60 instances, 5 peers that are none, and nodes of the legends.
    assert!(text.contains("65 nodes") && text.matches("<circle").count() >= 65, "{}", &text[..400]);
    home.tg(["analyze", "routing", &dataset, "--k", "8", "--draw", "fill.svg"]).expect(0);
    assert!(read("fill.svg").contains("60 tables, 51 live servers"));
    home.tg(["analyze", "routing", &dataset, "--k", "8", "--draw", "fill.png"]).expect(0);
    let pixels = fs::read(folder.join("fill.png")).expect("a picture");
    assert!(pixels.starts_with(b"\x89PNG\r\n\x1a\n") && pixels.len() > 10_000, "{} bytes", pixels.len());
    let done = home.tg(["analyze", "graph", &dataset, "--draw", "net.jpg"]);
    done.expect(2);
    assert!(done.stderr.contains("net.jpg") && !Path::new(&folder).join("net.jpg").exists(), "{}", done.stderr);
    home.tg(["analyze", "graph", &dataset, "--export", "csv"]).expect(2);
    home.tg(["analyze", "graph", &dataset, "--export", "csv", "-o", "one.csv"]).expect(2);
}

/// The figures of the book are what tg draws; `TG_REGENERATE=1` draws them anew.
#[test]
fn the_figures_of_the_book_are_as_tg_draws_them() {
    let home = Home::new();
    let dataset = collected(&home);
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/figures");
    let figures: [(&str, &[&str]); 3] = [
        ("connections.svg", &["graph"]),
        ("robustness.svg", &["graph", "--draw-kind", "robustness"]),
        ("fill.svg", &["routing", "--k", "8"]),
    ];
    for (name, question) in figures {
        let mut args = vec!["analyze", question[0], &dataset, "--draw", name];
        args.extend(&question[1..]);
        home.tg(args).expect(0);
        let drawn = fs::read(home.path().parent().expect("a scratch folder").join(name)).expect("a picture");
        if std::env::var_os("TG_REGENERATE").is_some() {
            fs::write(book.join(name), &drawn).expect("a writable book");
        }
        let printed = fs::read(book.join(name)).unwrap_or_default();
        assert!(printed == drawn, "`docs/src/figures/{name}` is out of date; set TG_REGENERATE=1 to draw it anew");
    }
}
