//! The data that the demo sends: the shipped sponsors as a workbook of gifts and acquaintances, as an office keeps one.
//!
//! Years of giving, amounts and ties are those of published data (see NOTICE); that they belong to the same people is
//! an assumption of the demo: the donors who gave most stand for the members of the karate club, which lets ids join
//! up. Invariant: the same program makes the same bytes. Deliberately absent: names of people; the data have none.

use std::collections::BTreeMap;

use anyhow::Context as _;
use jiff::civil::Date;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet};
use serde_json::Value;

/// Our own id in the ties; in the club this is its instructor, Mr. Hi.
pub(super) const US: &str = "us";
/// Members of the club besides its instructor.
const MEMBERS: usize = 33;
/// Of the donors who gave in every year, one in so many has given in the present year too.
const AGAIN_ONE_IN: usize = 3;
/// Rows with a mistake, such as real registers have: gift, day, amount.
const MISTAKES: [(&str, &str, &str); 2] = [
    ("P-1", "2026-10-30", "to follow"),
    ("P-2", "2027-02-01", "100"),
];

/// A gift of the register.
#[derive(Debug, Clone)]
pub(super) struct Gift {
    pub(super) id: String,
    pub(super) donor: String,
    pub(super) date: Date,
    pub(super) amount: f64,
}

/// A tie between two donors, or a donor and us.
#[derive(Debug, Clone)]
pub(super) struct Tie {
    pub(super) a: String,
    pub(super) b: String,
    pub(super) strength: f64,
}

/// Donors, gifts and ties.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) as_of: Date,
    pub(super) currency: String,
    /// Names by id.
    pub(super) donors: BTreeMap<String, String>,
    /// In the order of the data; those of the present year are the last.
    pub(super) gifts: Vec<Gift>,
    pub(super) ties: Vec<Tie>,
    /// The donors in the network, in the order of what they gave, most first.
    pub(super) known: Vec<String>,
    /// How many of the gifts are of the present year, and invented.
    pub(super) invented: usize,
}

impl Book {
    /// The shipped data, joined.
    pub(super) fn shipped() -> anyhow::Result<Self> {
        let sample = workflows::sample_sponsors();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let rows = |name: &str| sample[name].as_array().cloned().unwrap_or_default();
        let donors: BTreeMap<_, _> = rows("sponsors")
            .iter()
            .map(|s| (text(&s["id"]), text(&s["name"])))
            .collect();
        let gift = |g: &Value| -> anyhow::Result<Gift> {
            Ok(Gift {
                id: text(&g["id"]),
                donor: text(&g["sponsor_id"]),
                date: text(&g["date"]).parse()?,
                amount: text(&g["amount"]).parse()?,
            })
        };
        let gifts: anyhow::Result<Vec<Gift>> = rows("gifts").iter().map(gift).collect();
        let mut book = Self {
            as_of: text(&sample["as_of"]).parse()?,
            currency: text(&sample["currency"]),
            donors,
            gifts: gifts.context("the shipped gifts")?,
            ties: Vec::new(),
            known: Vec::new(),
            invented: 0,
        };
        book.known = book.most_generous();
        book.ties = ties(&book.known);
        book.give_again();
        Ok(book)
    }

    /// Whether the donor gave in the last complete year.
    pub(super) fn gave_last_year(&self, donor: &str) -> bool {
        let year = self.as_of.year() - 1;
        let mut gifts = self.gifts.iter();
        gifts.any(|g| g.donor == donor && g.date.year() == year)
    }

    fn most_generous(&self) -> Vec<String> {
        let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
        for gift in &self.gifts {
            *sums.entry(&gift.donor).or_default() += gift.amount;
        }
        let mut order: Vec<_> = sums.into_iter().collect();
        order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
        let first = order.into_iter().take(MEMBERS);
        first.map(|(id, _)| id.to_owned()).collect()
    }

    /// Some of the most regular donors give what they gave last, on days before `as_of`: the published histories end
    /// with the last complete year, so nobody would be there to thank. A year that is not over is no opportunity to
    /// the model of giving: its fit stays that of the published data.
    fn give_again(&mut self) {
        let last = |donor: &str| self.gifts.iter().rev().find(|g| g.donor == donor);
        let years = |donor: &str| self.gifts.iter().filter(|g| g.donor == donor).count();
        let most = self.donors.keys().map(|d| years(d)).max().unwrap_or(0);
        let regular = self.donors.keys().filter(|donor| years(donor) == most);
        let mut again = Vec::new();
        for (nth, donor) in regular.step_by(AGAIN_ONE_IN).enumerate() {
            let days = i64::try_from(4 + 9 * nth).unwrap_or(4);
            let date = self.as_of.saturating_sub(jiff::Span::new().days(days));
            let amount = last(donor).map_or(100.0, |gift| gift.amount);
            again.push(Gift {
                id: format!("{donor}-{}", date.year()),
                donor: donor.clone(),
                date,
                amount,
            });
        }
        self.invented = again.len();
        self.gifts.extend(again);
    }

