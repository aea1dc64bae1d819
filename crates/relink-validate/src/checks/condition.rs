//! Rules about single rows: `rows`, `required`, `required_when`, `in`, `match`, `ascending`. All of them are conditions of the rules' own language, so
//! that they mean the same in every database: what SQL says beyond doubt is left to it, everything else is judged here.

use relink_model::config::{ConfigError, Scalar, TableConfig, require_column};
use relink_model::{Relation, RelationId, Severity, TypeKind, suggest};
use relink_rules::SyntaxError;
use relink_rules::expression::{
    BindError, Bound, BoundNode, Column, Comparison, Datum, Expression, Judged, Kind, Moment, Path,
};

use super::judge::JudgeProbe;
use crate::plan::{Census, Check, CheckKind, Planning, Probe, columns_id};
use crate::sql::Shown;

/// A condition that every row of a relation has to meet.
struct Rule<'a> {
    kind: CheckKind,
    /// The key of the configuration.
    key: &'static str,
    /// As written, for messages about mistakes.
    text: &'a str,
    /// In the rules' language.
    condition: String,
    message: String,
    help: String,
    /// The id, where the columns alone do not make one.
    id: Option<String>,
}

pub(crate) fn plan(
    planning: &Planning<'_>,
    id: RelationId,
    table: &str,
    config: &TableConfig,
    checks: &mut Vec<Check>,
    errors: &mut Vec<ConfigError>,
) {
    for rule in rules(planning, id, table, config, errors) {
        match check(planning, id, table, &rule) {
            Ok(check) => checks.push(check),
            Err(error) => errors.push(error),
        }
    }
}

/// The rules of one table, each as a condition.
fn rules<'a>(
    planning: &Planning<'_>,
    id: RelationId,
    table: &str,
    config: &'a TableConfig,
    errors: &mut Vec<ConfigError>,
) -> Vec<Rule<'a>> {
    let mut rules = Vec::new();
    let mut known = |key: &str, column: &str| {
        let found = require_column(planning.catalog, id, table, key, column);
        found.map_err(|error| errors.push(error)).is_ok()
    };
    for column in config.required.iter().filter(|column| known("required", column)) {
        rules.push(Rule {
            kind: CheckKind::Required,
            key: "required",
            text: column,
            condition: present(planning, id, column),
            message: format!("{column} is missing"),
            help: "fill it in: NULL, and text of white space alone, count as missing".to_owned(),
            id: None,
        });
    }
    for (column, when) in config.required_when.iter().filter(|(column, _)| known("required_when", column)) {
        rules.push(Rule {
            kind: CheckKind::RequiredWhen,
            key: "required_when",
            text: when,
            condition: format!("not ({when}) or {}", present(planning, id, column)),
            message: format!("{column} is missing where {when}"),
            help: "fill it in: NULL, and text of white space alone, count as missing".to_owned(),
            id: Some(column.clone()),
        });
    }
    for (column, values) in config.one_of.iter().filter(|(column, _)| known("in", column)) {
        let values: Vec<String> = values.iter().map(literal).collect();
        rules.push(Rule {
            kind: CheckKind::In,
            key: "in",
            text: column,
            condition: format!("{} in ({})", quoted(column), values.join(", ")),
            message: format!("{column} is none of {}", values.join(", ")),
            help: "correct these values, or add them to the rule".to_owned(),
            id: None,
        });
    }
    for (column, pattern) in config.matching.iter().filter(|(column, _)| known("match", column)) {
        rules.push(Rule {
            kind: CheckKind::Match,
            key: "match",
            text: pattern,
            condition: format!("{} matches '{}'", quoted(column), pattern.replace('\'', "''")),
            message: format!("{column} does not match {pattern}"),
            help: "the whole text has to match the pattern".to_owned(),
            id: None,
        });
    }
    for text in &config.ascending {
        rules.push(Rule {
            kind: CheckKind::Ascending,
            key: "ascending",
            text,
            condition: text.clone(),
            message: format!("out of order: {text} does not hold"),
            help: "correct these values; where one of them is NULL, the row is not judged".to_owned(),
            id: None,
        });
    }
    for text in &config.rows {
        rules.push(Rule {
            kind: CheckKind::Row,
            key: "rows",
            text,
            condition: text.clone(),
            message: format!("{text} does not hold"),
            help: "correct these rows, or the rule".to_owned(),
            id: None,
        });
    }
    rules
}

