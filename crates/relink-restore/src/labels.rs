//! Which relation the records of each label of an export go to.

use std::collections::HashSet;

use relink_export::Run;
use relink_model::{AllowDrift, RelationId, config::ConfigError};
use relink_records::LabelTarget;

use crate::{
    Error, Request, code,
    decode::Decoder,
    findings::{Findings, finding},
    report::{IgnoredLabel, LeftOutBy},
};

/// What the labels of an export are.
pub(crate) struct Assigned {
    /// The runs of each relation.
    pub(crate) runs: Vec<Vec<Run>>,
    /// Labels that are left out.
    pub(crate) ignored: Vec<IgnoredLabel>,
    /// About labels that are not known.
    pub(crate) findings: Findings,
    /// Relations that labels name, those of empty tables included.
    pub(crate) present: HashSet<RelationId>,
}

pub(crate) fn assign(decoder: &Decoder, request: &Request<'_>) -> Result<Assigned, Error> {
    let named = decoder.mapping.targets().iter().filter_map(|target| match target {
        LabelTarget::Relation(relation) if decoder.selected.takes(*relation) => Some(*relation),
        _ => None,
    });
    let mut runs = vec![Vec::new(); decoder.catalog.relations.len()];
    let mut ignored: Vec<IgnoredLabel> = Vec::new();
    let mut findings = Findings::new(request.source.clone());
    for run in &request.index.runs {
        let label = &request.index.labels[run.label.index()];
        match decoder.mapping.target(run.label) {
            LabelTarget::Relation(relation) if decoder.selected.takes(*relation) => {
                runs[relation.index()].push(run.clone());
            }
            LabelTarget::Relation(_) => ignore(&mut ignored, label, run.records, LeftOutBy::Selection),
            LabelTarget::Ignored => ignore(&mut ignored, label, run.records, LeftOutBy::Configuration),
            LabelTarget::Unknown { .. } if decoder.selected.has_only() => {
                ignore(&mut ignored, label, run.records, LeftOutBy::Selection);
            }
            LabelTarget::Unknown { expected, nearest } => {
                findings.drift.unknown_model(label, expected, nearest.as_deref(), run);
                if request.options.allow_drift >= AllowDrift::Models {
                    ignore(&mut ignored, label, run.records, LeftOutBy::Drift);
                    continue;
                }
                let message = format!("{label}: the database has no table {expected} ({} records)", run.records);
                let name = relink_model::RelationName::new(expected.clone());
                let mut found = finding(code::UNKNOWN_MODEL, &name, message);
                found.help = Some(match nearest {
                    _ if decoder.catalog.relations.is_empty() => {
                        "the target holds no table at all: make them first, or give --schema".to_owned()
                    }
                    Some(nearest) => format!(
                        "if it is table {nearest}: [table.{nearest}] models = [{label:?}]; to leave it out: ignore_models = [{label:?}]"
                    ),
                    None => format!(
                        "name its table: [table.NAME] models = [{label:?}]; to leave it out: ignore_models = [{label:?}]"
                    ),
                });
                let spot = crate::findings::Spot {
                    label: run.label,
                    file_ordinal: run.first_ordinal,
                    offset: run.start,
                    field: None,
                };
                findings.add(found, Some(spot), None)?;
            }
        }
    }
    let present: HashSet<RelationId> = named.collect();
    if !ignored.is_empty() && present.is_empty() && !findings.has_errors() {
        let by = |by: LeftOutBy| ignored.iter().all(|label| label.by == by);
        if by(LeftOutBy::Selection) {
            return Err(Error::Config(vec![ConfigError::NothingSelected]));
        }
        if by(LeftOutBy::Drift) {
            let message = "no label of the export has a table here: is this the right database?";
            let mut found = finding(code::UNKNOWN_MODEL, &relink_model::RelationName::default(), message);
            found.relation = None;
            found.help = Some("name the tables: [table.NAME] models = [...]".to_owned());
            findings.add(found, None, None)?;
        }
    }
    Ok(Assigned { runs, ignored, findings, present })
}

/// Counts records that are left out.
pub(crate) fn ignore(ignored: &mut Vec<IgnoredLabel>, label: &str, records: u64, by: LeftOutBy) {
    match ignored.iter_mut().find(|known| known.label == label) {
        Some(known) => known.records += records,
        None => ignored.push(IgnoredLabel { label: label.to_owned(), records, by }),
    }
}
