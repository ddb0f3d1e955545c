//! Reads CSV: its encoding, its separator, its rows.
//!
//! Invariant: every cell is text as it stands; a row's number is its place among the records of the file, blank lines
//! counted, as a spreadsheet would show it. Deliberately absent: what the texts mean.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::gather::{Filling, Gather};
use super::guard::refused;
use super::read::Wanted;
use super::table::Sheet;
use crate::Error;

/// The name of the only sheet.
pub(crate) const SHEET: &str = "csv";

/// Separators that are looked for; the first wins a tie.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Reads a text that the guard let through.
pub(crate) fn read(
    bytes: &[u8],
    wanted: &Wanted<'_>,
    gather: &mut Gather<'_>,
    warnings: &mut Vec<String>,
) -> Result<Sheet, Error> {
    wanted.check([SHEET].into_iter())?;
    let text = decode(bytes, warnings)?;
    let (separator, start) = separator(&text);
    let body = &text[start..];
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .from_reader(body.as_bytes());
    let mut filling = Filling::new(SHEET.into(), false);
    let mut record = csv::StringRecord::new();
    let mut row = u64::from(start > 0);
    loop {
        let from = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        row += blank_lines(body.as_bytes(), from) + 1;
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(_) => return Err(refused(format!("row {row} of the CSV file cannot be read"))),
        }
        for (column, field) in (1..).zip(&record) {
            let cell = gather.text(field)?;
            filling.put(gather, (row, column), cell)?;
        }
    }
    Ok(filling.finish())
}

/// How many blank lines stand at a place, which the reader skips. After a record it may have left the second half of
/// that record's `\r\n`.
fn blank_lines(body: &[u8], from: usize) -> u64 {
    let (read, rest) = body.split_at(from.min(body.len()));
    let rest = match rest.strip_prefix(b"\n") {
        Some(after) if read.last() == Some(&b'\r') => after,
        _ => rest,
    };
    let line_ends = rest.iter().take_while(|b| matches!(b, b'\r' | b'\n'));
    let (mut lines, mut before) = (0, 0);
    for &byte in line_ends {
        if !(byte == b'\n' && before == b'\r') {
            lines += 1;
        }
        before = byte;
    }
    lines
}

/// The text: by its mark, else UTF-16 by its NULs, else UTF-8 if it is, else Windows-1252.
fn decode<'a>(bytes: &'a [u8], warnings: &mut Vec<String>) -> Result<Cow<'a, str>, Error> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        let (text, damaged) = encoding.decode_without_bom_handling(&bytes[mark..]);
        if damaged {
            warnings.push(format!(
                "the file is marked as {} but is not throughout; what cannot be read was replaced",
                encoding.name()
            ));
        }
        return Ok(text);
    }
    let nul = |at: usize| bytes.get(at) == Some(&0);
    let wide = match (nul(0) && nul(2), nul(1) && nul(3)) {
        (true, false) => Some(UTF_16BE),
        (false, true) => Some(UTF_16LE),
        _ => None,
    };
    if let Some(encoding) = wide {
        warnings.push(format!(
            "the file has no byte order mark; it was read as {}",
            encoding.name()
        ));
        return Ok(encoding.decode_without_bom_handling(bytes).0);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(Cow::Borrowed(text));
    }
    warnings.push("the file is not UTF-8; it was read as Windows-1252".into());
    let (text, _) = WINDOWS_1252.decode_without_bom_handling(bytes);
    if text.contains('\0') {
        return Err(refused("the bytes are neither a workbook nor text"));
    }
    Ok(text)
}

/// The separator, and where the table begins: behind Excel's `sep=;` line if there is one.
fn separator(text: &str) -> (u8, usize) {
    let line = text.lines().next().unwrap_or_default();
    if let Some(&[named]) = line.strip_prefix("sep=").map(str::as_bytes)
        && named.is_ascii()
        && named != b'"'
    {
        let end = text.find('\n').map_or(text.len(), |at| at + 1);
        return (named, end);
    }
    let mut sample = text.len().min(64 << 10);
    while !text.is_char_boundary(sample) {
        sample -= 1;
    }
    let mut best = (0, b',');
    for separator in SEPARATORS {
        let score = regularity(&text[..sample], separator, sample < text.len());
        if score > best.0 {
            best = (score, separator);
        }
    }
    (best.1, 0)
}

