"""Makes table.xls, the table of make_workbooks.mjs by another writer: xlwt 1.3.0 (BSD-3), with openpyxl not involved.

The shared texts run over into continuing records, in the middle of narrow and of wide texts.
  pip install xlwt==1.3.0 && python make_xls.py FOLDER
"""

import datetime
import pathlib
import sys

import xlwt

book = xlwt.Workbook(encoding="utf-8")
sheet = book.add_sheet("Grants")
day = xlwt.easyxf(num_format_str="yyyy-mm-dd")
share = xlwt.easyxf(num_format_str="0.00")
names = ["Zoë & Søn", "Ærø <Trust>", "日本 基金", "Plain Ltd"]
for column, label in enumerate(["Id", "Name", "Amount", "Paid", "Awarded", "Share", "Note"]):
    sheet.write(0, column, label)
for i in range(40):
    row = i + 1
    sheet.write(row, 0, f"{i + 1:04}")
    sheet.write(row, 1, names[i % 4])
    if row == 7:
        sheet.row(row).set_cell_error(2, 0x2A)
    else:
        sheet.write(row, 2, i * 100 if i % 3 else i + 0.25)
    sheet.write(row, 3, i % 2 == 0)
    sheet.write(row, 4, datetime.date(2020, 1, 1) + datetime.timedelta(days=i), day)
    sheet.write(row, 5, i / 40, share)
    if row == 9:
        sheet.write(row, 6, "x" * 9000)
    elif row == 10:
        sheet.write(row, 6, "é" * 3000 + "日" * 6000)
    elif i % 5:
        sheet.write(row, 6, f"note {i}")
sheet.merge(0, 1, 8, 9)
behind = book.add_sheet("Behind")
behind.visibility = 1
for row, (a, b) in enumerate([("A", "B"), ("x", 1), ("y", 2)]):
    behind.write(row, 0, a)
    behind.write(row, 1, b)
book.save(str(pathlib.Path(sys.argv[1]) / "table.xls"))
