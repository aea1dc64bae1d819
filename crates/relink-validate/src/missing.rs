//! The keys that orphans refer to and no row has: what a repair from a backup looks for.

use relink_db::{Connection, DbError};
use relink_model::{Catalog, RelationName, Severity, Value};
use relink_rules::Part;

use crate::{Check, CheckKind, Options, Probe, compile, plan::test::Test};

/// What the orphans of one check refer to.
#[derive(Clone, Debug, PartialEq)]
pub struct Missing {
    /// The check's id.
    pub check: String,
    /// The relation that is referred to.
    pub relation: RelationName,
    /// The columns that are referred to.
    pub columns: Vec<String>,
    /// The distinct keys that no row has.
    pub keys: Vec<Vec<Value>>,
}

/// Whether a check is about references, of whatever kind.
pub fn is_reference(check: &Check) -> bool {
    matches!(check.kind, CheckKind::Ref | CheckKind::Poly) && check.severity > Severity::Info
}

/// The relation that a check's references lead to; `None` where it says no reference, or each row says where its own leads.
pub fn referenced<'c>(check: &Check, catalog: &'c Catalog) -> Option<&'c RelationName> {
    match &check.test {
        Test::Reference(test) => test.target.map(|target| &catalog.relation(target).name),
        _ => None,
    }
}

/// Whether a check is about references that rows of another table can heal: a reference by plain columns that leads nowhere.
pub fn is_healable(check: &Check) -> bool {
    let plain = |parts: &[Part]| parts.iter().all(|part| matches!(part, Part::Column { .. }));
    match &check.test {
        Test::Reference(test) => {
            check.severity > Severity::Info
                && !test.dead
                && test.target.is_some()
                && test.target_filter.is_none()
                && plain(&test.parts)
                && plain(&test.target_parts)
        }
        _ => false,
    }
}

/// The distinct keys that the orphans of these checks refer to, all of them; checks that cannot be healed, or whose orphans SQL alone cannot tell, are left
/// out. Reads inside the caller's transaction.
///
/// # Errors
/// The database cannot be read.
pub async fn missing(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    checks: &[Check],
    options: &Options,
) -> Result<Vec<Missing>, DbError> {
    let mut found = Vec::new();
    for check in checks.iter().filter(|check| is_healable(check)) {
        let Test::Reference(test) = &check.test else { continue };
        let Some(target) = test.target else { continue };
        let compiled = compile(catalog, std::slice::from_ref(check), options, connection.dialect());
        let Some(Probe::Orphans(probe)) = compiled.into_iter().next().map(|compiled| compiled.probe) else { continue };
        let (relation, referenced) = (catalog.relation(test.relation), catalog.relation(target));
        let columns = |parts: &[Part]| parts.iter().flat_map(Part::columns).collect::<Vec<usize>>();
        let dialect = connection.dialect();
        let parts = columns(&test.parts);
        let of_part = |column: &usize| &relation.columns[*column];
        let read: Vec<String> = parts.iter().map(|column| dialect.read_expression("c", of_part(column))).collect();
        // A collation may take `a` and `A` for one, and the rows that refer to them do not.
        let letters = parts.iter().filter_map(|column| {
            let name = format!("c.{}", dialect.quote(&of_part(column).name));
            dialect.by_letter(&name, of_part(column))
        });
        let selected: Vec<String> = read.iter().cloned().chain(letters).collect();
        let order: Vec<String> = (1..=selected.len()).map(|at| at.to_string()).collect();
        let sql = format!("SELECT DISTINCT {} {} ORDER BY {}", selected.join(", "), probe.orphans, order.join(", "));
        let mut keys = connection.query(&sql, &[]).await?;
        for key in &mut keys {
            key.truncate(read.len());
        }
        let names = columns(&test.target_parts).into_iter().map(|column| referenced.columns[column].name.clone());
        found.push(Missing {
            check: check.id.clone(),
            relation: referenced.name.clone(),
            columns: names.collect(),
            keys,
        });
    }
    Ok(found)
}
