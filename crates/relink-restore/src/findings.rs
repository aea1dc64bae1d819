//! Collects findings, grouped by cause: all of them are counted, the first of each group are kept with their places.

use indexmap::IndexMap;
use relink_export::{ExportError, LabelId, Source};
use relink_model::{Finding, FindingCode, RelationName, Severity};
use schemars::JsonSchema;
use serde::Serialize;

/// Findings kept of each group.
pub const SAMPLES_MAX: usize = 1_000;

/// Findings of one cause.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FindingGroup {
    /// What kind of finding.
    pub code: FindingCode,
    /// How bad it is.
    pub severity: Severity,
    /// The relation concerned.
    pub relation: Option<RelationName>,
    /// The field or column concerned.
    pub field: Option<String>,
    /// The constraint or key concerned.
    pub constraint: Option<String>,
    /// How many there are.
    pub count: u64,
    /// The first of them, each with its place.
    pub findings: Vec<Finding>,
}

/// Where a record stands, as far as findings need it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot<'a> {
    pub(crate) label: LabelId,
    pub(crate) file_ordinal: u64,
    /// Of the value concerned, or of the record.
    pub(crate) offset: u64,
    /// The field concerned.
    pub(crate) field: Option<&'a str>,
}

/// The findings of a restore.
#[derive(Debug)]
pub(crate) struct Findings {
    source: Source,
    groups: IndexMap<Cause, FindingGroup>,
}

/// What makes findings one group: code, relation, field, constraint.
type Cause = (FindingCode, Option<RelationName>, Option<String>, Option<String>);

impl Findings {
    pub(crate) fn new(source: Source) -> Self {
        Self { source, groups: IndexMap::new() }
    }

    /// Adds a finding; its place is worked out only if it is kept.
    pub(crate) fn add(
        &mut self,
        finding: Finding,
        spot: Option<Spot<'_>>,
        other: Option<Spot<'_>>,
    ) -> Result<(), ExportError> {
        let key = (finding.code, finding.relation.clone(), finding.field.clone(), finding.constraint.clone());
        let group = self.groups.entry(key).or_insert_with(|| FindingGroup {
            code: finding.code,
            severity: finding.severity,
            relation: finding.relation.clone(),
            field: finding.field.clone(),
            constraint: finding.constraint.clone(),
            count: 0,
            findings: Vec::new(),
        });
        group.count += 1;
        if group.findings.len() >= SAMPLES_MAX {
            return Ok(());
        }
        let mut finding = finding;
        let place = |spot: Spot<'_>| {
            let pointer = self.source.pointer(spot.label, spot.file_ordinal, spot.field);
            self.source.place(spot.file_ordinal, spot.label, spot.offset, pointer)
        };
        finding.place = spot.map(place).transpose()?;
        finding.other_place = other.map(place).transpose()?;
        group.findings.push(finding);
        Ok(())
    }

    /// Whether anything was found that stops the restore.
    pub(crate) fn has_errors(&self) -> bool {
        self.groups.values().any(|group| group.severity == Severity::Error)
    }

    /// The groups in the order in which they were found.
    pub(crate) fn into_groups(self) -> Vec<FindingGroup> {
        self.groups.into_values().collect()
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }
}

/// A finding without its places.
pub(crate) fn finding(code: FindingCode, relation: &RelationName, message: impl Into<String>) -> Finding {
    Finding {
        code,
        severity: Severity::Error,
        relation: Some(relation.clone()),
        field: None,
        constraint: None,
        place: None,
        other_place: None,
        message: message.into(),
        help: None,
    }
}
