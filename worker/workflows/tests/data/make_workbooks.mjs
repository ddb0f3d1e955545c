// Makes the small workbooks of one table in xlsx, xlsb and ods, by a writer that shares no code with our readers:
// SheetJS (npm xlsx 0.18.5, Apache-2.0). Only what it writes is committed.
//   npm i xlsx@0.18.5 && node make_workbooks.mjs FOLDER
import { createRequire } from "node:module";
import { join } from "node:path";
const require = createRequire(join(process.cwd(), "x.js"));
const XLSX = require("xlsx");
const folder = process.argv[2];

const labels = ["Id", "Name", "Amount", "Paid", "Awarded", "Share", "Note"];
const rows = [labels];
for (let i = 0; i < 40; i++) {
  rows.push([
    String(i + 1).padStart(4, "0"),
    ["Zoë & Søn", "Ærø <Trust>", "日本 基金", "Plain Ltd"][i % 4],
    i % 3 ? i * 100 : i + 0.25,
    i % 2 === 0,
    { t: "n", v: 43831 + i, z: "yyyy-mm-dd" },
    { t: "n", v: i / 40, z: "0.00" },
    i % 5 ? "note " + i : null,
  ]);
}
rows[7][2] = { t: "e", v: 0x2a };
rows[9][6] = "x".repeat(9000);
rows[10][6] = "é".repeat(3000) + "日".repeat(6000);
const sheet = XLSX.utils.aoa_to_sheet(rows);
sheet["!merges"] = [XLSX.utils.decode_range("I1:J2")];
const hidden = XLSX.utils.aoa_to_sheet([["A", "B"], ["x", 1], ["y", 2]]);
const book = XLSX.utils.book_new();
XLSX.utils.book_append_sheet(book, sheet, "Grants");
XLSX.utils.book_append_sheet(book, hidden, "Behind");
book.Workbook = { Sheets: [{ Hidden: 0 }, { Hidden: 1 }] };
for (const [name, type] of [["table.xlsx", "xlsx"], ["table.xlsb", "xlsb"], ["table.ods", "ods"]]) {
  if (type === "ods") {
    // Its writer of ods takes numbers with a date format for numbers, and only days of this kind for dates.
    for (let i = 0; i < 40; i++) sheet[XLSX.utils.encode_cell({ r: i + 1, c: 4 })] = { t: "d", v: new Date(Date.UTC(2020, 0, 1 + i)) };
  }
  XLSX.writeFile(book, join(folder, name), { bookType: type, compression: true, bookSST: true });
}
