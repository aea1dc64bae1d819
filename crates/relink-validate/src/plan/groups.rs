//! Rules about many rows together: `totals`, `no_overlap`, `acyclic`, `count`, `fresh`.

use bigdecimal::BigDecimal;
use relink_model::config::{ConfigError, NoLines, NullLeft, Rounding};
use relink_model::{Column, Relation, RelationId, TypeKind};
use relink_rules::Part;
use relink_rules::expression::{
    Bound, BoundNode, Expression, Function, Kind, Path, Sum, Tolerance, Total, parse_bounds, parse_fresh, parse_spans,
    paths_of,
};

use super::names::{Mistake, Names, level, part};
use super::references::{both, live_filter};
use super::test::{CountTest, FreshTest, OverlapTest, SUM_OF_LINES, Side, SumsTest, Test, TreeTest};
use super::{Check, CheckKind, Planning, Table, columns_id};

pub(super) fn plan(planning: &Planning<'_>, table: Table<'_>, checks: &mut Vec<Check>, errors: &mut Vec<ConfigError>) {
    let config = table.config;
    let numbered = |texts: &[String]| -> Vec<(String, String)> {
        texts.iter().enumerate().map(|(at, text)| (at.to_string(), text.clone())).collect()
    };
    let lists = [
        ("totals", numbered(&config.totals)),
        ("no_overlap", numbered(&config.no_overlap)),
        ("acyclic", numbered(&config.acyclic)),
        ("count", config.count.iter().map(|text| (String::new(), text.clone())).collect()),
        ("fresh", config.fresh.iter().map(|text| (String::new(), text.clone())).collect()),
    ];
    for (key, texts) in lists {
        for (at, text) in texts {
            let names = Names::new(planning, table.id, table.name, key);
            let made = match key {
                "totals" => total(planning, names, &text),
                "no_overlap" => no_overlap(planning, names, &text),
                "acyclic" => acyclic(names, &text),
                "count" => count(planning, names, &text),
                _ => fresh(planning, names, &text),
            };
            match made {
                Ok(mut check) => {
                    let mut place = table.at(key, &at);
                    place.retain(|part| !part.is_empty());
                    check.rule = Some(place);
                    check.said = Some(text.clone());
                    checks.push(check);
                }
                Err(mistake) => errors.push(mistake.into_error(table, key, &text)),
            }
        }
    }
}

/// A rule for totals on its way to a check.
pub(super) struct TotalRule<'a> {
    /// As written, for messages.
    pub(super) text: &'a str,
    pub(super) column: Path,
    pub(super) sum: Sum,
    pub(super) by: Vec<Path>,
    pub(super) filter: Option<Expression>,
    pub(super) tolerance: Tolerance,
    pub(super) rounding: Rounding,
    pub(super) no_lines: NoLines,
    pub(super) null_left: NullLeft,
    pub(super) null_lines_fail: bool,
    /// Which headers are judged.
    pub(super) headers: Option<Bound>,
}

impl<'a> TotalRule<'a> {
    fn of(text: &'a str, parsed: Total) -> Self {
        Self {
            text,
            column: parsed.column,
            sum: parsed.sum,
            by: parsed.by,
            filter: parsed.filter,
            tolerance: parsed.tolerance,
            rounding: Rounding::HalfUp,
            no_lines: NoLines::Zero,
            null_left: NullLeft::Finding,
            null_lines_fail: false,
            headers: None,
        }
    }
}

fn total(planning: &Planning<'_>, names: Names<'_>, text: &str) -> Result<Check, Mistake> {
    total_check(planning, names, TotalRule::of(text, relink_rules::parse_total(text)?))
}

