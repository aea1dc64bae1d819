//! `min` and `max`: numbers within bounds, compared exactly. NaN is never within bounds, NULL is not judged, and text where a number
//! belongs is found.

use relink_model::config::{ConfigError, Number, TableConfig, require_column};
use relink_model::{Column, RelationId, Severity, TypeKind};

use super::scan::{Judge, ScanProbe};
use crate::plan::{Census, Check, CheckKind, Planning, Probe};
use crate::sql::Shown;
use relink_rules::decimal;

pub(crate) fn plan(
    planning: &Planning<'_>,
    id: RelationId,
    table: &str,
    config: &TableConfig,
    checks: &mut Vec<Check>,
    errors: &mut Vec<ConfigError>,
) {
    let lowest = config.min.iter().map(|(column, bound)| (CheckKind::Min, column, bound));
    let highest = config.max.iter().map(|(column, bound)| (CheckKind::Max, column, bound));
    for (kind, column, bound) in lowest.chain(highest) {
        match check(planning, id, table, kind, column, bound) {
            Ok(check) => checks.push(check),
            Err(error) => errors.push(error),
        }
    }
}

fn check(
    planning: &Planning<'_>,
    id: RelationId,
    table: &str,
    kind: CheckKind,
    column: &str,
    bound: &Number,
) -> Result<Check, ConfigError> {
    let key = if kind == CheckKind::Min { "min" } else { "max" };
    require_column(planning.catalog, id, table, key, column)?;
    let relation = planning.catalog.relation(id);
    let (_, found) = relation.column(column).expect("it was just required");
    let syntax = |text: String, expected: &str| ConfigError::Syntax {
        table: table.to_owned(),
        key: key.to_owned(),
        text,
        expected: expected.to_owned(),
    };
    let exact = decimal::parse(&bound.to_string())
        .ok_or_else(|| syntax(format!("{column} = {bound}"), "a decimal number such as 0 or \"0.01\""))?;
    let literal = decimal::plain(&exact);
    let (sign, word) = if kind == CheckKind::Min { ("<", "below") } else { (">", "above") };
    let dialect = planning.dialect;
    let quoted = dialect.quote(column);
    let not_judged = Some(format!("{quoted} IS NULL"));
    let enforced = planning.enforces_types(relation);
    let (census, probe, sql) = if enforced {
        if !is_number(found) {
            return Err(syntax(
                format!("{column} = {bound}"),
                &format!("a numeric column, and {column} is {}", found.data_type.declared),
            ));
        }
        let failed = match nan(planning, found, &quoted) {
            Some(nan) => format!("({quoted} {sign} {literal} OR {nan})"),
            None => format!("{quoted} {sign} {literal}"),
        };
        let shown = Shown::of(dialect, "", relation, &[column.to_owned()], &[]);
        (Census { not_judged, failed: Some(failed.clone()) }, Probe::Rows(shown), failed)
    } else {
        let judge =
            if kind == CheckKind::Min { Judge::AtLeast(literal.clone()) } else { Judge::AtMost(literal.clone()) };
        let fine = plainly_fine(planning, &quoted, kind, &literal);
        let scan = ScanProbe::new(planning, relation, found, fine.as_deref(), false, judge);
        let sql = fine.map_or_else(
            || format!("{quoted} {sign} {literal}"),
            |fine| format!("{quoted} IS NOT NULL AND NOT ({fine})"),
        );
        (Census { not_judged, failed: None }, Probe::Scan(scan), sql)
    };
    Ok(Check {
        id: format!("{key}:{}.{column}", relation.name),
        kind,
        relation: relation.name.clone(),
        columns: vec![column.to_owned()],
        severity: Severity::Error,
        message: format!("{column} is {word} {literal}, or no number"),
        why: None,
        help: Some(format!("correct these values, or the rule {key}.{column} of [table.{table}]")),
        sql: Some(format!("SELECT * FROM {} WHERE {sql}", dialect.own_rows(relation))),
        census,
        probe,
    })
}

fn is_number(column: &Column) -> bool {
    matches!(column.data_type.kind, TypeKind::Integer { .. } | TypeKind::Float { .. } | TypeKind::Decimal { .. })
}

/// True of NaN, which PostgreSQL sorts above every number, so that it passes every `min` and every CHECK of one.
fn nan(planning: &Planning<'_>, column: &Column, quoted: &str) -> Option<String> {
    let possible = match column.data_type.kind {
        TypeKind::Float { .. } => planning.dialect.capabilities().floats_hold_specials,
        TypeKind::Decimal { special, .. } => special,
        _ => false,
    };
    possible.then(|| format!("{quoted} = 'NaN'"))
}

/// Where anything can be stored: a number within bounds. The bound itself is left to exact comparison unless it is a whole number that
/// a float holds exactly.
fn plainly_fine(planning: &Planning<'_>, quoted: &str, kind: CheckKind, literal: &str) -> Option<String> {
    const EXACT_MAX: u64 = 1 << 53;
    let class = planning.dialect.storage_class(quoted)?;
    let exact = literal.parse::<i64>().is_ok_and(|bound| bound.unsigned_abs() <= EXACT_MAX);
    let sign = match (kind, exact) {
        (CheckKind::Min, true) => ">=",
        (CheckKind::Min, false) => ">",
        (_, true) => "<=",
        (_, false) => "<",
    };
    Some(format!("{class} IN ('integer', 'real') AND {quoted} {sign} {literal}"))
}
