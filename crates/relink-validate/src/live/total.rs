//! Totals against the sum of their lines, in SQL. The lines are summed per header before anything is joined to it, so that headers without lines are judged and
//! nothing is counted twice. Where the database has exact decimals, it finds what differs; where it has not, it finds what may differ, and if that is
//! anything at all, headers and lines are read and added up here.

use bigdecimal::{BigDecimal, Zero};
use relink_db::{Connection, DbError, Dialect};
use relink_model::{Catalog, Column, ColumnType, Relation, RelationId, TypeKind, Value};
use relink_rules::{
    Part, decimal,
    expression::{BoundNode, Path},
};
use serde::Serialize;

use super::amount::{Expression, Operator};
use super::join::joins_as_here;
use super::run::{Found, count, counts};
use super::sql::{Shown, any_null, none_null, qualified, sample};
use super::texts::text;
use crate::judge::{DIFFERS, MISSING, null_lines_note, written};
use crate::plan::test::SumsTest;
use crate::report::Sample;

/// Decimals that money and quantities rarely pass; what does is read and added up here.
const COLUMN_DECIMALS: usize = 4;

/// Decimals of an amount past which doubles cannot tell one unit from none.
const SCALE_MAX: usize = 12;

/// Digits by which a sum may be longer than what is summed: no relation has 10^19 rows.
const SUM_DIGITS: u32 = 19;

/// What is asked of the database.
#[derive(Clone, Debug, Serialize)]
pub struct TotalProbe {
    /// Counts headers, those not judged, missing totals, and those that differ or, where there is no exact arithmetic, that may be wrong in any way.
    counts: String,
    /// Counts lines of which the amount is NULL.
    null_lines: String,
    /// The samples of the headers that fail; `None` where rows have to be read for them.
    samples: Option<String>,
    /// What the samples show: the header's key and the total.
    shown: Shown,
}

/// The names of a total, found in the catalog.
struct Resolved<'a> {
    header: &'a Relation,
    total: &'a Column,
    lines: &'a Relation,
    /// The lines' columns that name the header, and the header's columns that they name, position for position.
    by: Vec<String>,
    header_key: Vec<String>,
    amount: Expression,
    tolerance: BigDecimal,
}

/// How a total is judged by SQL; `None` where only reading the rows can tell.
pub(crate) fn compile(catalog: &Catalog, dialect: &dyn Dialect, test: &SumsTest) -> Option<(TotalProbe, String)> {
    let right = test.right.as_ref().filter(|_| test.plain)?;
    let (header, lines) = (catalog.relation(test.left.relation), catalog.relation(right.relation));
    let BoundNode::Column(total) = test.left.amount.node else { return None };
    let pairs = test.left.key.iter().zip(&right.key);
    if !pairs.into_iter().all(|(here, there)| joins_as_here(dialect, (header, here), (lines, there))) {
        return None;
    }
    let names = |relation: RelationId, parts: &[Part]| -> Vec<String> {
        let columns = parts.iter().flat_map(Part::columns);
        columns.map(|column| catalog.relation(relation).columns[column].name.clone()).collect()
    };
    let resolved = Resolved {
        header,
        total: &header.columns[total],
        lines,
        by: names(right.relation, &right.key),
        header_key: names(test.left.relation, &test.left.key),
        amount: Expression::of(&right.amount, lines)?,
        tolerance: test.tolerance.amount.clone(),
    };
    let here = dialect.capabilities().stores_temporals_as_text;
    (here || resolved.fits(dialect)).then(|| statements(dialect, &resolved, here))
}

impl Resolved<'_> {
    fn line_column(&self, path: &Path) -> &Column {
        self.lines.column(path.last().expect("a path has a part")).expect("resolved").1
    }

    /// Whether no sum is longer than the database's decimals are.
    fn fits(&self, dialect: &dyn Dialect) -> bool {
        let Some((digits, decimals)) = dialect.capabilities().decimal_max else { return true };
        let of_column = |path: &Path| length(self.line_column(path));
        let fits = |(whole, fraction): (u32, u32)| fraction <= decimals && whole + fraction + SUM_DIGITS <= digits;
        length(self.total).is_some_and(fits) && self.amount.length(&of_column).is_some_and(fits)
    }
}

