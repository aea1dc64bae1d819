//! Introspection: the whole catalog in eight queries, however many relations there are.
//!
//! The SQL stands in `catalog_queries`; here its rows become the model. Partitions, temporary tables, views and what
//! belongs to an extension are left out, as pg_dump leaves out the latter; so are exclusion constraints, which neither
//! name a row nor order a load.

use std::collections::{HashMap, HashSet};

use relink_model::{
    Catalog, Check, Column, ConstraintName, Deferrability, Enforcement, ForeignKey, GeneratedKind, Identity, MatchKind,
    PrimaryKey, ReferentialAction, Relation, RelationKind, RelationName, SequenceRef, Trigger, TypeKind, UniqueKey,
};
use sqlx::{
    AssertSqlSafe, Decode, Postgres, Row, Type,
    postgres::{PgRow, types::Oid},
};

use super::{
    PostgresConnection, catalog_queries as queries,
    dialect::quote,
    types::{TypeRow, TypeTable},
};
use crate::DbError;

/// Relations being put together, by OID.
struct Builder {
    relations: Vec<Relation>,
    positions: HashMap<i64, usize>,
    /// Column positions by relation OID and attribute number.
    columns: HashMap<(i64, i16), usize>,
}

impl Builder {
    fn relation(&mut self, oid: i64) -> Option<&mut Relation> {
        self.positions.get(&oid).map(|&position| &mut self.relations[position])
    }
}

/// A unique index, as the constraints refer to it.
struct UniqueIndex {
    relation: i64,
    oid: i64,
    key: UniqueKey,
}

impl PostgresConnection {
    /// Reads the catalog.
    pub(super) async fn read_catalog(&mut self) -> Result<Catalog, DbError> {
        let rows = self.rows(queries::relations(), None).await?;
        let oids: Vec<Oid> = self.collect(&rows, |row| get::<Oid>(row, 0))?;
        let types = self.rows(queries::TYPES.to_owned(), None).await?;
        let columns = self.rows(queries::COLUMNS.to_owned(), Some(&oids)).await?;
        let constraints = self.rows(queries::constraints(self.version), Some(&oids)).await?;
        let indexes = self.rows(queries::unique_indexes(self.version), Some(&oids)).await?;
        let triggers = self.rows(queries::triggers(), Some(&oids)).await?;
        let sequences = self.rows(queries::SEQUENCES.to_owned(), Some(&oids)).await?;
        let views = self.rows(queries::views(), None).await?;
        let views = self.collect(&views, |row| name(row, 0))?;

        let build = || -> Result<Vec<Relation>, sqlx::Error> {
            let mut builder = relations(&rows)?;
            read_columns(&mut builder, &type_table(&types)?, &columns)?;
            read_keys(&mut builder, &constraints, &indexes)?;
            read_triggers(&mut builder, &triggers)?;
            read_sequences(&mut builder, &sequences)?;
            Ok(builder.relations)
        };
        let mut relations = build().map_err(|error| self.fail(error))?;
        for relation in &mut relations {
            relation.unique_keys.sort_by(|a, b| a.name.cmp(&b.name));
            relation.foreign_keys.sort_by(|a, b| (&a.name, &a.columns).cmp(&(&b.name, &b.columns)));
            relation.checks.sort_by(|a, b| (&a.name, &a.expression).cmp(&(&b.name, &b.expression)));
            relation.triggers.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Ok(Catalog::new(self.server.clone(), relations).with_views(self.default_namespace.clone(), views))
    }

    /// Runs one catalog query.
    async fn rows(&mut self, sql: String, relations: Option<&[Oid]>) -> Result<Vec<PgRow>, DbError> {
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        if let Some(relations) = relations {
            query = query.bind(relations);
        }
        query.fetch_all(&mut self.connection).await.map_err(|error| self.fail(error))
    }

    fn collect<T>(&self, rows: &[PgRow], read: impl Fn(&PgRow) -> Result<T, sqlx::Error>) -> Result<Vec<T>, DbError> {
        rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| self.fail(error))
    }
}

fn get<'r, T: Decode<'r, Postgres> + Type<Postgres>>(row: &'r PgRow, index: usize) -> Result<T, sqlx::Error> {
    row.try_get(index)
}

