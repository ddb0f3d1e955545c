"""Drives the Dramatiq peer and prints one JSON object of measurements on its last line.

Completion in `throughput` is read as the number of keys in the Redis database, which holds
exactly one key a stored result.
"""

import argparse
import json
import time

from app import backend, noop

POLL_S = 0.02
DEADLINE_S = 180


def throughput(args):
    """Submits over one connection and waits until Redis holds every result."""
    results = backend.client
    before = results.dbsize()
    started = time.monotonic()
    for _ in range(args.tasks):
        noop.send()
    submitted = time.monotonic()
    while results.dbsize() - before < args.tasks:
        if time.monotonic() - started > DEADLINE_S:
            raise SystemExit(f"{results.dbsize() - before} of {args.tasks} tasks finished in {DEADLINE_S} s")
        time.sleep(POLL_S)
    return {"submit_s": submitted - started, "total_s": time.monotonic() - started}


def latency(args):
    """One task at a time on an idle system, submit to result, in milliseconds."""
    samples = []
    for _ in range(args.samples):
        started = time.perf_counter()
        noop.send().get_result(block=True, timeout=30_000)
        samples.append((time.perf_counter() - started) * 1000.0)
    return {"samples_ms": samples}


def main():
    """Warms up, measures, prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("measure", choices=["throughput", "latency"])
    parser.add_argument("--tasks", type=int, default=4000)
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--warmup", type=int, default=50)
    args = parser.parse_args()
    for _ in range(args.warmup):
        noop.send().get_result(block=True, timeout=60_000)
    print(json.dumps({"throughput": throughput, "latency": latency}[args.measure](args)))


if __name__ == "__main__":
    main()
