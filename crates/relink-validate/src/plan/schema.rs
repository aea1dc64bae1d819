//! What the schema itself promises: that referenced rows are there, that keys are unique, that columns are filled in, that CHECKs hold, that values are
//! of their column's type. All of it is measured, also what the database says that it enforces.

use relink_model::config::{RuleMatch, Trust};
use relink_model::{Column, Enforcement, ForeignKey, MatchKind, Relation, RelationId, Severity, TypeKind, UniqueKey};

use super::names::{level, part};
use super::references::{dead_check, live_filter, refers_to_columns};
use super::stated;
use super::test::{
    ColumnTest, ExpressionTest, Judge, Matching, ReferenceTest, RowTest, SchemaKey, StoredAs, StoredTest, Test,
    UniqueTest,
};
use super::{Check, CheckKind, Planning, columns_id, mentioned};

pub(super) fn plan(planning: &Planning<'_>, id: RelationId, relation: &Relation, checks: &mut Vec<Check>) {
    references(planning, id, relation, checks);
    keys(planning, id, relation, checks);
    for (index, column) in relation.columns.iter().enumerate() {
        if !column.nullable {
            let what = format!("{} is NULL although the schema forbids it", column.name);
            checks.push(not_null(id, relation, index, what));
        } else if relation.primary_key_columns().contains(&column.name) && !column.is_numbered() {
            // A primary key promises it, and SQLite lets it pass.
            let what = format!("{} is NULL although it is of the primary key: nothing names this row", column.name);
            checks.push(not_null(id, relation, index, what));
        }
    }
    expressions(planning, id, relation, checks);
    for (index, column) in relation.columns.iter().enumerate() {
        checks.extend(stored(planning, id, relation, index, column));
    }
}

/// Whether the configuration takes a constraint on trust.
fn trusted(planning: &Planning<'_>, enforcement: Enforcement) -> bool {
    planning.dialect.is_some()
        && planning.config.run.trust == Some(Trust::Validated)
        && enforcement == Enforcement::Enforced
}

fn references(planning: &Planning<'_>, id: RelationId, relation: &Relation, checks: &mut Vec<Check>) {
    for (index, key) in relation.foreign_keys.iter().enumerate() {
        let same = |other: &ForeignKey| other.is_same_reference(key) && other.match_kind == key.match_kind;
        let (rule, said) = rule_of(planning, id, key).unzip();
        let full = matches_full(planning, key, said.flatten());
        // What the database vouches for is what it declares, and not what a rule asks beyond that.
        let vouched = !full || key.match_kind == MatchKind::Full;
        if relation.foreign_keys[..index].iter().any(same) || vouched && trusted(planning, key.enforcement) {
            continue;
        }
        let Some(test) = reference(planning, id, relation, index, full) else { continue };
        let name = format!("ref:{}{}", columns_id(&relation.name, &key.columns), target_id(relation, key));
        let dead = dead_check(planning, &name, relation, &key.columns, &test);
        let fading = live_filter(planning, id).map(|live| {
            let rest = ReferenceTest { filter: Some(live.negated()), key: None, ..test.clone() };
            let mut check =
                Check::of(format!("{name}[not live]"), CheckKind::Ref, relation, &key.columns, Test::Reference(rest));
            check.severity = Severity::Info;
            check.message = format!("a row that is not live {}", message(key, full));
            check
        });
        let test = ReferenceTest { filter: live_filter(planning, id), ..test };
        let mut check = Check::of(name, CheckKind::Ref, relation, &key.columns, Test::Reference(test));
        check.message = message(key, full);
        // What an export holds was kept by nobody.
        check.why = planning.dialect.map(|_| why(key.enforcement).to_owned());
        check.help = Some(format!("add the missing rows of {}, or change or clear these references", key.referenced));
        check.rule = rule;
        checks.push(check);
        checks.extend(fading);
        checks.extend(dead);
    }
}

/// What tells keys of the same columns apart. What the schema declares keeps its id, whatever the configuration adds.
fn target_id(relation: &Relation, key: &ForeignKey) -> String {
    let counts =
        |other: &ForeignKey| key.enforcement == Enforcement::Virtual || other.enforcement != Enforcement::Virtual;
    let is_twin = |other: &&ForeignKey| other.columns == key.columns && !other.is_same_reference(key) && counts(other);
    let twins: Vec<&ForeignKey> = relation.foreign_keys.iter().filter(is_twin).collect();
    if twins.iter().any(|other| other.referenced == key.referenced) {
        return format!("->{}", columns_id(&key.referenced, &key.referenced_columns));
    }
    if twins.is_empty() { String::new() } else { format!("->{}", key.referenced) }
}

