"""The peer of benches/excel.rs: the same workbook read by openpyxl (read-only, the fast way), held in pandas, typed,
validated against the same schema and scored. Prints one line of JSON with the same figures.

Usage: python peer.py WORKBOOK
"""

import json
import resource
import sys
import time
from datetime import datetime

import openpyxl
import pandas as pd

CURRENCIES = set("""AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD
CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ USD""".split())
REQUIRED = [0, 1, 5, 6, 10, 11, 15, 16]
SHOWN = 1000


def read(path):
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    rows = book.worksheets[0].iter_rows(values_only=True)
    labels = next(rows)
    return pd.DataFrame(rows, columns=labels, dtype=object)


def typed(frame):
    """Per column: native types, filled, distinct, the type that at least 95 % support, the others."""
    columns = []
    for label in frame.columns:
        column = frame[label]
        filled = column.notna()
        kinds = column[filled].map(type)
        counts = kinds.value_counts()
        best = counts.index[0]
        support = int(counts.iloc[0]) / int(filled.sum())
        exceptions = kinds.index[kinds != best][:50].tolist() if support >= 0.95 else []
        columns.append({
            "name": label, "type": best.__name__ if support >= 0.95 else "string", "support": support,
            "native_types": {k.__name__: int(n) for k, n in counts.items()}, "exceptions": exceptions,
            "filled": int(filled.sum()), "distinct": int(column[filled].nunique()),
        })
    return columns


def validated(frame):
    errors, total, valid, filled_all = [], 0, 0, 0
    completeness = [0, 0]

    def found(rows, code, at):
        nonlocal total
        total += len(rows)
        for row in rows[: max(0, SHOWN - len(errors))]:
            errors.append({"cell": f"Sheet1!R{row + 2}C{at + 1}", "code": code, "field": frame.columns[at]})

    for at, label in enumerate(frame.columns):
        column = frame[label]
        filled = column.notna()
        if at in REQUIRED:
            completeness[0] += int(filled.sum())
            completeness[1] += len(frame)
            found(frame.index[~filled].tolist(), "constraint-error", at)
        kind = at % 5
        if kind in (0, 1):
            good = column.map(lambda v: isinstance(v, str))
        elif kind == 2:
            number = column.map(lambda v: isinstance(v, (int, float)) and not isinstance(v, bool))
            good = number & (pd.to_numeric(column.where(number), errors="coerce") >= 0)
        elif kind == 3:
            good = column.map(lambda v: isinstance(v, datetime))
        else:
            good = column.isin(CURRENCIES)
        found(frame.index[filled & ~good].tolist(), "type-error", at)
        valid += int((filled & good).sum())
        filled_all += int(filled.sum())
    repeated = frame[frame.columns[0]].duplicated()
    found(frame.index[repeated].tolist(), "unique-error", 0)
    return errors, total, (valid, filled_all), completeness, len(frame) - int(repeated.sum())


def main(path):
    started = time.perf_counter()
    frame = read(path)
    columns = typed(frame)
    errors, total, (valid, filled), (complete, required), keys = validated(frame)
    totals = {c: pd.to_numeric(frame[c], errors="coerce").sum() for c in frame.columns[2::5]}
    shares = [(0.30, complete / required), (0.30, valid / filled), (0.15, keys / len(frame))]
    overall = sum(w * s for w, s in shares) / sum(w for w, _ in shares)
    records = json.loads(frame.head(100).to_json(orient="records", date_format="iso"))
    text = json.dumps({"columns": columns, "errors": errors, "records": records, "overall": overall})
    seconds = time.perf_counter() - started
    print(json.dumps({
        "seconds": seconds, "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, "output_bytes": len(text),
        "rows": len(frame), "completeness": complete, "validity": valid, "uniqueness": keys, "overall": overall,
        "sum": totals["Column 2"], "errors": total, "distinct": columns[1]["distinct"],
    }))


main(sys.argv[1])
