//! What a caller can ask of a restore.

use crate::chosen::Wanted;
use relink_model::{
    AllowDrift, Config, ExternalRefs, Ids, Mode, OnDangling, OnError, RelationId, Strategy, TriggerPolicy, Verify,
    config::TableConfig,
};

/// How a restore is to go. [`Options::of`] takes what the configuration says; a command line then sets what it was told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// How records are treated whose rows exist already.
    pub mode: Mode,
    /// Under which ids rows are inserted.
    pub ids: Ids,
    /// What becomes of references by id to rows that the export does not hold; `None`: what fits the ids.
    pub external_refs: Option<ExternalRefs>,
    /// What becomes of references that lead nowhere.
    pub on_dangling: OnDangling,
    /// What becomes of records that cannot be restored.
    pub on_error: OnError,
    /// Which differences between the export and the schema are accepted.
    pub allow_drift: AllowDrift,
    /// Which rung of the ladder loads rows.
    pub strategy: Strategy,
    /// What becomes of triggers.
    pub triggers: TriggerPolicy,
    /// What is compared after loading.
    pub verify: Verify,
    /// Which records are restored.
    pub selection: Selection,
    /// Commit after so many records, with a journal.
    pub commit_every: Option<u64>,
    /// Go on where a journal says that an earlier run stopped.
    pub resume: bool,
    /// Connections over which relations that do not depend on each other are loaded side by side, with `commit_every` only; `None`: one.
    pub jobs: Option<usize>,
    /// Bytes that the caches may take before they spill to temporary files; `None`: no limit.
    pub memory_bytes: Option<u64>,
}

/// Which records are restored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// Tables or labels; empty: all.
    pub only: Vec<String>,
    /// Tables or labels that are left out.
    pub exclude: Vec<String>,
    /// Table or label, and an SQL condition on the table's columns that a record must meet.
    pub conditions: Vec<(String, String)>,
    /// Only records of rows that are missing, and what these need; `None`: whatever the others choose.
    pub wanted: Option<Wanted>,
}

impl Options {
    /// What the configuration says, and defaults.
    pub fn of(config: &Config) -> Self {
        let restore = &config.restore;
        Self {
            mode: restore.mode.unwrap_or_default(),
            ids: restore.ids.unwrap_or_default(),
            external_refs: restore.external_refs,
            on_dangling: restore.on_dangling.unwrap_or_default(),
            on_error: restore.on_error.unwrap_or_default(),
            allow_drift: restore.allow_drift.unwrap_or_default(),
            triggers: restore.triggers.unwrap_or_default(),
            verify: restore.verify.unwrap_or_default(),
            ..Self::default()
        }
    }
}

/// The options as they hold for each relation.
#[derive(Clone, Debug)]
pub(crate) struct Policies {
    by_relation: Vec<Policy>,
}

/// What holds for one relation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) mode: Mode,
    pub(crate) ids: Ids,
    pub(crate) external_refs: ExternalRefs,
    /// The user said that references by id to rows outside the export are problems.
    pub(crate) refuses_externals: bool,
    /// Nobody said so, and references by id count because ids are kept.
    pub(crate) trusts_ids: bool,
    pub(crate) triggers: TriggerPolicy,
}

impl Policies {
    pub(crate) fn new(options: &Options, relations: usize, tables: &[(RelationId, &str, &TableConfig)]) -> Self {
        let chooses = options.selection.wanted.is_some();
        let policy = |settings: Option<&TableConfig>| {
            let ids = settings.filter(|_| !chooses).and_then(|table| table.ids).unwrap_or(options.ids);
            let by_ids = if ids == Ids::Keep { ExternalRefs::Key } else { ExternalRefs::Refuse };
            Policy {
                // What is missing is added, and nothing else is touched, whatever a table's own mode is.
                mode: settings.filter(|_| !chooses).and_then(|table| table.mode).unwrap_or(options.mode),
                ids,
                external_refs: options.external_refs.unwrap_or(by_ids),
                refuses_externals: options.external_refs == Some(ExternalRefs::Refuse),
                trusts_ids: options.external_refs.is_none() && by_ids == ExternalRefs::Key,
                triggers: settings.and_then(|table| table.triggers).unwrap_or(options.triggers),
            }
        };
        let mut by_relation = vec![policy(None); relations];
        for (id, _, settings) in tables {
            by_relation[id.index()] = policy(Some(settings));
        }
        Self { by_relation }
    }

    pub(crate) fn of(&self, relation: RelationId) -> Policy {
        self.by_relation[relation.index()]
    }
}
