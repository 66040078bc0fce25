//! Times the kernels of graph measures in process, on a graph that is loaded already.
//!
//! ```text
//! cargo run --release -p tg-analyze -p tg-cli --example graphs -- FILE [KERNEL..]
//! ```
//!
//! FILE has a pair of node numbers in each line; lines that begin with `#` say nothing. Without kernels all are timed.
//! It prints one JSON object: the graph's size, and for each kernel the median of its runs, their number, and a value by
//! which others can tell whether they measured the same. The README beside it says how it is held against other programs.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a measurement, which prints")]

use std::fs;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use peak_alloc::PeakAlloc;
use serde_json::{Map, Value, json};
use tg_analyze::graph::Graph;
use tg_analyze::graph::assortativity::{End, by_class, by_degree, by_directed_degree};
use tg_analyze::graph::betweenness::betweenness;
use tg_analyze::graph::clustering::clustering;
use tg_analyze::graph::components::{bow_tie, reciprocity, weak};
use tg_analyze::graph::connectivity::{edge_connectivity, vertex_connectivity};
use tg_analyze::graph::cores::core_numbers;
use tg_analyze::graph::cut::cuts;
use tg_analyze::graph::degree::degrees;
use tg_analyze::graph::distance::distances;
use tg_analyze::graph::modularity::modularity;
use tg_analyze::graph::pagerank::pagerank;
use tg_analyze::graph::spectral::{algebraic_connectivity, spectral_gap, spectral_radius};
use tg_analyze::graph::strong::strong;

/// Counts what is on the heap.
#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// A kernel: runs once and gives the value to compare.
type Kernel = fn(&Graph) -> f64;

const KERNELS: [(&str, Kernel); 14] = [
    ("components", |graph| weak(graph).sizes.len() as f64),
    ("strong", |graph| strong(graph).sizes.len() as f64),
    ("cores", |graph| f64::from(core_numbers(graph.undirected()).into_iter().max().unwrap_or(0))),
    ("clustering", |graph| clustering(graph.undirected()).mean().unwrap_or(f64::NAN)),
    ("assortativity", |graph| by_degree(graph.undirected()).unwrap_or(f64::NAN)),
    ("pagerank", |graph| pagerank(graph).into_iter().fold(0.0, f64::max)),
    ("articulations", |graph| cuts(graph.undirected()).articulations.len() as f64),
    ("fast", fast),
    ("radius", |graph| spectral_radius(graph.undirected()).unwrap_or(f64::NAN)),
    ("algebraic", |graph| algebraic_connectivity(graph.undirected()).unwrap_or(f64::NAN)),
    ("gap", |graph| spectral_gap(graph.undirected()).unwrap_or(f64::NAN)),
    ("connectivity", connectivity),
    ("distances", all_distances),
    ("betweenness", all_betweenness),
];

/// All measures that `--metrics fast` has of a graph alone.
fn fast(graph: &Graph) -> f64 {
    let (both, out, into) = (graph.undirected(), graph.outbound(), graph.inbound());
    for csr in [both, out, into] {
        let found = degrees(csr);
        black_box((found.summary(), found.gini(), found.isolated()));
    }
    black_box(degrees(both).molloy_reed());
    for (tail, head) in [(End::Out, End::In), (End::Out, End::Out), (End::In, End::In), (End::In, End::Out)] {
        black_box(by_directed_degree(graph, tail, head));
    }
    let groups: Vec<u32> = both.ids().map(|node| node % 3).collect();
    black_box((by_degree(both), by_class(both, &groups), modularity(both, &groups), cuts(both)));
    black_box((weak(graph), strong(graph), bow_tie(graph), reciprocity(graph), core_numbers(both), pagerank(graph)));
    clustering(both).triangles as f64
}

fn connectivity(graph: &Graph) -> f64 {
    let both = graph.undirected();
    let found = vertex_connectivity(both).zip(edge_connectivity(both));
    found.map_or(f64::NAN, |(nodes, edges)| f64::from(nodes) + f64::from(edges))
}

