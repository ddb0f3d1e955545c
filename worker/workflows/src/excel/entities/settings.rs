//! The `entities` parameter of an input: which columns are compared, how, and which pairs are compared at all.
//!
//! Two forms: columns by role (`name`, `id`, `postcode`, `domain`: organisations), and `fields` with a kind each (people
//! and anything else); both may be mixed. [`Plan`] is what the rest works with. Invariant: a plan has at least one field.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::problem::accept;
use crate::{Error, Problem};

/// Fields compared at most: beyond a dozen, fields are never independent, which the method assumes.
const MAX_FIELDS: u64 = 16;
/// Blocking rules at most; each adds pairs.
const MAX_BLOCKS: u64 = 32;
/// Parts of one blocking rule.
const MAX_PARTS: u64 = 8;
/// Characters of a prefix when the input names none.
const PREFIX: usize = 4;
/// Characters of the sorted words that share a block.
const SORTED_PREFIX: usize = 8;

/// Which rows are the same entity: columns to compare and blocks to look in.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::excel) struct Entities {
    /// Label of the column with the name of an organisation.
    #[serde(default)]
    name: Option<String>,
    /// Label of the column with an identifier that can be trusted: rows with different ones never merge automatically.
    #[serde(default)]
    id: Option<String>,
    /// Label of the column with a postcode.
    #[serde(default)]
    postcode: Option<String>,
    /// Label of the column with a web address, domain or e-mail address.
    #[serde(default)]
    domain: Option<String>,
    /// Further columns to compare, each with its kind.
    #[serde(default)]
    fields: Vec<Field>,
    /// Which rows are compared: rows that share the values of one rule. A rule is a list of columns or parts of
    /// columns; `name`, `id`, `postcode` and `domain` are the columns above where none is labelled so. Without any, rules are made from the kinds of the fields.
    #[serde(default)]
    blocks: Vec<Rule>,
}

/// A column to compare.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Field {
    /// Label of the column.
    #[schemars(length(min = 1))]
    column: String,
    /// How its values are normalised and compared.
    kind: Kind,
}

/// How the values of a column are normalised and compared.
///
/// name: an organisation (legal endings dropped, aliases kept); person: a part of a person's name; id: a trusted
/// identifier; code: an identifier with typing errors; exact: equal or not; postcode; domain; date; text: anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::excel) enum Kind {
    Name,
    Person,
    Id,
    Code,
    Exact,
    Postcode,
    Domain,
    Date,
    Text,
}

/// One blocking rule: a label, or a list of parts that must all agree.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Rule {
    Column(String),
    Parts(Vec<Part>),
}

/// A part of a rule: a label, or a label and which piece of the value counts.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Part {
    Column(String),
    Piece {
        column: String,
        #[serde(default)]
        by: Piece,
        #[serde(default)]
        length: Option<usize>,
    },
}

/// Which piece of a normalised value makes the key of a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Piece {
    /// All of it.
    #[default]
    Whole,
    /// Its first word.
    FirstToken,
    /// Its first characters.
    Prefix,
    /// The first characters of its words in order of the alphabet.
    SortedPrefix,
    /// The district of a postcode.
    Outward,
}

impl JsonSchema for Rule {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Rule".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "array"],
            "minItems": 1,
            "items": {
                "type": ["string", "object"],
                "additionalProperties": false,
                "required": ["column"],
                "properties": {
                    "column": {"type": "string", "minLength": 1, "description": "Label of the column."},
                    "by": {"type": "string", "enum": ["whole", "first_token", "prefix", "sorted_prefix", "outward"],
                        "description": "Which piece of the normalised value counts."},
                    "length": {"type": "integer", "minimum": 1, "maximum": 64,
                        "description": "Characters of prefix and sorted_prefix."},
                },
            },
        })
    }
}

/// A column that is read: its label, the kind that normalises it, whether it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) label: String,
    pub(super) kind: Kind,
}

/// One part of a key: which column (index into [`Plan::columns`]) and which piece.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyPart {
    pub(super) column: usize,
    pub(super) piece: Piece,
    pub(super) length: usize,
}

/// What to compare and where to look.
#[derive(Debug, Clone)]
pub(in crate::excel) struct Plan {
    /// The compared fields first, then columns that only blocks use.
    pub(super) columns: Vec<Column>,
    /// How many of the columns are compared.
    pub(super) fields: usize,
    /// Blocking rules.
    pub(super) rules: Vec<Vec<KeyPart>>,
}

impl Plan {
    /// Reads the parameter; `pointer` is where it stands in the input.
    pub(in crate::excel) fn new(settings: &Entities, pointer: &str) -> Result<Self, Error> {
        let mut columns: Vec<Column> = Vec::new();
        let roles = [
            (&settings.name, Kind::Name),
            (&settings.id, Kind::Id),
            (&settings.postcode, Kind::Postcode),
            (&settings.domain, Kind::Domain),
        ];
        let by_role = roles
            .into_iter()
            .filter_map(|(label, kind)| label.clone().map(|l| (l, kind)));
        let by_kind = settings.fields.iter().map(|f| (f.column.clone(), f.kind));
        let mut problems = Vec::new();
        for (label, kind) in by_role.chain(by_kind) {
            if columns.iter().any(|c| c.label == label) {
                problems.push(Problem::new(
                    pointer,
                    "names the same column for two fields",
                ));
            }
            columns.push(Column { label, kind });
        }
        if columns.is_empty() {
            problems.push(Problem::new(
                pointer,
                "names no column to compare: give name, id or fields",
            ));
        }
        let fields = columns.len();
        Error::cap(
            "max_entity_fields",
            fields as u64,
            MAX_FIELDS,
            &format!("{pointer}/fields"),
        )?;
        Error::cap(
            "max_blocks",
            settings.blocks.len() as u64,
            MAX_BLOCKS,
            &format!("{pointer}/blocks"),
        )?;
        accept(problems)?;
        let mut plan = Self {
            columns,
            fields,
            rules: Vec::new(),
        };
        for (i, rule) in settings.blocks.iter().enumerate() {
            let parts = plan.parts(rule, &format!("{pointer}/blocks/{i}"))?;
            plan.rules.push(parts);
        }
        if plan.rules.is_empty() {
            plan.usual_rules();
        }
        Ok(plan)
    }

