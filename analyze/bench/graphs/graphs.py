#!/usr/bin/env python3
"""Holds tg's graph kernels against networkx, python-igraph, rustworkx and NetworKit; the README beside it says how.

    graphs.py make DIR [NODES..]                 random, scale-free and Kademlia-like graphs of these sizes
    graphs.py compare BINARY FILE.. [--limit S] [--kernels A,B] [--tools A,B] [--json OUT]
    graphs.py peer TOOL KERNEL FILE              one kernel of one program, as JSON; `compare` calls it
"""

import argparse
import bisect
import json
import math
import os
import random
import statistics
import subprocess
import sys
import time

THREADS = int(os.environ.get("BENCH_THREADS", "2"))
TOOLS = ["networkx", "igraph", "rustworkx", "networkit"]


# Graphs


def write(path, arcs):
    with open(path, "w", encoding="ascii") as file:
        file.writelines(f"{a} {b}\n" for a, b in arcs)


def sparse(n, rng):
    """Any pair, eight times as many arcs as nodes."""
    return ((rng.randrange(n), rng.randrange(n)) for _ in range(8 * n))


def scale_free(n, rng, each=4):
    """Barabási and Albert 1999: whoever comes joins those who have many already."""
    ends = list(range(each))
    for new in range(each, n):
        chosen = {rng.choice(ends) for _ in range(each)}
        for old in sorted(chosen):
            yield new, old
            ends += [new, old]


def kademlia(n, rng, each=3):
    """Of every length of common prefix, some of the nodes that there are."""
    ids = sorted(rng.getrandbits(64) for _ in range(n))
    for node, own in enumerate(ids):
        for shared in range(64):
            # Those that agree in so many bits and differ in the next.
            low = ((own >> (63 - shared)) ^ 1) << (63 - shared)
            first, last = bisect.bisect_left(ids, low), bisect.bisect_left(ids, low + (1 << (63 - shared)))
            for other in rng.sample(range(first, last), min(each, last - first)):
                yield node, other


def make(folder, sizes):
    os.makedirs(folder, exist_ok=True)
    for n in sizes:
        for name, of in [("random", sparse), ("scale-free", scale_free), ("kademlia", kademlia)]:
            path = os.path.join(folder, f"{name}-{n}.txt")
            write(path, of(n, random.Random(n)))
            print(path)


# Peers: each gives a function that runs a kernel once and returns the value to compare


def read(path):
    with open(path, encoding="ascii") as file:
        pairs = [tuple(map(int, line.split())) for line in file if line.strip() and not line.startswith("#")]
    n = max((max(pair) for pair in pairs), default=-1) + 1
    arcs = sorted({(a, b) for a, b in pairs if a != b})
    return n, arcs, sorted({(min(arc), max(arc)) for arc in arcs})


def mean_of(hist):
    total = sum(hist.values())
    return sum(distance * pairs for distance, pairs in hist.items()) / total if total else math.nan


def networkx(n, arcs, edges):
    import networkx as nx

    directed, both = nx.DiGraph(), nx.Graph()
    for graph, pairs in [(directed, arcs), (both, edges)]:
        graph.add_nodes_from(range(n))
        graph.add_edges_from(pairs)
    nx.set_node_attributes(both, {v: v % 3 for v in range(n)}, "group")

    def distances():
        hist = {}
        for _, row in nx.all_pairs_shortest_path_length(both):
            for distance in row.values():
                hist[distance] = hist.get(distance, 0) + 1
        hist.pop(0, None)
        return mean_of(hist)

    def fast():
        for degrees in [both.degree, directed.in_degree, directed.out_degree]:
            sorted(d for _, d in degrees)
        for x in ["in", "out"]:
            for y in ["in", "out"]:
                nx.degree_pearson_correlation_coefficient(directed, x=x, y=y)
        nx.degree_pearson_correlation_coefficient(both)
        nx.attribute_assortativity_coefficient(both, "group")
        nx.community.modularity(both, [range(k, n, 3) for k in range(3)])
        list(nx.connected_components(both))
        core = max(nx.strongly_connected_components(directed), key=len)
        nx.descendants(directed, next(iter(core)))
        nx.ancestors(directed, next(iter(core)))
        nx.overall_reciprocity(directed)
        nx.core_number(both)
        list(nx.articulation_points(both))
        list(nx.bridges(both))
        nx.average_clustering(both)
        nx.transitivity(both)
        nx.pagerank(directed, tol=1e-12 / n, max_iter=1000)
        return sum(nx.triangles(both).values()) // 3

    return {
        "components": lambda: nx.number_connected_components(both),
        "strong": lambda: nx.number_strongly_connected_components(directed),
        "cores": lambda: max(nx.core_number(both).values()),
        "clustering": lambda: nx.average_clustering(both),
        "assortativity": lambda: nx.degree_pearson_correlation_coefficient(both),
        # Its tolerance is multiplied by the number of nodes.
        "pagerank": lambda: max(nx.pagerank(directed, tol=1e-12 / n, max_iter=1000).values()),
        "articulations": lambda: sum(1 for _ in nx.articulation_points(both)),
        "fast": fast,
        "radius": lambda: scipy_radius(nx.to_scipy_sparse_array(both, dtype=float)),
        "gap": lambda: nx.algebraic_connectivity(both, tol=1e-8, normalized=True, method="tracemin_lu"),
        "algebraic": lambda: nx.algebraic_connectivity(both, tol=1e-8, method="tracemin_lu"),
        "connectivity": lambda: nx.node_connectivity(both) + nx.edge_connectivity(both),
        "distances": distances,
        "betweenness": lambda: max(nx.betweenness_centrality(both, normalized=False).values()),
    }


