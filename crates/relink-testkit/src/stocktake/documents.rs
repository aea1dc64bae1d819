//! Documents and their versions, which refer to each other, and the audit trail, which refers to anything.

use serde_json::json;

use super::cell::Cell;
use super::rng::Rng;
use super::schema::Table;
use super::words::{BODIES, DOCUMENTS};
use super::{Stocktake, moment, stream};

/// Versions of four neighbouring documents.
const VERSIONS: [i64; 4] = [1, 4, 2, 3];

/// Versions of all documents before this one.
fn versions_before(document: i64) -> i64 {
    let (groups, within) = ((document - 1) / 4, (document - 1) % 4);
    groups * 10 + VERSIONS[..within as usize].iter().sum::<i64>()
}

/// The document of a version, and its number within it.
fn document_of(version: i64) -> (i64, i64) {
    let (groups, mut within) = ((version - 1) / 10, (version - 1) % 10);
    let mut document = groups * 4 + 1;
    for count in VERSIONS {
        if within < count {
            break;
        }
        within -= count;
        document += 1;
    }
    (document, within + 1)
}

/// A document's title, which is the natural key although the database does not hold it unique.
pub(super) fn document_title(id: i64) -> String {
    format!("{} #{id}", DOCUMENTS[(id - 1) as usize % DOCUMENTS.len()])
}

impl Stocktake {
    pub(super) fn document_row(&self, id: i64) -> Vec<Cell> {
        let mut rng = Rng::for_row(self.seed, stream(Table::Document), id);
        let versions = VERSIONS[((id - 1) % 4) as usize];
        // Mostly the last version; a withdrawn one falls back to the first; a draft has none.
        let current = match rng.below(8) {
            0 => None,
            1 => Some(1),
            _ => Some(versions),
        };
        vec![
            Cell::Int(id),
            Cell::text(document_title(id)),
            Cell::optional((!rng.one_in(3)).then(|| rng.between(1, self.sizes.items)), Cell::Int),
            Cell::optional((!rng.one_in(5)).then(|| rng.between(1, self.sizes.users)), Cell::Int),
            Cell::optional(current, |number| Cell::Int(versions_before(id) + number)),
        ]
    }

    pub(super) fn version_row(&self, id: i64) -> Vec<Cell> {
        let mut rng = Rng::for_row(self.seed, stream(Table::DocumentVersion), id);
        let (document, number) = document_of(id);
        vec![
            Cell::Int(id),
            Cell::Int(document),
            Cell::Int(number),
            Cell::optional((!rng.one_in(6)).then(|| rng.between(1, self.sizes.users)), Cell::Int),
            Cell::text(*rng.pick(&BODIES)),
            Cell::Timestamp(moment(&mut rng, id, self.sizes.versions)),
        ]
    }

    pub(super) fn audit_row(&self, id: i64) -> Vec<Cell> {
        let mut rng = Rng::for_row(self.seed, stream(Table::AuditEntry), id);
        let (content_type, rows) = *rng.pick(&[
            (6, self.sizes.suppliers),
            (8, self.sizes.items),
            (8, self.sizes.items),
            (10, self.sizes.stocks),
            (12, self.sizes.orders),
            (14, self.sizes.documents),
        ]);
        let action = *rng.pick(&["create", "change", "change", "change", "delete-tag"]);
        let changes = match action {
            "change" => Some(json!({"quantity": [rng.between(0, 99), rng.between(0, 99)], "by": "Hr. Ö."})),
            "delete-tag" => Some(json!(["tags", null, "périssable"])),
            _ => None,
        };
        vec![
            Cell::Int(id),
            Cell::Timestamp(moment(&mut rng, id, self.sizes.audit_entries)),
            Cell::optional((!rng.one_in(10)).then(|| rng.between(1, self.sizes.users)), Cell::Int),
            Cell::text(action),
            Cell::Int(content_type),
            Cell::text(rng.between(1, rows).to_string()),
            Cell::optional(changes, Cell::Json),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_documents_agree_about_who_belongs_to_whom() {
        for document in 1..=20 {
            for number in 1..=VERSIONS[((document - 1) % 4) as usize] {
                assert_eq!(document_of(versions_before(document) + number), (document, number));
            }
        }
    }
}
