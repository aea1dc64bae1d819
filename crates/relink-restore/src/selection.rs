//! Which records are restored: `--only`, `--exclude` and `--where`.

use std::{
    collections::{HashMap, HashSet},
    sync::RwLock,
};

use relink_db::{Connection, DbErrorKind};
use relink_model::{Catalog, RelationId, config::ConfigError, suggest};
use relink_records::{LabelTarget, Mapping};

use crate::{Error, memory::Ordinal, options::Selection};

const SAVEPOINT: &str = "relink_condition";

/// The selection against one catalog and one export's labels.
#[derive(Debug, Default)]
pub(crate) struct Selected {
    only: HashSet<RelationId>,
    excluded: HashSet<RelationId>,
    /// SQL conditions that records must meet.
    conditions: HashMap<RelationId, Vec<Condition>>,
    /// Where only records of missing rows are restored: the relations of which all are wanted.
    wanted: Option<HashSet<RelationId>>,
}

/// A condition of `--where`.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    /// The table or label as written.
    pub(crate) table: String,
    /// SQL.
    pub(crate) sql: String,
}

impl Condition {
    /// A mistake in it.
    pub(crate) fn mistake(&self, why: impl Into<String>) -> ConfigError {
        ConfigError::Condition { table: self.table.clone(), condition: self.sql.clone(), why: why.into() }
    }
}

impl Selected {
    /// Finds the tables that are named, by their own names or by labels of the export.
    pub(crate) fn new(
        selection: &Selection,
        catalog: &Catalog,
        labels: &[String],
        mapping: &Mapping,
    ) -> Result<Self, Vec<ConfigError>> {
        let mut errors = Vec::new();
        let by_label = |name: &str| {
            let at = labels.iter().position(|label| label.eq_ignore_ascii_case(name))?;
            match mapping.targets()[at] {
                LabelTarget::Relation(relation) => Some(relation),
                _ => None,
            }
        };
        let mut find = |name: &str| {
            let found = catalog.find(name).or_else(|| by_label(name)).or_else(|| catalog.find_folded(name));
            if found.is_none() {
                let names: Vec<String> = catalog.relations.iter().map(|relation| relation.name.to_string()).collect();
                let nearest = suggest::nearest(name, names.iter().chain(labels).map(String::as_str));
                errors
                    .push(ConfigError::UnknownSelection { name: name.to_owned(), nearest: nearest.map(str::to_owned) });
            }
            found
        };
        let only = selection.only.iter().filter_map(|name| find(name)).collect();
        let excluded = selection.exclude.iter().filter_map(|name| find(name)).collect();
        let mut conditions: HashMap<RelationId, Vec<Condition>> = HashMap::new();
        for (name, condition) in &selection.conditions {
            if let Some(relation) = find(name) {
                let condition = Condition { table: name.clone(), sql: condition.clone() };
                conditions.entry(relation).or_default().push(condition);
            }
        }
        let wanted = selection.wanted.as_ref();
        let wanted = wanted.map(|wanted| wanted.rows.iter().filter_map(|name| catalog.id(name)).collect());
        if errors.is_empty() { Ok(Self { only, excluded, conditions, wanted }) } else { Err(errors) }
    }

    /// Whether records of this relation are restored, as far as conditions do not say otherwise.
    pub(crate) fn takes(&self, relation: RelationId) -> bool {
        (self.only.is_empty() || self.only.contains(&relation)) && !self.excluded.contains(&relation)
    }

    /// Whether this relation is left out by name: as a join table, it then gets no rows of lists either.
    pub(crate) fn excludes(&self, relation: RelationId) -> bool {
        // A row of a list is a row that nobody misses, unless all of its table are wanted.
        let unwanted = self.wanted.as_ref().is_some_and(|wanted| !wanted.contains(&relation));
        self.excluded.contains(&relation) || unwanted
    }

    /// Whether only what is named is restored.
    pub(crate) fn has_only(&self) -> bool {
        !self.only.is_empty() || self.wanted.is_some()
    }

    /// The conditions of a relation's records.
    pub(crate) fn conditions(&self, relation: RelationId) -> &[Condition] {
        self.conditions.get(&relation).map_or(&[], Vec::as_slice)
    }

    /// Asks the database whether it understands the conditions, before anything else happens; reports all that it does not.
    pub(crate) async fn check(&self, connection: &mut dyn Connection, catalog: &Catalog) -> Result<(), Error> {
        let mut mistakes = Vec::new();
        for (id, relation) in catalog.iter() {
            for condition in self.conditions(id) {
                connection.savepoint(SAVEPOINT).await?;
                let sql = std::slice::from_ref(&condition.sql);
                // A row of NULLs: what is wrong with the SQL shows, and no value can be to blame.
                match connection.evaluate(relation, &[], &[Vec::new()], sql).await {
                    Ok(_) => {}
                    Err(error) if error.kind == DbErrorKind::ConnectionLost => return Err(error.into()),
                    Err(error) => {
                        connection.rollback_to(SAVEPOINT).await?;
                        mistakes.push(condition.mistake(error.message));
                    }
                }
                connection.release(SAVEPOINT).await?;
            }
        }
        if mistakes.is_empty() { Ok(()) } else { Err(Error::Config(mistakes)) }
    }

    /// The option that leaves records of this relation out, where one does.
    pub(crate) fn filter(&self, relation: RelationId) -> Option<&'static str> {
        match () {
            () if self.excluded.contains(&relation) => Some("--exclude"),
            () if !self.takes(relation) => Some("--only"),
            () if self.conditions.contains_key(&relation) => Some("--where"),
            () => None,
        }
    }
}

/// Records that do not meet their condition, by relation: a bit each.
#[derive(Debug, Default)]
pub(crate) struct LeftOut {
    by_relation: RwLock<HashMap<RelationId, Vec<u64>>>,
}

impl LeftOut {
    pub(crate) fn add(&self, relation: RelationId, ordinal: Ordinal) {
        let mut sets = self.by_relation.write().expect("no thread panics while it holds the lock");
        let set = sets.entry(relation).or_default();
        let at = ordinal as usize;
        if set.len() <= at / 64 {
            set.resize(at / 64 + 1, 0);
        }
        set[at / 64] |= 1 << (at % 64);
    }

    pub(crate) fn holds(&self, relation: RelationId, ordinal: Ordinal) -> bool {
        let sets = self.by_relation.read().expect("no thread panics while it holds the lock");
        let word = sets.get(&relation).and_then(|set| set.get(ordinal as usize / 64));
        word.is_some_and(|word| word >> (ordinal % 64) & 1 == 1)
    }

    /// How many records of a relation are left out.
    pub(crate) fn count(&self, relation: RelationId) -> u64 {
        let sets = self.by_relation.read().expect("no thread panics while it holds the lock");
        sets.get(&relation).map_or(0, |set| set.iter().map(|word| u64::from(word.count_ones())).sum())
    }
}