/// Whether half of a key is wrong: where the schema or the rule says so, or, where neither says anything, the run.
fn matches_full(planning: &Planning<'_>, key: &ForeignKey, said: Option<&'static str>) -> bool {
    let is_virtual = key.enforcement == Enforcement::Virtual;
    if !is_virtual && key.match_kind == MatchKind::Full {
        return true;
    }
    match (said, planning.config.run.match_kind) {
        (Some(said), _) => said != "simple",
        (None, Some(RuleMatch::Strict)) => true,
        (None, Some(RuleMatch::Full)) => is_virtual,
        (None, _) => false,
    }
}

/// Where the configuration declares a reference, and how it says that it matches.
fn rule_of(planning: &Planning<'_>, id: RelationId, key: &ForeignKey) -> Option<(Vec<String>, Option<&'static str>)> {
    let (table, config) = planning.config.table.iter().find(|(name, _)| planning.catalog.find(name) == Some(id))?;
    config.refs.iter().enumerate().find_map(|(at, text)| {
        let rule = relink_rules::expression::parse_reference(text).ok()?;
        let target = planning.catalog.find_path(&rule.table)?;
        let said = ForeignKey {
            columns: rule.columns.iter().filter_map(|path| path.last().cloned()).collect(),
            referenced: planning.catalog.relation(target).name.clone(),
            referenced_columns: rule.referenced,
            ..key.clone()
        };
        let plain = rule.filter.is_none() && rule.alike.is_empty();
        let place = || vec!["table".to_owned(), table.clone(), "refs".to_owned(), at.to_string()];
        (plain && said.is_same_reference(key)).then(|| (place(), rule.matching))
    })
}

/// What a key asks; `None` where the schema leaves open what it refers to, which is a finding about the schema.
fn reference(
    planning: &Planning<'_>,
    id: RelationId,
    relation: &Relation,
    index: usize,
    full: bool,
) -> Option<ReferenceTest> {
    let key = &relation.foreign_keys[index];
    let own = |name: &String| relation.column(name).map(|(index, column)| part(index, column, false));
    let mut parts: Vec<_> = key.columns.iter().map(own).collect::<Option<_>>()?;
    let unseen = planning.catalog.unseen.contains(&key.referenced);
    let target = planning.catalog.id(&key.referenced).filter(|_| !unseen);
    let mut target_parts = Vec::new();
    if let Some(target) = target {
        let referenced = planning.catalog.relation(target);
        if !refers_to_columns(key, referenced) {
            return None;
        }
        for (name, own) in key.referenced_columns.iter().zip(&mut parts) {
            let (index, column) = referenced.column(name)?;
            let mut theirs = part(index, column, false);
            level(own, &mut theirs);
            target_parts.push(theirs);
        }
    }
    Some(ReferenceTest {
        relation: id,
        parts,
        filter: None,
        target,
        target_parts,
        target_filter: None,
        matching: if full { Matching::Full } else { Matching::Simple },
        dead: false,
        key: Some(index),
        by_letter: false,
    })
}

fn message(key: &ForeignKey, full: bool) -> String {
    let target = match key.referenced_columns.as_slice() {
        [] => key.referenced.to_string(),
        columns => format!("{}({})", key.referenced, columns.join(", ")),
    };
    let half = if full && key.columns.len() > 1 { ", or only half of its key (MATCH FULL)" } else { "" };
    format!("references a row of {target} that does not exist{half}")
}

fn why(enforcement: Enforcement) -> &'static str {
    match enforcement {
        Enforcement::Enforced => {
            "the key is declared and counts as validated, yet is broken: were rows loaded with foreign keys or triggers off?"
        }
        Enforcement::NotValidated => "the key was added without checking the rows that were there",
        Enforcement::NotEnforced => "the key is declared, but the database does not enforce it",
        Enforcement::Virtual => "the reference is declared in the configuration only; no database enforces it",
    }
}

