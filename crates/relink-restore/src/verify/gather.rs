//! Rows come one by one as the export is read again; they are compared in batches.

use std::sync::Arc;

use relink_db::Connection;
use relink_model::{RelationId, Value};
use relink_records::NaturalReference;

use super::{Expected, ExpectedRow, NaturalReferences, Verifier, row_key};
use crate::{
    Error,
    decode::{Cell, Row},
    findings::Findings,
    settled::Origin,
    shape::Shape,
};

/// Rows compared at once.
const ROWS_MAX: usize = 4_096;
/// Bytes of texts whose rows are compared at once, as soon as there are so many.
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// Batches that wait to be filled at a time.
const BATCHES_MAX: usize = 16;

/// Rows that wait to be compared.
#[derive(Default)]
pub(super) struct Gathered {
    batches: Vec<Batch>,
    references: Vec<NaturalReferences>,
}

struct Batch {
    of: Of,
    rows: Expected,
    bytes: usize,
}

/// What the rows of a batch have in common.
enum Of {
    /// Records of one shape.
    Shape(Arc<Shape>),
    /// Rows that a many-to-many field makes: the join table, its columns, the field.
    List(RelationId, Vec<usize>, String),
}

impl Verifier<'_> {
    /// The references by natural key of a row, by slot: to be taken before the row's references are followed.
    pub(crate) fn natural_references(row: &Row) -> Vec<(usize, NaturalReference)> {
        let natural = |(slot, cell): (usize, &Cell)| match cell {
            Cell::Natural(reference) => Some((slot, reference.clone())),
            _ => None,
        };
        row.cells.iter().enumerate().filter_map(natural).collect()
    }

    /// Takes a record's row as it was written, one value for each slot and then those that the export holds for computed columns, and what the
    /// export named by natural key.
    pub(crate) async fn record(
        &mut self,
        connection: &mut dyn Connection,
        shape: &Arc<Shape>,
        origin: Origin,
        values: Vec<Value>,
        named: Vec<(usize, NaturalReference)>,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        for (slot, reference) in named {
            self.reference(connection, shape, origin, slot, reference, values[slot].clone(), findings).await?;
        }
        let same = |of: &Of| matches!(of, Of::Shape(known) if Arc::ptr_eq(known, shape));
        let at = self.batch(connection, same, findings).await?;
        let at = at.unwrap_or_else(|| {
            let columns: Vec<usize> =
                shape.columns.iter().copied().chain(shape.computed().map(|(column, _)| column)).collect();
            let slots = (0..shape.columns.len()).map(|slot| shape.field_of(slot).map(str::to_owned));
            let fields = slots.chain(shape.computed().map(|(_, position)| Some(shape.names[position].clone())));
            let rows = self.expected(shape.relation, &columns, fields.collect());
            self.gathered.batches.push(Batch { of: Of::Shape(Arc::clone(shape)), rows, bytes: 0 });
            self.gathered.batches.len() - 1
        });
        self.gathered.batches[at].push(origin, values);
        Ok(())
    }

    /// Takes a row of a join table that an element of a record's list makes.
    #[expect(clippy::too_many_arguments, reason = "a row with all that says where it belongs")]
    pub(crate) async fn list_row(
        &mut self,
        connection: &mut dyn Connection,
        join: RelationId,
        columns: &[usize],
        field: &str,
        origin: Origin,
        values: Vec<Value>,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let same = |of: &Of| match of {
            Of::List(known, known_columns, known_field) => {
                *known == join && known_columns == columns && known_field == field
            }
            Of::Shape(_) => false,
        };
        let at = self.batch(connection, same, findings).await?;
        let at = at.unwrap_or_else(|| {
            let rows = self.expected(join, columns, vec![Some(field.to_owned()); columns.len()]);
            self.gathered.batches.push(Batch {
                of: Of::List(join, columns.to_vec(), field.to_owned()),
                rows,
                bytes: 0,
            });
            self.gathered.batches.len() - 1
        });
        self.gathered.batches[at].push(origin, values);
        Ok(())
    }

    /// Compares what has not been compared yet.
    pub(crate) async fn flush(
        &mut self,
        connection: &mut dyn Connection,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        for batch in std::mem::take(&mut self.gathered.batches) {
            self.read_back(connection, &batch.rows, findings).await?;
        }
        for references in std::mem::take(&mut self.gathered.references) {
            self.recheck_natural(connection, &references, findings).await?;
        }
        Ok(())
    }

    fn expected(&self, relation: RelationId, columns: &[usize], fields: Vec<Option<String>>) -> Expected {
        Expected {
            relation,
            columns: columns.to_vec(),
            fields,
            key: row_key(self.catalog.relation(relation), columns),
            rows: Vec::new(),
        }
    }

    /// The open batch of these rows, which has room for one more.
    async fn batch(
        &mut self,
        connection: &mut dyn Connection,
        same: impl Fn(&Of) -> bool,
        findings: &mut Findings,
    ) -> Result<Option<usize>, Error> {
        let at = self.gathered.batches.iter().position(|batch| same(&batch.of));
        let full = |batch: &Batch| batch.rows.rows.len() >= ROWS_MAX || batch.bytes >= BYTES_MAX;
        let done = match at {
            Some(at) if full(&self.gathered.batches[at]) => self.gathered.batches.swap_remove(at),
            None if self.gathered.batches.len() >= BATCHES_MAX => self.gathered.batches.remove(0),
            open_or_none => return Ok(open_or_none),
        };
        self.read_back(connection, &done.rows, findings).await?;
        Ok(None)
    }

    #[expect(clippy::too_many_arguments, reason = "a reference with all that says where it belongs")]
    async fn reference(
        &mut self,
        connection: &mut dyn Connection,
        shape: &Shape,
        origin: Origin,
        slot: usize,
        named: NaturalReference,
        held: Value,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let Some(through) = shape.references.iter().find(|reference| reference.slots == [slot]) else { return Ok(()) };
        // A reference that was made NULL on purpose has been reported.
        if held.is_null() {
            return Ok(());
        }
        let (column, referenced_column) = (shape.columns[slot], self.registry.spec(through.index).columns[0]);
        let field = shape.field_of(slot);
        let known = &mut self.gathered.references;
        let at = known.iter().position(|known| {
            known.relation == shape.relation
                && known.column == column
                && known.target == through.target
                && known.field.as_deref() == field
        });
        let at = at.unwrap_or_else(|| {
            known.push(NaturalReferences {
                relation: shape.relation,
                column,
                field: field.map(str::to_owned),
                target: through.target,
                referenced_column,
                rows: Vec::new(),
            });
            known.len() - 1
        });
        known[at].rows.push((origin, named, held));
        if known[at].rows.len() >= ROWS_MAX {
            let full = known.swap_remove(at);
            self.recheck_natural(connection, &full, findings).await?;
        }
        Ok(())
    }
}

impl Batch {
    fn push(&mut self, origin: Origin, values: Vec<Value>) {
        let bytes = |value: &Value| match value {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        self.bytes += values.iter().map(bytes).sum::<usize>();
        self.rows.rows.push(ExpectedRow { origin, values });
    }
}
