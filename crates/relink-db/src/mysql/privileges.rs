//! Which rights are missing, judged from `SHOW GRANTS`.
//!
//! Where the grants leave room for doubt (roles, partial revokes, rights on single columns) nothing is reported: the server
//! itself will refuse what is not allowed, and a right that is there must not be called missing.

use super::{MySqlDatabase, read};
use crate::{DbError, Intent};

impl MySqlDatabase {
    /// See [`crate::Connection::missing_privileges`].
    pub(super) async fn privileges_missing(&mut self, intent: &Intent<'_>) -> Result<Vec<String>, DbError> {
        let rows = self.session.query("SHOW GRANTS", &[]).await?;
        let lines: Vec<String> = rows.iter().filter_map(|row| row.first().and_then(read::text)).collect();
        let Some(grants) = lines.iter().map(|line| Grant::parse(line)).collect::<Option<Vec<_>>>() else {
            return Ok(Vec::new());
        };
        let user = self.session.query("SELECT CURRENT_USER()", &[]).await?;
        let user = user.first().and_then(|row| row.first()).and_then(read::text).unwrap_or_default();
        let mut missing = Vec::new();
        for (relation, rights) in intent.needed() {
            let database = relation.name.namespace.as_deref().unwrap_or(&self.server.database);
            let covering: Vec<&Grant> =
                grants.iter().filter(|grant| grant.object.covers(database, &relation.name.name)).collect();
            let needed = ["SELECT"].into_iter().chain(rights);
            let lacking = needed.filter(|needed| !covering.iter().any(|grant| grant.allows(needed)));
            missing.extend(lacking.map(|needed| format!("no {needed} on {} for {user}", relation.name)));
        }
        Ok(missing)
    }
}

/// One line of `SHOW GRANTS`.
#[derive(Debug, PartialEq)]
struct Grant {
    privileges: Vec<String>,
    object: Object,
}

#[derive(Debug, PartialEq)]
enum Object {
    /// `*.*`.
    Everything,
    /// A pattern of database names, as in `LIKE`, and `*`.
    Database(String),
    /// A database and a relation, literally.
    Relation(String, String),
    /// A routine, a proxy user.
    Other,
}

impl Grant {
    /// `None` where the line is not a plain grant, so that no one can say what the user may do.
    fn parse(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("GRANT ")?;
        let (privileges, rest) = split_outside_quotes(rest, " ON ")?;
        let (object, _) = split_outside_quotes(rest, " TO ")?;
        let object = object.strip_prefix("TABLE ").unwrap_or(object).trim();
        Some(Self { privileges: privilege_list(privileges), object: Object::parse(object) })
    }

    fn allows(&self, needed: &str) -> bool {
        self.privileges.iter().any(|privilege| {
            let all = privilege == "ALL PRIVILEGES" || privilege == "ALL";
            // `SELECT (a, b)` counts: whether the columns suffice is not judged here.
            all || privilege.split('(').next().is_some_and(|name| name.trim() == needed)
        })
    }
}

impl Object {
    fn parse(text: &str) -> Self {
        if text == "*.*" {
            return Self::Everything;
        }
        let Some((database, relation)) = identifier(text).and_then(|(database, rest)| {
            let relation = rest.strip_prefix('.')?;
            Some((database, relation))
        }) else {
            return Self::Other;
        };
        match relation {
            "*" => Self::Database(database),
            relation => match identifier(relation) {
                Some((relation, "")) => Self::Relation(database, relation),
                _ => Self::Other,
            },
        }
    }

    fn covers(&self, database: &str, relation: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Database(pattern) => like(&lower(pattern), &lower(database)),
            // Names may or may not distinguish case on this server; a right that might be there counts.
            Self::Relation(granted, name) => lower(granted) == lower(database) && lower(name) == lower(relation),
            Self::Other => false,
        }
    }
}

fn lower(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// `LIKE` with `%`, `_` and backslash.
fn like(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|skipped| like(rest, &text[skipped..])),
        ['_', rest @ ..] => !text.is_empty() && like(rest, &text[1..]),
        ['\\', literal, rest @ ..] | [literal, rest @ ..] => text.first() == Some(literal) && like(rest, &text[1..]),
    }
}

/// The privileges between commas, where a comma in parentheses separates columns.
fn privilege_list(text: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let parts = text.split(|c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    parts.map(|part| part.trim().to_owned()).collect()
}

/// A name at the start, in backticks or bare, and what follows.
fn identifier(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('`') else {
        let end = text.find('.').unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut name = String::new();
    let mut chars = quoted.char_indices().peekable();
    while let Some((index, c)) = chars.next() {
        if c == '`' && chars.next_if(|(_, next)| *next == '`').is_none() {
            return Some((name, &quoted[index + 1..]));
        }
        name.push(c);
    }
    None
}

/// Splits at the first `separator` that stands in no quotes.
fn split_outside_quotes<'a>(text: &'a str, separator: &str) -> Option<(&'a str, &'a str)> {
    let mut quote = None;
    for (index, c) in text.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            None if matches!(c, '`' | '\'' | '"') => quote = Some(c),
            None if text[index..].starts_with(separator) => {
                return Some((&text[..index], &text[index + separator.len()..]));
            }
            Some(_) | None => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(line: &str, needed: &str, database: &str, relation: &str) -> bool {
        let grant = Grant::parse(line).expect("a plain grant");
        grant.object.covers(database, relation) && grant.allows(needed)
    }

    #[test]
    fn grants_cover_everything_databases_or_relations() {
        assert!(allows("GRANT ALL PRIVILEGES ON *.* TO `root`@`%` WITH GRANT OPTION", "INSERT", "shop", "item"));
        assert!(!allows("GRANT USAGE ON *.* TO `app`@`%` IDENTIFIED BY PASSWORD '*AB'", "SELECT", "shop", "item"));
        assert!(allows("GRANT SELECT, INSERT ON `shop`.* TO `app`@`%`", "INSERT", "shop", "item"));
        assert!(!allows("GRANT SELECT, INSERT ON `shop`.* TO `app`@`%`", "UPDATE", "shop", "item"));
        assert!(allows("GRANT UPDATE ON `shop`.`it``em` TO `app`@`%`", "UPDATE", "shop", "it`em"));
        assert!(!allows("GRANT EXECUTE ON PROCEDURE `shop`.`item` TO `app`@`%`", "SELECT", "shop", "item"));
    }

    #[test]
    fn database_names_are_patterns() {
        let line = r"GRANT SELECT ON `my\_shop%`.* TO `app`@`%`";
        assert!(allows(line, "SELECT", "my_shop2", "item"));
        assert!(!allows(line, "SELECT", "myxshop", "item"));
        assert!(allows("GRANT SELECT ON `my_shop`.* TO `app`@`%`", "SELECT", "myxshop", "item"));
    }

    #[test]
    fn rights_on_columns_count_for_the_relation() {
        let line = "GRANT SELECT (`a`, `b`), INSERT (`a`) ON `shop`.`item` TO `app`@`%`";
        assert!(allows(line, "INSERT", "shop", "item"));
        assert!(!allows(line, "UPDATE", "shop", "item"));
    }

    #[test]
    fn roles_and_revokes_leave_it_open() {
        assert_eq!(Grant::parse("GRANT `writer`@`%` TO `app`@`%`"), None);
        assert_eq!(Grant::parse("REVOKE INSERT ON `shop`.* FROM `app`@`%`"), None);
    }
}