fn keys(planning: &Planning<'_>, id: RelationId, relation: &Relation, checks: &mut Vec<Check>) {
    let parts = |names: &[String]| -> Option<Vec<_>> {
        names.iter().map(|name| relation.column(name).map(|(index, column)| part(index, column, false))).collect()
    };
    let of_columns = |names: &[String], key: SchemaKey, nulls_equal: bool| -> Option<UniqueTest> {
        let parts = parts(names).filter(|parts| !parts.is_empty())?;
        Some(UniqueTest { relation: id, parts, nulls_equal, filter: None, key: Some(key), database_only: false })
    };
    let mut push = |name: String, columns: &[String], test: UniqueTest| {
        let mut check = Check::of(name, CheckKind::Unique, relation, columns, Test::Unique(test));
        check.help = Some("keep one row of each group, and point the references to the others at it".to_owned());
        checks.push(check);
        checks.len() - 1
    };
    let mut named: Vec<String> = Vec::new();
    let mut pushed: Vec<(usize, String, Option<String>, Severity)> = Vec::new();
    if let Some(primary) = &relation.primary_key {
        let name = format!("unique:{}", columns_id(&relation.name, &primary.columns));
        if let Some(test) = of_columns(&primary.columns, SchemaKey::Primary, false) {
            let at = push(name.clone(), &primary.columns, test);
            let what = format!("shares its primary key ({}) with another row", primary.columns.join(", "));
            pushed.push((at, what, None, Severity::Error));
        }
        // A key holds within one relation only: relations that inherit from it may repeat it, and a query over the parent then shows two
        // rows. Worth knowing, and no violation.
        let has_heirs = planning.catalog.relations.iter().any(|other| other.inherits.contains(&relation.name));
        if let Some(test) = of_columns(&primary.columns, SchemaKey::Inherited, false).filter(|_| has_heirs) {
            let at = push(format!("{name}+inherited"), &primary.columns, test);
            let what = "has the same primary key as a row of an inheriting relation: not unique across inheritance";
            let why = "a primary key is enforced per relation, not across those that inherit from it";
            pushed.push((at, what.to_owned(), Some(why.to_owned()), Severity::Info));
        }
        named.push(name);
    }
    for (index, unique) in relation.unique_keys.iter().enumerate() {
        let plain = unique.expressions.is_none() && unique.predicate.is_none();
        let name = if plain {
            format!("unique:{}", columns_id(&relation.name, &unique.columns))
        } else {
            // The text of an expression differs by server version; its index's name does not.
            format!("unique:{}[{}]", relation.name, unique.name)
        };
        if plain && named.contains(&name) || trusted_key(planning, unique) {
            continue;
        }
        let test = if plain {
            of_columns(&unique.columns, SchemaKey::Unique(index), unique.nulls_not_distinct)
        } else {
            Some(indirect(planning, id, relation, index, unique))
        };
        let columns = concerned(relation, unique);
        let Some(test) = test else { continue };
        let parts = unique.expressions.as_deref().unwrap_or(&unique.columns).join(", ");
        let scope = unique.predicate.as_ref().map(|predicate| format!(" where {predicate}")).unwrap_or_default();
        let what = format!("shares its unique key ({parts}){scope} with another row");
        let why = (!unique.valid)
            .then(|| format!("the index {} is marked invalid: it never became a guarantee", unique.name));
        let at = push(name.clone(), &columns, test);
        pushed.push((at, what, why, Severity::Error));
        named.push(name);
    }
    for (at, what, why, severity) in pushed {
        let check = &mut checks[at];
        (check.message, check.why, check.severity) = (what, why, severity);
    }
}

fn trusted_key(planning: &Planning<'_>, unique: &UniqueKey) -> bool {
    unique.valid && trusted(planning, Enforcement::Enforced)
}

/// A key with expressions or a predicate, in the rules' language as far as that can say it.
fn indirect(
    planning: &Planning<'_>,
    id: RelationId,
    relation: &Relation,
    index: usize,
    unique: &UniqueKey,
) -> UniqueTest {
    let names = super::names::Names::new(planning, id, "", "");
    let expression = |text: &String| {
        let parsed = stated::read(planning, relation, text)?;
        names.part(&parsed, "").ok()
    };
    let parts: Option<Vec<_>> = if let Some(expressions) = &unique.expressions {
        expressions.iter().map(expression).collect()
    } else {
        let column = |name: &String| relation.column(name).map(|(index, column)| part(index, column, false));
        unique.columns.iter().map(column).collect()
    };
    let filter = unique.predicate.as_ref().map(|text| {
        let parsed = stated::read(planning, relation, text)?;
        names.condition(&parsed, "").ok()
    });
    UniqueTest {
        relation: id,
        database_only: parts.is_none() || filter.as_ref().is_some_and(Option::is_none),
        parts: parts.unwrap_or_default(),
        nulls_equal: unique.nulls_not_distinct,
        filter: filter.flatten(),
        key: Some(SchemaKey::Unique(index)),
    }
}

