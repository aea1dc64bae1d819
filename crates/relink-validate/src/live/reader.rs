//! The rows of a database, page by page by their key, for those who judge them here.

use std::{collections::HashMap, io};

use async_trait::async_trait;
use relink_db::{Connection, DbError, DbErrorKind, Dialect};
use relink_model::{Catalog, ColumnType, Relation, RelationId, TypeKind, Value};

use super::sql::{Shown, sample};
use crate::judge::{Absorb, Batch, Feed, Look, Named, RowSource};
use crate::report::Sample;

/// Rows fetched at once.
const PAGE_ROWS: usize = 20_000;

/// One pass over a relation.
struct Pass {
    /// `SELECT paging key, the row's name, the columns that are judged FROM ...`.
    select: String,
    /// Which rows; empty: all.
    condition: String,
    /// From the second page on: the rows after the last one seen.
    after: String,
    /// `ORDER BY ... LIMIT ...`; nothing where rows have no key to page by.
    page: String,
    /// Result columns that say where a page ends: they come first.
    paging_columns: usize,
    /// What names a row: they come next.
    named: Option<Shown>,
    /// Of the columns that are judged, the ones of single precision: what is read of them is wider, and says more digits than they hold.
    single: Vec<bool>,
}

impl Pass {
    fn new(dialect: &dyn Dialect, relation: &Relation, columns: &[usize], rows: Option<&str>, names: bool) -> Self {
        // Where anything can be stored, the stored value itself is wanted, and any value has a native carrier.
        let enforced = relation.strict || dialect.capabilities().enforces_types;
        let read = |name: &str| {
            let (_, column) = relation.column(name).expect("a column of the relation");
            if enforced { dialect.read_expression("", column) } else { dialect.quote(name) }
        };
        // A key that the database may not have kept is no key to page by; its own name of the row is one.
        let locator = if enforced { None } else { dialect.row_locator("", relation) };
        let key = if locator.is_some() { Vec::new() } else { paging_key(relation) };
        let named = names.then(|| Shown::of(dialect, "", relation, &[], &[]));
        let order: Vec<String> = locator.iter().cloned().chain(key.iter().map(|name| dialect.quote(name))).collect();
        let paging = locator.iter().cloned().chain(key.iter().map(|name| read(name)));
        let selected = paging.chain(named.iter().map(Shown::select));
        let selected = selected.chain(columns.iter().map(|column| read(&relation.columns[*column].name)));
        let mut selected: Vec<String> = selected.collect();
        if selected.is_empty() {
            selected.push("1".to_owned());
        }
        let of_column =
            |name: &String| relation.column(name).map_or_else(ColumnType::default, |(_, c)| c.data_type.clone());
        let types = locator.iter().map(|_| ColumnType::default()).chain(key.iter().map(of_column));
        let placeholders: Vec<String> = types.zip(1..).map(|(of_type, at)| dialect.placeholder(at, &of_type)).collect();
        let single = |column: &usize| matches!(relation.columns[*column].data_type.kind, TypeKind::Float { bits: 32 });
        Self {
            select: format!("SELECT {} FROM {}", selected.join(", "), dialect.own_rows(relation)),
            condition: rows.map(|rows| format!(" WHERE ({rows})")).unwrap_or_default(),
            after: format!(
                "{} ({}) > ({})",
                if rows.is_some() { " AND" } else { " WHERE" },
                order.join(", "),
                placeholders.join(", ")
            ),
            page: if order.is_empty() {
                String::new()
            } else {
                format!(" ORDER BY {} LIMIT {PAGE_ROWS}", order.join(", "))
            },
            paging_columns: order.len(),
            named,
            single: columns.iter().map(single).collect(),
        }
    }

