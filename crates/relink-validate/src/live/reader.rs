//! The rows of a database, page by page by their key, for those who judge them here.

use std::{
    collections::HashMap,
    io,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use relink_db::{Connection, DbError, DbErrorKind, Dialect};
use relink_model::{Catalog, Column, ColumnType, Relation, RelationId, TypeKind, Value};

use super::sql::{Shown, qualified, sample};
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
    /// `ORDER BY ...`, and where there is a key to page by, ` LIMIT ...`.
    order: String,
    /// Result columns that say where a page ends, and their types: they come first.
    paging: Vec<PagingColumn>,
    /// What names a row: they come next.
    named: Option<Shown>,
    /// Where in the rest of a row the columns that are judged stand.
    judged: Vec<usize>,
    /// Of the columns that are judged, the ones of single precision: what is read of them is wider, and says more digits than they hold.
    single: Vec<bool>,
    /// Columns of a row's rest.
    width: usize,
}

/// A column by which rows are paged.
struct PagingColumn {
    sql: String,
    data_type: ColumnType,
}

impl Pass {
    fn new(dialect: &dyn Dialect, relation: &Relation, columns: &[usize], rows: Option<&str>, names: bool) -> Self {
        // Where anything can be stored, the stored value itself is wanted, and any value has a native carrier.
        let enforced = relation.strict || dialect.capabilities().enforces_types;
        let read = |column: &Column| {
            if enforced { dialect.read_expression("", column) } else { dialect.quote(&column.name) }
        };
        // A key that the database may not have kept is no key to page by; its own name of the row is one.
        let own = dialect.quote_relation(&relation.name);
        let locator = if enforced { None } else { dialect.row_locator(&own, relation) };
        let key = if locator.is_some() { Vec::new() } else { paging_key(relation) };
        let keyed = key.iter().filter_map(|name| relation.column(name)).map(|(_, column)| column);
        // With the table's name: by its own alone a column may be a result column, which is read in another form.
        let paging_of = |column: &Column| PagingColumn {
            sql: qualified(dialect, &own, &column.name),
            data_type: column.data_type.clone(),
        };
        let paging_read: Vec<String> = locator.iter().cloned().chain(keyed.clone().map(read)).collect();
        let paging: Vec<PagingColumn> = locator
            .iter()
            .map(|locator| PagingColumn { sql: locator.clone(), data_type: ColumnType::default() })
            .chain(keyed.map(paging_of))
            .collect();
        // Rows without a key come in the order in which they are kept. Where nothing says what that is, it is the order of a query that is the same,
        // letter by letter, whatever is wanted of the rows: an index that holds all that is asked for would have one of its own.
        let kept = if paging.is_empty() { dialect.row_order(relation) } else { None };
        let unordered = paging.is_empty() && kept.is_none();
        let named = (names || unordered).then(|| Shown::of(dialect, "", relation, &[], &[]));
        let selected_columns: Vec<usize> =
            if unordered { (0..relation.columns.len()).collect() } else { columns.to_vec() };
        let judged = columns.iter().filter_map(|column| selected_columns.iter().position(|at| at == column)).collect();
        let selected = paging_read.into_iter().chain(named.iter().map(Shown::select));
        let selected = selected.chain(selected_columns.iter().map(|column| read(&relation.columns[*column])));
        let mut selected: Vec<String> = selected.collect();
        if selected.is_empty() {
            selected.push("1".to_owned());
        }
        let order = if paging.is_empty() {
            kept.map(|kept| format!(" ORDER BY {kept}")).unwrap_or_default()
        } else {
            let columns: Vec<&str> = paging.iter().map(|column| column.sql.as_str()).collect();
            format!(" ORDER BY {} LIMIT {PAGE_ROWS}", columns.join(", "))
        };
        let single = |column: &usize| matches!(relation.columns[*column].data_type.kind, TypeKind::Float { bits: 32 });
        Self {
            select: format!("SELECT {} FROM {}", selected.join(", "), dialect.own_rows(relation)),
            condition: rows.map(|rows| format!(" WHERE ({rows})")).unwrap_or_default(),
            order,
            paging,
            named,
            judged,
            single: columns.iter().map(single).collect(),
            width: selected_columns.len(),
        }
    }

