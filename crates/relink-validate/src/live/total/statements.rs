//! The SQL of totals.

use relink_db::Dialect;
use relink_model::{Column, ColumnType, Relation, TypeKind};

use super::super::sql::{Shown, any_null, none_null, qualified};
use super::pages::{self, line_columns};
use super::{Arithmetic, Resolved, TotalProbe};
use relink_rules::{decimal, expression::Path};

pub(super) fn probe(dialect: &dyn Dialect, resolved: &Resolved<'_>) -> (TotalProbe, String) {
    let own = |relation: &Relation| dialect.own_rows(relation);
    let of_line = |names: &[String]| names.iter().map(|name| qualified(dialect, "l", name)).collect::<Vec<_>>();
    let (header, lines, by) = (own(resolved.header), own(resolved.lines), of_line(&resolved.by));
    let total = qualified(dialect, "c", &resolved.total.name);
    let shown = Shown::of(dialect, "c", resolved.header, std::slice::from_ref(&resolved.total.name), &[]);
    let here = dialect.capabilities().stores_temporals_as_text;
    let exact = |sql: String, column: &Column| match column.data_type.kind {
        // A product of integers may not fit an integer, which a decimal factor prevents; a float counts as the decimal that it prints as.
        TypeKind::Integer { .. } => format!("(1.0 * {sql})"),
        TypeKind::Float { .. } => dialect.exact_numeric(&sql),
        _ => sql,
    };
    let line_column = |path: &Path| resolved.lines.column(path.last().expect("a path has a part")).expect("resolved").1;
    let amount = resolved.amount.sql(&|path| {
        let column = line_column(path);
        exact(qualified(dialect, "l", &column.name), column)
    });
    let has_header = none_null(&by).expect("there is a column after by");
    let keys: Vec<String> =
        by.iter().enumerate().map(|(index, column)| format!("{column} AS relink_{index}")).collect();
    let joined: Vec<String> = resolved
        .header_key
        .iter()
        .enumerate()
        .map(|(index, name)| format!("s.relink_{index} = {}", qualified(dialect, "c", name)))
        .collect();
    let sums = |columns: &str| {
        format!(
            "FROM {header} AS c LEFT JOIN (SELECT {}, COUNT(*) AS relink_lines{columns} FROM {lines} AS l WHERE {has_header} \
             GROUP BY {}) AS s ON {}",
            keys.join(", "),
            by.join(", "),
            joined.join(" AND ")
        )
    };
    let missing = format!("{total} IS NULL AND s.relink_lines IS NOT NULL");
    let counted = |condition: &str| format!("COUNT(CASE WHEN {condition} THEN 1 END)");
    let head = format!(
        "SELECT COUNT(*), {}, {}",
        counted(&format!("{total} IS NULL AND s.relink_lines IS NULL")),
        counted(&missing)
    );
    let tolerance = decimal::plain(&resolved.tolerance);
    let null_lines = match any_null(&null_columns(dialect, resolved)) {
        Some(null) => format!("SELECT COUNT(*) FROM {lines} AS l WHERE {has_header} AND ({null})"),
        None => String::new(),
    };
    let body = sums(&format!(", SUM({amount}) AS relink_sum"));
    let sum = "COALESCE(s.relink_sum, 0)";
    // Written so that NaN, which compares with nothing or everything, does not pass.
    let differs =
        format!("{total} IS NOT NULL AND NOT (ABS({} - {sum}) <= {tolerance})", exact(total.clone(), resolved.total));
    let failing = format!("{body} WHERE ({missing}) OR ({differs})");
    let see = format!("SELECT c.*, {sum} AS sum_of_lines {failing}");
    if here {
        let pages = pages::plan(dialect, resolved, &shown, &total, &tolerance, &sums);
        let probe = TotalProbe {
            counts: format!("{head} {}", sums("")),
            null_lines,
            arithmetic: Arithmetic::Here(Box::new(pages)),
            shown,
        };
        return (probe, see);
    }
    let sum_column = Column {
        name: "relink_sum".to_owned(),
        data_type: ColumnType {
            declared: "numeric".to_owned(),
            kind: TypeKind::Decimal { precision: None, scale: None, special: true, unsigned: false },
        },
        ..Column::default()
    };
    let read_total = dialect.read_expression("c", resolved.total);
    let read_sum = dialect.read_expression("s", &sum_column);
    let probe = TotalProbe {
        counts: format!("{head}, {} {body}", counted(&differs)),
        null_lines,
        arithmetic: Arithmetic::Database {
            samples: format!(
                "SELECT {}, {read_total}, {read_sum} {failing} ORDER BY {}",
                shown.select(),
                shown.order()
            ),
        },
        shown,
    };
    (probe, see)
}

/// The columns of the sum, as SQL under the lines' alias.
fn null_columns(dialect: &dyn Dialect, resolved: &Resolved<'_>) -> Vec<String> {
    line_columns(&resolved.amount).iter().map(|name| qualified(dialect, "l", name)).collect()
}
