#!/usr/bin/env python3
"""Times the analyses against their peers on the same inputs, interleaved; prints a table and writes analyses.json.

Run: cargo build --release -p zerogate-workflows --example time_run
     python3 -m venv V && V/bin/pip install lifetimes==0.11.3 numpy==2.4.6 networkx==3.6.1 igraph==1.0.0 pandas==3.1.1
     V/bin/python tests/bench/analyses.py target/release/examples/time_run [ROUNDS]
Every figure is the median of ROUNDS (default 5) interleaved rounds. Ours is a process of its own each round, timed
inside: the run alone, from a parsed input to a result (reading and writing JSON are shown beside it). Peers are timed
around the same work, their imports and graph building left out.
WITH_NETWORKX=1 adds NetworkX, once: what it does node by node and takes an hour for is done for a sample of the nodes
and scaled up, which the table and the report say. ONLY=graph (or bgbb, sponsors, monte_carlo) runs one figure.
"""
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

warnings.filterwarnings("ignore")
OURS = sys.argv[1]
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
FOLDER = tempfile.mkdtemp(prefix="analyses-")
HERE = os.path.dirname(os.path.abspath(__file__))


def ours(kind, value):
    path = os.path.join(FOLDER, kind + ".json")
    if not os.path.exists(path):
        with open(path, "w") as f:
            json.dump(value, f)
    return lambda: json.loads(subprocess.check_output([OURS, kind, path]))


def timed(work):
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def rounds(mine, peers):
    """Medians of interleaved rounds; a peer marked once runs in the first round alone."""
    runs, seconds = [], {name: [] for name in peers}
    for i in range(ROUNDS):
        runs.append(mine())
        for name, (work, once) in peers.items():
            if i == 0 or not once:
                seconds[name].append(timed(work))
    return runs, {name: statistics.median(s) for name, s in seconds.items()}


def bgbb():
    import pandas
    from lifetimes import BetaGeoBetaBinomFitter

    data = pandas.read_csv(os.path.join(HERE, "../../worker/workflows/tests/data/donations.csv"))
    rows = [[int(r.frequency), int(r.recency), int(r.periods), float(r.weights)] for r in data.itertuples()]

    def peer():
        BetaGeoBetaBinomFitter().fit(data.frequency, data.recency, data.periods, data.weights)

    runs, peers = rounds(ours("bgbb", rows), {"lifetimes 0.11.3": (peer, False)})
    return "BG/BB fit, 22 histories of 11,104 donors", runs, peers


def sponsors():
    rng = random.Random(7)
    ids = [f"s{i}" for i in range(1000)]
    day = lambda first, last: f"{rng.randint(first, last)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    gifts = [{"id": f"g{i}", "sponsor_id": rng.choice(ids), "date": day(2015, 2025),
              "amount": f"{rng.lognormvariate(6, 1):.2f}"} for i in range(5000)]
    asks = [{"id": f"a{i}", "sponsor_id": rng.choice(ids), "date": day(2018, 2025), "amount": rng.randint(100, 9000),
             "outcome": rng.choice(["awarded", "declined"])} for i in range(1000)]
    contacts = []
    for i in range(100_000):
        contacts.append({"id": f"i{i}", "sponsor_id": rng.choice(ids), "ts": day(2020, 2025) + "T12:00:00Z",
                         "channel": rng.choice(["meeting", "call", "email", "event", "report"]),
                         "direction": rng.choice(["in", "out", "mutual"]), "sentiment": round(rng.uniform(-1, 1), 3),
                         "reply_to": f"i{rng.randrange(i)}" if i and rng.random() < 0.3 else None})
    value = {"as_of": "2026-11-23", "currency": "GBP", "sponsors": [{"id": s} for s in ids], "gifts": gifts,
             "asks": asks, "interactions": contacts}
    runs, _ = rounds(ours("sponsor_analysis", value), {})
    return "1,000 sponsors, 100,000 interactions, 5,000 gifts, 1,000 asks", runs, {}


def graph():
    import igraph
    import networkx

    n, rng = 10_000, random.Random(7)
    # Barabasi and Albert's growth, five ties for each newcomer.
    edges, ends = set(), list(range(5))
    for v in range(5, n):
        chosen = set()
        while len(chosen) < 5:
            chosen.add(rng.choice(ends))
        edges.update((u, v) for u in chosen)
        ends += [v] * 5 + list(chosen)
    edges = sorted(edges)
    value = {"nodes": [{"id": f"{v:05}"} for v in range(n)], "edges": [{"a": f"{u:05}", "b": f"{v:05}"} for u, v in edges],
             "params": {"exact_limit": 10_000_000_000}}
    g = igraph.Graph(n, edges)

    def with_igraph():
        g.degree(), g.betweenness(), g.closeness(), g.eigenvector_centrality(), g.pagerank(), g.constraint()
        g.coreness(), g.transitivity_local_undirected(mode="zero"), g.community_multilevel()
        g.transitivity_undirected(), g.assortativity_degree(), g.average_path_length(), g.diameter()

    runs, seconds = rounds(ours("relationship_mapping", value), {"igraph 1.0.0": (with_igraph, False)})
    if os.environ.get("WITH_NETWORKX"):
        parts = with_networkx(networkx.Graph(edges), rng)
        for name, (took, of) in parts.items():
            print(f"    networkx {name}: {took:.2f} s" + ("" if of == 1 else f", extrapolated from 1/{of:g} of the nodes"))
        seconds["networkx 3.6.1, partly extrapolated, without mean distance and diameter"] = sum(t for t, _ in parts.values())
    return f"graph metrics, {n:,} nodes, {len(edges):,} edges, exact", runs, seconds