/// Digits before and after the point of a column's numbers; `None` where nothing bounds them.
fn length(column: &Column) -> Option<(u32, u32)> {
    match column.data_type.kind {
        // Multiplied with 1.0.
        TypeKind::Integer { .. } => Some((20, 1)),
        TypeKind::Decimal { precision, scale, .. } => {
            let (precision, scale) = (precision?, scale.unwrap_or(0));
            let scale = u32::try_from(scale).ok()?;
            Some((precision.saturating_sub(scale), scale))
        }
        _ => None,
    }
}

fn statements(dialect: &dyn Dialect, resolved: &Resolved<'_>, here: bool) -> (TotalProbe, String) {
    let own = |relation: &Relation| dialect.own_rows(relation);
    let all =
        |alias: &str, names: &[String]| names.iter().map(|name| qualified(dialect, alias, name)).collect::<Vec<_>>();
    let (header, lines, by) = (own(resolved.header), own(resolved.lines), all("l", &resolved.by));
    let total = qualified(dialect, "c", &resolved.total.name);
    let shown = Shown::of(dialect, "c", resolved.header, std::slice::from_ref(&resolved.total.name), &[]);
    let exact = |sql: String, column: &Column| match column.data_type.kind {
        // A product of integers may not fit an integer, which a decimal factor prevents; a float counts as the decimal that it prints as.
        TypeKind::Integer { .. } => format!("(1.0 * {sql})"),
        TypeKind::Float { .. } => dialect.exact_numeric(&sql),
        _ => sql,
    };
    let amount = resolved.amount.sql(&|path| {
        let column = resolved.line_column(path);
        exact(qualified(dialect, "l", &column.name), column)
    });
    let has_header = none_null(&by).expect("there is a column after by");
    let key = all("c", &resolved.header_key);
    let has_key = none_null(&key).expect("there is a column after by");
    let named = by.iter().enumerate().map(|(index, column)| format!("{column} AS relink_{index}"));
    let joined = key.iter().enumerate().map(|(index, column)| format!("s.relink_{index} = {column}"));
    let (named, joined) = (named.collect::<Vec<_>>(), joined.collect::<Vec<_>>());
    let sums = |columns: &str| {
        format!(
            "FROM {header} AS c LEFT JOIN (SELECT {}, COUNT(*) AS relink_lines{columns} FROM {lines} AS l WHERE {has_header} \
             GROUP BY {}) AS s ON {}",
            named.join(", "),
            by.join(", "),
            joined.join(" AND ")
        )
    };
    let open = format!("({total} IS NULL AND s.relink_lines IS NULL)");
    let missing = format!("{has_key} AND {total} IS NULL AND s.relink_lines IS NOT NULL");
    let counted = |condition: &str| format!("COUNT(CASE WHEN {condition} THEN 1 END)");
    let head = format!("SELECT COUNT(*), {}", counted(&format!("NOT ({has_key}) OR {open}")));
    let tolerance = decimal::plain(&resolved.tolerance);
    let null_lines = match any_null(&all("l", &line_columns(&resolved.amount))) {
        Some(null) => format!("SELECT COUNT(*) FROM {lines} AS l WHERE {has_header} AND ({null})"),
        None => String::new(),
    };
    let body = sums(&format!(", SUM({amount}) AS relink_sum"));
    let sum = "COALESCE(s.relink_sum, 0)";
    // Written so that NaN, which compares with nothing or everything, does not pass.
    let differs = format!(
        "{has_key} AND {total} IS NOT NULL AND NOT (ABS({} - {sum}) <= {tolerance})",
        exact(total.clone(), resolved.total)
    );
    let failing = format!("{body} WHERE ({missing}) OR ({differs})");
    let see = format!("SELECT c.*, {sum} AS sum_of_lines {failing}");
    if here {
        let (columns, agrees) =
            agrees(dialect, resolved, &total, &tolerance).unwrap_or_else(|| (String::new(), "1 = 0".to_owned()));
        let doubtful = format!("{has_key} AND NOT {open} AND CASE WHEN {agrees} THEN 0 ELSE 1 END = 1");
        let counts = format!("{head}, {}, 0 {}", counted(&doubtful), sums(&columns));
        return (TotalProbe { counts, null_lines, samples: None, shown }, see);
    }
    let sum_column = Column {
        name: "relink_sum".to_owned(),
        data_type: ColumnType {
            declared: "numeric".to_owned(),
            kind: TypeKind::Decimal { precision: None, scale: None, special: true, unsigned: false },
        },
        ..Column::default()
    };
    let read = [dialect.read_expression("c", resolved.total), dialect.read_expression("s", &sum_column)];
    let samples = format!("SELECT {}, {} {failing} ORDER BY {}", shown.select(), read.join(", "), shown.order());
    let counts = format!("{head}, {}, {} {body}", counted(&missing), counted(&differs));
    (TotalProbe { counts, null_lines, samples: Some(samples), shown }, see)
}