    /// The rows that cannot be used, and how many there are.
    pub(super) fn mistakes() -> usize {
        MISTAKES.len()
    }

    /// The workbook, as the bytes of an xlsx file.
    pub(super) fn workbook(&self) -> anyhow::Result<Vec<u8>> {
        let mut book = Workbook::new();
        let long_ago = ExcelDateTime::from_ymd(2000, 1, 1)?;
        book.set_properties(&DocProperties::new().set_creation_datetime(&long_ago));
        self.write_gifts(book.add_worksheet().set_name("Gifts")?)?;
        self.write_ties(book.add_worksheet().set_name("Acquaintances")?)?;
        Ok(book.save_to_buffer()?)
    }

    fn write_gifts(&self, sheet: &mut Worksheet) -> anyhow::Result<()> {
        let labels = ["Gift", "Donor ID", "Donor", "Type", "Date", "Amount"];
        sheet.write_row(0, 0, labels)?;
        let day = Format::new().set_num_format("yyyy-mm-dd");
        let mut row = 0;
        for gift in &self.gifts {
            row += 1;
            self.write_donor(sheet, row, (&gift.id, &gift.donor))?;
            sheet.write_with_format(row, 4, date(gift.date)?, &day)?;
            sheet.write(row, 5, gift.amount)?;
        }
        for (id, on, amount) in MISTAKES {
            row += 1;
            self.write_donor(sheet, row, (id, &self.known[0]))?;
            sheet.write_with_format(row, 4, date(on.parse()?)?, &day)?;
            match amount.parse::<f64>() {
                Ok(number) => sheet.write(row, 5, number)?,
                Err(_) => sheet.write(row, 5, amount)?,
            };
        }
        Ok(())
    }

    fn write_donor(
        &self,
        sheet: &mut Worksheet,
        row: u32,
        (gift, donor): (&str, &str),
    ) -> anyhow::Result<()> {
        let name = self.donors.get(donor).map_or("", String::as_str);
        sheet.write_row(row, 0, [gift, donor, name, "individual"])?;
        Ok(())
    }

    fn write_ties(&self, sheet: &mut Worksheet) -> anyhow::Result<()> {
        sheet.write_row(0, 0, ["Person A", "Person B", "Strength"])?;
        for (row, tie) in (1..).zip(&self.ties) {
            sheet.write_row(row, 0, [&tie.a, &tie.b])?;
            sheet.write(row, 2, tie.strength)?;
        }
        Ok(())
    }
}

/// The ties of the club, its instructor being us. A step that has no factor with 33 spreads the donors over it, so
/// that the size of a gift says nothing about a place in the club.
fn ties(known: &[String]) -> Vec<Tie> {
    let club = workflows::karate_club();
    let named = |id: &Value| match id.as_str().and_then(|id| id.parse::<usize>().ok()) {
        Some(member) if member > 0 => known[(member * 10) % MEMBERS].clone(),
        _ => US.to_owned(),
    };
    let edges = club["edges"].as_array().into_iter().flatten();
    edges
        .map(|edge| Tie {
            a: named(&edge["a"]),
            b: named(&edge["b"]),
            strength: edge["strength"].as_f64().unwrap_or(1.0),
        })
        .collect()
}

fn date(day: Date) -> anyhow::Result<ExcelDateTime> {
    let number = |part: i8| u8::try_from(part).context("a day of the calendar");
    let year = u16::try_from(day.year()).context("a year of the calendar")?;
    Ok(ExcelDateTime::from_ymd(
        year,
        number(day.month())?,
        number(day.day())?,
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_of_the_club_is_one_donor() {
        let book = Book::shipped().unwrap();
        let mut ids: Vec<_> = book
            .ties
            .iter()
            .flat_map(|t| [t.a.as_str(), t.b.as_str()])
            .filter(|id| *id != US)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((ids.len(), book.ties.len()), (MEMBERS, 78));
        assert!(ids.iter().all(|id| book.donors.contains_key(*id)));
    }

    #[test]
    fn the_workbook_has_the_same_bytes_each_time() {
        let [a, b] = [0, 1].map(|_| Book::shipped().unwrap().workbook().unwrap());
        assert_eq!(a, b);
    }

    #[test]
    fn the_present_year_holds_only_what_is_said_to_be_invented() {
        let book = Book::shipped().unwrap();
        let year = book.as_of.year();
        let present = book.gifts.iter().filter(|g| g.date.year() == year).count();
        assert!(present > 0 && present == book.invented);
        assert!(book.gifts.iter().all(|g| g.date <= book.as_of));
    }
}