def with_networkx(x, rng):
    """Seconds of each metric, and the share of the nodes (1/share) that it was measured on."""
    import networkx

    nodes, parts = sorted(x), {}

    def part(name, work, of=1.0):
        parts[name] = (timed(work) * of, of)

    def sampled(name, k, work):
        part(name, lambda: work(rng.sample(nodes, k)), len(nodes) / k)

    # One traversal a pivot, as the exact one does from every node.
    part("betweenness", lambda: networkx.betweenness_centrality(x, k=200, seed=1), len(nodes) / 200)
    sampled("closeness", 200, lambda some: [networkx.closeness_centrality(x, u=v) for v in some])
    sampled("constraint", 500, lambda some: networkx.constraint(x, nodes=some))
    part("eigenvector", lambda: networkx.eigenvector_centrality(x, 1000))
    part("pagerank", lambda: networkx.pagerank(x))
    part("core numbers", lambda: networkx.core_number(x))
    part("clustering", lambda: networkx.clustering(x))
    part("louvain", lambda: networkx.community.louvain_communities(x, seed=1))
    part("transitivity", lambda: networkx.transitivity(x))
    part("assortativity", lambda: networkx.degree_assortativity_coefficient(x))
    return parts


def monte_carlo():
    import numpy

    tasks, count = [], 50
    rng = random.Random(7)
    for i in range(count):
        points = sorted(rng.sample(range(1, 30), 3))
        before = sorted(rng.sample(range(i), min(i, rng.randint(0, 2))))
        tasks.append({"id": f"t{i:02}", "name": f"t{i}", "unit": "working_days", "depends_on": [f"t{b:02}" for b in before],
                      "duration": dict(zip(["optimistic", "likely", "pessimistic"], points))})
    value = {"as_of": "2026-11-23", "opportunity": {"id": "o1", "closeDate": {"date": "2028-03-31"}}, "tasks": tasks,
             "calendar": {"country": "US"}, "simulation": {"runs": 10_000, "seed": 42, "target": 0.8}}
    generator = numpy.random.default_rng(7)

    def peer():
        finish = numpy.empty((count, 10_000))
        for i, task in enumerate(tasks):
            a, m, b = (task["duration"][k] for k in ("optimistic", "likely", "pessimistic"))
            mean = (a + 4 * m + b) / 6
            alpha, beta = 6 * (mean - a) / (b - a), 6 * (b - mean) / (b - a)
            start = numpy.zeros(10_000)
            for d in task["depends_on"]:
                numpy.maximum(start, finish[int(d[1:])], out=start)
            finish[i] = start + a + (b - a) * generator.beta(alpha, beta, 10_000)
        numpy.percentile(finish.max(axis=0), [10, 50, 80, 90])

    # Ours counts criticality and late tasks in the same pass; the whole run adds floats, calendars, sensitivity, text.
    alone, simulated = ours("grant_simulation", value), []
    peers = {"numpy 2.4.6, simulation alone": (peer, False), "ours, simulation alone": (lambda: simulated.append(alone()["run"]), False)}
    runs, seconds = rounds(ours("grant_timeline", value), peers)
    seconds["ours, simulation alone"] = statistics.median(simulated)
    return "grant timeline, 50 tasks, 10,000 futures", runs, seconds


def main():
    report = {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count(), "load": os.getloadavg(),
              "python": platform.python_version(), "rounds": ROUNDS, "figures": []}
    only = os.environ.get("ONLY")
    for work in (bgbb, sponsors, graph, monte_carlo):
        if only and work.__name__ != only:
            continue
        name, runs, peers = work()
        mine = {k: statistics.median(r[k] for r in runs) for k in ("read", "run", "write", "peak_kib")}
        print(f"{name}\n  ours: run {mine['run']:.4f} s (read {mine['read']:.3f}, write {mine['write']:.3f}), "
              f"peak {mine['peak_kib'] / 1024:.0f} MiB")
        for peer, seconds in peers.items():
            print(f"  {peer}: {seconds:.4f} s, {seconds / mine['run']:.1f} x ours")
        report["figures"].append({"name": name, "ours": mine, "peers": peers})
    with open("analyses.json", "w") as f:
        json.dump(report, f, indent=1)


main()
