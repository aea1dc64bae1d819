//! The shape of one record: what a Django record must have, and names that no record may have. Looks at a record
//! that has been split; knows nothing of the text around it.

use relink_model::Place;

use super::keys::{self, KeyLayout};
use crate::{ExportError, JsonKind, TextProblem, place::push_segment, record::Split, scan::Member, unescape::unescape};

/// Something wrong with a record; offsets count from its start.
pub(super) struct Problem {
    pub(super) at: usize,
    /// Where the first of two stands.
    pub(super) first: Option<usize>,
    /// JSON pointer from the record.
    pub(super) pointer: String,
    pub(super) fault: ShapeFault,
}

/// What is wrong.
pub(super) enum ShapeFault {
    Missing(&'static str),
    Wrong { member: &'static str, expected: &'static str, found: &'static str },
    Unknown(String),
    Duplicate(String),
    LoneSurrogate(u16),
    NotDjango,
}

impl ShapeFault {
    pub(super) fn into_error(self, place: Place, first: Option<Place>) -> ExportError {
        match self {
            Self::Missing(member) => ExportError::MissingMember { place, member },
            Self::Wrong { member, expected, found } => ExportError::WrongMember { place, member, expected, found },
            Self::Unknown(member) => ExportError::UnknownMember { place, member },
            Self::Duplicate(key) => {
                let first = Box::new(first.unwrap_or_else(|| place.clone()));
                ExportError::DuplicateKey { place, first, key }
            }
            Self::LoneSurrogate(unit) => ExportError::LoneSurrogate { place, unit },
            Self::NotDjango => ExportError::NotDjango { place },
        }
    }
}

impl Problem {
    fn at(at: usize, pointer: &str, fault: ShapeFault) -> Self {
        Self { at, first: None, pointer: pointer.to_owned(), fault }
    }
}

/// Checks a Django record.
pub(super) fn check_django(
    bytes: &[u8],
    split: &Split,
    outer_keys: &mut KeyLayout,
    field_keys: &mut KeyLayout,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let model = split.member(bytes, "model");
    let fields = split.member(bytes, "fields");
    if model.is_none() && fields.is_none() {
        // Not a Django record at all: what its members are called says nothing.
        return vec![Problem::at(0, "", ShapeFault::NotDjango)];
    }
    match model {
        None => problems.push(Problem::at(0, "", ShapeFault::Missing("model"))),
        Some(member) => wrong_kind(bytes, member, "model", JsonKind::String, "a string", &mut problems),
    }
    match fields {
        None => problems.push(Problem::at(0, "", ShapeFault::Missing("fields"))),
        Some(member) => wrong_kind(bytes, member, "fields", JsonKind::Object, "an object", &mut problems),
    }
    check_names(bytes, &split.outer, "", outer_keys, &mut problems);
    check_names(bytes, &split.fields, "/fields", field_keys, &mut problems);
    for member in &split.outer {
        let name = keys::name(bytes, member);
        if !matches!(name.as_ref(), b"model" | b"pk" | b"fields") && !name.starts_with(b"_") {
            let name = String::from_utf8_lossy(&name).into_owned();
            problems.push(Problem::at(member.key.start - 1, &below("", &name), ShapeFault::Unknown(name)));
        }
    }
    problems
}

/// Checks a row of a table.
pub(super) fn check_row(bytes: &[u8], split: &Split, field_keys: &mut KeyLayout) -> Vec<Problem> {
    let mut problems = Vec::new();
    check_names(bytes, &split.fields, "", field_keys, &mut problems);
    problems
}

fn wrong_kind(
    bytes: &[u8],
    member: &Member,
    name: &'static str,
    wanted: JsonKind,
    expected: &'static str,
    problems: &mut Vec<Problem>,
) {
    let value = &bytes[member.value.clone()];
    let found = JsonKind::of(value);
    let found = if found != wanted {
        found.described()
    } else if value == b"\"\"" {
        "an empty string"
    } else {
        return;
    };
    let fault = ShapeFault::Wrong { member: name, expected, found };
    problems.push(Problem::at(member.value.start, &below("", name), fault));
}

fn check_names(bytes: &[u8], members: &[Member], under: &str, known: &mut KeyLayout, problems: &mut Vec<Problem>) {
    if let Some((first, second)) = known.duplicate(bytes, members) {
        let name = String::from_utf8_lossy(&keys::name(bytes, second)).into_owned();
        problems.push(Problem {
            at: second.key.start - 1,
            first: Some(first.key.start - 1),
            pointer: below(under, &name),
            fault: ShapeFault::Duplicate(name),
        });
    }
    for member in members {
        let key = &bytes[member.key.clone()];
        if !key.contains(&b'\\') {
            continue;
        }
        if let Ok(Err(error)) = std::str::from_utf8(key).map(|key| unescape(key, member.key.start as u64))
            && let TextProblem::LoneSurrogate(unit) = error.problem
        {
            problems.push(Problem::at(error.offset as usize, under, ShapeFault::LoneSurrogate(unit)));
        }
    }
}

fn below(under: &str, name: &str) -> String {
    let mut pointer = under.to_owned();
    push_segment(&mut pointer, name);
    pointer
}
