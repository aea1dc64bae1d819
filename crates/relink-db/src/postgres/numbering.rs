//! Sequences behind columns: reading them, putting them past the highest number in their column, and putting them back.
//!
//! Nothing here calls `nextval`. An owned sequence is first altered to what it is already, which locks it against
//! other sessions and gives it a new file within the transaction: from there on `setval`, which otherwise survives a
//! rollback, is undone by one. A sequence of another owner can only be set for good.

use relink_model::{Relation, SequenceRef, TypeKind};
use sqlx::AssertSqlSafe;

use super::{PostgresConnection, dialect::literal};
use crate::{DbError, Dialect, NumberingState};

/// A sequence's state and limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SequenceState {
    last: i64,
    called: bool,
    increment: i64,
    min: i64,
    max: i64,
    cache: i64,
}

impl SequenceState {
    /// What `nextval` would return; `None` where the sequence is used up.
    fn next(&self) -> Option<i64> {
        if !self.called {
            return Some(self.last);
        }
        self.last.checked_add(self.increment).filter(|next| (self.min..=self.max).contains(next))
    }

    /// The last value to set (as called), so that the next one lies past `extreme`, the highest number in use (the
    /// lowest, for a descending sequence). `None` where it does already. The steps are kept: a sequence of 1, 11, 21
    /// goes on with 31.
    fn past(&self, extreme: i64) -> Option<i64> {
        let next = i128::from(self.next()?);
        let (increment, extreme) = (i128::from(self.increment), i128::from(extreme));
        let is_past = if increment > 0 { next > extreme } else { next < extreme };
        if is_past {
            return None;
        }
        let bound = if increment > 0 { extreme.min(self.max.into()) } else { extreme.max(self.min.into()) };
        let steps = (bound - next) / increment;
        // `next` is within the limits and not past the bound, so neither is this.
        i64::try_from(next + steps * increment).ok()
    }
}

impl PostgresConnection {
    /// Reads the counter.
    pub(super) async fn read_numbering(&mut self, relation: &Relation) -> Result<NumberingState, DbError> {
        let Some((_, sequence)) = numbered(relation) else { return Ok(NumberingState { next: None }) };
        Ok(NumberingState { next: self.sequence_state(sequence).await?.next() })
    }

    /// Puts the counter past the highest number in its column.
    pub(super) async fn advance(&mut self, relation: &Relation, rehearsal: bool) -> Result<NumberingState, DbError> {
        let Some((_, sequence)) = numbered(relation) else { return Ok(NumberingState { next: None }) };
        let mut state = self.sequence_state(sequence).await?;
        let Some(extreme) = self.extreme(relation).await? else { return Ok(NumberingState { next: state.next() }) };
        if state.past(extreme).is_none() {
            return Ok(NumberingState { next: state.next() });
        }
        if sequence.owned {
            self.lock_sequence(sequence, &state).await?;
            // Another session may have moved it before the lock was ours.
            state = self.sequence_state(sequence).await?;
        }
        let Some(last) = state.past(extreme) else { return Ok(NumberingState { next: state.next() }) };
        if !sequence.owned && rehearsal {
            return Ok(NumberingState { next: SequenceState { last, called: true, ..state }.next() });
        }
        self.set_sequence(sequence, last, true).await?;
        Ok(NumberingState { next: self.sequence_state(sequence).await?.next() })
    }

    /// Puts a counter back that inserts of a rolled-back transaction moved: `nextval` is never undone.
    ///
    /// A number that another session has drawn must not be handed out again. So this is done only where it is sure
    /// that none is at work: the locks on the sequence and on the table are free, no session can hold numbers in a
    /// cache, and every number in the table is below. Otherwise the counter stays where it is, which costs a gap in
    /// the numbers.
    pub(super) async fn put_numbering_back(
        &mut self,
        relation: &Relation,
        wanted: &NumberingState,
    ) -> Result<(), DbError> {
        let (Some((_, sequence)), Some(wanted)) = (numbered(relation), wanted.next) else { return Ok(()) };
        let state = self.sequence_state(sequence).await?;
        if state.next() == Some(wanted) || !sequence.owned || !relation.owned || state.cache > 1 {
            return Ok(());
        }
        self.run("BEGIN; SET LOCAL lock_timeout = '100ms'").await?;
        let done = self.put_back_locked(relation, sequence, wanted).await;
        let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
        self.run(end).await?;
        match done {
            // Somebody is writing.
            Err(error) if error.code.as_deref() == Some("55P03") => Ok(()),
            done => done,
        }
    }

