"""Compares the processing of a workbook of 100,000 x 20 cells with openpyxl + pandas (BENCH.md: only ratios within one
run count, medians of interleaved runs).

Usage: python3 worker/workflows/benches/excel/compare.py [--rounds 5] [--json FILE]
Builds the bench in release mode, makes a virtual environment with the pinned peers in a temporary folder, and runs both
sides in turn, each in a process of its own, on the same file. Figures that both sides compute must be equal.
ZEROGATE_BENCH_VENV names an environment to use instead of making one.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
CRATE = HERE.parent.parent
GOAL = 5.0
SAME = ["rows", "completeness", "validity", "uniqueness", "errors", "distinct"]


def built():
    build = subprocess.run(
        ["cargo", "bench", "-p", "zerogate-workflows", "--bench", "excel", "--no-run", "--message-format=json"],
        cwd=CRATE, check=True, stdout=subprocess.PIPE, text=True)
    artefacts = [json.loads(line) for line in build.stdout.splitlines() if line.startswith("{")]
    [program] = [a["executable"] for a in artefacts if a.get("target", {}).get("name") == "excel" and a.get("executable")]
    return program


def environment(folder):
    given = os.environ.get("ZEROGATE_BENCH_VENV")
    if given:
        return pathlib.Path(given) / "bin/python"
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv/bin/python"
    subprocess.run([python, "-m", "pip", "install", "-q", "-r", HERE / "requirements.txt"], check=True)
    return python


def once(command):
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def compared(ours, theirs):
    for name in SAME:
        if ours[name] != theirs[name]:
            sys.exit(f"the sides disagree about {name}: {ours[name]} and {theirs[name]}")
    for name in ["overall", "sum"]:
        if abs(ours[name] - theirs[name]) > 1e-9 * max(1.0, abs(ours[name])):
            sys.exit(f"the sides disagree about {name}: {ours[name]} and {theirs[name]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    program = built()
    with tempfile.TemporaryDirectory(prefix="zerogate-excel-") as folder:
        folder = pathlib.Path(folder)
        python, workbook = environment(folder), folder / "large.xlsx"
        subprocess.run([program, "make", workbook], check=True)
        sides = {"zerogate": [program, "run", workbook], "openpyxl + pandas": [python, HERE / "peer.py", workbook]}
        figures = {name: [] for name in sides}
        for _ in range(options.rounds):
            for name, command in sides.items():
                figures[name].append(once(command))
            compared(*(runs[-1] for runs in figures.values()))
        size = workbook.stat().st_size
        versions = subprocess.run([python, "-m", "pip", "freeze"], check=True, stdout=subprocess.PIPE, text=True).stdout
    median = {name: statistics.median(run["seconds"] for run in runs) for name, runs in figures.items()}
    peak = {name: max(run["peak_kib"] for run in runs) / 1024 for name, runs in figures.items()}
    ratio = median["openpyxl + pandas"] / median["zerogate"]
    print(f"{'100,000 x 20 cells, ' + str(size) + ' bytes':<44} {'median s':>9} {'peak MiB':>9}")
    for name in sides:
        print(f"{name:<44} {median[name]:>9.2f} {peak[name]:>9.0f}")
    print(f"{ratio:.1f} times as fast; the goal is {GOAL:.0f}: {'reached' if ratio >= GOAL else 'missed'}")
    if options.json:
        wanted = [line for line in versions.split() if line.split("==")[0] in ("openpyxl", "pandas", "numpy")]
        options.json.write_text(json.dumps({
            "ratio": ratio, "median_seconds": median, "peak_mib": peak, "runs": figures, "workbook_bytes": size,
            "peers": wanted, "python": platform.python_version(), "cores": os.cpu_count(), "machine": platform.machine(),
        }, indent=1) + "\n")


main()