    /// The plan for a workbook that has these labels: where a block names a column that is not there and is called as a
    /// role, `["id"]`, the column of that role is meant.
    pub(in crate::excel) fn with_roles(mut self, has: impl Fn(&str) -> bool) -> Self {
        let role = |label: &str| match label {
            "name" => Some(Kind::Name),
            "id" => Some(Kind::Id),
            "postcode" => Some(Kind::Postcode),
            "domain" => Some(Kind::Domain),
            _ => None,
        };
        let meant: Vec<usize> = (0..self.columns.len())
            .map(|at| {
                let label = self.columns[at].label.as_str();
                let kind = role(label).filter(|_| at >= self.fields && !has(label));
                let of_role = |kind| {
                    self.columns[..self.fields]
                        .iter()
                        .position(|c| c.kind == kind)
                };
                kind.and_then(of_role).unwrap_or(at)
            })
            .collect();
        // Columns that nothing uses any more go, and the others move up.
        let kept: Vec<usize> = (0..meant.len()).filter(|&at| meant[at] == at).collect();
        for part in self.rules.iter_mut().flatten() {
            let column = meant[part.column];
            part.column = kept.iter().take_while(|&&at| at < column).count();
        }
        self.columns = kept.iter().map(|&at| self.columns[at].clone()).collect();
        self
    }

    /// Labels of the columns that a record must bring, in this order.
    pub(in crate::excel) fn labels(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|c| c.label.as_str())
    }

    /// How many of [`Self::labels`] are compared fields; the rest serve blocks alone.
    pub(in crate::excel) fn compared(&self) -> usize {
        self.fields
    }

    fn parts(&mut self, rule: &Rule, pointer: &str) -> Result<Vec<KeyPart>, Error> {
        let parts = match rule {
            Rule::Column(label) => vec![Part::Column(label.clone())],
            Rule::Parts(parts) => parts.clone(),
        };
        Error::cap("max_block_parts", parts.len() as u64, MAX_PARTS, pointer)?;
        let mut keys = Vec::new();
        for part in parts {
            let (label, piece, length) = match part {
                Part::Column(label) => (label, Piece::Whole, None),
                Part::Piece { column, by, length } => (column, by, length),
            };
            let column = self.column(label);
            let usual = if piece == Piece::SortedPrefix {
                SORTED_PREFIX
            } else {
                PREFIX
            };
            keys.push(KeyPart {
                column,
                piece,
                length: length.unwrap_or(usual),
            });
        }
        Ok(keys)
    }

    /// The place of a column, added as text if no field has it.
    fn column(&mut self, label: String) -> usize {
        if let Some(at) = self.columns.iter().position(|c| c.label == label) {
            return at;
        }
        self.columns.push(Column {
            label,
            kind: Kind::Text,
        });
        self.columns.len() - 1
    }

    /// Rules from the kinds: ids, codes, dates and domains whole; names whole and by their sorted words; postcodes by
    /// district with the first word of the first name or text; two texts together.
    fn usual_rules(&mut self) {
        let whole = |column| KeyPart {
            column,
            piece: Piece::Whole,
            length: 0,
        };
        let all = |kinds: &[Kind]| -> Vec<usize> {
            (0..self.fields)
                .filter(|&i| kinds.contains(&self.columns[i].kind))
                .collect()
        };
        let names = all(&[Kind::Name]);
        let texts = all(&[Kind::Person, Kind::Text]);
        let mut rules: Vec<Vec<KeyPart>> = Vec::new();
        for column in all(&[Kind::Id, Kind::Code, Kind::Date, Kind::Domain]) {
            rules.push(vec![whole(column)]);
        }
        for &column in &names {
            rules.push(vec![whole(column)]);
            rules.push(vec![KeyPart {
                column,
                piece: Piece::SortedPrefix,
                length: SORTED_PREFIX,
            }]);
        }
        for column in all(&[Kind::Postcode]) {
            let district = KeyPart {
                column,
                piece: Piece::Outward,
                length: 0,
            };
            for &name in names.iter().chain(&texts).take(2) {
                rules.push(vec![
                    district,
                    KeyPart {
                        column: name,
                        piece: Piece::FirstToken,
                        length: 0,
                    },
                ]);
            }
        }
        for pair in texts.windows(2).take(2) {
            rules.push(pair.iter().map(|&c| whole(c)).collect());
        }
        if rules.is_empty() {
            rules = (0..self.fields).map(|c| vec![whole(c)]).collect();
        }
        self.rules = rules;
    }
}
