//! Collects findings, grouped by cause: all of them are counted, the first of each group are kept with their places.

use indexmap::IndexMap;
use relink_export::{ExportError, LabelId, Source};
use relink_model::{Finding, FindingCode, RelationName, Severity};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    code,
    decode::Decoder,
    drift::{Drift, DriftKind, DriftLog},
};

/// Findings kept of each group.
pub const SAMPLES_MAX: usize = 1_000;

/// What a finding does to its record and to the restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Handling {
    /// It stops the restore.
    Stops,
    /// Its record is not restored, nor are those that reference it; they go to the reject file.
    Rejects,
    /// Its reference becomes NULL, or is left out of its list.
    Nulls,
    /// Nothing.
    Notes,
}

/// Findings of one cause.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FindingGroup {
    /// What kind of finding.
    pub code: FindingCode,
    /// How bad it is.
    pub severity: Severity,
    /// What it does.
    pub handling: Handling,
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
    /// What the pre-scan notes of drift.
    pub(crate) drift: DriftLog,
}

/// What makes findings one group: code, handling, relation, field, constraint.
type Cause = (FindingCode, Handling, Option<RelationName>, Option<String>, Option<String>);

/// The group that a finding belongs to.
fn cause(finding: &Finding, handling: Handling) -> Cause {
    (finding.code, handling, finding.relation.clone(), finding.field.clone(), finding.constraint.clone())
}

/// What a finding does where nobody says otherwise.
fn handling(finding: &Finding) -> Handling {
    if finding.severity == Severity::Error { Handling::Stops } else { Handling::Notes }
}

impl Findings {
    pub(crate) fn new(source: Source) -> Self {
        Self { source, groups: IndexMap::new(), drift: DriftLog::default() }
    }

    /// Adds a finding that stops the restore if it is an error.
    pub(crate) fn add(
        &mut self,
        finding: Finding,
        spot: Option<Spot<'_>>,
        other: Option<Spot<'_>>,
    ) -> Result<(), ExportError> {
        let handling = handling(&finding);
        self.add_handled(finding, handling, spot, other)
    }

    /// Whether a finding of this kind is still kept with its place, and not only counted.
    pub(crate) fn keeps(&self, finding: &Finding) -> bool {
        self.groups.get(&cause(finding, handling(finding))).is_none_or(|group| group.findings.len() < SAMPLES_MAX)
    }

    /// Adds a finding; its place is worked out only if it is kept.
    pub(crate) fn add_handled(
        &mut self,
        finding: Finding,
        handling: Handling,
        spot: Option<Spot<'_>>,
        other: Option<Spot<'_>>,
    ) -> Result<(), ExportError> {
        let group = self.groups.entry(cause(&finding, handling)).or_insert_with(|| FindingGroup {
            code: finding.code,
            severity: finding.severity,
            handling,
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
        self.groups.values().any(|group| group.handling == Handling::Stops)
    }

    /// The drift that was noted. Findings about fields without a column say from now on what they may have become.
    pub(crate) fn conclude_drift(&mut self, decoder: &Decoder, labels: &[String]) -> Result<Drift, ExportError> {
        let drift = std::mem::take(&mut self.drift).conclude(decoder, labels, &self.source)?;
        for item in drift.items.iter().filter(|item| item.kind == DriftKind::UnknownField) {
            let Some(suggestion) = &item.suggestion else { continue };
            let of_item = |group: &&mut FindingGroup| {
                group.code == code::UNKNOWN_FIELD && group.relation == item.relation && group.field == item.field
            };
            let findings = self.groups.values_mut().filter(of_item).flat_map(|group| &mut group.findings);
            for finding in findings {
                let leave_out = finding.help.take().unwrap_or_default();
                finding.help = Some(format!("perhaps it is: {}\n{leave_out}", suggestion.line));
            }
        }
        Ok(drift)
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
