//! How many rows each table gets for a wanted number of records: mostly movements, order lines, stock, items and audit
//! entries, as in a warehouse that has been running for a while.

use super::orders;
use super::people;

/// The smallest dump: below it the fixed parts (content types, permissions, roles) leave no room for the rest.
pub const RECORDS_MIN: i64 = 500;

/// Rows per table. Join tables are not here: their rows belong to their owners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) users: i64,
    pub(super) categories: i64,
    pub(super) suppliers: i64,
    pub(super) tags: i64,
    pub(super) items: i64,
    pub(super) locations: i64,
    pub(super) stocks: i64,
    pub(super) movements: i64,
    pub(super) orders: i64,
    pub(super) order_lines: i64,
    pub(super) documents: i64,
    pub(super) versions: i64,
    pub(super) audit_entries: i64,
}

impl Sizes {
    /// Sizes that add up to exactly `records` records (objects of a Django dump, join rows not counted).
    pub(super) fn for_records(seed: u64, records: i64) -> Self {
        let records = records.max(RECORDS_MIN);
        // Stock comes in groups of six rows for three items, versions in groups of ten for four documents.
        let items = (records * 8 / 300 + 1) * 3;
        let documents = (records / 400 + 1) * 4;
        let mut sizes = Self {
            users: 8 + records / 250,
            categories: 16 + (records / 80).min(600),
            suppliers: 8 + records / 250,
            tags: 12 + (records / 300).min(200),
            items,
            locations: 16 + (records / 150).min(984),
            stocks: items * 2,
            movements: 0,
            orders: records * 5 / 100,
            order_lines: 0,
            documents,
            versions: documents / 4 * 10,
            audit_entries: records * 8 / 100,
        };
        sizes.order_lines = (1..=sizes.orders).map(|order| orders::line_count(seed, order)).sum();
        let others = sizes.records();
        assert!(others < records, "the other tables leave room for movements");
        sizes.movements = records - others;
        sizes
    }

    /// Objects of a Django dump.
    pub(super) fn records(&self) -> i64 {
        people::CONTENT_TYPES.len() as i64 * (1 + people::ACTIONS.len() as i64)
            + super::words::GROUPS.len() as i64
            + self.users
            + self.categories
            + self.suppliers
            + self.tags
            + self.items
            + self.locations
            + self.stocks
            + self.movements
            + self.orders
            + self.order_lines
            + self.documents
            + self.versions
            + self.audit_entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_records_are_as_many_as_asked_for_and_mostly_movements_and_order_lines() {
        for records in [RECORDS_MIN, 600, 1999, 2000, 100_000] {
            let sizes = Sizes::for_records(1, records);
            assert_eq!(sizes.records(), records);
            assert!(sizes.movements > 0);
        }
        let large = Sizes::for_records(1, 100_000);
        assert!(large.movements + large.order_lines > 50_000, "{large:?}");
    }
}