pub(super) fn total_check(planning: &Planning<'_>, names: Names<'_>, rule: TotalRule<'_>) -> Result<Check, Mistake> {
    let header = names.relation();
    if let Some((_, table)) = rule.column.split_last().filter(|(_, table)| !table.is_empty()) {
        let other = names.table(table)?;
        if other != names.id {
            let other = &planning.catalog.relation(other).name;
            return Err(Mistake::Expected(format!("a column of {} before \"=\", not of {other}", header.name)));
        }
    }
    let (index, total) = names.column(&rule.column)?;
    let lines_id = line_table(&names, &rule)?;
    let lines = names.of(lines_id);
    let line_relation = lines.relation();
    let mut by = Vec::new();
    for path in &rule.by {
        by.push(lines.column(path)?);
    }
    let mut columns = Vec::new();
    rule.sum.amount.columns(&mut |path| columns.push(path));
    for path in columns {
        let (_, column) = lines.column(path)?;
        number(planning, line_relation, column)?;
    }
    number(planning, header, total)?;
    let amount = lines.amount(&rule.sum.amount, rule.text)?;
    let filter = rule.filter.as_ref().map(|filter| lines.condition(filter, rule.text)).transpose()?;
    // A line that counts as deleted is no part of the sum.
    let filter = both(filter, live_filter(planning, lines_id));
    let by_names: Vec<String> = by.iter().map(|(_, column)| column.name.clone()).collect();
    let header_key = header_key(header, line_relation, &by_names)?;
    let (mut left_key, mut right_key) = (Vec::new(), Vec::new());
    for ((there_index, there), name) in by.into_iter().zip(&header_key) {
        let (here_index, here) = names.named(name)?;
        let (mut here, mut there) = (part(here_index, here, false), part(there_index, there, false));
        level(&mut here, &mut there);
        left_key.push(here);
        right_key.push(there);
    }
    // Of a sum a side that is NULL counts as nothing, and in SQL it makes the whole amount NULL.
    let nullable = |(column, _): &(usize, Kind)| line_relation.columns[*column].nullable;
    let parted = amount.terms().len() > 1 && amount.columns().iter().any(nullable);
    let (other, other_digits, elsewhere) = rounded_elsewhere(&amount, rule.sum.digits);
    let plain = filter.is_none()
        && !parted
        && rule.headers.is_none()
        && live_filter(planning, names.id).is_none()
        && rule.sum.digits.is_none()
        && !rule.tolerance.percent
        && rule.no_lines == NoLines::Zero
        && rule.null_left == NullLeft::Finding
        && !rule.null_lines_fail;
    let test = SumsTest {
        left: Side {
            relation: names.id,
            key: left_key,
            amount: Bound { node: BoundNode::Column(index), kind: Kind::Number },
            other: None,
            summed: false,
            filter: both(rule.headers, live_filter(planning, names.id)),
        },
        right: Some(Side { relation: lines_id, key: right_key, amount, other, summed: true, filter }),
        digits: rule.sum.digits,
        rounding: rule.rounding,
        elsewhere,
        other_digits,
        tolerance: rule.tolerance,
        no_lines: rule.no_lines,
        null_left: rule.null_left,
        null_lines_fail: rule.null_lines_fail,
        sum_name: SUM_OF_LINES,
        plain,
        key_names: Vec::new(),
    };
    let name = format!("total:{}.{}", header.name, total.name);
    let columns = [total.name.clone()];
    let mut check = Check::of(name, CheckKind::Total, header, &columns, Test::Sums(Box::new(test)));
    check.message = format!("{} is not the sum of its lines in {}", total.name, line_relation.name);
    check.why = Some(format!("rule: {}", rule.text.trim()));
    check.help = Some("correct the total or the lines, or the rule where it leaves something out".to_owned());
    Ok(check)
}