/// How well a separator cuts the first rows into equal rows of several fields: rows of the most frequent width, as
/// thousandths of all, and the width as a tie-break.
fn regularity(sample: &str, separator: u8, cut: bool) -> u64 {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .from_reader(sample.as_bytes());
    let mut widths: Vec<usize> = Vec::new();
    let mut record = csv::ByteRecord::new();
    while widths.len() < 200 && matches!(reader.read_byte_record(&mut record), Ok(true)) {
        widths.push(record.len());
    }
    if cut && widths.len() > 1 && widths.len() < 200 {
        widths.pop();
    }
    let count = |width: usize| widths.iter().filter(|w| **w == width).count();
    let common = widths
        .iter()
        .copied()
        .filter(|w| *w > 1)
        .max_by_key(|&w| (count(w), w));
    common.map_or(0, |width| {
        let share = count(width) as u64 * 1_000 / widths.len() as u64;
        (share + 1) * 100_000 + (width as u64).min(99_999)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Run;
    use crate::excel::cell::Cell;

    /// A row's number, and its filled cells with their columns.
    type Cells = (u32, Vec<(u32, String)>);

    fn rows(bytes: &[u8]) -> (Vec<Cells>, Vec<String>) {
        let run = Run::unattended();
        let mut gather = Gather::new(&run);
        let mut warnings = Vec::new();
        let sheet = read(bytes, &Wanted(None), &mut gather, &mut warnings).unwrap();
        let text = |cell| match cell {
            Cell::Text(id) => gather.texts.get(id).to_owned(),
            other => format!("{other:?}"),
        };
        let rows = sheet
            .rows
            .iter()
            .map(|row| {
                (
                    row.number,
                    sheet
                        .cells_of(row)
                        .map(|(c, cell)| (c, text(cell)))
                        .collect(),
                )
            })
            .collect();
        (rows, warnings)
    }

    fn cells(row: u32, texts: &[&str]) -> Cells {
        (
            row,
            (1..)
                .zip(texts)
                .filter(|(_, t)| !t.is_empty())
                .map(|(c, t)| (c, (*t).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn separators_and_encodings_are_found() {
        let wanted = vec![cells(1, &["Name", "Größe"]), cells(2, &["a, b", "1,5"])];
        let semicolons = "Name;Größe\r\na, b;1,5\r\n";
        assert_eq!(rows(semicolons.as_bytes()).0, wanted);
        assert_eq!(
            rows(&[b"\xef\xbb\xbf", semicolons.as_bytes()].concat()).0,
            wanted
        );
        assert_eq!(rows("Name\tGröße\na, b\t1,5".as_bytes()).0, wanted);
        assert_eq!(rows("Name,Größe\n\"a, b\",\"1,5\"\n".as_bytes()).0, wanted);
        let le: Vec<u8> = "\u{feff}Name;Größe\na, b;1,5\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(rows(&le).0, wanted);
        let be: Vec<u8> = "Name;Größe\na, b;1,5\n"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        assert_eq!(
            rows(&be),
            (
                wanted.clone(),
                vec!["the file has no byte order mark; it was read as UTF-16BE".to_owned()]
            )
        );
        let (found, warnings) = rows(b"Name;Gr\xf6\xdfe\na, b;1,5\n");
        assert_eq!(found, wanted);
        assert_eq!(warnings.len(), 1);
    }

    #[test]
    fn rows_keep_the_numbers_that_a_spreadsheet_shows() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "", "", "\"1", "x\",2", "3,4", "", "5,"].join(end);
            let first = format!("1{end}x");
            let wanted = vec![
                cells(1, &["a", "b"]),
                cells(4, &[&first, "2"]),
                cells(5, &["3", "4"]),
                cells(7, &["5"]),
            ];
            assert_eq!(rows(text.as_bytes()).0, wanted, "{end:?}");
        }
        let named = "sep=|\na|b\n1|2\n";
        assert_eq!(
            rows(named.as_bytes()).0,
            vec![cells(2, &["a", "b"]), cells(3, &["1", "2"])]
        );
    }
}
