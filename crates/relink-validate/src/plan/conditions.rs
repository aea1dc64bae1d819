//! Rules about single rows: `required`, `required_when`, `in`, `match`, `ascending`, `rows`, `min`, `max`, `gt`, `lt`, `past`, `future`. Nearly all of them
//! are conditions of the rules' own language, so that they mean the same in every database and in none.

use jiff::tz::TimeZone;
use relink_model::config::{ConfigError, Domain, Number, Scalar, Unknown};
use relink_model::{Relation, RelationId, TypeKind};
use relink_rules::decimal;
use relink_rules::expression::{Bound, BoundNode, Comparison, Kind, parse_moment, path_of};

use super::names::{Mistake, Names, by_letter, part};
use super::references::live_filter;
use super::test::{Judge, Matching, ReferenceTest, RowTest, SLACK_SECONDS, Test};
use super::{Check, CheckKind, Planning, Table, columns_id};

/// A condition that every row of a relation has to meet.
struct Rule<'a> {
    kind: CheckKind,
    /// The key of the configuration, and which of its entries.
    key: &'static str,
    at: String,
    /// As written, for messages about mistakes.
    text: &'a str,
    /// In the rules' language, and how many characters of it stand before the user's own.
    condition: String,
    before: usize,
    message: String,
    help: String,
    /// The column of the id, where those of the condition do not make it.
    column: Option<String>,
    /// What is wrong with a row that fails, where reports tally that.
    wrong: Option<String>,
}

impl<'a> Rule<'a> {
    fn new(kind: CheckKind, key: &'static str, at: impl Into<String>, text: &'a str, condition: String) -> Self {
        let (message, help, column, wrong) = (String::new(), String::new(), None, None);
        Self { kind, key, at: at.into(), text, condition, before: 0, message, help, column, wrong }
    }

    /// Whether its key has one entry for each column, so that its place is a column's name.
    fn by_column(&self) -> bool {
        matches!(self.key, "min" | "max" | "gt" | "lt" | "in" | "match" | "required_when")
    }
}

pub(super) fn plan(planning: &Planning<'_>, table: Table<'_>, checks: &mut Vec<Check>, errors: &mut Vec<ConfigError>) {
    let config = table.config;
    let bounds = [
        (CheckKind::Min, "min", &config.min, ">="),
        (CheckKind::Max, "max", &config.max, "<="),
        (CheckKind::Gt, "gt", &config.gt, ">"),
        (CheckKind::Lt, "lt", &config.lt, "<"),
    ];
    let mut rules = Vec::new();
    for (kind, key, limits, sign) in bounds {
        for (column, limit) in limits {
            match bound(planning, table, kind, key, column, limit, sign) {
                Ok(rule) => rules.push(rule),
                Err(error) => errors.push(error),
            }
        }
    }
    rules.extend(written(planning, table, errors));
    for rule in rules {
        match check(planning, table.id, table.name, &rule) {
            Ok(mut check) => {
                check.rule = Some(table.at(rule.key, &rule.at));
                check.said = Some(rule.condition.clone());
                checks.push(check);
            }
            Err(Mistake::Expected(expected)) if rule.by_column() => {
                errors.push(table.value(rule.key, &rule.at, rule.text, &expected));
            }
            Err(mistake) => errors.push(mistake.into_error(table, rule.key, rule.text)),
        }
    }
    for (future, key, texts) in [(false, "past", &config.past), (true, "future", &config.future)] {
        for (text, at) in texts.iter().zip(0..) {
            match moment(planning, table, key, text, future) {
                Ok(mut check) => {
                    check.rule = Some(table.at(key, &format!("{at}")));
                    check.said = Some(text.clone());
                    checks.push(check);
                }
                Err(error) => errors.push(error),
            }
        }
    }
    for (column, domain) in &config.one_of {
        if let Domain::Table(other) = domain {
            match domain_of(planning, table, column, &other.table) {
                Ok(mut check) => {
                    check.rule = Some(table.at("in", column));
                    checks.push(check);
                }
                Err(error) => errors.push(error),
            }
        }
    }
}

