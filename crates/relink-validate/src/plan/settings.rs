//! What the configuration says of single checks: their severity, how many failures pass, whose they are, and which are not made.

use relink_model::config::{CheckConfig, Config, ConfigError};
use relink_rules::decimal;

use super::{Check, fits};
use crate::report::Threshold;

/// What the ids of checks begin with that only reading an export brings to light: nobody can say beforehand which there are.
const LATE: &str = "complete:";

/// Applies `[severity]` and those entries of `[[check]]` that are no rules of their own.
pub(super) fn apply(config: &Config, checks: &mut Vec<Check>) -> Result<(), Vec<ConfigError>> {
    let mut errors = Vec::new();
    let mut off = grade(config, checks);
    for (at, entry) in config.check.iter().enumerate().filter(|(_, entry)| entry.kind.is_none()) {
        let Some(id) = &entry.id else {
            errors.push(mistake(
                at,
                entry,
                "id",
                "it has neither a kind, which makes it a rule, nor the id of a check",
            ));
            continue;
        };
        let Some(check) = checks.iter_mut().find(|check| check.id == *id) else {
            if !entry.if_exists && !id.starts_with(LATE) {
                let nearest = relink_model::suggest::nearest(id, checks.iter().map(|check| check.id.as_str()));
                let hint = relink_model::config::suggestion(nearest);
                errors.push(mistake(
                    at,
                    entry,
                    "id",
                    &format!("there is no such check, and without a kind it makes none{hint}"),
                ));
            }
            continue;
        };
        if let Err(error) = refine(check, at, entry, &mut off) {
            errors.push(error);
        }
    }
    checks.retain(|check| !off.contains(&check.id));
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// As [`apply`], to checks that come to light only while an export is read. What concerns others has been applied to those.
pub(crate) fn apply_late(config: &Config, checks: &mut Vec<Check>) -> Result<(), Vec<ConfigError>> {
    let mut off = grade(config, checks);
    for (at, entry) in config.check.iter().enumerate().filter(|(_, entry)| entry.kind.is_none()) {
        if let Some(check) = checks.iter_mut().find(|check| entry.id.as_ref() == Some(&check.id)) {
            refine(check, at, entry, &mut off).map_err(|error| vec![error])?;
        }
    }
    checks.retain(|check| !off.contains(&check.id));
    Ok(())
}

/// Gives checks the severity that `[severity]` says, and gives back the ids of those that it turns off.
fn grade(config: &Config, checks: &mut [Check]) -> Vec<String> {
    let mut off = Vec::new();
    for check in checks {
        let fitting = config.severity.iter().filter(|(pattern, _)| fits(pattern, &check.id));
        if let Some((_, severity)) = fitting.max_by_key(|(pattern, _)| pattern.len()) {
            match severity.severity() {
                Some(severity) => check.severity = severity,
                None => off.push(check.id.clone()),
            }
        }
    }
    off
}

/// Gives a check what an entry of `[[check]]` says of it.
pub(super) fn refine(
    check: &mut Check,
    at: usize,
    entry: &CheckConfig,
    off: &mut Vec<String>,
) -> Result<(), ConfigError> {
    if let Some(severity) = entry.severity {
        match severity.severity() {
            Some(severity) => check.severity = severity,
            None => off.push(check.id.clone()),
        }
    }
    if entry.max.is_some() || entry.max_percent.is_some() {
        let percent = |text: &String| {
            let number = text.trim().trim_end_matches('%').trim();
            decimal::parse(number).map(|number| decimal::plain(&number))
        };
        let max_percent = match &entry.max_percent {
            Some(text) => Some(
                percent(text).ok_or_else(|| mistake(at, entry, "max_percent", "expected a part such as \"0.1%\""))?,
            ),
            None => None,
        };
        check.threshold = Some(Threshold { max: entry.max, max_percent });
    }
    if entry.owner.is_some() {
        check.owner.clone_from(&entry.owner);
    }
    if entry.why.is_some() {
        check.why.clone_from(&entry.why);
    }
    if check.rule.is_none() {
        check.rule = Some(vec!["check".to_owned(), at.to_string()]);
    }
    Ok(())
}

/// Something wrong with an entry of `[[check]]`.
pub(super) fn mistake(at: usize, entry: &CheckConfig, key: &str, why: &str) -> ConfigError {
    let name = entry.id.as_ref().map_or_else(|| format!("number {}", at + 1), |id| format!("{id:?}"));
    let why = if key.is_empty() { why.to_owned() } else { format!("{key}: {why}") };
    ConfigError::Entry { list: "check", at, name, key: key.to_owned(), why }
}