def scipy_radius(matrix):
    from scipy.sparse.linalg import eigsh

    return float(eigsh(matrix, k=1, which="LA", tol=1e-10, return_eigenvectors=False)[0])


def igraph(n, arcs, edges):
    import igraph as ig

    directed, both = ig.Graph(n=n, edges=arcs, directed=True), ig.Graph(n=n, edges=edges)

    def distances():
        # The bins begin at a distance of 1.
        return mean_of({int(low): pairs for low, _, pairs in both.path_length_hist(directed=False).bins()})

    return {
        "components": lambda: len(both.connected_components()),
        "strong": lambda: len(directed.connected_components(mode="strong")),
        "cores": lambda: max(both.coreness()),
        "clustering": lambda: both.transitivity_avglocal_undirected(mode="zero"),
        "assortativity": lambda: both.assortativity_degree(directed=False),
        "pagerank": lambda: max(directed.pagerank(damping=0.85)),
        "articulations": lambda: len(both.articulation_points()),
        "connectivity": lambda: both.vertex_connectivity() + both.edge_connectivity(),
        "distances": distances,
        "betweenness": lambda: max(both.betweenness(directed=False)),
    }


def rustworkx(n, arcs, edges):
    import rustworkx as rx

    directed, both = rx.PyDiGraph(), rx.PyGraph()
    for graph, pairs in [(directed, arcs), (both, edges)]:
        graph.add_nodes_from(range(n))
        graph.add_edges_from_no_data(pairs)
    return {
        "components": lambda: rx.number_connected_components(both),
        "strong": lambda: len(rx.strongly_connected_components(directed)),
        "cores": lambda: max(rx.core_number(both).values()),
        "pagerank": lambda: max(rx.pagerank(directed, tol=1e-12, max_iter=1000).values()),
        "articulations": lambda: len(rx.articulation_points(both)),
        "distances": lambda: rx.unweighted_average_shortest_path_length(both, parallel_threshold=1, disconnected=True),
        "betweenness": lambda: max(rx.betweenness_centrality(both, normalized=False, parallel_threshold=1).values()),
    }


def networkit(n, arcs, edges):
    import networkit as nk

    nk.setNumberOfThreads(THREADS)
    directed, both = nk.Graph(n, directed=True), nk.Graph(n)
    for graph, pairs in [(directed, arcs), (both, edges)]:
        for a, b in pairs:
            graph.addEdge(a, b)
        graph.indexEdges()

    # Its distances are of connected graphs alone.
    largest = nk.components.ConnectedComponents.extractLargestConnectedComponent(both, True)

    def run(algorithm):
        algorithm.run()
        return algorithm

    def distances():
        # How many pairs are within each distance, the nodes themselves not counted.
        within = run(nk.distance.NeighborhoodFunction(largest)).getNeighborhoodFunction()
        at = [now - before for now, before in zip(within, [0, *within])]
        return mean_of(dict(enumerate(at, 1)))

    def clustering():
        return statistics.fmean(run(nk.centrality.LocalClusteringCoefficient(both, True)).scores())

    def pagerank():
        sinks = nk.centrality.SinkHandling.DistributeSinks
        return max(run(nk.centrality.PageRank(directed, 0.85, 1e-12, distributeSinks=sinks)).scores())

    return {
        "components": lambda: run(nk.components.ParallelConnectedComponents(both)).numberOfComponents(),
        "strong": lambda: run(nk.components.StronglyConnectedComponents(directed)).numberOfComponents(),
        "cores": lambda: run(nk.centrality.CoreDecomposition(both)).maxCoreNumber(),
        "clustering": clustering,
        "pagerank": pagerank,
        "distances": distances,
        # Each pair is met from both ends.
        "betweenness": lambda: max(run(nk.centrality.Betweenness(both)).scores()) / 2,
    }