/// `min`, `max`, `gt`, `lt`.
fn bound<'a>(
    planning: &Planning<'_>,
    table: Table<'_>,
    kind: CheckKind,
    key: &'static str,
    column: &'a str,
    limit: &Number,
    sign: &str,
) -> Result<Rule<'a>, ConfigError> {
    let relation = planning.catalog.relation(table.id);
    relink_model::config::require_column(planning.catalog, table.id, table.name, key, column)?;
    let exact = decimal::parse(&limit.to_string())
        .ok_or_else(|| table.value(key, column, &limit.to_string(), "a decimal number such as 0 or \"0.01\""))?;
    let literal = decimal::plain(&exact);
    let (_, found) = relation.column(column).expect("it was just required");
    let number =
        matches!(found.data_type.kind, TypeKind::Integer { .. } | TypeKind::Float { .. } | TypeKind::Decimal { .. });
    let holds_other = planning.dialect.is_none() && Kind::of(&found.data_type.kind).is_some();
    if !number && (planning.enforces_types(relation) || holds_other) {
        let expected = format!("a numeric column, and {column} is {}", found.data_type.declared);
        return Err(table.value(key, column, &limit.to_string(), &expected));
    }
    let word = match kind {
        CheckKind::Min => "below",
        CheckKind::Max => "above",
        CheckKind::Gt => "not above",
        _ => "not below",
    };
    let number = if literal.starts_with('-') { format!("({literal})") } else { literal.clone() };
    Ok(Rule {
        column: Some(column.to_owned()),
        message: format!("{column} is {word} {literal}, or no number"),
        help: format!("correct these values, or the rule {key}.{column} of [table.{}]", table.name),
        wrong: Some(format!("{word} {literal}")),
        ..Rule::new(kind, key, column, column, format!("{} {sign} {number}", quoted(column)))
    })
}