fn oid(row: &PgRow, index: usize) -> Result<i64, sqlx::Error> {
    Ok(get::<Option<Oid>>(row, index)?.map_or(0, |oid| oid.0.into()))
}

/// A relation's name: in the default namespace it goes without it.
fn name(row: &PgRow, namespace: usize) -> Result<RelationName, sqlx::Error> {
    let local = get::<String>(row, namespace + 1)?;
    let is_default = get::<Option<bool>>(row, namespace + 2)?.unwrap_or(false);
    Ok(if is_default {
        RelationName::new(local)
    } else {
        RelationName::qualified(get::<String>(row, namespace)?, local)
    })
}

fn relations(rows: &[PgRow]) -> Result<Builder, sqlx::Error> {
    let mut builder =
        Builder { relations: Vec::with_capacity(rows.len()), positions: HashMap::new(), columns: HashMap::new() };
    for row in rows {
        builder.positions.insert(oid(row, 0)?, builder.relations.len());
        builder.relations.push(Relation {
            name: name(row, 1)?,
            kind: match get::<String>(row, 4)?.as_str() {
                "p" => RelationKind::PartitionedTable,
                "f" => RelationKind::Foreign,
                _ => RelationKind::Table,
            },
            // Below zero: never analyzed.
            estimated_rows: get::<Option<f64>>(row, 5)?.filter(|rows| *rows >= 0.0).map(|rows| rows as u64),
            row_security: get(row, 6)?,
            owned: get(row, 7)?,
            ..Relation::default()
        });
    }
    for (position, row) in rows.iter().enumerate() {
        let parents = get::<Vec<Oid>>(row, 8)?;
        let parents = parents.iter().filter_map(|parent| builder.positions.get(&i64::from(parent.0)));
        builder.relations[position].inherits = parents.map(|&parent| builder.relations[parent].name.clone()).collect();
    }
    Ok(builder)
}

fn type_table(rows: &[PgRow]) -> Result<TypeTable, sqlx::Error> {
    let mut types = TypeTable::default();
    for row in rows {
        types.insert(
            oid(row, 0)?,
            TypeRow {
                name: get(row, 1)?,
                system: get(row, 2)?,
                class: get(row, 3)?,
                array: get(row, 4)?,
                base: oid(row, 5)?,
                base_modifier: get(row, 6)?,
                base_declared: get(row, 7)?,
                element: oid(row, 8)?,
                not_null: get(row, 9)?,
                default: get(row, 10)?,
                labels: get(row, 11)?,
                checks: get::<Vec<String>>(row, 12)?.into_iter().zip(get::<Vec<bool>>(row, 13)?).collect(),
            },
        );
    }
    Ok(types)
}

fn read_columns(builder: &mut Builder, types: &TypeTable, rows: &[PgRow]) -> Result<(), sqlx::Error> {
    for row in rows {
        let (relation_oid, type_oid) = (oid(row, 0)?, oid(row, 3)?);
        let expression: Option<String> = get(row, 9)?;
        let generated = match get::<String>(row, 8)?.as_str() {
            "s" => Some(GeneratedKind::Stored),
            "v" => Some(GeneratedKind::Virtual),
            _ => None,
        };
        let column = Column {
            name: get(row, 2)?,
            data_type: types.column_type(type_oid, get(row, 4)?, &get::<String>(row, 5)?),
            nullable: !get::<bool>(row, 6)? && !types.is_not_null(type_oid),
            default: if generated.is_some() { None } else { expression.or_else(|| types.domain_default(type_oid)) },
            generated,
            identity: match get::<String>(row, 7)?.as_str() {
                "a" => Some(Identity::Always),
                "d" => Some(Identity::ByDefault),
                _ => None,
            },
            auto_increment: false,
            sequence: None,
            collation: get(row, 10)?,
            // A collation that calls different texts equal is treated as blind to case: nearly all of them are made
            // for that.
            case_insensitive: get::<Option<bool>>(row, 11)? == Some(false) || types.is_citext(type_oid),
        };
        let number: i16 = get(row, 1)?;
        if let Some(relation) = builder.relation(relation_oid) {
            let position = relation.columns.len();
            for (expression, valid) in types.domain_checks(type_oid, &quote(&column.name)) {
                let enforcement = if valid { Enforcement::Enforced } else { Enforcement::NotValidated };
                relation.checks.push(Check { name: None, expression, enforcement });
            }
            relation.columns.push(column);
            builder.columns.insert((relation_oid, number), position);
        }
    }
    Ok(())
}

