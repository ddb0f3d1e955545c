#!/usr/bin/env python3
"""Writes karate.json: Zachary's karate club as an input of relationship_mapping.

Source: `karate_club_graph` of NetworkX 3.6.1 (BSD-3-Clause, see NOTICE at the repository root); the data are
W. W. Zachary, "An Information Flow Model for Conflict and Fission in Small Groups", J. Anthropol. Res. 33 (1977).
Run:    python3 -m venv V && V/bin/pip install networkx==3.6.1 && V/bin/python make_karate.py

Strength = number of shared contexts / 7 (7 is the largest count), so that it lies in (0, 1] and lengths 1/strength
are in the proportions of 1/weight. Dates of contact are not in the data and are not invented.
"""
import json
import pathlib

import networkx as nx


def main():
    assert nx.__version__ == "3.6.1", nx.__version__
    g = nx.karate_club_graph()
    largest = max(w for _, _, w in g.edges(data="weight"))
    names = {0: "Mr. Hi", 33: "Officer"}
    data = {
        "directed": False,
        "nodes": [{"id": str(v), "type": "person", "name": names.get(v, f"Member {v}")} for v in g],
        "edges": [{"a": str(a), "b": str(b), "strength": w / largest, "kind": "knows"} for a, b, w in g.edges(data="weight")],
        "query": {"source": "16", "targets": ["26", "33"], "max_hops": 7, "k_paths": 5, "min_strength": 0.05},
        "params": {"as_of": None, "half_life_days": 180, "decay": 0.5, "exact_limit": 500000000, "weighted": False},
        "seed": 1,
    }
    pathlib.Path(__file__).with_name("karate.json").write_text(json.dumps(data, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
