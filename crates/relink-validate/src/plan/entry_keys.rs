//! Which keys of a `[[check]]` its kind has a use for. What is said and not heeded is a mistake.

use relink_model::config::{CheckConfig, ConfigError, RuleKind};
use relink_model::suggest;

use super::settings::mistake;

/// What every kind has: `id`, `kind`, `severity`, `max`, `max_percent`, `owner`, `why`, `if_exists`; and beside them these.
fn keys_of(kind: RuleKind) -> &'static [&'static str] {
    match kind {
        RuleKind::Row => &["on", "where", "condition"],
        RuleKind::Ref | RuleKind::Unique | RuleKind::Count | RuleKind::Fresh | RuleKind::NoOverlap => {
            &["on", "where", "rule"]
        }
        RuleKind::Acyclic => &["on", "rule"],
        RuleKind::Total => {
            &["on", "where", "left", "right", "by", "tolerance", "rounding", "no_lines", "null_left", "null_lines_fail"]
        }
        RuleKind::Balance => &["on", "where", "sum", "per", "tolerance"],
        RuleKind::Running => &["on", "where", "balance", "delta", "per", "order", "start", "tolerance"],
        RuleKind::Equal => &["on", "left", "right", "tolerance", "no_lines", "null_left", "null_lines_fail"],
        RuleKind::Same => &["where", "left", "right", "key", "columns"],
        RuleKind::Sql => &["on", "sql", "expect"],
    }
}

/// Keys that the kind has no use for; without a kind an entry changes a check, and has a use for none of them.
pub(super) fn unused(at: usize, entry: &CheckConfig) -> Vec<ConfigError> {
    let said = [
        ("on", entry.on.is_some()),
        ("where", entry.filter.is_some()),
        ("rule", entry.rule.is_some()),
        ("condition", entry.condition.is_some()),
        ("left", entry.left.is_some()),
        ("right", entry.right.is_some()),
        ("by", entry.by.is_some()),
        ("tolerance", entry.tolerance.is_some()),
        ("rounding", entry.rounding.is_some()),
        ("no_lines", entry.no_lines.is_some()),
        ("null_left", entry.null_left.is_some()),
        ("null_lines_fail", entry.null_lines_fail),
        ("sum", entry.sum.is_some()),
        ("per", !entry.per.is_empty()),
        ("balance", entry.balance.is_some()),
        ("delta", entry.delta.is_some()),
        ("order", !entry.order.is_empty()),
        ("start", entry.start.is_some()),
        ("key", !entry.key.is_empty()),
        ("columns", !entry.columns.is_empty()),
        ("sql", entry.sql.is_some()),
        ("expect", entry.expect.is_some()),
    ];
    let keys = entry.kind.map_or(&[][..], keys_of);
    let unused = said.iter().filter(|(key, is_said)| *is_said && !keys.contains(key));
    let error = |(key, _): &(&str, bool)| {
        let why = match (entry.kind, *key, suggest::nearest(key, keys.iter().copied())) {
            (None, ..) => "without a kind an entry changes a check, and says nothing of what it asks".to_owned(),
            (Some(RuleKind::Acyclic), "where", _) => "a tree is judged as a whole".to_owned(),
            (Some(RuleKind::Equal), "where", _) => {
                "each side has a condition of its own: \"... by key where ...\"".to_owned()
            }
            (Some(_), _, Some(nearest)) => format!("this kind of rule has no such key; did you mean {nearest:?}?"),
            (Some(_), _, None) => format!("this kind of rule has no such key: it has {}", keys.join(", ")),
        };
        mistake(at, entry, key, &why)
    };
    unused.map(error).collect()
}
