#!/usr/bin/env python3
"""Writes latency.json: Kaplan-Meier curves and medians of seeded samples, computed by lifelines.

Run: python3 -m venv V && V/bin/pip install lifelines==0.30.3 && V/bin/python make_latency.py
A sample is [hours, answered] pairs, with ties, without and with censoring, some never reaching one half. `curve` has
the time of each answer and the share that is unanswered right after it; `median` is null where lifelines says inf.
"""
import json
import math
import pathlib
import random

import lifelines


def sample(rng):
    n = rng.choice([1, 2, 3, 4, 5, 8, 13, 20, 50, 100])
    answering = rng.choice([0.1, 0.4, 0.6, 0.8, 1.0])
    coarse = rng.random() < 0.5  # whole hours make ties, also between answers and censored ones
    for _ in range(n):
        hours = rng.expovariate(1 / 20)
        yield [float(round(hours)) if coarse else round(hours, 3), rng.random() < answering]


def main():
    assert lifelines.__version__ == "0.30.3", lifelines.__version__
    rng = random.Random(1958)
    out = []
    for _ in range(300):
        pairs = list(sample(rng))
        fit = lifelines.KaplanMeierFitter().fit([h for h, _ in pairs], [a for _, a in pairs])
        answers = sorted({h for h, a in pairs if a})
        median = fit.median_survival_time_
        out.append({
            "sample": pairs,
            "median": None if math.isinf(median) else float(median),
            "curve": [[h, float(fit.predict(h))] for h in answers],
        })
    pathlib.Path(__file__).with_name("latency.json").write_text(
        "[\n" + ",\n".join(json.dumps(o, separators=(",", ":")) for o in out) + "\n]\n")


if __name__ == "__main__":
    main()