/// The amount were it rounded per line where the sum is, or the other way round; to how many digits; and in words.
fn rounded_elsewhere(amount: &Bound, digits: Option<i64>) -> (Option<Bound>, i64, &'static str) {
    if let Some(digits) = digits {
        let rounded = Bound {
            node: BoundNode::Call(
                Function::Round,
                vec![
                    amount.clone(),
                    Bound { node: BoundNode::Constant(BigDecimal::from(digits).into()), kind: Kind::Number },
                ],
            ),
            kind: Kind::Number,
        };
        return (Some(rounded), digits, "each line is rounded instead of their sum");
    }
    if let BoundNode::Call(Function::Round, arguments) = &amount.node
        && let Some(inner) = arguments.first()
    {
        let digits = match arguments.get(1).map(|digits| &digits.node) {
            Some(BoundNode::Constant(datum)) => datum.whole().unwrap_or(0),
            _ => 0,
        };
        return (Some(inner.clone()), digits, "the sum is rounded instead of each line");
    }
    (None, 0, "")
}

/// The one relation that the sum and `by` speak of.
fn line_table(names: &Names<'_>, rule: &TotalRule<'_>) -> Result<RelationId, Mistake> {
    if let Some(counted) = &rule.sum.counted {
        return names.table(counted);
    }
    let mut paths: Vec<&Path> = rule.by.iter().collect();
    rule.sum.amount.columns(&mut |path| paths.push(path));
    let mut found = None;
    for path in paths {
        let Some((_, table)) = path.split_last().filter(|(_, table)| !table.is_empty()) else { continue };
        match (names.table(table)?, found) {
            (id, None) => found = Some(id),
            (id, Some(before)) if id != before => {
                let expected = "the columns of one table only in sum(...) and after \"by\"";
                return Err(Mistake::Expected(expected.to_owned()));
            }
            _ => {}
        }
    }
    found.ok_or_else(|| Mistake::Expected("the table of the lines, as in sum(order_lines.amount)".to_owned()))
}

fn number(planning: &Planning<'_>, relation: &Relation, column: &Column) -> Result<(), Mistake> {
    let number =
        matches!(column.data_type.kind, TypeKind::Integer { .. } | TypeKind::Float { .. } | TypeKind::Decimal { .. });
    if number || !planning.enforces_types(relation) {
        return Ok(());
    }
    let declared = &column.data_type.declared;
    Err(Mistake::Expected(format!("numeric columns, and {}.{} is {declared}", relation.name, column.name)))
}

/// The header's columns that `by` refers to: by a foreign key, else the primary key.
fn header_key(header: &Relation, lines: &Relation, by: &[String]) -> Result<Vec<String>, Mistake> {
    for key in lines.foreign_keys.iter().filter(|key| key.referenced == header.name) {
        let position = |column: &String| key.columns.iter().position(|name| name == column);
        let positions: Option<Vec<usize>> = by.iter().map(position).collect();
        if let Some(positions) = positions.filter(|found| found.len() == key.columns.len()) {
            let referenced = |index: usize| key.referenced_columns.get(index).cloned();
            if let Some(columns) = positions.into_iter().map(referenced).collect() {
                return Ok(columns);
            }
        }
    }
    let primary = header.primary_key_columns();
    if !primary.is_empty() && primary.len() == by.len() {
        return Ok(primary.to_vec());
    }
    let expected = format!("columns after \"by\" that reference {} by a foreign key or its primary key", header.name);
    Err(Mistake::Expected(expected))
}

pub(super) fn no_overlap(planning: &Planning<'_>, names: Names<'_>, text: &str) -> Result<Check, Mistake> {
    let rule = parse_spans(text)?;
    let relation = names.relation();
    let per = rule.per.iter().map(|part| names.any(part, text)).collect::<Result<Vec<_>, _>>()?;
    let (start, end) = (names.any(&rule.start, text)?, names.any(&rule.end, text)?);
    if start.kind != end.kind || !matches!(start.kind, Kind::Number | Kind::Moment) {
        return Err(Mistake::Expected("two dates or two numbers as the ends of the span".to_owned()));
    }
    let columns = columns_of(relation, per.iter().chain([&start, &end]));
    let filter = rule.filter.as_ref().map(|filter| names.condition(filter, text)).transpose()?;
    let filter = both(filter, live_filter(planning, names.id));
    let test = OverlapTest { relation: names.id, per, start, end, filter };
    let name = format!("no_overlap:{}", columns_id(&relation.name, &columns));
    let mut check = Check::of(name, CheckKind::NoOverlap, relation, &columns, Test::NoOverlap(test));
    check.message = format!("overlaps with another row ({})", text.trim());
    check.help = Some("one span may begin where another ends, and not before".to_owned());
    Ok(check)
}