    /// The page that follows a row, and its parameters.
    fn page(&self, dialect: &dyn Dialect, last: &[Value]) -> (String, Vec<Value>) {
        if last.is_empty() {
            return (format!("{}{}{}", self.select, self.condition, self.order), Vec::new());
        }
        let mut parameters: Vec<Value> = Vec::new();
        let columns: Vec<&str> = self.paging.iter().map(|column| column.sql.as_str()).collect();
        let mut value = |at: usize| match &last[at] {
            // A number that has no native carrier would be compared as a double.
            Value::Text(digits) if matches!(self.paging[at].data_type.kind, TypeKind::Integer { .. }) => digits.clone(),
            other => {
                parameters.push(other.clone());
                dialect.placeholder(parameters.len(), &self.paging[at].data_type)
            }
        };
        let after = dialect.after(&columns, &mut value);
        let and = if self.condition.is_empty() { " WHERE" } else { " AND" };
        (format!("{}{}{and} {after}{}", self.select, self.condition, self.order), parameters)
    }

    /// Hands over the rows page by page, each split into its name and its values, until there are no more or enough.
    async fn run(
        &self,
        connection: &mut dyn Connection,
        limit: &Limit,
        mut each: impl FnMut(Vec<(Vec<Value>, Vec<Value>)>) -> io::Result<bool>,
    ) -> Result<(), Trouble> {
        let mut last: Vec<Value> = Vec::new();
        loop {
            limit.check()?;
            let (sql, parameters) = self.page(connection.dialect(), &last);
            let page = connection.query(&sql, &parameters).await?;
            let full = page.len() == PAGE_ROWS && !self.paging.is_empty();
            let mut rows = Vec::with_capacity(page.len());
            for mut row in page {
                if row.len() < self.paging.len() + self.width {
                    let message = "the database answered with fewer columns than were asked for";
                    return Err(DbError::new(DbErrorKind::Other, message).into());
                }
                let mut rest = row.split_off(row.len() - self.width);
                let mut values: Vec<Value> = if self.judged.len() == self.width {
                    rest
                } else {
                    self.judged.iter().map(|at| std::mem::replace(&mut rest[*at], Value::Null)).collect()
                };
                for (value, _) in values.iter_mut().zip(&self.single).filter(|(_, single)| **single) {
                    if let Value::Float(number) = value
                        && number.is_finite()
                    {
                        *value = Value::Text(format!("{:e}", *number as f32));
                    }
                }
                let name = row.split_off(self.paging.len());
                last = row;
                rows.push((name, values));
            }
            if !each(rows)? || !full {
                return Ok(());
            }
        }
    }
}

/// When a check has taken long enough.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limit(Option<(Instant, Duration)>);

impl Limit {
    /// From now on.
    pub(crate) fn of(duration: Option<Duration>) -> Self {
        Self(duration.map(|duration| (Instant::now(), duration)))
    }

    /// An error when it is over.
    pub(crate) fn check(&self) -> Result<(), DbError> {
        match self.0 {
            Some((begun, duration)) if begun.elapsed() > duration => {
                Err(DbError::new(DbErrorKind::Other, format!("it took longer than {duration:?}")))
            }
            _ => Ok(()),
        }
    }
}

/// The columns of a key by which rows can be paged: no two rows share it, none is NULL, and what is read of it compares, as a parameter, as the
/// column itself is sorted in every database. Without one, all rows are read at once.
fn paging_key(relation: &Relation) -> Vec<String> {
    let sorts = |kind: &TypeKind| {
        matches!(kind, TypeKind::Integer { .. } | TypeKind::Text { .. } | TypeKind::Uuid | TypeKind::Date)
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
    pub(crate) limit: Limit,
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
        pass.run(self.connection, &self.limit, each).await
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
        pass.run(self.connection, &self.limit, each).await?;
        Ok(found)
    }
}
