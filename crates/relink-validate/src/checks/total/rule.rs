//! A rule for totals on its way to a check: its names, found in the catalog. Writes no SQL.

use bigdecimal::BigDecimal;
use relink_model::config::{ConfigError, require_column};
use relink_model::{Column, Relation, RelationId, RelationName, Severity, TypeKind};
use relink_rules::{Total, expression::Path};

use super::statements;
use crate::expression::Expression;
use crate::plan::{Census, Check, CheckKind, Planning, Probe};

/// A rule on its way to a check.
pub(super) struct Rule<'a> {
    pub(super) planning: &'a Planning<'a>,
    pub(super) id: RelationId,
    pub(super) table: &'a str,
    pub(super) text: &'a str,
}

/// The names of a rule, found in the catalog.
pub(super) struct Resolved<'a> {
    pub(super) header: &'a Relation,
    pub(super) total: &'a Column,
    pub(super) lines: &'a Relation,
    /// The lines' columns that name the header, and the header's columns that they name, position for position.
    pub(super) by: Vec<String>,
    pub(super) header_key: Vec<String>,
    pub(super) amount: Expression,
    pub(super) tolerance: BigDecimal,
}

impl<'a> Rule<'a> {
    fn error(&self, expected: impl Into<String>) -> ConfigError {
        ConfigError::Syntax {
            table: self.table.to_owned(),
            key: "totals".to_owned(),
            text: self.text.to_owned(),
            expected: expected.into(),
        }
    }

    fn resolve(&self) -> Result<Resolved<'a>, ConfigError> {
        let catalog = self.planning.catalog;
        let parsed = relink_rules::parse_total(self.text)
            .map_err(|error| self.error(format!("{} at character {}", error.expected, error.at)))?;
        let amount = Expression::of(&parsed.amount).map_err(|byte| {
            let at = self.text.get(..byte).map_or(0, |before| before.chars().count()) + 1;
            self.error(format!(
                "columns and numbers with + - * and parentheses at character {at}: all else would round"
            ))
        })?;
        let header = catalog.relation(self.id);
        let total_name = parsed.column.last().expect("a path has a part");
        if let Some(other) = self.named_table(&parsed.column)?.filter(|named| *named != self.id) {
            return Err(self.error(format!(
                "a column of {} before \"=\", not of {}",
                header.name,
                catalog.relation(other).name
            )));
        }
        let total = self.column(self.id, self.table, total_name)?;
        let lines_id = self.line_table(&parsed)?;
        let lines = catalog.relation(lines_id);
        let lines_name = lines.name.to_string();
        let mut by = Vec::new();
        for path in &parsed.by {
            by.push(self.column(lines_id, &lines_name, path.last().expect("a path has a part"))?.name.clone());
        }
        let mut columns = Vec::new();
        parsed.amount.columns(&mut |path| columns.push(path));
        for path in columns {
            self.number(lines, self.column(lines_id, &lines_name, path.last().expect("a path has a part"))?)?;
        }
        self.number(header, total)?;
        let header_key = self.header_key(header, lines, &by)?;
        Ok(Resolved { header, total, lines, by, header_key, amount, tolerance: parsed.tolerance })
    }

    /// The relation that a path names before its column; `None` for a bare column.
    fn named_table(&self, path: &Path) -> Result<Option<RelationId>, ConfigError> {
        let Some((_, table)) = path.split_last().filter(|(_, table)| !table.is_empty()) else { return Ok(None) };
        let catalog = self.planning.catalog;
        let name = match table {
            [name] => RelationName::new(name.clone()),
            [namespace, rest @ ..] => RelationName::qualified(namespace.clone(), rest.join(".")),
            [] => return Ok(None),
        };
        let written = table.join(".");
        catalog.id(&name).or_else(|| catalog.find(&written)).map(Some).ok_or_else(|| {
            let names: Vec<String> = catalog.relations.iter().map(|relation| relation.name.to_string()).collect();
            let nearest = relink_model::suggest::nearest(&written, names.iter().map(String::as_str)).map(str::to_owned);
            ConfigError::UnknownTable { table: written, nearest }
        })
    }

    /// The one relation that the sum and `by` speak of.
    fn line_table(&self, parsed: &Total) -> Result<RelationId, ConfigError> {
        let mut paths: Vec<&Path> = parsed.by.iter().collect();
        parsed.amount.columns(&mut |path| paths.push(path));
        let mut found = None;
        for path in paths {
            match (self.named_table(path)?, found) {
                (Some(id), None) => found = Some(id),
                (Some(id), Some(before)) if id != before => {
                    return Err(self.error("the columns of one table only in sum(...) and after \"by\""));
                }
                _ => {}
            }
        }
        found.ok_or_else(|| self.error("the table of the lines, as in sum(order_lines.amount)"))
    }

    fn column(&self, id: RelationId, table: &str, name: &str) -> Result<&'a Column, ConfigError> {
        require_column(self.planning.catalog, id, table, "totals", name)?;
        Ok(self.planning.catalog.relation(id).column(name).expect("it was just required").1)
    }

    fn number(&self, relation: &Relation, column: &Column) -> Result<(), ConfigError> {
        let number = matches!(
            column.data_type.kind,
            TypeKind::Integer { .. } | TypeKind::Float { .. } | TypeKind::Decimal { .. }
        );
        if number || !self.planning.enforces_types(relation) {
            return Ok(());
        }
        let declared = &column.data_type.declared;
        Err(self.error(format!("numeric columns, and {}.{} is {declared}", relation.name, column.name)))
    }

    /// The header's columns that `by` refers to: by a foreign key, else the primary key.
    fn header_key(&self, header: &Relation, lines: &Relation, by: &[String]) -> Result<Vec<String>, ConfigError> {
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
        Err(self
            .error(format!("columns after \"by\" that reference {} by a foreign key or its primary key", header.name)))
    }

    pub(super) fn check(&self) -> Result<Check, ConfigError> {
        let resolved = self.resolve()?;
        let (probe, sql) = statements::probe(self.planning, &resolved);
        let header = &resolved.header.name;
        let total = &resolved.total.name;
        Ok(Check {
            id: format!("total:{header}.{total}"),
            kind: CheckKind::Total,
            relation: header.clone(),
            columns: vec![total.clone()],
            severity: Severity::Error,
            message: format!("{total} is not the sum of its lines in {}", resolved.lines.name),
            why: Some(format!("rule: {}", self.text.trim())),
            help: Some("correct the total or the lines, or the rule where it leaves something out".to_owned()),
            sql: Some(sql),
            census: Census::default(),
            probe: Probe::Total(Box::new(probe)),
        })
    }
}