    async fn put_back_locked(
        &mut self,
        relation: &Relation,
        sequence: &SequenceRef,
        wanted: i64,
    ) -> Result<(), DbError> {
        let table = self.dialect.quote_relation(&relation.name);
        self.run(format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")).await?;
        let state = self.sequence_state(sequence).await?;
        self.lock_sequence(sequence, &state).await?;
        let state = self.sequence_state(sequence).await?;
        let lowers = state.next().is_none_or(|next| if state.increment > 0 { next > wanted } else { next < wanted });
        let extreme = self.extreme(relation).await?;
        let is_free = extreme.is_none_or(|used| if state.increment > 0 { used < wanted } else { used > wanted });
        if !lowers || !is_free {
            return Ok(());
        }
        let previous = wanted.checked_sub(state.increment).filter(|last| (state.min..=state.max).contains(last));
        match previous {
            Some(last) => self.set_sequence(sequence, last, true).await,
            None => self.set_sequence(sequence, wanted, false).await,
        }
    }

    /// The highest number in the column (the lowest, for a descending sequence), children that inherit it included,
    /// for they inherit the default with its sequence.
    async fn extreme(&mut self, relation: &Relation) -> Result<Option<i64>, DbError> {
        let Some((column, sequence)) = numbered(relation) else { return Ok(None) };
        let (function, towards) = if sequence.increment > 0 { ("max", "floor") } else { ("min", "ceil") };
        let name = self.dialect.quote(&column.name);
        let table = self.dialect.quote_relation(&relation.name);
        let extreme = format!("{function}({name})");
        // `floor` of an integer would go through double precision.
        let extreme = match column.data_type.kind {
            TypeKind::Decimal { .. } => format!("{towards}({extreme})"),
            _ => extreme,
        };
        sqlx::query_scalar::<_, Option<i64>>(AssertSqlSafe(format!("SELECT {extreme}::int8 FROM {table}")))
            .persistent(false)
            .fetch_one(&mut self.connection)
            .await
            .map_err(|error| self.fail(error))
    }

    async fn sequence_state(&mut self, sequence: &SequenceRef) -> Result<SequenceState, DbError> {
        let name = self.dialect.quote_relation(&sequence.name);
        let sql = format!(
            "SELECT s.last_value, s.is_called, q.seqincrement, q.seqmin, q.seqmax, q.seqcache FROM {name} AS s, \
             pg_catalog.pg_sequence AS q WHERE q.seqrelid = pg_catalog.to_regclass({})",
            literal(&name)
        );
        let (last, called, increment, min, max, cache) =
            sqlx::query_as::<_, (i64, bool, i64, i64, i64, i64)>(AssertSqlSafe(sql))
                .persistent(false)
                .fetch_one(&mut self.connection)
                .await
                .map_err(|error| self.fail(error))?;
        Ok(SequenceState { last, called, increment, min, max, cache })
    }

    /// Locks an owned sequence until the transaction ends, and makes what is done to it part of the transaction (see
    /// the module's comment).
    async fn lock_sequence(&mut self, sequence: &SequenceRef, state: &SequenceState) -> Result<(), DbError> {
        let name = self.dialect.quote_relation(&sequence.name);
        self.run(format!("ALTER SEQUENCE {name} INCREMENT BY {}", state.increment)).await
    }

    async fn set_sequence(&mut self, sequence: &SequenceRef, last: i64, called: bool) -> Result<(), DbError> {
        let name = literal(&self.dialect.quote_relation(&sequence.name));
        self.run(format!("SELECT pg_catalog.setval({name}::pg_catalog.regclass, {last}, {called})")).await
    }
}

/// The numbered column and its sequence.
fn numbered(relation: &Relation) -> Option<(&relink_model::Column, &SequenceRef)> {
    relation.columns.iter().find_map(|column| Some((column, column.sequence.as_ref()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(last: i64, called: bool, increment: i64) -> SequenceState {
        let (min, max) = if increment > 0 { (1, 1_000) } else { (-1_000, -1) };
        SequenceState { last, called, increment, min, max, cache: 1 }
    }

    #[test]
    fn the_next_number_lies_past_the_highest_in_use() {
        let past =
            |s: SequenceState, extreme| s.past(extreme).map(|last| SequenceState { last, called: true, ..s }.next());
        assert_eq!(past(state(1, false, 1), 7), Some(Some(8)));
        assert_eq!(past(state(1, false, 1), 1), Some(Some(2)));
        assert_eq!(past(state(5, true, 1), 7), Some(Some(8)));
        assert_eq!(past(state(5, true, 1), 6), Some(Some(7)));
    }

    #[test]
    fn a_sequence_is_never_lowered() {
        assert_eq!(state(100, true, 1).past(7), None);
        assert_eq!(state(8, false, 1).past(7), None);
        assert_eq!(state(1, false, 1).past(0), None);
    }

    #[test]
    fn steps_are_kept() {
        let mut tens = state(1, false, 10);
        tens.last = tens.past(25).expect("it lies behind");
        tens.called = true;
        assert_eq!((tens.last, tens.next()), (21, Some(31)));
    }

    #[test]
    fn descending_sequences_go_below_the_lowest() {
        let mut down = state(-1, false, -1);
        assert_eq!(down.past(5), None);
        down.last = down.past(-7).expect("it lies behind");
        down.called = true;
        assert_eq!(down.next(), Some(-8));
    }

    #[test]
    fn past_its_limit_a_sequence_is_used_up() {
        let mut full = state(1, false, 1);
        full.last = full.past(5_000).expect("it lies behind");
        full.called = true;
        assert_eq!((full.last, full.next()), (1_000, None));
        assert_eq!(full.past(5_000), None);
        let extremes =
            SequenceState { last: i64::MAX - 1, called: true, increment: 1, min: 1, max: i64::MAX, cache: 1 };
        assert_eq!(extremes.past(i64::MAX), Some(i64::MAX));
    }
}