fn read_keys(builder: &mut Builder, constraints: &[PgRow], indexes: &[PgRow]) -> Result<(), sqlx::Error> {
    let indexes: Vec<UniqueIndex> = indexes.iter().map(unique_index).collect::<Result<_, _>>()?;
    let by_oid: HashMap<i64, &UniqueIndex> = indexes.iter().map(|index| (index.oid, index)).collect();
    let mut behind_constraints = HashSet::new();
    for row in constraints {
        let constraint = ConstraintName(get(row, 2)?);
        let deferrability = match (get::<bool>(row, 5)?, get::<bool>(row, 6)?) {
            (false, _) => Deferrability::NotDeferrable,
            (true, false) => Deferrability::InitiallyImmediate,
            (true, true) => Deferrability::InitiallyDeferred,
        };
        let index_oid = oid(row, 8)?;
        let (kind, columns) = (get::<String>(row, 3)?, get::<Vec<String>>(row, 4)?);
        let enforcement = enforcement(get(row, 18)?, get::<Option<bool>>(row, 17)?.unwrap_or(false), get(row, 7)?);
        let Some(relation) = builder.relation(oid(row, 0)?) else { continue };
        match kind.as_str() {
            "p" => {
                behind_constraints.insert(index_oid);
                relation.primary_key = Some(PrimaryKey { name: Some(constraint), columns });
            }
            "u" => {
                behind_constraints.insert(index_oid);
                let index = by_oid.get(&index_oid);
                relation.unique_keys.push(UniqueKey {
                    name: constraint,
                    columns,
                    expressions: None,
                    predicate: None,
                    nulls_not_distinct: index.is_some_and(|index| index.key.nulls_not_distinct),
                    deferrability,
                    valid: index.is_none_or(|index| index.key.valid),
                });
            }
            "f" => relation.foreign_keys.push(ForeignKey {
                name: Some(constraint),
                columns,
                referenced: name(row, 9)?,
                referenced_columns: get(row, 12)?,
                match_kind: if get::<String>(row, 13)? == "f" { MatchKind::Full } else { MatchKind::Simple },
                on_delete: action(&get::<String>(row, 14)?),
                on_update: action(&get::<String>(row, 15)?),
                deferrability,
                enforcement,
            }),
            _ => relation.checks.push(Check {
                name: Some(constraint),
                expression: strip_parentheses(&get::<Option<String>>(row, 16)?.unwrap_or_default()).to_owned(),
                enforcement,
            }),
        }
    }
    for index in indexes {
        if !behind_constraints.contains(&index.oid)
            && let Some(relation) = builder.relation(index.relation)
        {
            relation.unique_keys.push(index.key);
        }
    }
    Ok(())
}

fn unique_index(row: &PgRow) -> Result<UniqueIndex, sqlx::Error> {
    let expressions: Option<Vec<String>> = get(row, 6)?;
    Ok(UniqueIndex {
        relation: oid(row, 0)?,
        oid: oid(row, 1)?,
        key: UniqueKey {
            name: ConstraintName(get(row, 2)?),
            columns: if expressions.is_some() { Vec::new() } else { get(row, 5)? },
            expressions,
            predicate: get::<Option<String>>(row, 7)?.map(|text| strip_parentheses(&text).to_owned()),
            nulls_not_distinct: get(row, 4)?,
            deferrability: Deferrability::NotDeferrable,
            valid: get(row, 3)?,
        },
    })
}

fn enforcement(enforced: bool, disabled: bool, validated: bool) -> Enforcement {
    if !enforced || disabled {
        Enforcement::NotEnforced
    } else if validated {
        Enforcement::Enforced
    } else {
        Enforcement::NotValidated
    }
}

fn action(code: &str) -> ReferentialAction {
    match code {
        "r" => ReferentialAction::Restrict,
        "c" => ReferentialAction::Cascade,
        "n" => ReferentialAction::SetNull,
        "d" => ReferentialAction::SetDefault,
        _ => ReferentialAction::NoAction,
    }
}

