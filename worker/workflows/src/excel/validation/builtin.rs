//! Schemas that an input can name.
//!
//! `360giving`: the flat template of the 360Giving Data Standard 1.x (grants to organisations): its ten required fields,
//! the usual optional ones with their types, and rules that the standard's guidance states. Source of names and types:
//! standard.threesixtygiving.org, "360Giving Schemas". Deliberately absent: grants to individuals, whose recipient is
//! named by other fields.

use super::schema::{Field, FieldType, Names, RowRule, Schema, Timeliness};

/// The age in days that rows may have where a schema declares none. The 360Giving standard asks publishers to update at
/// least once a year.
pub(super) const YEARLY: u32 = 366;

/// The schema of that name.
pub(super) fn named(name: &str) -> Option<Schema> {
    (name == "360giving").then(grants)
}

/// Label, name in the JSON form, type, required.
const GRANTS: &[(&str, &str, FieldType, bool)] = &[
    ("Identifier", "id", FieldType::String, true),
    ("Title", "title", FieldType::String, true),
    ("Description", "description", FieldType::String, true),
    ("Currency", "currency", FieldType::Currency, true),
    ("Amount Awarded", "amountAwarded", FieldType::Number, true),
    ("Award Date", "awardDate", FieldType::Date, true),
    (
        "Recipient Org:Identifier",
        "recipientOrganization/0/id",
        FieldType::String,
        true,
    ),
    (
        "Recipient Org:Name",
        "recipientOrganization/0/name",
        FieldType::String,
        true,
    ),
    (
        "Funding Org:Identifier",
        "fundingOrganization/0/id",
        FieldType::String,
        true,
    ),
    (
        "Funding Org:Name",
        "fundingOrganization/0/name",
        FieldType::String,
        true,
    ),
    (
        "Amount Applied For",
        "amountAppliedFor",
        FieldType::Number,
        false,
    ),
    (
        "Amount Disbursed",
        "amountDisbursed",
        FieldType::Number,
        false,
    ),
    ("URL", "url", FieldType::Url, false),
    (
        "Planned Dates:Start Date",
        "plannedDates/0/startDate",
        FieldType::Date,
        false,
    ),
    (
        "Planned Dates:End Date",
        "plannedDates/0/endDate",
        FieldType::Date,
        false,
    ),
    (
        "Planned Dates:Duration (months)",
        "plannedDates/0/duration",
        FieldType::Number,
        false,
    ),
    (
        "Actual Dates:Start Date",
        "actualDates/0/startDate",
        FieldType::Date,
        false,
    ),
    (
        "Actual Dates:End Date",
        "actualDates/0/endDate",
        FieldType::Date,
        false,
    ),
    (
        "Actual Dates:Duration (months)",
        "actualDates/0/duration",
        FieldType::Number,
        false,
    ),
    (
        "Recipient Org:Charity Number",
        "recipientOrganization/0/charityNumber",
        FieldType::String,
        false,
    ),
    (
        "Recipient Org:Company Number",
        "recipientOrganization/0/companyNumber",
        FieldType::String,
        false,
    ),
    (
        "Recipient Org:Postal Code",
        "recipientOrganization/0/postalCode",
        FieldType::String,
        false,
    ),
    (
        "Recipient Org:Web Address",
        "recipientOrganization/0/url",
        FieldType::Url,
        false,
    ),
    (
        "Grant Programme:Code",
        "grantProgramme/0/code",
        FieldType::String,
        false,
    ),
    (
        "Grant Programme:Title",
        "grantProgramme/0/title",
        FieldType::String,
        false,
    ),
    (
        "From An Open Call?",
        "fromOpenCall",
        FieldType::String,
        false,
    ),
    ("Data Source", "dataSource", FieldType::Url, false),
    ("Last Modified", "dateModified", FieldType::DateTime, false),
];

const RULES: &[(&str, &str)] = &[
    ("amount_awarded_not_negative", "[Amount Awarded] >= 0"),
    ("identifier_prefixed", "starts_with([Identifier], '360G-')"),
    ("title_at_most_140", "len([Title]) <= 140"),
    ("award_not_in_the_future", "[Award Date] <= as_of()"),
    (
        "planned_end_after_start",
        "[Planned Dates:End Date] >= [Planned Dates:Start Date]",
    ),
    (
        "actual_end_after_start",
        "[Actual Dates:End Date] >= [Actual Dates:Start Date]",
    ),
];

fn grants() -> Schema {
    let field = |&(label, name, kind, required): &(&str, &str, FieldType, bool)| Field {
        name: label.into(),
        aliases: vec![name.into()],
        kind,
        required,
        unique: label == "Identifier",
        ..Field::default()
    };
    Schema {
        fields: GRANTS.iter().map(field).collect(),
        primary_key: Names::One("Identifier".into()),
        missing: Vec::new(),
        rules: RULES
            .iter()
            .map(|&(id, expr)| RowRule {
                id: id.into(),
                expr: expr.into(),
            })
            .collect(),
        timeliness: Some(Timeliness {
            column: "Last Modified".into(),
            max_age_days: YEARLY,
        }),
    }
}
