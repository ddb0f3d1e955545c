#!/usr/bin/env python3
"""Writes graphs.json: node and network metrics of famous and random graphs, computed by NetworkX.

Run: python3 -m venv V && V/bin/pip install networkx==3.6.1 numpy==2.4.6 scipy==1.17.1 && V/bin/python make_graphs.py
Famous: karate (also weighted), les miserables, florentine families, davis. Random: seeded, sparse to dense,
undirected and directed, connected or not. `nodes=` is passed to effective_size because the sparse shortcut of 3.6.1
contradicts its own formula when weighted or directed (karate, node 0: 13.954 instead of 13.775). Edges are [a, b, strength]. Values are null where NetworkX has none.
"""
import json
import math
import pathlib
import random

import networkx as nx


def clean(x):
    return None if x is None or (isinstance(x, float) and math.isnan(x)) else x


def column(g, values):
    return [clean(values.get(v)) for v in g]


def giant(g):
    parts = list(nx.weakly_connected_components(g) if g.is_directed() else nx.connected_components(g))
    most = max(len(p) for p in parts)
    # The first of equally large ones, by smallest member.
    return min((p for p in parts if len(p) == most), key=lambda p: min(p))


def entry(name, g, weighted=False):
    ids = [f"v{i:03d}" for i in range(g.number_of_nodes())]
    g = nx.relabel_nodes(g, dict(zip(g, ids)))
    h = type(g)()
    h.add_nodes_from(ids)
    h.add_edges_from(g.edges(data=True))
    g = h
    for _, _, d in g.edges(data=True):
        d["length"] = 1 / d["strength"]
    w = "strength" if weighted else None
    length = "length" if weighted else None
    n = g.number_of_nodes()
    nodes = {
        "degree": dict(g.degree()),
        "betweenness": nx.betweenness_centrality(g, weight=length),
        "closeness": nx.closeness_centrality(g, distance=length),
        "pagerank": nx.pagerank(g, tol=1e-15, max_iter=100000, weight=w),
        "core": nx.core_number(g),
        "clustering": nx.clustering(g, weight=w),
    }
    if not g.is_directed():
        inside = g.subgraph(giant(g))
        if len(inside) > 1:
            nodes["eigenvector"] = nx.eigenvector_centrality(inside, max_iter=200000, tol=1e-15, weight=w)
        nodes["constraint"] = nx.constraint(g, weight=w)
        nodes["effective_size"] = nx.effective_size(g, nodes=list(g), weight=w)
    else:
        # NetworkX gives nothing for nodes without outgoing ties; the formula is defined for them.
        sinks = {v for v in g if not g.out_degree(v)}
        nodes["constraint"] = {v: c for v, c in nx.constraint(g, weight=w).items() if v not in sinks}
        nodes["effective_size"] = {v: c for v, c in nx.effective_size(g, nodes=list(g), weight=w).items() if v not in sinks}
    connected = nx.is_strongly_connected(g) if g.is_directed() else nx.is_connected(g)
    try:
        assortativity = clean(float(nx.degree_assortativity_coefficient(g)))
    except Exception:
        assortativity = None
    network = {
        "n": n, "m": g.number_of_edges(), "density": nx.density(g),
        "components": nx.number_weakly_connected_components(g) if g.is_directed() else nx.number_connected_components(g),
        "giant": len(giant(g)), "diameter": nx.diameter(g) if connected else None,
        "radius": nx.radius(g) if connected else None,
        "avg_path": nx.average_shortest_path_length(g) if connected else None,
        "transitivity": nx.transitivity(g), "avg_clustering": nx.average_clustering(g, weight=w), "assortativity": assortativity,
    }
    return {"name": name, "directed": g.is_directed(), "weighted": weighted, "nodes": ids,
            "edges": [[a, b, d["strength"]] for a, b, d in g.edges(data=True)],
            "expected": {"nodes": {k: column(g, v) for k, v in nodes.items()}, "network": network},
            "sinks": sorted(sinks) if g.is_directed() else []}


def with_strengths(g, rng, top=None):
    for _, _, d in g.edges(data=True):
        d["strength"] = d["weight"] / top if top else rng.choice([0.125, 0.25, 0.5, 1.0, round(rng.uniform(0.05, 1), 3)])
        d.pop("weight", None)
    return g


def main():
    assert nx.__version__ == "3.6.1", nx.__version__
    rng = random.Random(20261123)
    out = []
    for weighted in (False, True):
        out.append(entry(f"karate weighted={weighted}", with_strengths(nx.karate_club_graph(), rng, 7), weighted))
    top = max(d["weight"] for *_, d in nx.les_miserables_graph().edges(data=True))
    out.append(entry("les miserables", with_strengths(nx.les_miserables_graph(), rng, top)))
    out.append(entry("les miserables weighted", with_strengths(nx.les_miserables_graph(), rng, top), True))
    out.append(entry("florentine", with_strengths(nx.florentine_families_graph(), rng)))
    out.append(entry("davis", with_strengths(nx.davis_southern_women_graph(), rng)))
    for i in range(20):
        n = rng.choice([3, 8, 14, 20, 26])
        directed = i % 3 == 2
        g = nx.gnp_random_graph(n, rng.choice([1.2, 2.5, 5]) / n, seed=1000 + i, directed=directed)
        out.append(entry(f"gnp {i}", with_strengths(g, rng), weighted=i % 4 == 3))
    for i in range(4):
        g = nx.gnp_random_graph(16, 0.35, seed=2000 + i, directed=True)
        out.append(entry(f"directed {i}", with_strengths(g, rng), weighted=i % 2 == 1))
    text = json.dumps(out, separators=(",", ":"))
    pathlib.Path(__file__).with_name("graphs.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