/// The mean over the pairs that a path joins.
fn all_distances(graph: &Graph) -> f64 {
    let both = graph.undirected();
    let nodes: Vec<u32> = both.ids().collect();
    distances(both, both, &nodes).mean().unwrap_or(f64::NAN)
}

fn all_betweenness(graph: &Graph) -> f64 {
    let both = graph.undirected();
    let nodes: Vec<u32> = both.ids().collect();
    betweenness(both, &nodes).into_iter().fold(0.0, f64::max)
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((file, wanted)) = args.split_first() else {
        eprintln!("usage: graphs FILE [KERNEL..]");
        return ExitCode::from(2);
    };
    if let Some(wrong) = wanted.iter().find(|name| KERNELS.iter().all(|(kernel, _)| kernel != name)) {
        let known: Vec<&str> = KERNELS.iter().map(|(name, _)| *name).collect();
        eprintln!("there is no kernel `{wrong}`: there are {}", known.join(", "));
        return ExitCode::from(2);
    }
    match read(file) {
        Ok(arcs) => {
            let n = arcs.iter().map(|&(a, b)| a.max(b) as usize + 1).max().unwrap_or(0);
            println!("{}", measure(n, arcs, wanted));
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("cannot read `{file}`: {why}");
            ExitCode::FAILURE
        }
    }
}

fn read(file: &str) -> Result<Vec<(u32, u32)>, String> {
    let text = fs::read_to_string(file).map_err(|why| why.to_string())?;
    let mut arcs = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty()) {
        let mut numbers = line.split_whitespace().map(str::parse);
        let (Some(Ok(from)), Some(Ok(to)), None) = (numbers.next(), numbers.next(), numbers.next()) else {
            return Err(format!("line {} is not two numbers", at + 1));
        };
        arcs.push((from, to));
    }
    Ok(arcs)
}

fn measure(n: usize, arcs: Vec<(u32, u32)>, wanted: &[String]) -> Value {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let began = Instant::now();
    let graph = Graph::from_arcs(n, &arcs);
    let made = began.elapsed().as_secs_f64();
    let [making, loaded] = [HEAP.peak_usage(), HEAP.current_usage()].map(|now| now.saturating_sub(before));
    drop(arcs);
    let mut kernels = Map::new();
    for (name, kernel) in KERNELS {
        if wanted.is_empty() || wanted.iter().any(|one| one == name) {
            kernels.insert(name.to_owned(), timed(&graph, kernel));
        }
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    json!({
        "tool": "tg", "version": env!("CARGO_PKG_VERSION"), "is_optimised": !cfg!(debug_assertions), "threads": threads,
        "nodes": graph.nodes(), "arcs": graph.outbound().arcs(), "edges": graph.edges(), "made_s": made, "making_heap_bytes": making,
        "heap_bytes": loaded, "kernels": kernels,
    })
}

/// The median of 20 runs of a kernel of less than a second, of 3 up to ten seconds, else the only run.
fn timed(graph: &Graph, kernel: Kernel) -> Value {
    let once = || {
        let began = Instant::now();
        let value = black_box(kernel(black_box(graph)));
        (began.elapsed().as_secs_f64(), value)
    };
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let (first, value) = once();
    let heap = HEAP.peak_usage().saturating_sub(before);
    let runs = if first < 1.0 {
        20
    } else if first < 10.0 {
        3
    } else {
        1
    };
    let mut times = vec![first];
    times.extend((1..runs).map(|_| once().0));
    times.sort_by(f64::total_cmp);
    let middle = f64::midpoint(times[(times.len() - 1) / 2], times[times.len() / 2]);
    let value = if value.is_finite() { json!(value) } else { Value::Null };
    json!({ "median_s": middle, "runs": runs, "heap_bytes": heap, "value": value })
}
