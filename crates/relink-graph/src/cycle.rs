//! A cycle of the foreign-key graph, and the ways to break it, as plain values.

use std::fmt;

use relink_model::{Catalog, ForeignKey, RelationId};
use schemars::JsonSchema;
use serde::Serialize;

/// A foreign key, by where it stands in the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
pub struct EdgeRef {
    /// The referencing relation.
    pub referencing: RelationId,
    /// The index into its `foreign_keys`.
    pub key: usize,
}

impl EdgeRef {
    /// The foreign key itself.
    pub fn foreign_key(self, catalog: &Catalog) -> &ForeignKey {
        &catalog.relation(self.referencing).foreign_keys[self.key]
    }

    /// `documents.current_id`: how messages name it.
    pub fn describe(self, catalog: &Catalog) -> String {
        self.foreign_key(catalog).describe(&catalog.relation(self.referencing).name)
    }
}

/// Relations that reference each other (or one that references itself) through keys that the database enforces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Cycle {
    /// Every enforced foreign key inside the component, by referencing relation, then by key.
    pub edges: Vec<CycleEdge>,
    /// The ways that are possible, the best first. [`Way::RowOrder`] is always the first: only the rows can tell whether it
    /// is enough. The others follow in their order of preference; where there is no other, [`Way::Refuse`] does.
    pub ways: Vec<Way>,
    /// The ways that are not possible, and why.
    pub refusals: Vec<Refusal>,
}

/// One foreign key inside a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CycleEdge {
    /// The referencing relation.
    pub referencing: RelationId,
    /// The index into its `foreign_keys`.
    pub key: usize,
    /// The referenced relation.
    pub referenced: RelationId,
    /// Whether the reference can be left out at first (see `nulls`).
    pub nullable: bool,
    /// The columns to be inserted as NULL so that the row references nothing yet; empty where that is impossible.
    pub nulls: Vec<String>,
    /// Whether the relation references itself.
    pub self_reference: bool,
}

impl CycleEdge {
    /// The key.
    pub fn edge(&self) -> EdgeRef {
        EdgeRef { referencing: self.referencing, key: self.key }
    }
}

/// A way to load a cycle.
///
/// Each way takes some keys of the component out of consideration ([`Way::keys`]): rows need not wait for what they
/// reference through those. The rows must still come in the order of all other keys. Between relations that is always
/// possible, and `order` is one; a relation's reference to itself that is not among the keys asks for its rows to be
/// put in order. Where they cannot be (the rows themselves form a cycle), the next way is for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "way", rename_all = "kebab-case")]
pub enum Way {
    /// Rows parents first, across the relations of the component; possible when the rows form no cycle.
    RowOrder,
    /// The keys are checked once all rows are in.
    Defer {
        /// The keys deferred, those of `made_deferrable` included.
        keys: Vec<EdgeRef>,
        /// Those that are not declared deferrable, and are made so for the transaction.
        made_deferrable: Vec<EdgeRef>,
        /// The relations in the order of the other keys.
        order: Vec<RelationId>,
    },
    /// The columns [`CycleEdge::nulls`] of these keys are inserted as NULL, then each affected row gets one UPDATE.
    NullThenUpdate {
        /// The keys.
        keys: Vec<EdgeRef>,
        /// The relations in the order of the other keys.
        order: Vec<RelationId>,
    },
    /// Enforcement is off for these keys until the rows are in; they are validated again before commit.
    Suspend {
        /// The keys. Where the database can only switch all of them off at once, what leaves the component is off as well.
        keys: Vec<EdgeRef>,
        /// The relations in the order of the other keys.
        order: Vec<RelationId>,
    },
    /// Nothing but row order is possible.
    Refuse {
        /// Which relations and keys are concerned.
        reason: String,
        /// What would help.
        remedy: String,
    },
}

/// A [`Way`] without its particulars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WayKind {
    /// [`Way::RowOrder`].
    RowOrder,
    /// [`Way::Defer`].
    Defer,
    /// [`Way::NullThenUpdate`].
    NullThenUpdate,
    /// [`Way::Suspend`].
    Suspend,
    /// [`Way::Refuse`].
    Refuse,
}

impl fmt::Display for WayKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RowOrder => "row order",
            Self::Defer => "deferral",
            Self::NullThenUpdate => "NULL, then UPDATE",
            Self::Suspend => "enforcement off",
            Self::Refuse => "refusal",
        })
    }
}

/// A way that is not possible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Refusal {
    /// Which way.
    pub way: WayKind,
    /// Why not, for people.
    pub why: String,
}

impl Way {
    /// Which way it is.
    pub fn kind(&self) -> WayKind {
        match self {
            Self::RowOrder => WayKind::RowOrder,
            Self::Defer { .. } => WayKind::Defer,
            Self::NullThenUpdate { .. } => WayKind::NullThenUpdate,
            Self::Suspend { .. } => WayKind::Suspend,
            Self::Refuse { .. } => WayKind::Refuse,
        }
    }

    /// The keys for whose targets a row need not wait under this way.
    pub fn keys(&self) -> &[EdgeRef] {
        match self {
            Self::RowOrder | Self::Refuse { .. } => &[],
            Self::Defer { keys, .. } | Self::NullThenUpdate { keys, .. } | Self::Suspend { keys, .. } => keys,
        }
    }

    /// What is done, for people.
    pub fn describe(&self, catalog: &Catalog) -> String {
        match self {
            Self::RowOrder => {
                "row order: rows are loaded after the rows they reference, where these form no cycle".to_owned()
            }
            Self::Defer { keys, made_deferrable, .. } if made_deferrable.is_empty() => {
                format!("deferral: {} checked once all rows are in", describe_keys(catalog, keys))
            }
            Self::Defer { keys, made_deferrable, .. } => format!(
                "deferral: {} checked once all rows are in; for that {} made deferrable, and put back before commit",
                describe_keys(catalog, keys),
                with_verb(catalog, made_deferrable),
            ),
            Self::NullThenUpdate { keys, order } => {
                let order =
                    if order.len() > 1 { format!(" ({} in this order)", names(catalog, order)) } else { String::new() };
                format!(
                    "NULL, then UPDATE: {} NULL at first, then set by one UPDATE per affected row{order}",
                    describe_keys(catalog, keys)
                )
            }
            Self::Suspend { keys, .. } => {
                format!(
                    "enforcement off: {} not enforced while loading, and validated before commit",
                    describe_keys(catalog, keys)
                )
            }
            Self::Refuse { reason, remedy } => format!("refused: {reason}; {remedy}"),
        }
    }
}

/// `a.x, b.y`.
pub(crate) fn describe_keys(catalog: &Catalog, keys: &[EdgeRef]) -> String {
    keys.iter().map(|key| key.describe(catalog)).collect::<Vec<_>>().join(", ")
}

/// `a.x is`, `a.x, b.y are`.
pub(crate) fn with_verb(catalog: &Catalog, keys: &[EdgeRef]) -> String {
    format!("{} {}", describe_keys(catalog, keys), if keys.len() == 1 { "is" } else { "are" })
}

/// `a, b`.
pub(crate) fn names(catalog: &Catalog, relations: &[RelationId]) -> String {
    relations.iter().map(|id| catalog.relation(*id).name.to_string()).collect::<Vec<_>>().join(", ")
}
