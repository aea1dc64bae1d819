//! Totals where the database has no exact decimals: headers and lines are read page by page and added up here.

use bigdecimal::{BigDecimal, Zero};
use relink_db::{Connection, DbError, DbErrorKind, Dialect};
use relink_model::Value;
use serde::Serialize;

use super::super::amount::{Expression, Operator};
use super::super::run::Found;
use super::super::sql::{Shown, qualified, sample};
use super::{DIFFERS, MISSING, NO_NUMBER, Resolved, complete, written};
use crate::report::Sample;
use relink_rules::{decimal, expression::Path};

/// Rows of headers and lines fetched at once.
const PAGE_ROWS: usize = 50_000;

/// Decimals that money and quantities rarely pass; what does is read and added up here.
const COLUMN_DECIMALS: usize = 4;

/// Decimals of an amount past which doubles cannot tell one unit from none.
const SCALE_MAX: usize = 12;

/// Headers with their lines, page by page in the order of the header's key.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Pages {
    /// `SELECT ... FROM header c LEFT JOIN lines l ... WHERE TRUE`.
    select: String,
    /// Added from the second page on: the headers after the last one seen.
    after: String,
    order: String,
    /// The header's key, by which lines refer to it: this many result columns come first.
    header_columns: usize,
    /// The columns of the expression, in result order after what `shown` selects, the total and the mark of a line.
    line_columns: Vec<String>,
    #[serde(skip)]
    amount: Expression,
    tolerance: String,
}

/// How headers and lines are read where the arithmetic is done here.
pub(super) fn plan(
    dialect: &dyn Dialect,
    resolved: &Resolved<'_>,
    shown: &Shown,
    total: &str,
    tolerance: &str,
    sums: &dyn Fn(&str) -> String,
) -> Pages {
    let line_names = line_columns(&resolved.amount);
    let of_line: Vec<String> = line_names.iter().map(|name| qualified(dialect, "l", name)).collect();
    let key: Vec<String> = resolved.header_key.iter().map(|name| qualified(dialect, "c", name)).collect();
    let by: Vec<String> = resolved.by.iter().map(|name| qualified(dialect, "l", name)).collect();
    let equal: Vec<String> = by.iter().zip(&key).map(|(line, header)| format!("{line} = {header}")).collect();
    let (filter, from) = match doubtful(dialect, resolved, total, tolerance) {
        Some((columns, filter)) => (filter, sums(&columns)),
        None => ("1 = 1".to_owned(), format!("FROM {} AS c", dialect.own_rows(resolved.header))),
    };
    let selected: Vec<String> = key
        .iter()
        .cloned()
        .chain(std::iter::once(shown.select()))
        .chain([total.to_owned(), by.first().cloned().unwrap_or_default()])
        .chain(of_line)
        .collect();
    let placeholders: Vec<String> = resolved
        .header_key
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let data_type =
                resolved.header.column(name).map(|(_, column)| column.data_type.clone()).unwrap_or_default();
            dialect.placeholder(index + 1, &data_type)
        })
        .collect();
    Pages {
        select: format!(
            "SELECT {} {from} LEFT JOIN {} AS l ON {} WHERE {filter}",
            selected.join(", "),
            dialect.own_rows(resolved.lines),
            equal.join(" AND ")
        ),
        after: format!(" AND ({}) > ({})", key.join(", "), placeholders.join(", ")),
        order: format!(" ORDER BY {}, {}", key.join(", "), shown.order()),
        header_columns: key.len(),
        line_columns: line_names,
        amount: resolved.amount.clone(),
        tolerance: tolerance.to_owned(),
    }
}

/// Columns to sum per header, and a condition over them that is false only of headers that agree beyond doubt, whatever floats round to:
/// those need not be read. `None` where every header has to be.
fn doubtful(dialect: &dyn Dialect, resolved: &Resolved<'_>, total: &str, tolerance: &str) -> Option<(String, String)> {
    let line = |path: &Path| qualified(dialect, "l", path.last().expect("a path has a part"));
    // Without a tolerance the difference must be nothing, which floats alone cannot say. But where every number has few decimals, the exact
    // difference is a whole multiple of their smallest unit, so that less than half a unit is nothing.
    let scale = decimals(&resolved.amount).max(COLUMN_DECIMALS);
    let limit = if resolved.tolerance.is_zero() {
        (scale <= SCALE_MAX).then(|| format!("0.{}5", "0".repeat(scale)))?
    } else {
        tolerance.to_owned()
    };
    let odd = |column: &str| -> Option<String> {
        let class = dialect.storage_class(column)?;
        let fine = if resolved.tolerance.is_zero() {
            format!(" OR {column} <> ROUND({column}, {COLUMN_DECIMALS})")
        } else {
            String::new()
        };
        Some(format!("{class} NOT IN ('integer', 'real', 'null'){fine}"))
    };
    let odd_lines: Vec<String> =
        line_columns(&resolved.amount).iter().map(|name| odd(&qualified(dialect, "l", name))).collect::<Option<_>>()?;
    let odd_lines = if odd_lines.is_empty() { "1 = 0".to_owned() } else { odd_lines.join(" OR ") };
    let odd_total = odd(total)?;
    let float = |path: &Path| format!("(1.0 * {})", line(path));
    let columns = format!(
        ", SUM({}) AS relink_sum, SUM({}) AS relink_size, COUNT(CASE WHEN {odd_lines} THEN 1 END) AS relink_odd",
        resolved.amount.sql(&float),
        resolved.amount.magnitude_sql(&float)
    );
    // Each operation on doubles errs by at most 1.2e-16 of its operands' size; there are a few per line.
    let error =
        format!("0.000000000000001 * (COALESCE(s.relink_lines, 0) + 10) * (ABS({total}) + COALESCE(s.relink_size, 0))");
    let agrees = format!(
        "NOT ({odd_total}) AND COALESCE(s.relink_odd, 0) = 0 \
         AND ABS({total} - COALESCE(s.relink_sum, 0)) + {error} < {limit}"
    );
    Some((columns, format!("CASE WHEN {agrees} THEN 0 ELSE 1 END = 1")))
}