def peer(tool, kernel, path):
    """The median of 20 runs of less than a second, of 3 up to ten seconds, else the only run: as the binary does it."""
    kernels = {"networkx": networkx, "igraph": igraph, "rustworkx": rustworkx, "networkit": networkit}[tool](*read(path))
    if kernel not in kernels:
        return {"missing": True}
    times = []

    def once():
        began = time.perf_counter()
        value = kernels[kernel]()
        times.append(time.perf_counter() - began)
        return value

    value = once()
    for _ in range(19 if times[0] < 1 else 2 if times[0] < 10 else 0):
        once()
    return {"median_s": statistics.median(times), "runs": len(times), "value": float(value)}


# Comparison


def ask(command, limit):
    env = {**os.environ, "RAYON_NUM_THREADS": str(THREADS), "OMP_NUM_THREADS": str(THREADS)}
    try:
        done = subprocess.run(command, env=env, timeout=limit, stdout=subprocess.PIPE, check=False)
    except subprocess.TimeoutExpired:
        return {"over_s": limit}
    return json.loads(done.stdout) if done.returncode == 0 else {"failed": done.returncode}


def shown(found, ours):
    if "median_s" not in found:
        return f"over {found['over_s']:g} s" if "over_s" in found else "failed" if "failed" in found else "—"
    wanted, value = ours["value"], found["value"]
    same = wanted is not None and math.isclose(value, wanted, rel_tol=1e-4, abs_tol=1e-9)
    mark = "" if same else f" (found {value:g})"
    return f"{found['median_s']:.3g} s, {found['median_s'] / ours['median_s']:.3g}×{mark}"


def compare(args):
    everything = []
    for path in args.files:
        wanted = args.kernels.split(",") if args.kernels else []
        tools = args.tools.split(",") if args.tools else TOOLS
        us = ask([args.binary, path, *wanted], None)
        if "kernels" not in us:
            sys.exit(f"{args.binary} failed with {us['failed']}")
        print(f"\n{os.path.basename(path)}: {us['nodes']} nodes, {us['edges']} edges, {THREADS} threads", end="")
        print("" if us["is_optimised"] else "; tg is NOT optimised, and these ratios say nothing", end="\n\n")
        print("| kernel | tg | " + " | ".join(tools) + " | value |\n|---|---:" + "|---:" * (len(tools) + 1) + "|")
        for kernel, ours in us["kernels"].items():
            found = {}
            for tool in tools:
                found[tool] = ask([sys.executable, __file__, "peer", tool, kernel, path], args.limit)
            cells = [shown(found[tool], ours) for tool in tools]
            value = "—" if ours["value"] is None else f"{ours['value']:.6g}"
            print(f"| {kernel} | {ours['median_s']:.3g} s | " + " | ".join(cells) + f" | {value} |", flush=True)
            everything.append({"file": os.path.basename(path), "kernel": kernel, "tg": ours, **found})
    if args.json:
        with open(args.json, "w", encoding="ascii") as file:
            json.dump(everything, file, indent=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("make")
    one.add_argument("folder")
    one.add_argument("nodes", nargs="*", type=int, default=[1000, 10_000, 100_000])
    one = commands.add_parser("compare")
    one.add_argument("binary")
    one.add_argument("files", nargs="+")
    one.add_argument("--limit", type=float, default=600)
    one.add_argument("--kernels")
    one.add_argument("--tools")
    one.add_argument("--json")
    one = commands.add_parser("peer")
    one.add_argument("tool", choices=TOOLS)
    one.add_argument("kernel")
    one.add_argument("file")
    args = parser.parse_args()
    if args.command == "make":
        make(args.folder, args.nodes)
    elif args.command == "compare":
        compare(args)
    else:
        print(json.dumps(peer(args.tool, args.kernel, args.file)))


if __name__ == "__main__":
    main()
