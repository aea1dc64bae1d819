//! The stable codes of restore's findings. They are never renamed.

use relink_model::FindingCode;

/// A label of the export that has no relation.
pub const UNKNOWN_MODEL: FindingCode = FindingCode("restore::unknown-model");
/// A field that has no column.
pub const UNKNOWN_FIELD: FindingCode = FindingCode("restore::unknown-field");
/// A column that takes no NULL and gets no value.
pub const MISSING_VALUE: FindingCode = FindingCode("restore::missing-value");
/// A value that its column cannot hold exactly.
pub const UNFIT_VALUE: FindingCode = FindingCode("restore::unfit-value");
/// A JSON column gets a string that holds JSON text: a warning, as nothing tells which of the two is meant.
pub const JSON_IN_TEXT: FindingCode = FindingCode("restore::json-in-text");
/// Two records with the same key.
pub const DUPLICATE_KEY: FindingCode = FindingCode("restore::duplicate-key");
/// A reference to a row that is neither in the export nor in the target.
pub const DANGLING_REFERENCE: FindingCode = FindingCode("restore::dangling-reference");
/// A natural key that names several rows.
pub const AMBIGUOUS_NATURAL_KEY: FindingCode = FindingCode("restore::ambiguous-natural-key");
/// A reference by id to records whose ids the export leaves out.
pub const UNNAMED_REFERENCE: FindingCode = FindingCode("restore::unnamed-reference");
/// A natural key of a relation whose natural key relink does not know.
pub const UNKNOWN_NATURAL_KEY: FindingCode = FindingCode("restore::unknown-natural-key");
/// A record whose row exists already.
pub const EXISTING_ROW: FindingCode = FindingCode("restore::existing-row");
/// A record that nothing tells from the rows that the target holds: whether it exists already is not known.
pub const NO_IDENTITY: FindingCode = FindingCode("restore::no-identity");
/// A record whose id another row of the target has.
pub const ID_TAKEN: FindingCode = FindingCode("restore::id-taken");
/// A generic reference of a type for which no table is known, where ids may be other rows' in the target.
pub const UNKNOWN_TYPE: FindingCode = FindingCode("restore::unknown-type");
/// A document in which ids are to be followed and that cannot be read, where ids may be other rows' in the target.
pub const UNREADABLE_DOCUMENT: FindingCode = FindingCode("restore::unreadable-document");
/// A record that is taken for the row of its id, where ids may be remapped and nothing else tells: a warning.
pub const MATCHED_BY_ID: FindingCode = FindingCode("restore::matched-by-id");
/// A reference by id to a row that the export does not hold, where ids of the source say nothing in the target.
pub const EXTERNAL_REFERENCE: FindingCode = FindingCode("restore::external-reference");
/// Rows of tables that are not restored reference rows that are to be cleared.
pub const REFERENCED_FROM_OUTSIDE: FindingCode = FindingCode("restore::referenced-from-outside");
/// A record that references a rejected one.
pub const FOLLOWS_REJECTED: FindingCode = FindingCode("restore::follows-rejected");
/// A row that the database refused.
pub const REFUSED_ROW: FindingCode = FindingCode("restore::refused-row");
/// A record that references a refused one.
pub const FOLLOWS_REFUSED: FindingCode = FindingCode("restore::follows-refused");
/// Ids that the export leaves out, told from the order of its records: a warning.
pub const RECOVERED_IDS: FindingCode = FindingCode("restore::recovered-ids");
/// More records without id than there are numbers left.
pub const NO_NUMBER_LEFT: FindingCode = FindingCode("restore::no-number-left");
/// Rows that hold after loading no longer.
pub const VALIDATION: FindingCode = FindingCode("restore::validation");
/// A cycle of foreign keys that cannot be loaded.
pub const UNBREAKABLE_CYCLE: FindingCode = FindingCode("restore::unbreakable-cycle");
/// A table that is written outside every transaction.
pub const NOT_TRANSACTIONAL: FindingCode = FindingCode("restore::not-transactional");
/// Triggers that are to be switched off and cannot be.
pub const TRIGGERS_STAY: FindingCode = FindingCode("restore::triggers-stay");
/// A right that is missing.
pub const MISSING_PRIVILEGE: FindingCode = FindingCode("restore::missing-privilege");
/// A row that was written and is not there.
pub const ROW_MISSING: FindingCode = FindingCode("restore::row-missing");
/// A value that is not the one that was written: a warning where a trigger may have changed it.
pub const CHANGED_VALUE: FindingCode = FindingCode("restore::changed-value");
/// A computed column that differs from what the export holds: a warning.
pub const COMPUTED_DIFFERS: FindingCode = FindingCode("restore::computed-differs");
/// A reference that leads to another row than the export means.
pub const REFERENCE_MOVED: FindingCode = FindingCode("restore::reference-moved");
/// A natural key that names no row, or several, after loading: where its reference leads cannot be confirmed.
pub const REFERENCE_UNCONFIRMED: FindingCode = FindingCode("restore::reference-unconfirmed");

/// Every code.
const ALL: &[FindingCode] = &[
    UNKNOWN_TYPE,
    UNREADABLE_DOCUMENT,
    MATCHED_BY_ID,
    UNKNOWN_MODEL,
    UNKNOWN_FIELD,
    MISSING_VALUE,
    UNFIT_VALUE,
    JSON_IN_TEXT,
    DUPLICATE_KEY,
    DANGLING_REFERENCE,
    AMBIGUOUS_NATURAL_KEY,
    UNNAMED_REFERENCE,
    UNKNOWN_NATURAL_KEY,
    EXISTING_ROW,
    NO_IDENTITY,
    ID_TAKEN,
    EXTERNAL_REFERENCE,
    REFERENCED_FROM_OUTSIDE,
    FOLLOWS_REJECTED,
    REFUSED_ROW,
    FOLLOWS_REFUSED,
    RECOVERED_IDS,
    NO_NUMBER_LEFT,
    VALIDATION,
    UNBREAKABLE_CYCLE,
    NOT_TRANSACTIONAL,
    TRIGGERS_STAY,
    MISSING_PRIVILEGE,
    ROW_MISSING,
    CHANGED_VALUE,
    COMPUTED_DIFFERS,
    REFERENCE_MOVED,
    REFERENCE_UNCONFIRMED,
];

/// The code of this text; one that an earlier version wrote and this one does not know counts as a refused row.
pub(crate) fn known(text: &str) -> FindingCode {
    ALL.iter().copied().find(|code| code.0 == text).unwrap_or(REFUSED_ROW)
}
