//! What the configuration says of checks and columns that there are none of: a severity of no check, a mask over no column. Such a line does nothing, which its
//! author does not know.

use relink_model::config::{Config, ConfigError, InferConfig};
use relink_model::suggest;

use super::{Check, Planning, fits, test::Test};

/// What checks are called that come and go with the state of a database, or are made of exports or databases alone.
const PASSING: [&str; 4] = ["trust:", "schema:", "type:", "complete:"];

/// Every pattern that fits nothing.
pub(super) fn mistakes(planning: &Planning<'_>, checks: &[Check]) -> Vec<ConfigError> {
    let mut errors = columns(planning, checks);
    // Of an export without a schema nobody knows what the database would promise.
    if !crate::offline::is_inferred(planning.catalog) {
        errors.extend(severities(planning, checks));
    }
    errors
}

fn severities(planning: &Planning<'_>, checks: &[Check]) -> Vec<ConfigError> {
    let passes = |pattern: &&String| PASSING.iter().any(|kind| pattern.starts_with(kind));
    // `unique:*` speaks of a kind of checks, of which there may be none.
    let is_kind =
        |pattern: &&String| pattern.ends_with('*') && !pattern.trim_end_matches('*').contains(['.', '*', '(']);
    // A rule that may be left out takes what is said of it along.
    let may_miss = |pattern: &&String| {
        let of_table = |(name, table): (&String, &relink_model::config::TableConfig)| {
            table.if_exists && pattern.contains(&format!(":{name}"))
        };
        let config = planning.config;
        config.check.iter().any(|entry| entry.if_exists && entry.id.as_ref() == Some(pattern))
            || config.table.iter().any(of_table)
    };
    let open: Vec<&String> = planning
        .config
        .severity
        .keys()
        .filter(|pattern| !passes(pattern) && !is_kind(pattern) && !may_miss(pattern))
        .filter(|pattern| !checks.iter().any(|check| fits(pattern, &check.id)))
        .collect();
    if open.is_empty() {
        return Vec::new();
    }
    // Guesses are switched off by their ids, so that they are made here as if nobody did.
    let config = Config {
        severity: std::collections::BTreeMap::new(),
        infer: InferConfig::default(),
        ..planning.config.clone()
    };
    let guesses = crate::infer::infer(planning.catalog, &config, planning.dialect, checks);
    let guessed = guesses.ids();
    let ids: Vec<&str> = checks.iter().map(|check| check.id.as_str()).chain(guessed.iter().copied()).collect();
    let unknown = open.into_iter().filter(|pattern| !guessed.iter().any(|id| fits(pattern, id)));
    let error = |pattern: &String| ConfigError::FitsNothing {
        section: "severity",
        key: "",
        pattern: pattern.clone(),
        what: "check",
        nearest: suggest::nearest(pattern, ids.iter().copied()).map(str::to_owned),
    };
    unknown.map(error).collect()
}

fn columns(planning: &Planning<'_>, checks: &[Check]) -> Vec<ConfigError> {
    let catalog = planning.catalog;
    // What the user's own SQL answers has no names but these.
    let answers = checks.iter().any(|check| matches!(check.test, Test::Sql(_)));
    let means = |pattern: &String| {
        let of_relation = |relation: &relink_model::Relation| {
            relation.columns.iter().any(|column| catalog.means_column(pattern, &relation.name, &column.name))
        };
        answers && pattern.starts_with("column ") || catalog.relations.iter().any(of_relation)
    };
    let config = planning.config;
    let lists = [("run", "mask", &config.run.mask), ("infer", "ignore", &config.infer.ignore)];
    let mut errors = Vec::new();
    for (section, key, patterns) in lists {
        for pattern in patterns.iter().filter(|pattern| !means(pattern)) {
            let qualified = catalog.relations.iter().flat_map(|relation| {
                relation.columns.iter().map(|column| format!("{}.{}", relation.name, column.name))
            });
            let bare =
                catalog.relations.iter().flat_map(|relation| &relation.columns).map(|column| column.name.clone());
            let names: Vec<String> = if pattern.contains('.') { qualified.collect() } else { bare.collect() };
            let nearest = suggest::nearest(pattern, names.iter().map(String::as_str)).map(str::to_owned);
            errors.push(ConfigError::FitsNothing { section, key, pattern: pattern.clone(), what: "column", nearest });
        }
    }
    errors
}
