//! Guesses as rules: a configuration that relink reads, in which those that the data bears out are in force and the others are comments. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use relink_model::RelationName;
use relink_validate::{Guessed, GuessedRule, Inference};

/// The keys of a table, in the order in which they are written.
const LISTS: [&str; 5] = ["refs", "generic", "unique", "past", "totals"];

/// A guess as a rule.
struct Suggestion<'a> {
    guess: &'a Guessed,
    rule: &'a GuessedRule,
    active: bool,
}

/// The configuration. Guesses that the data refutes are left out unless `all` are wanted.
pub(crate) fn render(inference: &Inference, all: bool) -> String {
    let used = inference.used.iter().map(|guess| (guess, !guess.doubtful));
    let rejected = inference.rejected.iter().filter(|guess| all || guess.doubtful).map(|guess| (guess, false));
    let ambiguous = inference.ambiguous.iter().map(|guess| (guess, false));
    let mut tables: BTreeMap<&RelationName, Vec<Suggestion<'_>>> = BTreeMap::new();
    let (mut active, mut commented) = (0, 0);
    for (guess, is_active) in used.chain(rejected).chain(ambiguous) {
        *if is_active { &mut active } else { &mut commented } += 1;
        let rules = guess.rules.iter().map(|rule| Suggestion { guess, rule, active: is_active });
        tables.entry(&guess.relation).or_default().extend(rules);
    }
    let mut text = format!(
        "# Rules that names and data suggest: {active} that the data bears out, {commented} that want a look and are commented out.\n\
         # Keep what is right, for relink.toml. What is in force is an error where a row breaks it.\nversion = 1\n"
    );
    for suggestions in tables.values() {
        table(&mut text, suggestions);
    }
    text
}

fn table(text: &mut String, suggestions: &[Suggestion<'_>]) {
    let Some(first) = suggestions.first() else { return };
    let _ = write!(text, "\n[table.{}]\n", key(&first.rule.table));
    for list in LISTS {
        let of_list = || suggestions.iter().filter(|suggestion| suggestion.rule.key == list);
        let any = of_list().any(|suggestion| suggestion.active);
        if any {
            let _ = writeln!(text, "{list} = [");
        }
        for suggestion in of_list() {
            let indent = if any { "    " } else { "" };
            let value = if list == "generic" { suggestion.rule.text.clone() } else { quoted(&suggestion.rule.text) };
            let _ = writeln!(text, "{indent}# {}", reason(suggestion.guess));
            let _ = match (any, suggestion.active) {
                (true, true) => writeln!(text, "{indent}{value},"),
                (true, false) => writeln!(text, "{indent}# {value},"),
                (false, _) => writeln!(text, "# {list} = [{value}]"),
            };
        }
        if any {
            text.push_str("]\n");
        }
    }
    for suggestion in suggestions {
        if let Some(column) = &suggestion.rule.column {
            let mark = if suggestion.active { "" } else { "# " };
            let _ = writeln!(text, "# {}", reason(suggestion.guess));
            let _ = writeln!(text, "{mark}{}.{} = {}", suggestion.rule.key, key(column), suggestion.rule.text);
        }
    }
}

/// Why a rule is suggested, and why not in force, in one line.
fn reason(guess: &Guessed) -> String {
    let repeated = |evidence: &&String| guess.why.as_ref().is_some_and(|why| why.contains(*evidence));
    let evidence: Vec<&str> =
        guess.why.iter().chain(guess.evidence.iter().filter(|text| !repeated(text))).map(String::as_str).collect();
    let text = format!("{} of 100: {}", guess.confidence, evidence.join("; "));
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A key of TOML: bare where it can be.
fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if bare { name.to_owned() } else { quoted(name) }
}

/// A text of TOML on one line. JSON's escapes are TOML's as well; DEL alone is one in TOML only.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text serializes").replace('\u{7f}', "\\u007F")
}

#[cfg(test)]
mod tests {
    use relink_model::Config;
    use relink_validate::CheckKind;

    use super::*;

    fn guess(id: &str, rules: &[(&str, &str, Option<&str>, &str)], why: Option<&str>) -> Guessed {
        let rule = |(table, key, column, text): &(&str, &str, Option<&str>, &str)| GuessedRule {
            table: (*table).to_owned(),
            key: (*key).to_owned(),
            column: column.map(str::to_owned),
            text: (*text).to_owned(),
        };
        Guessed {
            id: id.to_owned(),
            kind: CheckKind::Ref,
            relation: RelationName::new(rules[0].0),
            columns: Vec::new(),
            rules: rules.iter().map(rule).collect(),
            evidence: vec!["the name\nsays so".to_owned()],
            confidence: 99,
            doubtful: why.is_some(),
            why: why.map(str::to_owned),
        }
    }

    fn example() -> Inference {
        let refuted = Guessed {
            doubtful: false,
            ..guess("min:orders.x", &[("orders", "min", Some("x"), "0")], Some("it is signed"))
        };
        Inference {
            used: vec![
                guess("ref:orders.a", &[("orders", "refs", None, "a -> as.id")], None),
                guess("ref:orders.b", &[("orders", "refs", None, "b -> bs.id")], Some("probably")),
                guess("min:orders.the qty", &[("orders", "min", Some("the qty"), "0")], None),
                guess("ref:Bad \"t\u{7f}.x", &[("Bad \"t\u{7f}", "refs", None, "\"x-id\" -> xs.id")], None),
                guess(
                    "poly:notes(about_type,about_id)",
                    &[("notes", "generic", None, "{ type = \"about_type\", id = \"about_id\" }")],
                    None,
                ),
                guess("past:s.orders.d", &[("s.orders", "past", None, "d")], None),
            ],
            rejected: vec![guess("past:few.d", &[("few", "past", None, "d")], Some("too few")), refuted],
            ambiguous: vec![guess(
                "ref:orders.c",
                &[("orders", "refs", None, "c -> c.id"), ("orders", "refs", None, "c -> cs.id")],
                Some("it may lead to c or cs"),
            )],
        }
    }

    #[test]
    fn what_is_suggested_reads_as_configuration_and_only_what_is_sure_is_in_force() {
        for all in [false, true] {
            let text = render(&example(), all);
            let config: Config = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            let orders = &config.table["orders"];
            assert_eq!(orders.refs, ["a -> as.id"]);
            assert_eq!(orders.min.keys().collect::<Vec<_>>(), ["the qty"]);
            assert_eq!(config.table["s.orders"].past, ["d"]);
            assert!(config.table["few"].past.is_empty());
            assert_eq!(config.table["Bad \"t\u{7f}"].refs, ["\"x-id\" -> xs.id"]);
            assert_eq!(config.table["notes"].generic[0].id, "about_id");
            assert_eq!(text.contains("it is signed"), all, "{text}");
        }
    }

    #[test]
    fn taking_the_comment_marks_away_puts_the_doubtful_in_force() {
        let text = render(&example(), false);
        let marked = |line: &&str| line.trim_start().starts_with("# ") && !line.contains(" of 100: ");
        let bare: Vec<String> = text
            .lines()
            .skip(2)
            .map(|line| if marked(&line) { line.replacen("# ", "", 1) } else { line.to_owned() })
            .collect();
        let config: Config = toml::from_str(&bare.join("\n")).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(config.table["orders"].refs, ["a -> as.id", "b -> bs.id", "c -> c.id", "c -> cs.id"]);
        assert_eq!(config.table["few"].past, ["d"]);
    }
}