/// A column that is filled in: not NULL, and if it is text, not blank.
fn present(planning: &Planning<'_>, id: RelationId, column: &str) -> String {
    let kind = planning.catalog.relation(id).column(column).map(|(_, column)| Kind::of(&column.data_type.kind));
    let name = quoted(column);
    match kind {
        Some(Some(Kind::Text)) => format!("{name} is not null and trim({name}) != ''"),
        _ => format!("{name} is not null"),
    }
}

/// A column's name as the rules' language takes any.
fn quoted(column: &str) -> String {
    format!("\"{}\"", column.replace('"', "\"\""))
}

fn literal(value: &Scalar) -> String {
    match value {
        Scalar::Text(text) => format!("'{}'", text.replace('\'', "''")),
        other => other.to_string(),
    }
}

fn check(planning: &Planning<'_>, id: RelationId, table: &str, rule: &Rule<'_>) -> Result<Check, ConfigError> {
    let relation = planning.catalog.relation(id);
    let syntax = |expected: String| ConfigError::Syntax {
        table: table.to_owned(),
        key: rule.key.to_owned(),
        text: rule.text.to_owned(),
        expected,
    };
    let misread = |error: SyntaxError| syntax(format!("{} at character {}", error.expected, error.at));
    if rule.kind == CheckKind::RequiredWhen {
        // The condition is made of it: a mistake must be told in the user's own text.
        relink_rules::parse(rule.text).map_err(misread)?;
    }
    let parsed = relink_rules::parse(&rule.condition)
        .map_err(|error| misread(SyntaxError { at: written_at(rule, error.at), ..error }))?;
    let bound = bind(relation, &parsed).map_err(|error| match error {
        BindError::Unknown(path) => ConfigError::UnknownColumn {
            table: table.to_owned(),
            key: rule.key.to_owned(),
            nearest: suggest::nearest(&path.join("."), relation.columns.iter().map(|column| column.name.as_str()))
                .map(str::to_owned),
            column: path.join("."),
        },
        BindError::Kind { expected, span } => {
            let before = rule.condition.get(..span.start).map_or(0, |before| before.chars().count());
            syntax(format!("{expected} at character {}", written_at(rule, before + 1)))
        }
    })?;
    if rule.kind == CheckKind::Ascending && !is_order(&bound) {
        return Err(syntax("columns in their order, such as \"ordered_at <= shipped_at <= delivered_at\"".to_owned()));
    }
    let columns: Vec<String> =
        bound.columns().into_iter().map(|(column, _)| relation.columns[column].name.clone()).collect();
    let dialect = planning.dialect;
    let shown = Shown::of(dialect, "", relation, &columns, &[]);
    let kind_name = if rule.key == "rows" { "row" } else { rule.key };
    let named = rule.id.as_ref().map_or_else(|| columns.clone(), |column| vec![column.clone()]);
    let (census, probe, sql) = if let Some(sql) = pushed(planning, relation, &bound) {
        let census = Census { not_judged: Some(format!("({sql}) IS NULL")), failed: Some(format!("NOT ({sql})")) };
        let shows = format!("SELECT * FROM {} WHERE NOT ({sql})", dialect.own_rows(relation));
        (census, Probe::Rows(shown), Some(shows))
    } else {
        let timezone = planning.config.run.timezone.clone();
        let judge = JudgeProbe { columns: columns.clone(), timezone, condition: bound };
        (Census::default(), Probe::Judge(Box::new(judge)), None)
    };
    Ok(Check {
        id: format!("{kind_name}:{}", columns_id(&relation.name, &named)),
        kind: rule.kind,
        relation: relation.name.clone(),
        columns,
        severity: Severity::Error,
        message: rule.message.clone(),
        why: None,
        help: Some(rule.help.clone()),
        sql,
        census,
        probe,
    })
}

/// The character of the user's own text at which a mistake stands, of which the condition may be made.
fn written_at(rule: &Rule<'_>, at: usize) -> usize {
    match rule.kind {
        CheckKind::Row | CheckKind::Ascending => at,
        CheckKind::RequiredWhen => at.saturating_sub("not (".len()).max(1),
        _ => 1,
    }
}

fn bind(relation: &Relation, parsed: &Expression) -> Result<Bound, BindError> {
    let column = |path: &Path| {
        let name = match path.as_slice() {
            [name] => name,
            [table, name] if *table == relation.name.name => name,
            _ => return None,
        };
        let (index, column) = relation.column(name)?;
        Some(Column { index, kind: Kind::of(&column.data_type.kind) })
    };
    parsed.bind(Kind::Boolean, &column)
}