fn read_triggers(builder: &mut Builder, rows: &[PgRow]) -> Result<(), sqlx::Error> {
    for row in rows {
        let bits: i32 = get(row, 2)?;
        let timing = if get::<bool>(row, 4)? { rule_timing(bits) } else { trigger_timing(bits) };
        let trigger = Trigger { name: get(row, 1)?, timing, enabled: get(row, 3)? };
        if let Some(relation) = builder.relation(oid(row, 0)?) {
            relation.triggers.push(trigger);
        }
    }
    Ok(())
}

/// `pg_trigger.tgtype` in words.
fn trigger_timing(bits: i32) -> String {
    let timing = match (bits & 2 != 0, bits & 64 != 0) {
        (_, true) => "INSTEAD OF",
        (true, false) => "BEFORE",
        (false, false) => "AFTER",
    };
    let events = [(4, "INSERT"), (8, "DELETE"), (16, "UPDATE"), (32, "TRUNCATE")];
    let events: Vec<&str> = events.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, event)| *event).collect();
    format!("{timing} {}", events.join(" OR "))
}

/// A rewrite rule rewrites statements as silently as a trigger changes rows, so it is listed among the triggers: the
/// event in the lowest bits, and 16 for `DO INSTEAD`.
fn rule_timing(bits: i32) -> String {
    let event = match bits & 7 {
        1 => "SELECT",
        2 => "UPDATE",
        3 => "INSERT",
        _ => "DELETE",
    };
    format!("RULE {} {event}", if bits & 16 != 0 { "INSTEAD OF" } else { "ALSO ON" })
}

fn read_sequences(builder: &mut Builder, rows: &[PgRow]) -> Result<(), sqlx::Error> {
    for row in rows {
        let by_default: bool = get(row, 7)?;
        let sequence = SequenceRef { name: name(row, 2)?, increment: get(row, 5)?, owned: get(row, 6)? };
        let (relation_oid, number) = (oid(row, 0)?, get::<i16>(row, 1)?);
        let Some(&position) = builder.columns.get(&(relation_oid, number)) else { continue };
        let Some(relation) = builder.relation(relation_oid) else { continue };
        let column = &mut relation.columns[position];
        let counts = matches!(column.data_type.kind, TypeKind::Integer { .. } | TypeKind::Decimal { .. });
        // A default may use a sequence in other ways than to number the column, and a column may own one that its
        // default no longer uses. Where the two differ, the default's is the one that counts; it comes last.
        let used = if by_default {
            column.default.as_deref().is_some_and(|default| default.starts_with("nextval("))
        } else {
            column.default.is_some() || column.identity.is_some()
        };
        if counts && used {
            column.sequence = Some(sequence);
        }
    }
    Ok(())
}

/// An expression without the pair of parentheses around all of it, which the server prints around a condition.
fn strip_parentheses(expression: &str) -> &str {
    let Some(inner) = expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else { return expression };
    let (mut depth, mut quote) = (0_i32, None);
    for character in inner.chars() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return expression;
        }
    }
    inner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_outermost_parentheses_go() {
        for (expression, inner) in [
            ("(quantity >= 0)", "quantity >= 0"),
            ("((a > 0) AND (b > 0))", "(a > 0) AND (b > 0)"),
            ("(a > 0) AND (b > 0)", "(a > 0) AND (b > 0)"),
            ("(name <> ')'::text)", "name <> ')'::text"),
            ("is_valid(x)", "is_valid(x)"),
        ] {
            assert_eq!(strip_parentheses(expression), inner);
        }
    }

    #[test]
    fn trigger_bits_are_timing_and_events() {
        assert_eq!(trigger_timing(1 | 2 | 4 | 16), "BEFORE INSERT OR UPDATE");
        assert_eq!(trigger_timing(1 | 8), "AFTER DELETE");
        assert_eq!(trigger_timing(1 | 64 | 4), "INSTEAD OF INSERT");
        assert_eq!(rule_timing(3 | 16), "RULE INSTEAD OF INSERT");
        assert_eq!(rule_timing(4), "RULE ALSO ON DELETE");
    }

    #[test]
    fn a_disabled_trigger_outweighs_a_validated_constraint() {
        assert_eq!(enforcement(true, true, true), Enforcement::NotEnforced);
        assert_eq!(enforcement(false, false, true), Enforcement::NotEnforced);
        assert_eq!(enforcement(true, false, false), Enforcement::NotValidated);
        assert_eq!(enforcement(true, false, true), Enforcement::Enforced);
    }
}
