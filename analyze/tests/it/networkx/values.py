#!/usr/bin/env python3
"""Measures seeded random graphs with networkx and numpy; prints the graphs and their measures as JSON lines.

    python3 -m venv v && v/bin/pip install networkx==3.6.1 numpy scipy
    v/bin/python values.py > values.jsonl

The tests of tg's own measures read the result. Nothing here knows of tg: where networkx has no such measure, it is written
out from its definition.
"""

import json
import math
import random
import warnings

import networkx as nx
import numpy as np


def made():
    """Name, number of nodes, arcs (loops and repeats among them)."""
    rng = random.Random(20261126)

    def of(graph, turn=0.5):
        # Each edge gets a direction by chance.
        return [(a, b) if rng.random() < turn else (b, a) for a, b in graph.edges]

    yield "none", 0, []
    yield "one", 1, []
    yield "one with a loop", 1, [(0, 0)]
    yield "two apart", 2, []
    yield "triangle and a node", 4, [(0, 1), (1, 2), (2, 0)]
    for n, p in [(12, 0.15), (30, 0.08), (40, 0.12), (25, 0.4), (14, 0.9)]:
        yield f"random {n} {p}", n, of(nx.gnp_random_graph(n, p, seed=n))
    for n, m in [(30, 1), (40, 3), (60, 5)]:
        yield f"scale-free {n} {m}", n, of(nx.barabasi_albert_graph(n, m, seed=n))
    yield "small world 40", 40, of(nx.watts_strogatz_graph(40, 6, 0.1, seed=1))
    yield "regular 24", 24, of(nx.random_regular_graph(4, 24, seed=2))
    yield "grid 5 6", 30, of(nx.convert_node_labels_to_integers(nx.grid_2d_graph(5, 6)))
    for n, m in [(20, 45), (35, 60), (30, 140)]:
        # Any pair, so that loops, repeats and both directions come up.
        yield f"arcs {n} {m}", n, [(rng.randrange(n), rng.randrange(n)) for _ in range(m)]
    # Each node has its nearest by exclusive or of random identifiers, as in a Kademlia's tables.
    ids = [rng.getrandbits(32) for _ in range(32)]
    near = [(a, b) for a in range(32) for b in sorted(range(32), key=lambda b: ids[a] ^ ids[b])[1:5]]
    far = [(a, rng.randrange(32)) for a in range(32) for _ in range(2)]
    yield "kademlia 32", 32, near + [(a, b) for a, b in far if a != b]


def number(value):
    """JSON has no NaN: what is undefined is null."""
    return None if value is None or not math.isfinite(value) else float(value)


def gini(values):
    n, total = len(values), sum(values)
    if total == 0:
        return None
    return 2 * sum(i * x for i, x in enumerate(sorted(values), 1)) / (n * total) - (n + 1) / n


def largest(graph):
    return max(map(len, nx.connected_components(graph)), default=0)


def robustness(graph, order):
    """R: the mean share of nodes in the largest component after each removal."""
    left, total = graph.copy(), 0
    for node in order(graph):
        left.remove_node(node)
        total += largest(left)
    return total / len(graph) ** 2


def static(graph):
    return sorted(graph, key=lambda v: (-graph.degree(v), v))


def adaptive(graph):
    left = graph.copy()
    while left:
        node = min(left, key=lambda v: (-left.degree(v), v))
        left.remove_node(node)
        yield node


def effective(hist):
    """90 % of the pairs, interpolated between whole distances."""
    wanted, before = 0.9 * sum(hist.values()), 0
    for distance in sorted(hist):
        if before + hist[distance] >= wanted:
            return distance - 1 + (wanted - before) / hist[distance]
        before += hist[distance]
    return None


def assortativity(graph, **ends):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return number(nx.degree_pearson_correlation_coefficient(graph, **ends))
    except ValueError:
        return None