/// The names of the columns of expressions, each once, in their order.
pub(super) fn columns_of<'b>(relation: &Relation, bounds: impl Iterator<Item = &'b Bound>) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for (column, _) in bounds.flat_map(Bound::columns) {
        let name = &relation.columns[column].name;
        if !columns.contains(name) {
            columns.push(name.clone());
        }
    }
    columns
}

pub(super) fn acyclic(names: Names<'_>, text: &str) -> Result<Check, Mistake> {
    let relation = names.relation();
    let (mut columns, mut parent) = (Vec::new(), Vec::new());
    for path in paths_of(text) {
        let (index, column) = names.column(&path)?;
        columns.push(column.name.clone());
        parent.push(part(index, column, false));
    }
    let own_key = relation
        .foreign_keys
        .iter()
        .find(|key| key.referenced == relation.name && key.columns == columns)
        .map_or_else(|| relation.primary_key_columns().to_vec(), |key| key.referenced_columns.clone());
    if own_key.len() != columns.len() {
        let expected = format!("columns that name another row of {} by its primary key", relation.name);
        return Err(Mistake::Expected(expected));
    }
    let mut own = Vec::new();
    for (name, theirs) in own_key.iter().zip(&mut parent) {
        let (index, column) = names.named(name)?;
        let mut here = part(index, column, false);
        level(&mut here, theirs);
        own.push(here);
    }
    let test = TreeTest { relation: names.id, own, parent };
    let name = format!("acyclic:{}", columns_id(&relation.name, &columns));
    let mut check = Check::of(name, CheckKind::Acyclic, relation, &columns, Test::Acyclic(test));
    "is its own ancestor".clone_into(&mut check.message);
    check.help = Some("give one row of each cycle another parent, or none".to_owned());
    Ok(check)
}

pub(super) fn count(planning: &Planning<'_>, names: Names<'_>, text: &str) -> Result<Check, Mistake> {
    let bounds = parse_bounds(text)?;
    let relation = names.relation();
    let test = CountTest { relation: names.id, filter: live_filter(planning, names.id), bounds };
    let mut check = Check::of(format!("count:{}", relation.name), CheckKind::Count, relation, &[], Test::Count(test));
    check.message = format!("the number of rows is not {}", text.trim());
    check.help = Some("were all rows loaded?".to_owned());
    Ok(check)
}

pub(super) fn fresh(planning: &Planning<'_>, names: Names<'_>, text: &str) -> Result<Check, Mistake> {
    let (column, seconds) = parse_fresh(text)?;
    let (index, _) = names.named(&column)?;
    let relation = names.relation();
    let (timezone, filter) = (planning.config.run.timezone.clone(), live_filter(planning, names.id));
    let test = FreshTest { relation: names.id, column: index, seconds, timezone, filter };
    let name = format!("fresh:{}.{column}", relation.name);
    let mut check = Check::of(name, CheckKind::Fresh, relation, &[column], Test::Fresh(test));
    check.message = format!("there is no row so recent: {}", text.trim());
    check.help = Some("does what fills this table still run?".to_owned());
    Ok(check)
}

/// The parts of a key out of paths.
pub(super) fn key_parts(names: Names<'_>, paths: &[Path]) -> Result<Vec<Part>, Mistake> {
    paths.iter().map(|path| names.column(path).map(|(index, column)| part(index, column, false))).collect()
}