    /// Hands over the rows page by page, each split into its name and its values, until there are no more or enough.
    async fn run(
        &self,
        connection: &mut dyn Connection,
        mut each: impl FnMut(Vec<(Vec<Value>, Vec<Value>)>) -> io::Result<bool>,
    ) -> Result<(), Trouble> {
        let mut last: Vec<Value> = Vec::new();
        loop {
            let after = if last.is_empty() { "" } else { self.after.as_str() };
            let sql = format!("{}{}{after}{}", self.select, self.condition, self.page);
            let page = connection.query(&sql, &last).await?;
            let full = page.len() == PAGE_ROWS && !self.page.is_empty();
            let mut rows = Vec::with_capacity(page.len());
            for mut row in page {
                if row.len() < self.paging_columns + self.single.len() {
                    let message = "the database answered with fewer columns than were asked for";
                    return Err(DbError::new(DbErrorKind::Other, message).into());
                }
                let mut values = row.split_off(row.len() - self.single.len());
                for (value, _) in values.iter_mut().zip(&self.single).filter(|(_, single)| **single) {
                    if let Value::Float(number) = value
                        && number.is_finite()
                    {
                        *value = Value::Text(format!("{:e}", *number as f32));
                    }
                }
                let name = row.split_off(self.paging_columns);
                last = row;
                rows.push((name, values));
            }
            if !each(rows)? || !full {
                return Ok(());
            }
        }
    }
}

/// The columns of a key by which rows can be paged: no two rows share it, none is NULL, and what is read of it compares, as a parameter, as the
/// column itself is sorted in every database. Without one, all rows are read at once.
fn paging_key(relation: &Relation) -> Vec<String> {
    let sorts = |kind: &TypeKind| match kind {
        TypeKind::Integer { bits, unsigned } => !(*unsigned && *bits == 64),
        TypeKind::Text { .. } | TypeKind::Uuid | TypeKind::Date => true,
        _ => false,
    };
    let pages = |names: &&[String]| {
        let mut columns = names.iter().map(|name| relation.column(name).map(|(_, column)| column));
        columns.all(|column| column.is_some_and(|column| !column.nullable && sorts(&column.data_type.kind)))
    };
    relation.keys().filter(|names| !names.is_empty()).find(pages).map(<[String]>::to_vec).unwrap_or_default()
}

/// Why rows could not be read or judged: told to every check that reads them.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    kind: DbErrorKind,
    message: String,
}

impl From<DbError> for Trouble {
    fn from(error: DbError) -> Self {
        Self { kind: error.kind, message: error.to_string() }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self { kind: DbErrorKind::Other, message: format!("a temporary file failed: {error}") }
    }
}

impl From<Trouble> for DbError {
    fn from(trouble: Trouble) -> Self {
        Self::new(trouble.kind, trouble.message)
    }
}

/// The rows of a database: all, or those for which a condition is true.
pub(crate) struct LiveRows<'c> {
    pub(crate) connection: &'c mut dyn Connection,
    pub(crate) catalog: &'c Catalog,
    pub(crate) rows: Option<&'c str>,
}

#[async_trait]
impl RowSource for LiveRows<'_> {
    type Trouble = Trouble;

    async fn scan(&mut self, feed: &Feed, look: &Look<'_>, absorb: &mut Absorb<'_>) -> Result<(), Trouble> {
        let relation = self.catalog.relation(feed.relation);
        let pass = Pass::new(self.connection.dialect(), relation, &feed.columns, self.rows, false);
        let mut first = 0;
        let each = |rows: Vec<(Vec<Value>, Vec<Value>)>| {
            let number = rows.len();
            let values: Vec<Value> = rows.into_iter().flat_map(|(_, values)| values).collect();
            let batch = Batch { first, rows: number, values, odd: HashMap::new() };
            first += number as u64;
            absorb(look(&batch)).map(|()| true)
        };
        pass.run(self.connection, each).await
    }

    async fn fetch(
        &mut self,
        relation: RelationId,
        columns: &[usize],
        ordinals: &[u64],
    ) -> Result<Vec<Named>, Trouble> {
        let relation = self.catalog.relation(relation);
        let pass = Pass::new(self.connection.dialect(), relation, columns, self.rows, true);
        let shown = pass.named.clone().unwrap_or_default();
        let mut wanted = ordinals.iter().copied().peekable();
        let (mut found, mut ordinal) = (Vec::new(), 0_u64);
        let each = |rows: Vec<(Vec<Value>, Vec<Value>)>| {
            for (name, values) in rows {
                while wanted.next_if(|wanted| *wanted == ordinal).is_some() {
                    let Sample { key, content, .. } = sample(&shown, name.clone());
                    found.push(Named { key, values: values.clone(), place: None, content });
                }
                ordinal += 1;
            }
            Ok(wanted.peek().is_some())
        };
        pass.run(self.connection, each).await?;
        Ok(found)
    }
}
