"""Drives the Celery peer and prints one JSON object of measurements on its last line.

Completion in `throughput` is read as the number of keys in the Redis database: the broker is
RabbitMQ, so Redis holds exactly one key a finished task, and DBSIZE costs nothing.
"""

import argparse
import json
import time

import redis
from celery import chain, chord

from app import app, collect, noop

POLL_S = 0.02
DEADLINE_S = 180


def throughput(args):
    """Submits over one connection, as a client in a hurry would, until Redis holds every result.

    A second submitting process was tried and made the whole slower on two cores.
    """
    results = redis.Redis.from_url(app.conf.result_backend)
    before = results.dbsize()
    started = time.monotonic()
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(args.tasks):
            noop.apply_async(producer=producer)
    submitted = time.monotonic()
    while results.dbsize() - before < args.tasks:
        if time.monotonic() - started > DEADLINE_S:
            raise SystemExit(f"{results.dbsize() - before} of {args.tasks} tasks finished in {DEADLINE_S} s")
        time.sleep(POLL_S)
    return {"submit_s": submitted - started, "total_s": time.monotonic() - started}


def latency(args):
    """One task at a time on an idle system, submit to result, in milliseconds."""
    return {"samples_ms": [timed(lambda: noop.delay().get(timeout=30)) for _ in range(args.samples)]}


def dag(args):
    """A chord of `width` tasks and a chain of `length` tasks, each to its last result."""
    fan_in = lambda: chord([noop.s() for _ in range(args.width)])(collect.s()).get(timeout=60)
    steps = lambda: chain(*[noop.si() for _ in range(args.length)])().get(timeout=60)
    return {
        "fan_in_ms": [timed(fan_in) for _ in range(args.samples)],
        "chain_ms": [timed(steps) for _ in range(args.samples)],
    }


def timed(work):
    """Milliseconds that `work` takes."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000.0


def main():
    """Warms up, measures, prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("measure", choices=["throughput", "latency", "dag"])
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--width", type=int, default=100)
    parser.add_argument("--length", type=int, default=50)
    parser.add_argument("--warmup", type=int, default=50)
    args = parser.parse_args()
    for _ in range(args.warmup):
        noop.delay().get(timeout=60)
    print(json.dumps({"throughput": throughput, "latency": latency, "dag": dag}[args.measure](args)))


if __name__ == "__main__":
    main()
