//! Rows of tables as sponsors, gifts, asks, interactions and ties.
//!
//! Sponsors are read first, whatever the order of the imports, for the others name them: by id or, where exactly one
//! sponsor has it, by name. Rows of one sponsor are one sponsor. A row without an id is named by its place.
//! Invariant: a row that the analysis would refuse is left out and counted with its reason; entries that the input
//! itself holds stay as they are.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::input::{Ask, AskOutcome, Gift, Input, Interaction, List, Sponsor};
use crate::imports::{Entry, Field, Kind};
use crate::{Error, Run, schema};

const fn must(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        required: true,
    }
}

const fn may(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        required: false,
    }
}

const SPONSORS: [Field; 8] = [
    must("id", Kind::Text),
    may("name", Kind::Text),
    may("type", Kind::Text),
    may("focus_areas", Kind::Texts),
    may("person_ids", Kind::Texts),
    may("annual_giving", Kind::Amount),
    may("min_award", Kind::Amount),
    may("max_award", Kind::Amount),
];
const GIFTS: [Field; 7] = [
    may("id", Kind::Text),
    must("sponsor_id", Kind::Text),
    must("date", Kind::Day),
    must("amount", Kind::Amount),
    may("currency", Kind::Text),
    may("programme", Kind::Text),
    may("opportunity_id", Kind::Text),
];
const ASKS: [Field; 8] = [
    may("id", Kind::Text),
    must("sponsor_id", Kind::Text),
    must("date", Kind::Day),
    may("amount", Kind::Amount),
    may("currency", Kind::Text),
    may("focus_areas", Kind::Texts),
    must("outcome", Kind::Text),
    may("decided", Kind::Day),
];
const INTERACTIONS: [Field; 8] = [
    may("id", Kind::Text),
    may("sponsor_id", Kind::Text),
    may("person_id", Kind::Text),
    must("ts", Kind::Time),
    must("channel", Kind::Text),
    must("direction", Kind::Text),
    may("reply_to", Kind::Text),
    may("sentiment", Kind::Number),
];
const TIES: [Field; 3] = [
    must("a", Kind::Text),
    must("b", Kind::Text),
    may("strength", Kind::Number),
];

/// The fields that a mapping may name, by list.
fn fields(list: List) -> &'static [Field] {
    match list {
        List::Sponsors => &SPONSORS,
        List::Gifts => &GIFTS,
        List::Asks => &ASKS,
        List::Interactions => &INTERACTIONS,
        List::Ties => &TIES,
    }
}

/// Words of a closed set: a sheet may write them in capitals.
const WORDS: [&str; 4] = ["type", "outcome", "channel", "direction"];
/// Amounts that an entry holds one level down.
const CAPACITY: [&str; 3] = ["annual_giving", "min_award", "max_award"];

/// Adds what the imports hold to the lists of the input; what became of their rows, in the order of the imports.
pub(super) fn add(input: &mut Input, schema: &Value, run: &Run<'_>) -> Result<Vec<Value>, Error> {
    let imports = std::mem::take(&mut input.imports);
    let mut order: Vec<usize> = (0..imports.len()).collect();
    order.sort_by_key(|&i| imports[i].into);
    let mut told = vec![Value::Null; imports.len()];
    for i in order {
        let list = imports[i].into;
        let at = format!("/imports/{i}");
        let (entries, mut tally) = imports[i].entries(fields(list), run, &at)?;
        let mut reader = Reader::new(list, input, &schema["properties"][list.name()]["items"]);
        for (nth, entry) in entries.into_iter().enumerate() {
            if nth % 4096 == 0 {
                run.check()?;
            }
            let place = entry.place.clone();
            if let Err(reason) = reader.add(entry, input) {
                tally.refuse(reason, &place);
            }
        }
        tally.accept(&at)?;
        told[i] = tally.told(list.name());
        if list == List::Sponsors {
            told[i]["merged"] = reader.merged.into();
        }
    }
    Ok(told)
}

/// Turns entries into items of one list.
struct Reader<'s> {
    list: List,
    schema: &'s Value,
    /// Ids of the list so far.
    ids: HashSet<String>,
    /// Places of the sponsors by id.
    sponsors: HashMap<String, usize>,
    /// Ids of sponsors by name in small letters; `None` for a name of several.
    names: HashMap<String, Option<String>>,
    /// How many sponsors a person belongs to.
    people: HashMap<String, u32>,
    merged: u64,
}

impl<'s> Reader<'s> {
    fn new(list: List, input: &Input, schema: &'s Value) -> Self {
        let mut names: HashMap<String, Option<String>> = HashMap::new();
        let mut people: HashMap<String, u32> = HashMap::new();
        for sponsor in &input.sponsors {
            for person in sponsor.person_ids.iter().collect::<HashSet<_>>() {
                *people.entry(person.clone()).or_default() += 1;
            }
            if let Some(name) = &sponsor.name {
                names
                    .entry(folded(name))
                    .and_modify(|owner| *owner = owner.take().filter(|id| *id == sponsor.id))
                    .or_insert_with(|| Some(sponsor.id.clone()));
            }
        }
        let ids = match list {
            List::Sponsors | List::Ties => HashSet::new(),
            List::Gifts => input.gifts.iter().map(|g| g.id.clone()).collect(),
            List::Asks => input.asks.iter().map(|a| a.id.clone()).collect(),
            List::Interactions => input.interactions.iter().map(|i| i.id.clone()).collect(),
        };
        let places = input.sponsors.iter().enumerate();
        Self {
            list,
            schema,
            ids,
            sponsors: places.map(|(i, s)| (s.id.clone(), i)).collect(),
            names,
            people,
            merged: 0,
        }
    }

