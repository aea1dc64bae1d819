//! `past`: dates that do not lie after now. The instant is the caller's and travels as a parameter: a server's `now()` depends on the
//! session's time zone, and a run that cannot be repeated proves nothing.

use jiff::tz::TimeZone;
use relink_db::{Connection, DbError};
use relink_model::config::{ConfigError, TableConfig, require_column};
use relink_model::{Column, Relation, RelationId, Severity, TypeKind, Value};
use serde::Serialize;

use super::scan::{Judge, ScanProbe, deadline};
use crate::plan::{Census, Check, CheckKind, Planning, Probe};
use crate::run::{Found, Options, count, samples};
use crate::sql::Shown;

/// Clocks of different machines differ: so much after now still passes where a rule says nothing.
const SLACK_SECONDS: i64 = 5 * 60;

/// What is asked of the database; the one parameter is the latest moment that passes.
#[derive(Clone, Debug, Serialize)]
pub struct PastProbe {
    /// Counts the failing rows.
    count: String,
    /// Counts their distinct values.
    distinct: String,
    /// Selects the samples.
    samples: String,
    /// What the samples show.
    shown: Shown,
    /// Allowed after now.
    slack_seconds: i64,
    /// The zone of wall-clock readings.
    timezone: Option<String>,
    /// What the column holds.
    form: Form,
    /// What to show a reader, up to the instant.
    see: String,
}

/// What a date column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    Day,
    Wall,
    Instant,
}

pub(crate) fn plan(
    planning: &Planning<'_>,
    id: RelationId,
    table: &str,
    config: &TableConfig,
    checks: &mut Vec<Check>,
    errors: &mut Vec<ConfigError>,
) {
    for text in &config.past {
        match check(planning, id, table, text) {
            Ok(check) => checks.push(check),
            Err(error) => errors.push(error),
        }
    }
}

/// The zone that the configuration names.
pub(crate) fn time_zone(name: Option<&str>) -> Result<Option<TimeZone>, ConfigError> {
    let Some(name) = name else { return Ok(None) };
    TimeZone::get(name).map(Some).map_err(|_| ConfigError::TimeZone { name: name.to_owned() })
}

fn check(planning: &Planning<'_>, id: RelationId, table: &str, text: &str) -> Result<Check, ConfigError> {
    let syntax = |expected: String| ConfigError::Syntax {
        table: table.to_owned(),
        key: "past".to_owned(),
        text: text.to_owned(),
        expected,
    };
    let (column, slack_seconds) =
        parse(text).ok_or_else(|| syntax("\"column\" or \"column +5m\" (s, m, h or d)".to_owned()))?;
    require_column(planning.catalog, id, table, "past", column)?;
    let relation = planning.catalog.relation(id);
    let (_, found) = relation.column(column).expect("it was just required");
    let as_text = planning.dialect.capabilities().stores_temporals_as_text;
    let form = match found.data_type.kind {
        _ if as_text => None,
        TypeKind::Date => Some(Form::Day),
        TypeKind::Timestamp { zoned: false, .. } => Some(Form::Wall),
        TypeKind::Timestamp { zoned: true, .. } => Some(Form::Instant),
        TypeKind::Integer { .. } | TypeKind::Float { .. } | TypeKind::Text { .. } => None,
        _ => {
            let declared = &found.data_type.declared;
            return Err(syntax(format!("a column of dates, text or numbers, and {column} is {declared}")));
        }
    };
    let quoted = planning.dialect.quote(column);
    let (probe, sql) = match form {
        Some(form) => typed(planning, relation, found, form, slack_seconds),
        None => untyped(planning, relation, found, slack_seconds),
    };
    Ok(Check {
        id: format!("past:{}.{column}", relation.name),
        kind: CheckKind::Past,
        relation: relation.name.clone(),
        columns: vec![column.to_owned()],
        severity: Severity::Error,
        message: format!("{column} lies in the future"),
        why: None,
        help: Some("correct these dates, or allow more slack (\"column +2h\")".to_owned()),
        sql: Some(sql),
        census: Census { not_judged: Some(format!("{quoted} IS NULL")), failed: None },
        probe,
    })
}