/// The plain columns of a key, or those that its expressions and predicate mention.
fn concerned(relation: &Relation, unique: &UniqueKey) -> Vec<String> {
    let Some(expressions) = &unique.expressions else { return unique.columns.clone() };
    let texts: Vec<&str> = expressions.iter().map(String::as_str).chain(unique.predicate.as_deref()).collect();
    mentioned(relation, &texts.join(" "))
}

fn not_null(id: RelationId, relation: &Relation, index: usize, message: String) -> Check {
    let column = &relation.columns[index];
    let test = Test::NotNull(ColumnTest { relation: id, column: index });
    let columns = [column.name.clone()];
    let name = format!("not_null:{}.{}", relation.name, column.name);
    let mut check = Check::of(name, CheckKind::NotNull, relation, &columns, test);
    check.message = message;
    check.help = Some(format!("give {} a value in these rows", column.name));
    check
}

fn expressions(planning: &Planning<'_>, id: RelationId, relation: &Relation, checks: &mut Vec<Check>) {
    let names = super::names::Names::new(planning, id, "", "");
    for constraint in relation.checks.iter().filter(|constraint| !trusted(planning, constraint.enforcement)) {
        let parsed = stated::read(planning, relation, &constraint.expression);
        let condition = parsed.and_then(|parsed| names.condition(&parsed, "").ok());
        let condition = condition.map(|bound| RowTest::of(id, Judge::Check(bound)));
        let columns = mentioned(relation, &constraint.expression);
        let name = constraint.name.as_ref().map_or_else(
            || format!("{}({})", relation.name, one_line(&constraint.expression)),
            |name| format!("{}.{name}", relation.name),
        );
        let test = Test::Expression(ExpressionTest { relation: id, sql: constraint.expression.clone(), condition });
        let mut check = Check::of(format!("check:{name}"), CheckKind::Check, relation, &columns, test);
        check.message = format!("does not satisfy CHECK ({})", one_line(&constraint.expression));
        let why = match constraint.enforcement {
            Enforcement::NotValidated => "the constraint was added without checking the rows that were there",
            Enforcement::NotEnforced => "the constraint is declared, but the database does not enforce it",
            _ => "the constraint is enforced now: were rows loaded with checks off?",
        };
        check.why = Some(why.to_owned());
        check.help = Some("correct these rows, or the constraint where it is too strict".to_owned());
        checks.push(check);
    }
}

/// An expression as ids and messages show it: on one line, and not endless.
fn one_line(expression: &str) -> String {
    const CHARS_MAX: usize = 120;
    let line = expression.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > CHARS_MAX { line.chars().take(CHARS_MAX).chain("...".chars()).collect() } else { line }
}

fn stored(
    planning: &Planning<'_>,
    id: RelationId,
    relation: &Relation,
    index: usize,
    column: &Column,
) -> Option<Check> {
    let blank = planning.dialect.and_then(|dialect| dialect.blank("", column)).is_some();
    let declared = &column.data_type.declared;
    if !blank && planning.enforces_types(relation) {
        return None;
    }
    let fits = match column.data_type.kind {
        _ if blank => StoredAs::Text,
        _ if planning.dialect.is_none() => StoredAs::Declared,
        // SQLite's rowid alias cannot hold anything else.
        TypeKind::Integer { .. } if column.auto_increment => return None,
        TypeKind::Boolean | TypeKind::Integer { .. } => StoredAs::Whole,
        TypeKind::Float { .. } => StoredAs::Number,
        // A decimal with more digits than a float has can only be kept as text, so text that is a number fits.
        TypeKind::Decimal { .. } => StoredAs::Decimal,
        TypeKind::Text { .. } => StoredAs::Text,
        TypeKind::Bytes { .. } => StoredAs::Bytes,
        // Dates and times have no storage class of their own, and other types say nothing.
        _ => return None,
    };
    let message = if fits == StoredAs::Declared {
        format!("{} holds what its type ({declared}) cannot", column.name)
    } else if blank {
        format!("{} holds the zero date or blank label that stands for an unreadable value", column.name)
    } else {
        format!("{} is declared {declared} and holds something else", column.name)
    };
    let test = Test::Stored(StoredTest { relation: id, column: index, fits });
    let columns = [column.name.clone()];
    let name = format!("type:{}.{}", relation.name, column.name);
    let mut check = Check::of(name, CheckKind::Type, relation, &columns, test);
    // No database would take such a value out of an export.
    check.severity = if fits == StoredAs::Declared { Severity::Error } else { Severity::Warning };
    check.message = message;
    check.help = Some("store a value of the declared type, or NULL".to_owned());
    Some(check)
}