/// Whether a condition is nothing but values in their order.
fn is_order(bound: &Bound) -> bool {
    match &bound.node {
        BoundNode::Comparison(comparison, ..) => !matches!(comparison, Comparison::Equal | Comparison::Different),
        BoundNode::And(a, b) => is_order(a) && is_order(b),
        _ => false,
    }
}

/// A condition as SQL that is true, false and NULL of the same rows; `None` where a value may be stored that SQL judges otherwise.
fn pushed(planning: &Planning<'_>, relation: &Relation, bound: &Bound) -> Option<String> {
    let dialect = planning.dialect;
    let sql = |bound: &Bound| pushed(planning, relation, bound);
    let pair = |sign: &str, a: &Bound, b: &Bound| Some(format!("({} {sign} {})", sql(a)?, sql(b)?));
    match &bound.node {
        BoundNode::Constant(datum) => constant(datum, dialect.capabilities().stores_temporals_as_text),
        BoundNode::Column(index) => {
            let column = &relation.columns[*index];
            let exact = planning.enforces_types(relation)
                && match (&column.data_type.kind, bound.kind) {
                    (TypeKind::Integer { .. }, Kind::Number) => true,
                    // Elsewhere a boolean is a number, which may be 2.
                    (TypeKind::Boolean, Kind::Boolean) => dialect.capabilities().has_booleans,
                    (TypeKind::Decimal { special, .. }, Kind::Number) => !special,
                    _ => false,
                };
            exact.then(|| dialect.quote(&column.name))
        }
        BoundNode::Not(a) => Some(format!("(NOT {})", sql(a)?)),
        BoundNode::And(a, b) => pair("AND", a, b),
        BoundNode::Or(a, b) => pair("OR", a, b),
        BoundNode::IsNull(a) => match &a.node {
            // What is there counts as there, whatever it is.
            BoundNode::Column(index) => {
                let column = &relation.columns[*index];
                let blank = dialect.blank("", column);
                blank.is_none().then(|| format!("({} IS NULL)", dialect.quote(&column.name)))
            }
            _ => None,
        },
        BoundNode::Comparison(comparison, a, b) if a.kind == Kind::Number || is_truth(*comparison, a) => {
            let sign = match comparison {
                Comparison::Equal => "=",
                Comparison::Different => "<>",
                Comparison::Less => "<",
                Comparison::AtMost => "<=",
                Comparison::Greater => ">",
                Comparison::AtLeast => ">=",
            };
            pair(sign, a, b)
        }
        BoundNode::In(a, values) if a.kind == Kind::Number => {
            let values: Vec<String> = values.iter().map(sql).collect::<Option<_>>()?;
            Some(format!("({} IN ({}))", sql(a)?, values.join(", ")))
        }
        _ => None,
    }
}

/// Whether a comparison is one of true and false.
fn is_truth(comparison: Comparison, a: &Bound) -> bool {
    a.kind == Kind::Boolean && matches!(comparison, Comparison::Equal | Comparison::Different)
}

/// A constant; `binary`: a number that is no whole one of 64 bits would be read as a floating point number.
fn constant(datum: &Datum, binary: bool) -> Option<String> {
    match datum {
        Datum::Number(number) if binary && number.to_string().parse::<i64>().is_err() => None,
        Datum::Null => Some("NULL".to_owned()),
        Datum::Boolean(value) => Some(if *value { "TRUE" } else { "FALSE" }.to_owned()),
        Datum::Number(number) => Some(relink_rules::decimal::plain(number)),
        _ => None,
    }
}

/// What a row comes to, in words; `None` where nothing is wrong with it.
pub(crate) fn verdict(bound: &Bound, at: &Moment, value: &dyn Fn(usize) -> relink_model::Value) -> Verdict {
    match bound.judge(at, value) {
        Judged::Holds => Verdict::Fine,
        Judged::Unknown => Verdict::NotJudged,
        Judged::Fails => Verdict::Wrong(None),
        Judged::Faulty(fault) => Verdict::Wrong(Some(fault.problem)),
    }
}

/// What a condition makes of a row.
pub(crate) enum Verdict {
    Fine,
    NotJudged,
    /// With what is wrong, where that is not the condition itself.
    Wrong(Option<String>),
}