fn typed(
    planning: &Planning<'_>,
    relation: &Relation,
    column: &Column,
    form: Form,
    slack_seconds: i64,
) -> (Probe, String) {
    let dialect = planning.dialect;
    let quoted = dialect.quote(&column.name);
    let from = dialect.own_rows(relation);
    let body = format!("FROM {from} WHERE {quoted} > {}", dialect.placeholder(1, &column.data_type));
    let shown = Shown::of(dialect, "", relation, std::slice::from_ref(&column.name), &[]);
    let probe = PastProbe {
        count: format!("SELECT COUNT(*) {body}"),
        distinct: format!("SELECT COUNT(DISTINCT {quoted}) {body}"),
        samples: format!("SELECT {} {body} ORDER BY {}", shown.select(), shown.order()),
        shown,
        slack_seconds,
        timezone: planning.config.run.timezone.clone(),
        form,
        see: format!("SELECT * FROM {from} WHERE {quoted} > "),
    };
    (Probe::Past(probe), format!("SELECT * {body}"))
}

fn untyped(planning: &Planning<'_>, relation: &Relation, column: &Column, slack_seconds: i64) -> (Probe, String) {
    let dialect = planning.dialect;
    let quoted = dialect.quote(&column.name);
    let past = dialect.plainly_before(&quoted, 1);
    let judge = Judge::Past { slack_seconds, timezone: planning.config.run.timezone.clone() };
    let scan = ScanProbe::new(planning, relation, column, past.as_deref(), past.is_some(), judge);
    let sql =
        format!("SELECT {quoted}, COUNT(*) FROM {} GROUP BY {quoted} ORDER BY {quoted}", dialect.own_rows(relation));
    (Probe::Scan(scan), sql)
}

/// `column` or `column +5m`.
fn parse(text: &str) -> Option<(&str, i64)> {
    let text = text.trim();
    let Some((column, slack)) = text.rsplit_once(" +").or_else(|| text.rsplit_once('+')) else {
        return (!text.is_empty()).then_some((text, SLACK_SECONDS));
    };
    let slack = slack.trim();
    let unit_start = slack.find(|c: char| !c.is_ascii_digit())?;
    let seconds = match slack[unit_start..].trim() {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let seconds = slack[..unit_start].parse::<i64>().ok()?.checked_mul(seconds)?;
    let column = column.trim();
    (!column.is_empty()).then_some((column, seconds))
}

pub(crate) async fn run(
    connection: &mut dyn Connection,
    probe: &PastProbe,
    options: &Options,
) -> Result<Found, DbError> {
    let deadline = deadline(options.now, probe.slack_seconds, probe.timezone.as_deref());
    // Sessions run in UTC, so that an instant needs no offset.
    let instant = jiff::tz::Offset::UTC.to_datetime(deadline.instant);
    let text = match probe.form {
        Form::Day => deadline.day.to_string(),
        Form::Wall => deadline.wall.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string(),
        Form::Instant => instant.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string(),
    };
    let sql = Some(format!("{}'{text}'", probe.see));
    let latest = [Value::Text(text)];
    let failed = count(connection, &probe.count, &latest).await?;
    if failed == 0 {
        return Ok(Found { sql, ..Found::default() });
    }
    Ok(Found {
        sql,
        failed,
        failed_distinct: count(connection, &probe.distinct, &latest).await?,
        samples: samples(connection, &probe.shown, &probe.samples, &latest, options.samples_max).await?,
        ..Found::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slack_is_five_minutes_unless_the_rule_says_otherwise() {
        assert_eq!(parse("created_at"), Some(("created_at", 300)));
        assert_eq!(parse("ordered at +2h"), Some(("ordered at", 7200)));
        assert_eq!(parse("d+1d"), Some(("d", 86_400)));
        for bad in ["", "+5m", "d +", "d +5", "d +5y", "d +m", "d +99999999999999999999d"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
