//! From bytes to sheets of cells, whatever the format.
//!
//! Invariant: every way in passes the guard first. Deliberately absent: what the cells mean.

use std::collections::BTreeSet;

use super::gather::Gather;
use super::guard::{self, Shape};
use super::limits;
use super::table::{Format, Workbook};
use super::{compound, container, delimited, opendocument, openxml, xlsb};
use crate::{Error, Problem, Run};

/// The sheets that the input asks for.
pub(crate) struct Wanted<'a>(pub(crate) Option<&'a [String]>);

impl Wanted<'_> {
    /// Whether that sheet is to be read.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0
            .is_none_or(|names| names.iter().any(|wanted| wanted == name))
    }

    /// Refuses names that the workbook does not have; the message names places in the input only.
    pub(crate) fn check<'b>(&self, names: impl Iterator<Item = &'b str>) -> Result<(), Error> {
        let present: BTreeSet<&str> = names.collect();
        let missing = self
            .0
            .into_iter()
            .flatten()
            .enumerate()
            .filter(|(_, name)| !present.contains(name.as_str()));
        let problems: Vec<Problem> = missing
            .map(|(at, _)| {
                let detail = format!(
                    "the workbook has no sheet of this name; it has {} sheets",
                    present.len()
                );
                Problem::new(format!("/sheets/{at}"), detail)
            })
            .collect();
        crate::problem::accept(problems)
    }
}

/// Guards and reads. `asked` is the format that the input names, if it does.
pub(crate) fn read(
    bytes: &[u8],
    asked: Option<Format>,
    wanted: &Wanted<'_>,
    run: &Run<'_>,
) -> Result<Workbook, Error> {
    let mut gather = Gather::new(run);
    let mut warnings = Vec::new();
    let (format, sheets) = match guard::shape_of(bytes)? {
        Shape::Zip => {
            let container = container::check(bytes, run)?;
            let format = guard::agree(asked, container.format)?;
            run.step(0.1, "reading cells")?;
            let sheets = match format {
                Format::Ods => opendocument::read(bytes, wanted, &mut gather)?,
                Format::Xlsb => xlsb::read(bytes, wanted, &mut gather)?,
                _ => openxml::read(bytes, &container, wanted, &mut gather)?,
            };
            (format, sheets)
        }
        Shape::Compound => {
            let stream = compound::workbook_stream(bytes)?;
            let format = guard::agree(asked, Format::Xls)?;
            (format, super::biff::read(&stream, wanted, &mut gather)?)
        }
        Shape::Text => {
            guard::check_text(bytes, asked == Some(Format::Csv))?;
            let format = guard::agree(asked, Format::Csv)?;
            (
                format,
                vec![delimited::read(bytes, wanted, &mut gather, &mut warnings)?],
            )
        }
    };
    for sheet in &sheets {
        let characters = sheet.name.chars().count() as u64;
        Error::cap(
            "sheet_name_characters",
            characters,
            limits::SHEET_NAME_CHARS,
            guard::AT,
        )?;
    }
    Ok(Workbook {
        format,
        sheets,
        texts: gather.texts,
        warnings,
    })
}
