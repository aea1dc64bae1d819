//! The stocktake application: an inventory as a Django project would keep it, made row by row from a seed.
//!
//! [`Stocktake`] knows every row; the writers ([`django`], [`tables`], [`csv`], [`sql`]) put the same rows into the
//! forms that people have; [`damaged_export`] and [`damaged_database`] plant mistakes and list what must be found. Rows
//! come from the seed and their own number alone: no clock, no state, so a million of them stream without being kept.
//!
//! Types and constraints are not made here: they stand in `testdata/stocktake/schema`.

mod cell;
pub mod csv;
pub mod damaged_database;
pub mod damaged_export;
pub mod django;
mod documents;
mod inventory;
mod json;
mod orders;
mod people;
mod rng;
pub mod samples;
mod schema;
mod sizes;
pub mod sql;
pub mod tables;
mod words;

pub use cell::Cell;
pub use schema::{Column, ManyToMany, Table, TableSpec};
pub use sizes::RECORDS_MIN;

use cell::{DAY, days_from_civil};
use rng::Rng;
use sizes::Sizes;

/// The seed of the committed files.
pub const SEED: u64 = 20_260_601;

/// The first instant of the application's life.
const START: i64 = days_from_civil(2023, 1, 2) * DAY;

/// The last one; `testdata/stocktake/relink.toml` takes the next day as now.
const END: i64 = days_from_civil(2026, 6, 1) * DAY - 1;

/// The number that keeps a table's pseudo-random stream apart from the others'.
fn stream(table: Table) -> u64 {
    table as u64 * 0x1_0000
}

/// The application's rows.
#[derive(Clone, Debug)]
pub struct Stocktake {
    seed: u64,
    sizes: Sizes,
}

impl Stocktake {
    /// The application with this many records: objects of a Django dump, where the rows of join tables are part of
    /// their owners. Fewer than [`RECORDS_MIN`] there cannot be.
    pub fn new(seed: u64, records: u64) -> Self {
        Self { seed, sizes: Sizes::for_records(seed, i64::try_from(records).expect("fewer records than 2^63")) }
    }

    /// Objects of a Django dump.
    pub fn records(&self) -> u64 {
        self.sizes.records() as u64
    }

    /// Rows of a table. Join tables are counted owner by owner.
    pub fn count(&self, table: Table) -> u64 {
        match owner(table) {
            Some((owner, _)) => (1..=self.models(owner)).map(|id| self.members(table, id).len() as u64).sum(),
            None => self.models(table) as u64,
        }
    }

    /// Calls `f` with each row of a table, in the order of their ids.
    pub fn for_each<E>(&self, table: Table, mut f: impl FnMut(&[Cell]) -> Result<(), E>) -> Result<(), E> {
        if let Some((owner, _)) = owner(table) {
            let mut id = 0;
            for owner_id in 1..=self.models(owner) {
                for member in self.members(table, owner_id) {
                    id += 1;
                    f(&[Cell::Int(id), Cell::Int(owner_id), Cell::Int(member)])?;
                }
            }
        } else if table == Table::OrderLine {
            let mut id = 1;
            for order in 1..=self.sizes.orders {
                for row in self.order_line_rows(order, id) {
                    id += 1;
                    f(&row)?;
                }
            }
        } else {
            for id in 1..=self.models(table) {
                f(&self.row(table, id))?;
            }
        }
        Ok(())
    }

    /// The targets of a many-to-many field, by its join table and the owner's id.
    pub(crate) fn members(&self, join: Table, owner_id: i64) -> Vec<i64> {
        match join {
            Table::GroupPermissions => people::group_permissions(owner_id),
            Table::UserGroups => self.user_groups(owner_id),
            Table::UserPermissions => self.user_permissions(owner_id),
            Table::ItemTags => self.item_tags(owner_id),
            other => unreachable!("{other:?} is no join table"),
        }
    }

    /// The natural key by which a dump with natural foreign keys refers to a row.
    pub(crate) fn natural_key(&self, table: Table, id: i64) -> Vec<String> {
        match table {
            Table::ContentType => {
                let content_type = people::content_type_of(id);
                vec![content_type.app.to_owned(), content_type.model.to_owned()]
            }
            Table::Permission => people::permission_key(id),
            Table::Group => vec![people::group_name(id).to_owned()],
            Table::User => vec![self.user_name(id)],
            Table::Category => vec![inventory::category_slug(id)],
            Table::Supplier => vec![inventory::supplier_name(id)],
            Table::Tag => vec![inventory::tag_name(id)],
            Table::Item => vec![self.item_sku(id)],
            Table::Location => vec![self.location_code(id)],
            Table::Document => vec![documents::document_title(id)],
            other => unreachable!("{other:?} has no natural key"),
        }
    }

    /// The row of a model whose rows can be made alone.
    fn row(&self, table: Table, id: i64) -> Vec<Cell> {
        match table {
            Table::ContentType => people::content_type_row(id),
            Table::Permission => people::permission_row(id),
            Table::Group => vec![Cell::Int(id), Cell::text(people::group_name(id))],
            Table::User => self.user_row(id),
            Table::Category => self.category_row(id),
            Table::Supplier => self.supplier_row(id),
            Table::Tag => inventory::tag_row(id),
            Table::Item => self.item_row(id),
            Table::Location => self.location_row(id),
            Table::Stock => self.stock_row(id),
            Table::Movement => self.movement_row(id),
            Table::Order => self.order_row(id),
            Table::Document => self.document_row(id),
            Table::DocumentVersion => self.version_row(id),
            Table::AuditEntry => self.audit_row(id),
            other => unreachable!("the rows of {other:?} come with their owners"),
        }
    }

    /// Rows of a model's table.
    fn models(&self, table: Table) -> i64 {
        match table {
            Table::ContentType => people::CONTENT_TYPES.len() as i64,
            Table::Permission => (people::CONTENT_TYPES.len() * people::ACTIONS.len()) as i64,
            Table::Group => words::GROUPS.len() as i64,
            Table::User => self.sizes.users,
            Table::Category => self.sizes.categories,
            Table::Supplier => self.sizes.suppliers,
            Table::Tag => self.sizes.tags,
            Table::Item => self.sizes.items,
            Table::Location => self.sizes.locations,
            Table::Stock => self.sizes.stocks,
            Table::Movement => self.sizes.movements,
            Table::Order => self.sizes.orders,
            Table::OrderLine => self.sizes.order_lines,
            Table::Document => self.sizes.documents,
            Table::DocumentVersion => self.sizes.versions,
            Table::AuditEntry => self.sizes.audit_entries,
            join => unreachable!("{join:?} is a join table"),
        }
    }
}

/// When a row came into being: rows follow one another over the application's life, mostly to the microsecond, at times
/// on the full second.
fn moment(rng: &mut Rng, id: i64, count: i64) -> i64 {
    let share = (END - START) / count;
    let at = START + share * (id - 1) + rng.below(share);
    if rng.one_in(8) { at - at % 1_000_000 } else { at }
}

/// The model that owns a join table, and its field.
fn owner(join: Table) -> Option<(Table, &'static ManyToMany)> {
    Table::ALL
        .into_iter()
        .find_map(|table| table.spec().many_to_many.iter().find(|field| field.join == join).map(|field| (table, field)))
}
