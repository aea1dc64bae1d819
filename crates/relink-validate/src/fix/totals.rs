//! Totals that take the sum of their lines. The sum is the check's own, added up exactly; it is written only where the column keeps it as it is. Pure.

use bigdecimal::{BigDecimal, RoundingMode, Zero as _};
use relink_db::Dialect;
use relink_model::{Column, Relation, TypeKind};
use relink_rules::{decimal, expression::BoundNode};

use super::{
    Refusal,
    references::Draft,
    rows::{RowNames, Words},
};
use crate::{judge::NO_NUMBER, plan::test::SumsTest, report::Sample};

/// The column that holds the total.
pub(super) fn column<'a>(relation: &'a Relation, test: &SumsTest) -> Result<&'a Column, Refusal> {
    let BoundNode::Column(index) = test.left.amount.node else {
        return Err(Refusal::NoSum {
            relation: relation.name.clone(),
            row: String::new(),
            why: "the total is not a column of its own".to_owned(),
        });
    };
    Ok(&relation.columns[index])
}

/// Writes the sums of these rows' lines.
pub(super) fn recompute(
    dialect: &dyn Dialect,
    relation: &Relation,
    test: &SumsTest,
    samples: &[Sample],
    words: Words<'_>,
) -> Result<Vec<Draft>, Refusal> {
    let column = column(relation, test)?;
    if column.generated.is_some() {
        return Err(Refusal::Generated { relation: relation.name.clone(), column: column.name.clone() });
    }
    let mut drafts = Vec::with_capacity(samples.len());
    for sample in samples {
        let no_sum = |why: &str| Refusal::NoSum {
            relation: relation.name.clone(),
            row: words.row(&relation.name, &sample.key),
            why: why.to_owned(),
        };
        let text = sample.values.get(test.sum_name).cloned().flatten();
        let sum = text.as_deref().and_then(decimal::parse);
        let sum = sum.ok_or_else(|| no_sum(sample.problem.as_deref().unwrap_or(NO_NUMBER)))?;
        if let Some(why) = misfit(column, &sum) {
            return Err(Refusal::DoesNotFit {
                relation: relation.name.clone(),
                row: words.row(&relation.name, &sample.key),
                column: column.name.clone(),
                sum: words.value(&relation.name, &column.name, &decimal::plain(&sum)),
                why,
            });
        }
        let condition = RowNames::of(dialect, "", relation, &sample.key)?.condition([&sample.key])?;
        drafts.push(Draft {
            sql: format!(
                "UPDATE {} SET {} = {} WHERE {condition}",
                dialect.own_rows(relation),
                dialect.quote(&column.name),
                decimal::plain(&scaled(column, sum))
            ),
            rows: 1,
        });
    }
    Ok(drafts)
}

/// With the digits that the column shows: 12.5 as 12.50. Nothing is rounded, for it fits.
fn scaled(column: &Column, sum: BigDecimal) -> BigDecimal {
    match column.data_type.kind {
        TypeKind::Decimal { scale: Some(scale), .. } if scale >= 0 => sum.with_scale(i64::from(scale)),
        _ => sum,
    }
}

/// What would become of a sum that the column does not keep as it is.
fn misfit(column: &Column, sum: &BigDecimal) -> Option<String> {
    let (scale, precision, unsigned) = match column.data_type.kind {
        TypeKind::Integer { bits, unsigned } => {
            let bits = u32::from(bits) - u32::from(!unsigned);
            let limit = BigDecimal::from(1_i128 << bits);
            if *sum >= limit || *sum < -limit {
                return Some(format!("({}) cannot hold a number so large", column.data_type.declared));
            }
            (Some(0), None, unsigned)
        }
        TypeKind::Decimal { scale, precision, unsigned, .. } => (scale, precision, unsigned),
        _ => (None, None, false),
    };
    let declared = &column.data_type.declared;
    if unsigned && *sum < BigDecimal::zero() {
        return Some(format!("({declared}) holds no negative number"));
    }
    if let Some(scale) = scale {
        if sum.with_scale_round(i64::from(scale), RoundingMode::Down) != *sum {
            return Some(format!("({declared}) would round it"));
        }
        if let Some(precision) = precision {
            let whole = i64::from(precision) - i64::from(scale);
            let limit = BigDecimal::new(1.into(), -whole);
            if sum.abs() >= limit {
                return Some(format!("({declared}) cannot hold a number so large"));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use relink_model::ColumnType;

    use super::*;

    #[test]
    fn a_sum_is_written_only_where_it_is_kept_as_it_is() {
        let column =
            |kind: TypeKind| Column { data_type: ColumnType { declared: "x".to_owned(), kind }, ..Column::default() };
        let money = column(TypeKind::Decimal { precision: Some(5), scale: Some(2), special: false, unsigned: false });
        let fits = |column: &Column, sum: &str| misfit(column, &decimal::parse(sum).expect("a number")).is_none();
        for (sum, expected) in
            [("999.99", true), ("1000", false), ("0.005", false), ("1.50000", true), ("-999.99", true)]
        {
            assert_eq!(fits(&money, sum), expected, "{sum}");
        }
        let small = column(TypeKind::Integer { bits: 8, unsigned: false });
        for (sum, expected) in [("127", true), ("128", false), ("-128", true), ("1.5", false)] {
            assert_eq!(fits(&small, sum), expected, "{sum}");
        }
        let unsigned = column(TypeKind::Integer { bits: 64, unsigned: true });
        assert!(fits(&unsigned, "18446744073709551615") && !fits(&unsigned, "18446744073709551616"));
        assert!(!fits(&unsigned, "-1"));
        assert!(fits(&column(TypeKind::Float { bits: 64 }), "0.123456789"));
        let shown = scaled(&money, decimal::parse("12.5").expect("a number"));
        assert_eq!(decimal::plain(&shown), "12.50");
    }
}