def measures(n, arcs, groups):
    directed = nx.DiGraph()
    directed.add_nodes_from(range(n))
    directed.add_edges_from((a, b) for a, b in arcs if a != b)
    both = directed.to_undirected()
    nx.set_node_attributes(both, dict(enumerate(groups)), "group")
    parts = sorted(nx.connected_components(both), key=lambda part: (-len(part), min(part)))
    strong = sorted(nx.strongly_connected_components(directed), key=lambda part: (-len(part), min(part)))
    found = {
        "edges": both.number_of_edges(),
        "arcs": directed.number_of_edges(),
        "weak": [len(part) for part in parts],
        "strong": [len(part) for part in strong],
        "core": [v for _, v in sorted(nx.core_number(both).items())] if n else [],
        "articulations": sorted(nx.articulation_points(both)),
        "bridges": sorted(sorted(edge) for edge in nx.bridges(both)),
        "betweenness": [v for _, v in sorted(nx.betweenness_centrality(both, normalized=False).items())],
        "pagerank": [v for _, v in sorted(nx.pagerank(directed, alpha=0.85, tol=1e-14, max_iter=2000).items())],
        "gini": gini([d for _, d in both.degree]),
        "gini_in": gini([d for _, d in directed.in_degree]),
        "clustering": number(nx.average_clustering(both)) if n else None,
        "triangles": sum(nx.triangles(both).values()) // 3,
        "reciprocity": nx.overall_reciprocity(directed) if directed.number_of_edges() else None,
        "efficiency": nx.global_efficiency(both) if n > 1 else None,
        "assortativity": assortativity(both),
        "vertex_connectivity": nx.node_connectivity(both) if n > 1 else None,
        "edge_connectivity": nx.edge_connectivity(both) if n > 1 else None,
        "r_static": robustness(both, static) if n else None,
        "r_adaptive": robustness(both, adaptive) if n else None,
    }
    triples = sum(d * (d - 1) // 2 for _, d in both.degree)
    found["transitivity"] = nx.transitivity(both) if triples else None
    for tail in ["out", "in"]:
        for head in ["out", "in"]:
            found[f"assortativity_{tail}_{head}"] = assortativity(directed, x=tail, y=head)
    with np.errstate(all="ignore"):
        by_group = nx.attribute_assortativity_coefficient(both, "group") if both.number_of_edges() else math.nan
    found["assortativity_group"] = number(by_group)
    classes = [{v for v in range(n) if groups[v] == group} for group in sorted(set(groups))]
    found["modularity"] = nx.community.modularity(both, classes) if both.number_of_edges() else None
    reach = sum(len(nx.descendants(directed, v)) for v in directed)
    found["reachable"] = reach / (n * (n - 1)) if n > 1 else None
    core = strong[0] if strong else set()
    before = {v for u in core for v in nx.ancestors(directed, u)} - core
    after = {v for u in core for v in nx.descendants(directed, u)} - core
    found["bow_tie"] = [len(core), len(before), len(after), n - len(core) - len(before) - len(after)]
    for key, graph in [("distances", both), ("distances_directed", directed)]:
        hist = {}
        for _, row in nx.all_pairs_shortest_path_length(graph):
            for distance in row.values():
                hist[distance] = hist.get(distance, 0) + 1
        hist.pop(0, None)
        found[key] = [hist.get(d, 0) for d in range(max(hist, default=0) + 1)]
    main = both.subgraph(parts[0]) if parts else both
    far = nx.eccentricity(main) if len(main) > 1 else {}
    found["diameter"] = max(far.values(), default=None)
    found["radius"] = min(far.values(), default=None)
    found["mean_path"] = nx.average_shortest_path_length(main) if len(main) > 1 else None
    hist = {}
    for _, row in nx.all_pairs_shortest_path_length(main):
        for distance in row.values():
            hist[distance] = hist.get(distance, 0) + 1
    hist.pop(0, None)
    found["effective_diameter"] = effective(hist)
    found["spectral_radius"] = float(np.linalg.eigvalsh(nx.to_numpy_array(both)).max()) if n else None
    laplacian = normalised = None
    if len(main) > 1:
        laplacian = float(np.linalg.eigvalsh(nx.laplacian_matrix(main).toarray())[1])
        normalised = float(np.linalg.eigvalsh(nx.normalized_laplacian_matrix(main).toarray())[1])
    found["algebraic_connectivity"], found["spectral_gap"] = laplacian, normalised
    return found


def rounded(value):
    """Twelve digits, which every machine agrees on."""
    if isinstance(value, float):
        return round(value, 12)
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return {key: rounded(one) for key, one in value.items()} if isinstance(value, dict) else value


for name, n, arcs in made():
    groups = [v % 3 for v in range(n)]
    print(json.dumps({"name": name, "nodes": n, "arcs": arcs, "measures": rounded(measures(n, arcs, groups))}))
