//! What a field without a column may have become: by its name, by its values, or as the only one that a column in need can have its values
//! from. A guess is only ever a suggestion.

use std::collections::{BTreeMap, BTreeSet};

use relink_export::ExportError;
use relink_model::{RelationId, suggest};
use relink_records::{JoinField, single_reference};

use super::{
    Basis, Look, Suggestion,
    items::{Reporter, Side},
    log::Spot,
    look::Looks,
    toml_key, toml_text,
};

/// A field without a column, in all shapes of a relation.
#[derive(Default)]
pub(super) struct UnknownField {
    pub(super) records: u64,
    pub(super) first: Option<Spot>,
    pub(super) looks: Looks,
    pub(super) samples: Vec<Spot>,
    /// Columns that the records fill which have this field.
    pub(super) filled: BTreeSet<usize>,
}

/// What a field may have become.
pub(super) enum Guess {
    Column(usize, Basis),
    Join(RelationId, Basis),
}

impl Side<'_> {
    /// What the fields without a column may have become; each column for one field at most.
    pub(super) fn guesses(&self, to: &Reporter<'_>) -> Result<BTreeMap<&str, Guess>, ExportError> {
        let columns = &to.catalog.relation(self.id).columns;
        let mut alike: Vec<(usize, usize, usize)> = Vec::new();
        let mut only_by_type: Vec<(usize, usize)> = Vec::new();
        for (at, (name, field)) in self.unknown.iter().enumerate() {
            let records = to.read(&field.samples)?;
            for (column, definition) in columns.iter().enumerate() {
                let writable = definition.generated.is_none() && !field.filled.contains(&column);
                if !writable || name == "pk" || !to.takes(self.id, column, &records, name)? {
                    continue;
                }
                if let Some(distance) = suggest::likeness(name, &definition.name) {
                    alike.push((distance, at, column));
                } else if !definition.is_optional() && self.are_at_home(to, field, column) {
                    only_by_type.push((at, column));
                }
            }
        }
        alike.sort_unstable();
        let mut guesses: BTreeMap<usize, Guess> = BTreeMap::new();
        let mut taken: BTreeSet<usize> = BTreeSet::new();
        for (_, at, column) in alike {
            if !guesses.contains_key(&at) && taken.insert(column) {
                guesses.insert(at, Guess::Column(column, Basis::NameAndType));
            }
        }
        only_by_type.retain(|(at, column)| !guesses.contains_key(at) && !taken.contains(column));
        for (at, column) in &only_by_type {
            let others = |pair: &&(usize, usize)| (pair.0 == *at) != (pair.1 == *column);
            if only_by_type.iter().find(others).is_none() {
                guesses.insert(*at, Guess::Column(*column, Basis::Type));
            }
        }
        for (at, (name, field)) in self.unknown.iter().enumerate() {
            if !guesses.contains_key(&at)
                && field.looks.are_only(Look::List)
                && let Some((join, basis)) = self.join_guess(to, name)
            {
                guesses.insert(at, Guess::Join(join, basis));
            }
        }
        let name = |at: usize| self.unknown.get_index(at).map_or("", |(name, _)| name.as_str());
        Ok(guesses.into_iter().map(|(at, guess)| (name(at), guess)).collect())
    }

    fn are_at_home(&self, to: &Reporter<'_>, field: &UnknownField, column: usize) -> bool {
        let definition = &to.catalog.relation(self.id).columns[column];
        let reference = single_reference(to.catalog, self.id, column).is_some();
        field.looks.are_at_home_in(&definition.data_type.kind) || reference && field.looks.are_only(Look::List)
    }

    /// The join table that a list field may fill: the one of a like name, else the only one that no field fills.
    fn join_guess(&self, to: &Reporter<'_>, field: &str) -> Option<(RelationId, Basis)> {
        let own = &to.catalog.relation(self.id).name.name;
        let filled =
            |join: RelationId| self.shapes.iter().flat_map(|log| &log.shape.joins).any(|(_, known)| known.join == join);
        let free: Vec<(RelationId, &str)> = to
            .catalog
            .iter()
            .filter(|(join, _)| !filled(*join) && JoinField::of(to.catalog, self.id, *join).is_some())
            .map(|(join, relation)| (join, relation.name.name.as_str()))
            .collect();
        let alike = |name: &str| {
            let rest = name.strip_prefix(own.as_str()).map_or(name, |rest| rest.trim_start_matches('_'));
            suggest::likeness(field, rest)
        };
        let best = free.iter().filter_map(|(join, name)| Some((alike(name)?, *join))).min();
        match (best, &free[..]) {
            (Some((_, join)), _) => Some((join, Basis::Name)),
            (None, [(join, _)]) => Some((*join, Basis::Type)),
            _ => None,
        }
    }

    pub(super) fn suggestion(&self, to: &Reporter<'_>, field: &str, guess: &Guess) -> Suggestion {
        let (key, target, basis) = match guess {
            Guess::Column(column, basis) => {
                ("fields", to.catalog.relation(self.id).columns[*column].name.clone(), *basis)
            }
            Guess::Join(join, basis) => ("join_tables", to.catalog.relation(*join).name.to_string(), *basis),
        };
        let entry = format!("{key} = {{ {} = {} }}", toml_key(field), toml_text(&target));
        Suggestion { line: self.line(to, &entry), basis }
    }
}