/// The rules of one table, each as a condition.
fn written<'a>(planning: &Planning<'_>, table: Table<'a>, errors: &mut Vec<ConfigError>) -> Vec<Rule<'a>> {
    const FILL_IN: &str = "fill it in: NULL, and text of white space alone, count as missing";
    let config = table.config;
    let mut rules = Vec::new();
    let mut known = |key: &str, column: &str| {
        let found = relink_model::config::require_column(planning.catalog, table.id, table.name, key, column);
        found.map_err(|error| errors.push(error)).is_ok()
    };
    for (column, at) in config.required.iter().zip(0..).filter(|(column, _)| known("required", column)) {
        let condition = present(planning, table.id, column);
        rules.push(Rule {
            message: format!("{column} is missing"),
            help: FILL_IN.to_owned(),
            ..Rule::new(CheckKind::Required, "required", format!("{at}"), column, condition)
        });
    }
    for (column, when) in config.required_when.iter().filter(|(column, _)| known("required_when", column)) {
        let condition = format!("not ({when}) or {}", present(planning, table.id, column));
        rules.push(Rule {
            before: "not (".len(),
            message: format!("{column} is missing where {when}"),
            help: FILL_IN.to_owned(),
            column: Some(column.clone()),
            ..Rule::new(CheckKind::RequiredWhen, "required_when", column, when, condition)
        });
    }
    for (column, domain) in config.one_of.iter().filter(|(column, _)| known("in", column)) {
        let Domain::Values(values) = domain else { continue };
        let values: Vec<String> = values.iter().map(literal).collect();
        rules.push(Rule {
            message: format!("{column} is none of {}", values.join(", ")),
            help: "correct these values, or add them to the rule".to_owned(),
            ..Rule::new(CheckKind::In, "in", column, column, format!("{} in ({})", quoted(column), values.join(", ")))
        });
    }
    for (column, pattern) in config.matching.iter().filter(|(column, _)| known("match", column)) {
        let condition = format!("{} matches '{}'", quoted(column), pattern.replace('\'', "''"));
        rules.push(Rule {
            message: format!("{column} does not match {pattern}"),
            help: "the whole text has to match the pattern".to_owned(),
            ..Rule::new(CheckKind::Match, "match", column, pattern, condition)
        });
    }
    for (text, at) in config.ascending.iter().zip(0..) {
        rules.push(Rule {
            message: format!("out of order: {text} does not hold"),
            help: "correct these values; where one of them is NULL, the row is not judged".to_owned(),
            ..Rule::new(CheckKind::Ascending, "ascending", format!("{at}"), text, text.clone())
        });
    }
    for (text, at) in config.rows.iter().zip(0..) {
        rules.push(Rule {
            message: format!("{text} does not hold"),
            help: "correct these rows, or the rule".to_owned(),
            ..Rule::new(CheckKind::Row, "rows", format!("{at}"), text, text.clone())
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
pub(super) fn quoted(column: &str) -> String {
    format!("\"{}\"", column.replace('"', "\"\""))
}

/// A value of the configuration as the rules' language writes it.
fn literal(value: &Scalar) -> String {
    match value {
        Scalar::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Scalar::Float(number) => decimal::of_value(&relink_model::Value::Float(*number))
            .map_or_else(|| number.to_string(), |exact| decimal::plain(&exact)),
        other => other.to_string(),
    }
}

/// A condition of a `[[check]]`.
pub(super) fn row(planning: &Planning<'_>, id: RelationId, table: &str, text: &str) -> Result<Check, Mistake> {
    let rule = Rule {
        message: format!("{text} does not hold"),
        help: "correct these rows, or the rule".to_owned(),
        ..Rule::new(CheckKind::Row, "condition", "", text, text.to_owned())
    };
    check(planning, id, table, &rule)
}

fn check(planning: &Planning<'_>, id: RelationId, table: &str, rule: &Rule<'_>) -> Result<Check, Mistake> {
    let names = Names::new(planning, id, table, rule.key);
    let relation = names.relation();
    let own_text = matches!(rule.kind, CheckKind::Row | CheckKind::Ascending | CheckKind::RequiredWhen);
    let of_number = matches!(rule.kind, CheckKind::Min | CheckKind::Max | CheckKind::Gt | CheckKind::Lt);
    let parsed = relink_rules::parse(&rule.condition).map_err(Mistake::from);
    let bound = parsed.and_then(|parsed| {
        if of_number { names.bound(&parsed, &rule.condition) } else { names.condition(&parsed, &rule.condition) }
    });
    let bound = bound.map_err(|mistake| match mistake {
        // The place counts in the user's own text, of which the condition may be made.
        Mistake::Expected(expected) if own_text => Mistake::Expected(shifted(&expected, rule.before)),
        Mistake::Expected(expected) => Mistake::Expected(
            expected.split(" at character ").next().unwrap_or_default().to_owned() + " at character 1",
        ),
        unknown @ Mistake::Unknown(_) => unknown,
    })?;
    if rule.kind == CheckKind::Ascending && !is_order(&bound) {
        let expected = "columns in their order, such as \"ordered_at <= shipped_at <= delivered_at\"";
        return Err(Mistake::Expected(expected.to_owned()));
    }
    let columns: Vec<String> =
        bound.columns().into_iter().map(|(column, _)| relation.columns[column].name.clone()).collect();
    let named = rule.column.as_ref().map_or_else(|| columns.clone(), |column| vec![column.clone()]);
    let kind_name = if rule.kind == CheckKind::Row { "row" } else { rule.key };
    let test = RowTest {
        filter: live_filter(planning, id),
        unknown: planning.config.run.unknown.unwrap_or(Unknown::Count),
        counts_values: of_number,
        wrong: rule.wrong.clone(),
        ..RowTest::of(id, Judge::Condition(bound))
    };
    let name = format!("{kind_name}:{}", columns_id(&relation.name, &named));
    let mut check = Check::of(name, rule.kind, relation, &columns, Test::Row(test));
    check.message.clone_from(&rule.message);
    check.help = Some(rule.help.clone());
    Ok(check)
}

/// A message about a place in a condition, told by the place in the text that the condition is made of.
fn shifted(expected: &str, before: usize) -> String {
    match expected.rsplit_once(" at character ") {
        Some((expected, at)) => {
            let at = at.parse::<usize>().map_or(1, |at| at.saturating_sub(before).max(1));
            format!("{expected} at character {at}")
        }
        None => expected.to_owned(),
    }
}

/// Whether a condition is nothing but values in their order.
fn is_order(bound: &Bound) -> bool {
    match &bound.node {
        BoundNode::Comparison(comparison, ..) => !matches!(comparison, Comparison::Equal | Comparison::Different),
        BoundNode::And(a, b) => is_order(a) && is_order(b),
        _ => false,
    }
}

/// The zone that the configuration names.
pub(super) fn time_zone(name: Option<&str>) -> Result<Option<TimeZone>, ConfigError> {
    let Some(name) = name else { return Ok(None) };
    TimeZone::get(name).map(Some).map_err(|_| ConfigError::TimeZone { name: name.to_owned() })
}

fn moment(
    planning: &Planning<'_>,
    table: Table<'_>,
    key: &str,
    text: &str,
    future: bool,
) -> Result<Check, ConfigError> {
    let (column, slack) =
        parse_moment(text).ok_or_else(|| table.syntax(key, text, "\"column\" or \"column +5m\" (s, m, h or d)"))?;
    let slack_seconds = slack.unwrap_or(SLACK_SECONDS);
    relink_model::config::require_column(planning.catalog, table.id, table.name, key, &column)?;
    let relation = planning.catalog.relation(table.id);
    let (index, found) = relation.column(&column).expect("it was just required");
    let dates = matches!(
        found.data_type.kind,
        TypeKind::Date
            | TypeKind::Timestamp { .. }
            | TypeKind::Integer { .. }
            | TypeKind::Float { .. }
            | TypeKind::Text { .. }
            | TypeKind::Dynamic
    );
    if !dates && planning.enforces_types(relation) {
        let declared = &found.data_type.declared;
        return Err(table.syntax(key, text, format!("a column of dates, text or numbers, and {column} is {declared}")));
    }
    Ok(moment_check(planning, table.id, relation, index, slack_seconds, future))
}

/// The check that the dates of a column do not lie after now, or before.
pub(super) fn moment_check(
    planning: &Planning<'_>,
    id: RelationId,
    relation: &Relation,
    index: usize,
    slack_seconds: i64,
    future: bool,
) -> Check {
    let column = &relation.columns[index].name;
    let timezone = planning.config.run.timezone.clone();
    let test = RowTest {
        filter: live_filter(planning, id),
        wrong: Some(if future { "earlier than now" } else { "later than now" }.to_owned()),
        counts_values: true,
        ..RowTest::of(id, Judge::Moment { column: index, slack_seconds, future, timezone })
    };
    let (kind, key, lies) =
        if future { (CheckKind::Future, "future", "past") } else { (CheckKind::Past, "past", "future") };
    let name = format!("{key}:{}.{column}", relation.name);
    let mut check = Check::of(name, kind, relation, std::slice::from_ref(column), Test::Row(test));
    check.message = format!("{column} lies in the {lies}");
    check.help = Some("correct these dates, or allow more slack (\"column +2h\")".to_owned());
    check
}

/// `in = { currency = { table = "currencies.code" } }`.
fn domain_of(planning: &Planning<'_>, table: Table<'_>, column: &str, other: &str) -> Result<Check, ConfigError> {
    let names = Names::new(planning, table.id, table.name, "in");
    let found = || -> Result<Check, Mistake> {
        let (index, own) = names.named(column)?;
        let path = path_of(other);
        let (there, target) = path.split_last().filter(|(_, target)| !target.is_empty()).ok_or_else(|| {
            Mistake::Expected("a column of another table, such as { table = \"currencies.code\" }".to_owned())
        })?;
        let target = names.table(target)?;
        let (there_index, theirs) = names.of(target).named(there)?;
        let (mut here, mut theirs) = (part(index, own, true), part(there_index, theirs, true));
        by_letter(&mut here, &mut theirs);
        let test = ReferenceTest {
            relation: table.id,
            parts: vec![here],
            filter: live_filter(planning, table.id),
            target: Some(target),
            target_parts: vec![theirs],
            target_filter: None,
            matching: Matching::Simple,
            dead: false,
            key: None,
            by_letter: true,
        };
        let relation = names.relation();
        let name = format!("in:{}.{column}", relation.name);
        let columns = [column.to_owned()];
        let mut check = Check::of(name, CheckKind::In, relation, &columns, Test::Reference(test));
        check.message = format!("{column} is none of the values of {other}");
        check.help = Some(format!("correct these values, or add them to {other}"));
        Ok(check)
    };
    found().map_err(|mistake| mistake.into_error(table, "in", other))
}