/// Decimals that an amount can have, if its columns have at most [`COLUMN_DECIMALS`].
fn decimals(amount: &Expression) -> usize {
    match amount {
        Expression::Number(number) => usize::try_from(number.fractional_digit_count()).unwrap_or(0),
        Expression::Column(_) => COLUMN_DECIMALS,
        Expression::Negation(operand) => decimals(operand),
        Expression::Operation(Operator::Times, left, right) => decimals(left) + decimals(right),
        Expression::Operation(_, left, right) => decimals(left).max(decimals(right)),
    }
}

/// The columns of an expression, each once.
pub(super) fn line_columns(amount: &Expression) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    amount.columns(&mut |path| {
        let name = path.last().expect("a path has a part");
        if !columns.contains(name) {
            columns.push(name.clone());
        }
    });
    columns
}

/// A header as its rows come in.
struct Header {
    /// By what lines refer to it.
    key: Vec<Value>,
    shown: Vec<Value>,
    total: Value,
    lines: u64,
    sum: BigDecimal,
    /// A line held something that is no number.
    spoilt: bool,
}

impl Pages {
    pub(super) async fn judge(
        &self,
        connection: &mut dyn Connection,
        shown: &Shown,
        samples_max: usize,
        found: &mut Found,
    ) -> Result<(), DbError> {
        let tolerance = decimal::parse(&self.tolerance).unwrap_or_default();
        let mut rows_max = PAGE_ROWS;
        let mut after: Option<Vec<Value>> = None;
        loop {
            let (sql, parameters) = match &after {
                None => (format!("{}{} LIMIT {rows_max}", self.select, self.order), Vec::new()),
                Some(key) => (format!("{}{}{} LIMIT {rows_max}", self.select, self.after, self.order), key.clone()),
            };
            let rows = connection.query(&sql, &parameters).await?;
            let full = rows.len() == rows_max;
            let mut headers = self.headers(rows, shown)?;
            if full {
                // The last key's headers may go on in the next page: they are read again from there.
                let last = headers.last().map(|header| header.key.clone()).unwrap_or_default();
                headers.retain(|header| header.key != last);
                let Some(complete) = headers.last() else {
                    rows_max *= 2;
                    continue;
                };
                after = Some(complete.key.clone());
            }
            for header in headers {
                if let Some(problem) = header.problem(&tolerance) {
                    found.add(problem, 1);
                    if found.samples.len() < samples_max {
                        found.samples.push(header.sample(shown, problem));
                    }
                }
            }
            if !full {
                return Ok(());
            }
        }
    }

    /// Rows of headers with their lines, put together again.
    fn headers(&self, rows: Vec<Vec<Value>>, shown: &Shown) -> Result<Vec<Header>, DbError> {
        let shown_columns = shown.parts().count();
        let mut headers: Vec<Header> = Vec::new();
        for mut row in rows {
            if row.len() != self.header_columns + shown_columns + 2 + self.line_columns.len() {
                return Err(DbError::new(
                    DbErrorKind::Other,
                    "the database answered other columns than were asked for",
                ));
            }
            let line = row.split_off(self.header_columns + shown_columns + 2);
            let is_line = row.pop().is_some_and(|mark| !mark.is_null());
            let total = row.pop().unwrap_or(Value::Null);
            let shown = row.split_off(self.header_columns);
            if headers.last().is_none_or(|header| header.key != row || header.shown != shown) {
                headers.push(Header { key: row, shown, total, lines: 0, sum: BigDecimal::zero(), spoilt: false });
            }
            let header = headers.last_mut().expect("one was just pushed");
            if is_line {
                header.lines += 1;
                self.add(header, &line);
            }
        }
        Ok(headers)
    }

    fn add(&self, header: &mut Header, line: &[Value]) {
        let numbers: Vec<Option<BigDecimal>> = line.iter().map(decimal::of_value).collect();
        if line.iter().zip(&numbers).any(|(value, number)| !value.is_null() && number.is_none()) {
            header.spoilt = true;
        }
        let position = |name: &String| self.line_columns.iter().position(|column| column == name);
        let column = |path: &Path| numbers.get(position(path.last()?)?)?.clone();
        if let Some(amount) = self.amount.evaluate(&column) {
            header.sum += amount;
        }
    }
}

impl Header {
    fn problem(&self, tolerance: &BigDecimal) -> Option<&'static str> {
        if self.spoilt {
            return Some(NO_NUMBER);
        }
        if self.total.is_null() {
            return (self.lines > 0).then_some(MISSING);
        }
        match decimal::of_value(&self.total) {
            None => Some(NO_NUMBER),
            Some(total) => ((total - &self.sum).abs() > *tolerance).then_some(DIFFERS),
        }
    }

    fn sample(self, shown: &Shown, problem: &str) -> Sample {
        let mut sample = sample(shown, self.shown);
        let sum = (!self.spoilt).then(|| written(&self.sum));
        let difference = decimal::of_value(&self.total).filter(|_| !self.spoilt).map(|total| total - self.sum);
        complete(&mut sample, problem, sum, difference);
        sample
    }
}