/// Columns to sum per header, and a condition over them that is true only of headers that agree beyond doubt, whatever floats round to. `None` where no
/// condition says so.
fn agrees(dialect: &dyn Dialect, resolved: &Resolved<'_>, total: &str, tolerance: &str) -> Option<(String, String)> {
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
    Some((columns, agrees))
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
fn line_columns(amount: &Expression) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    amount.columns(&mut |path| {
        let name = path.last().expect("a path has a part");
        if !columns.contains(name) {
            columns.push(name.clone());
        }
    });
    columns
}

/// What the database finds; `None` where rows have to be read to tell.
pub(crate) async fn run(
    connection: &mut dyn Connection,
    probe: &TotalProbe,
    samples_max: usize,
) -> Result<Option<Found>, DbError> {
    let mut counts = counts(connection, &probe.counts).await?.into_iter();
    let mut next = || counts.next().unwrap_or_default();
    let (headers, not_judged, missing, differing) = (next(), next(), next(), next());
    let mut found = Found { total: Some(headers), not_judged, ..Found::default() };
    match &probe.samples {
        None if missing + differing > 0 => return Ok(None),
        None => {}
        Some(samples) => {
            for (problem, rows) in [(MISSING, missing), (DIFFERS, differing)] {
                found.add(problem, rows);
            }
            if found.failed > 0 && samples_max > 0 {
                let rows = connection.query(&format!("{samples} LIMIT {samples_max}"), &[]).await?;
                found.samples = rows.into_iter().map(|row| sample_from_database(&probe.shown, row)).collect();
            }
        }
    }
    if !probe.null_lines.is_empty() {
        let skipped = count(connection, &probe.null_lines, &[]).await?;
        if skipped > 0 {
            found.notes.push(null_lines_note(skipped, "lines"));
        }
    }
    Ok(Some(found))
}

impl Found {
    fn add(&mut self, problem: &str, rows: u64) {
        if rows > 0 {
            self.failed += rows;
            self.failed_distinct += rows;
            *self.problems.entry(problem.to_owned()).or_default() += rows;
        }
    }
}

/// A failing header that the database found: key and values, then the total and the sum as text.
fn sample_from_database(shown: &Shown, mut row: Vec<Value>) -> Sample {
    let sum = row.pop().unwrap_or(Value::Null);
    let total = row.pop().unwrap_or(Value::Null);
    let mut sample = sample(shown, row);
    let problem = if total.is_null() { MISSING } else { DIFFERS };
    let exact = if sum.is_null() { Some(BigDecimal::zero()) } else { decimal::of_value(&sum) };
    let difference = decimal::of_value(&total).zip(exact.clone()).map(|(total, sum)| total - sum);
    let sum = exact.as_ref().map(written).or_else(|| text(&sum));
    sample.values.insert("sum of lines".to_owned(), sum);
    if let Some(difference) = difference {
        sample.values.insert("difference".to_owned(), Some(written(&difference)));
    }
    sample.problem = Some(problem.to_owned());
    sample
}