    /// Adds an entry to its list; the error says why not, without a value of the row.
    fn add(&mut self, entry: Entry, input: &mut Input) -> Result<(), String> {
        let mut fields = entry.fields;
        for word in WORDS {
            if let Some(Value::String(text)) = fields.get_mut(word) {
                *text = text.to_lowercase();
            }
        }
        if matches!(self.list, List::Gifts | List::Asks | List::Interactions) {
            self.owner(&mut fields)?;
            fields.entry("id").or_insert_with(|| entry.place.into());
        }
        match self.list {
            List::Sponsors => self.sponsor(fields, input)?,
            List::Ties => input.ties.push(self.read(fields)?),
            List::Gifts => {
                let gift: Gift = self.read(fields)?;
                past(gift.date.0, input)?;
                rate(gift.currency.as_deref(), input)?;
                self.unique(&gift.id)?;
                input.gifts.push(gift);
            }
            List::Asks => {
                let ask: Ask = self.read(fields)?;
                consistent(&ask, input)?;
                rate(ask.currency.as_deref(), input)?;
                self.unique(&ask.id)?;
                input.asks.push(ask);
            }
            List::Interactions => {
                let interaction: Interaction = self.read(fields)?;
                let time: Timestamp = interaction.ts.parse().map_err(|_| "ts is not a time")?;
                past(TimeZone::UTC.to_datetime(time).date(), input)?;
                self.unique(&interaction.id)?;
                input.interactions.push(interaction);
            }
        }
        Ok(())
    }

    /// Replaces a sponsor's name by its id. A contact may name a person instead.
    fn owner(&self, fields: &mut Map<String, Value>) -> Result<(), String> {
        let Some(Value::String(named)) = fields.get("sponsor_id") else {
            let person = fields.get("person_id").and_then(Value::as_str);
            return match person.map(|id| self.people.get(id)) {
                Some(Some(1)) => Ok(()),
                Some(_) => Err("person_id does not belong to exactly one sponsor".into()),
                None => Err("sponsor_id is empty".into()),
            };
        };
        if self.sponsors.contains_key(named) {
            return Ok(());
        }
        match self.names.get(&folded(named)) {
            Some(Some(id)) => {
                let id = id.clone();
                fields.insert("sponsor_id".into(), id.into());
                Ok(())
            }
            Some(None) => Err("sponsor_id is the name of several sponsors".into()),
            None => Err("sponsor_id is neither the id nor the name of a sponsor".into()),
        }
    }

    fn unique(&mut self, id: &str) -> Result<(), String> {
        if self.ids.insert(id.to_owned()) {
            Ok(())
        } else {
            Err("another entry has the same id".into())
        }
    }

    /// A new sponsor, or more about one that is known.
    fn sponsor(&mut self, mut fields: Map<String, Value>, input: &mut Input) -> Result<(), String> {
        let mut capacity = Map::new();
        for name in CAPACITY {
            if let Some(amount) = fields.remove(name) {
                capacity.insert(name.into(), amount);
            }
        }
        if !capacity.is_empty() {
            fields.insert("capacity".into(), capacity.into());
        }
        let sponsor: Sponsor = self.read(fields)?;
        if let Some(&place) = self.sponsors.get(&sponsor.id) {
            self.merged += 1;
            complete(&mut input.sponsors[place], sponsor);
        } else {
            self.sponsors
                .insert(sponsor.id.clone(), input.sponsors.len());
            input.sponsors.push(sponsor);
        }
        Ok(())
    }

    /// The entry as what the schema says it must be.
    fn read<T: DeserializeOwned>(&self, fields: Map<String, Value>) -> Result<T, String> {
        schema::read_entry(self.schema, fields)
    }
}

/// Adds what a further row tells of a sponsor where nothing was told before.
fn complete(known: &mut Sponsor, more: Sponsor) {
    known.name = known.name.take().or(more.name);
    known.kind = known.kind.or(more.kind);
    for (list, further) in [
        (&mut known.focus_areas, more.focus_areas),
        (&mut known.person_ids, more.person_ids),
    ] {
        for item in further {
            if !list.contains(&item) {
                list.push(item);
            }
        }
    }
    let Some(more) = more.capacity else { return };
    let capacity = known.capacity.get_or_insert_default();
    capacity.annual_giving = capacity.annual_giving.take().or(more.annual_giving);
    capacity.min_award = capacity.min_award.take().or(more.min_award);
    capacity.max_award = capacity.max_award.take().or(more.max_award);
}

fn past(day: Date, input: &Input) -> Result<(), String> {
    if day > input.as_of.0 {
        return Err("is after as_of".into());
    }
    Ok(())
}

fn rate(currency: Option<&str>, input: &Input) -> Result<(), String> {
    match currency {
        Some(code) if code != input.currency && !input.fx.contains_key(code) => {
            Err("currency has no rate in fx".into())
        }
        _ => Ok(()),
    }
}

fn consistent(ask: &Ask, input: &Input) -> Result<(), String> {
    let pending = ask.outcome == AskOutcome::Pending;
    if !pending {
        past(ask.date.0, input)?;
    }
    let Some(decided) = ask.decided else {
        return Ok(());
    };
    if pending || decided < ask.date {
        return Err("decided is before the ask or of a pending one".into());
    }
    past(decided.0, input)
}

fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}
