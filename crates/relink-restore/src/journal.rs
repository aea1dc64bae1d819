//! The journal of a restore that commits on its way: a small table in the target that is committed together with each batch, so that whatever
//! happens to the process, what stands in the journal is what stands in the tables. It holds what the pre-scan decided about existing rows and new
//! ids, so that a resumed restore decides nothing anew, and how far the load has come.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Write as _,
};

use relink_db::{Connection, Dialect, JOURNAL, TransactionKind};
use relink_model::{Catalog, ColumnType, Counts, Relation, RelationId, RelationName, TypeKind, Value};
use serde::{Deserialize, Serialize};
use sha2::Digest;

use crate::{
    Error,
    apply::Loaded,
    code,
    decode::Decoder,
    key::Ordinal,
    memory::Position,
    plan::Step,
    report::Rungs,
    state::{Reject, State},
};

/// The version of the journal's format.
const VERSION: u32 = 1;
/// Entries of one row of the journal: some tens of kilobytes of JSON.
const ENTRIES_MAX: usize = 1_000;

/// What a journal belongs to: a resumed restore must be of the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) version: u32,
    pub(crate) export: String,
    pub(crate) schema: String,
    pub(crate) options: String,
}

impl Identity {
    pub(crate) fn new(export: String, catalog: &Catalog, options: &str) -> Self {
        let relations: Vec<Relation> =
            catalog.relations.iter().map(|relation| Relation { estimated_rows: None, ..relation.clone() }).collect();
        let schema = serde_json::to_string(&relations).unwrap_or_default();
        let hash = |text: &str| hexadecimal(&sha2::Sha256::digest(text.as_bytes()));
        Self { version: VERSION, export, schema: hash(&schema), options: hash(options) }
    }

    /// What differs, in words.
    fn difference(&self, other: &Self) -> Option<&'static str> {
        match () {
            () if self.version != other.version => Some("the journal is another version's"),
            () if self.export != other.export => Some("the export is not the one that the journal is about"),
            () if self.schema != other.schema => Some("the schema has changed since"),
            () if self.options != other.options => Some("the options or the configuration are other ones"),
            () => None,
        }
    }
}

/// How far a load has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// Of the plan.
    pub(crate) step: usize,
    /// Of the step: its records, its lists, its updates.
    pub(crate) part: usize,
    /// Records of the part that are done with.
    pub(crate) done: u64,
}

/// What one relation's load has come to, as the journal keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Account {
    relation: RelationName,
    counts: Counts,
    rungs: Rungs,
    patched: u64,
    deleted: u64,
    /// Rows before the restore began.
    before: i64,
}

/// How far a load has come, and what it has come to.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Progress {
    /// The plan that the cursor is about.
    plan: String,
    cursor: Cursor,
    accounts: Vec<Account>,
    /// The rows are all there, and the journal is only still to be removed.
    finished: bool,
}

/// What the pre-scan decided about records of one relation.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Entry {
    relation: RelationName,
    /// Records whose row exists, with the values that name it.
    existing: Vec<(Ordinal, Vec<Value>)>,
    /// Numbers allotted: first record, how many follow each other, first number.
    numbers: Vec<(Ordinal, u32, i64)>,
    /// The number of the first row that a list makes.
    first_join_number: Option<i64>,
    /// Records that are not restored.
    rejected: Vec<RejectEntry>,
    /// References that become NULL: record and foreign key.
    nulled: Vec<(Ordinal, usize)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct RejectEntry {
    ordinal: Ordinal,
    code: String,
    field: Option<String>,
    message: String,
    because_of: Option<(RelationName, Ordinal)>,
}

/// What was decided about one relation, to be taken over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decided {
    pub(crate) existing: HashMap<Ordinal, Vec<Value>>,
    pub(crate) numbers: HashMap<Ordinal, i64>,
    pub(crate) first_join_number: i64,
    rejected: Vec<RejectEntry>,
    nulled: HashSet<(Ordinal, usize)>,
}

/// The decisions of an earlier run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decisions {
    by_relation: HashMap<RelationId, Decided>,
}

impl Decisions {
    pub(crate) fn of(&self, relation: RelationId) -> Option<&Decided> {
        self.by_relation.get(&relation)
    }
}

/// A journal that was found.
#[derive(Debug)]
pub(crate) struct Resumed {
    pub(crate) decisions: Decisions,
    pub(crate) cursor: Cursor,
    pub(crate) loaded: HashMap<RelationId, Loaded>,
    pub(crate) before: HashMap<RelationId, i64>,
    /// See [`Keeper`].
    pub(crate) generation: i64,
    /// The earlier run came to its end, save that the journal stayed.
    pub(crate) finished: bool,
    plan: String,
}

impl Resumed {
    /// Fails where the steps at hand are not those that the cursor counts, or the pre-scan came to other decisions than it did when the
    /// restore began: what was committed rests on those.
    pub(crate) fn check_plan(&self, steps: &[Step], decoder: &Decoder, state: &State) -> Result<(), Error> {
        if self.finished || self.plan == fingerprint(steps, decoder, state) {
            return Ok(());
        }
        let message = "the target answers otherwise than when the restore began, so that what was committed and what is to come would not fit: \
             was it changed meanwhile, does a condition of --where depend on it or on the time, has the role other rights?";
        Err(Error::Journal(message.to_owned()))
    }
}

/// Writes the journal of a load under way. Each write raises its generation, so that of two restores that go on with one journal only the first to
/// commit can: the other finds a generation that it did not write.
#[derive(Debug)]
pub(crate) struct Keeper {
    generation: i64,
    plan: String,
}

/// Whether the journal's table is there.
pub(crate) async fn exists(connection: &mut dyn Connection) -> Result<bool, Error> {
    let sql = connection.dialect().journal_exists();
    Ok(connection.query(&sql, &[]).await?.first().map(Vec::as_slice) == Some(&[Value::Int(1)]))
}

/// What the journal in the target belongs to, where there is one; `None` also where the restore that it belonged to has come to its end.
pub(crate) async fn find(connection: &mut dyn Connection) -> Result<Option<Identity>, Error> {
    let found = look(connection).await?;
    Ok(found.filter(|(_, progress, _)| !progress.finished).map(|(identity, ..)| identity))
}

/// What the journal belongs to, how far it says that the load has come, and its generation.
async fn look(connection: &mut dyn Connection) -> Result<Option<(Identity, Progress, i64)>, Error> {
    if !exists(connection).await? {
        return Ok(None);
    }
    let head = read(connection, "head").await?;
    let Some((_, head)) = head.into_iter().next() else { return Ok(None) };
    let version = serde_json::from_str::<serde_json::Value>(&head).ok().and_then(|head| head.get("version")?.as_u64());
    if version != Some(u64::from(VERSION)) {
        return Err(unreadable());
    }
    let identity = serde_json::from_str(&head).map_err(|_| unreadable())?;
    let at = read(connection, "at").await?;
    let Some((generation, at)) = at.into_iter().next() else { return Err(unreadable()) };
    Ok(Some((identity, serde_json::from_str(&at).map_err(|_| unreadable())?, generation)))
}

fn unreadable() -> Error {
    let message = format!(
        "the journal in the target cannot be read: another version of relink may have written it; to abandon it: DROP TABLE {JOURNAL}"
    );
    Error::Journal(message)
}

/// Waits until no commit is under way any more of a process that was killed: its server may not know that yet. Changes nothing.
pub(crate) async fn settle(connection: &mut dyn Connection) -> Result<(), Error> {
    if !exists(connection).await? {
        return Ok(());
    }
    connection.begin(TransactionKind::Write).await?;
    let wait = format!("UPDATE {} SET place = place WHERE kind = 'at'", connection.dialect().quote(JOURNAL));
    connection.execute(&wait, &[]).await?;
    Ok(connection.rollback().await?)
}

/// Reads the journal of an earlier run of this very restore.
pub(crate) async fn resume(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    identity: &Identity,
) -> Result<Resumed, Error> {
    let found = look(connection).await?;
    let Some((found, progress, generation)) = found else {
        let message = "there is nothing to resume: no restore has committed a part and stopped, or it has been gone on with to its end";
        return Err(Error::Journal(message.to_owned()));
    };
    if let Some(difference) = found.difference(identity) {
        return Err(Error::Journal(difference.to_owned()));
    }
    let mut decisions = Decisions::default();
    for (_, text) in read(connection, "decided").await? {
        let entry: Entry = serde_json::from_str(&text).map_err(|_| unreadable())?;
        let Some(id) = catalog.id(&entry.relation) else { continue };
        let decided = decisions.by_relation.entry(id).or_default();
        decided.existing.extend(entry.existing);
        for (first, count, number) in entry.numbers {
            decided.numbers.extend((0..count).map(|at| (first + at, number + i64::from(at))));
        }
        if let Some(first) = entry.first_join_number {
            decided.first_join_number = first;
        }
        decided.rejected.extend(entry.rejected);
        decided.nulled.extend(entry.nulled);
    }
    let Progress { plan, cursor, finished, .. } = progress;
    let (loaded, before) = (HashMap::new(), HashMap::new());
    let mut resumed = Resumed { decisions, cursor, loaded, before, generation, finished, plan };
    for account in progress.accounts {
        let Some(id) = catalog.id(&account.relation) else { continue };
        let Account { counts, rungs, patched, deleted, before, .. } = account;
        resumed.loaded.insert(id, Loaded { counts, rungs, patched, deleted });
        resumed.before.insert(id, before);
    }
    Ok(resumed)
}

impl Decisions {
    /// Takes over what does not come out of reading the records again.
    pub(crate) fn apply(&self, catalog: &Catalog, state: &mut State) {
        for (id, decided) in &self.by_relation {
            for reject in &decided.rejected {
                let position = state.relation(*id).positions.get(reject.ordinal);
                let because_of = reject.because_of.as_ref();
                let because_of = because_of.and_then(|(relation, ordinal)| Some((catalog.id(relation)?, *ordinal)));
                let reject_of = |position: Position| Reject {
                    code: code::known(&reject.code),
                    field: reject.field.clone(),
                    message: reject.message.clone(),
                    position,
                    because_of,
                };
                state.relation_mut(*id).rejected.entry(reject.ordinal).or_insert_with(|| reject_of(position));
            }
            state.relation_mut(*id).nulled.extend(decided.nulled.iter().copied());
        }
    }
}

/// Makes the journal's table where it is missing.
pub(crate) async fn make_table(connection: &mut dyn Connection) -> Result<(), Error> {
    if exists(connection).await? {
        return Ok(());
    }
    let table = connection.dialect().journal_table();
    let made = connection.execute(&table, &[]).await;
    made.map(drop).map_err(|error| Error::JournalTable(Box::new(error)))
}

impl Keeper {
    /// Writes a new journal: what it belongs to, what was decided, and what was done before the first row. Leaves the transaction to the caller.
    pub(crate) async fn begin(
        connection: &mut dyn Connection,
        identity: &Identity,
        catalog: &Catalog,
        state: &State,
        plan: String,
        loaded: &HashMap<RelationId, Loaded>,
        before: &HashMap<RelationId, i64>,
    ) -> Result<Self, Error> {
        // Another restore may have begun since this one looked.
        if find(connection).await?.is_some() {
            return Err(Error::Journal("another restore with --commit-every has begun meanwhile".to_owned()));
        }
        let clear = format!("DELETE FROM {}", connection.dialect().quote(JOURNAL));
        connection.execute(&clear, &[]).await?;
        write(connection, "head", 0, &json(identity)).await?;
        write_decisions(connection, catalog, state).await?;
        let keeper = Self { generation: 0, plan };
        let progress = keeper.progress(catalog, Cursor::default(), loaded, before, false);
        write(connection, "at", keeper.generation, &json(&progress)).await?;
        Ok(keeper)
    }

    /// Goes on with a journal.
    pub(crate) fn resume(resumed: &Resumed) -> Self {
        Self { generation: resumed.generation, plan: resumed.plan.clone() }
    }

    /// Notes how far the load has come; to be committed with it.
    pub(crate) async fn advance(
        &mut self,
        connection: &mut dyn Connection,
        catalog: &Catalog,
        cursor: Cursor,
        loaded: &HashMap<RelationId, Loaded>,
        before: &HashMap<RelationId, i64>,
    ) -> Result<(), Error> {
        let progress = self.progress(catalog, cursor, loaded, before, false);
        self.note(connection, &progress).await
    }

    /// Notes that the restore is complete, which it is with the commit of this. Where a table can be dropped along with that, it is.
    pub(crate) async fn finish(
        mut self,
        connection: &mut dyn Connection,
        catalog: &Catalog,
        loaded: &HashMap<RelationId, Loaded>,
        before: &HashMap<RelationId, i64>,
    ) -> Result<(), Error> {
        let cursor = Cursor { step: usize::MAX, part: 0, done: 0 };
        let progress = self.progress(catalog, cursor, loaded, before, true);
        self.note(connection, &progress).await?;
        if connection.dialect().capabilities().transactional_ddl { remove(connection).await } else { Ok(()) }
    }

    async fn note(&mut self, connection: &mut dyn Connection, progress: &Progress) -> Result<(), Error> {
        let dialect = connection.dialect();
        let (text, integer) = (text_type(), integer_type());
        let sql = format!(
            "UPDATE {} SET content = {}, place = {} WHERE kind = 'at' AND place = {}",
            dialect.quote(JOURNAL),
            dialect.placeholder(1, &text),
            dialect.placeholder(2, &integer),
            dialect.placeholder(3, &integer)
        );
        let next = self.generation + 1;
        let parameters = [Value::Text(json(progress)), Value::Int(next), Value::Int(self.generation)];
        if connection.execute(&sql, &parameters).await? != 1 {
            let message =
                "the journal is not as it was left: another process goes on with the same restore, or has abandoned it";
            return Err(Error::Journal(message.to_owned()));
        }
        self.generation = next;
        Ok(())
    }

    fn progress(
        &self,
        catalog: &Catalog,
        cursor: Cursor,
        loaded: &HashMap<RelationId, Loaded>,
        before: &HashMap<RelationId, i64>,
        finished: bool,
    ) -> Progress {
        let accounts: BTreeMap<RelationId, Account> = before
            .iter()
            .map(|(id, before)| {
                let Loaded { counts, rungs, patched, deleted } = loaded.get(id).cloned().unwrap_or_default();
                let relation = catalog.relation(*id).name.clone();
                (*id, Account { relation, counts, rungs, patched, deleted, before: *before })
            })
            .collect();
        Progress { plan: self.plan.clone(), cursor, accounts: accounts.into_values().collect(), finished }
    }
}

/// Of what a cursor counts: the steps, and the order of the rows in each.
pub(crate) fn fingerprint(steps: &[Step], decoder: &Decoder, state: &State) -> String {
    let mut hash = sha2::Sha256::new();
    for (id, _) in decoder.catalog.iter() {
        let known = state.relation(id);
        let (left_out, lists) = (decoder.left_out.count(id), (known.join_rows, known.first_join_number));
        hash.update(format!("{id:?} {left_out} {lists:?} {}", known.existing.len()));
        for ordinal in 0..known.records() as Ordinal {
            let finals = known.payload.iter().map(|column| known.final_value(*column, ordinal));
            hash.update(format!("{:?}{}", finals.collect::<Vec<_>>(), decoder.left_out.holds(id, ordinal)));
        }
    }
    for Step { relations, sequence, way, ordered, .. } in steps {
        hash.update(format!("{relations:?} {sequence:?} {way:?} {ordered}"));
    }
    hexadecimal(&hash.finalize())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Notes what was decided since: records that the database refused.
pub(crate) async fn replace_decisions(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    state: &State,
) -> Result<(), Error> {
    let clear = format!("DELETE FROM {} WHERE kind = 'decided'", connection.dialect().quote(JOURNAL));
    connection.execute(&clear, &[]).await?;
    write_decisions(connection, catalog, state).await
}

async fn write_decisions(connection: &mut dyn Connection, catalog: &Catalog, state: &State) -> Result<(), Error> {
    for (entry, at) in entries(catalog, state).zip(0..) {
        write(connection, "decided", at, &json(&entry)).await?;
    }
    Ok(())
}

/// The journal's table goes, unless an unfinished restore needs it.
pub(crate) async fn remove(connection: &mut dyn Connection) -> Result<(), Error> {
    if find(connection).await?.is_some() {
        return Ok(());
    }
    let sql = format!("DROP TABLE IF EXISTS {}", connection.dialect().quote(JOURNAL));
    connection.execute(&sql, &[]).await?;
    Ok(())
}

/// The rows of one kind: place and content.
async fn read(connection: &mut dyn Connection, kind: &str) -> Result<Vec<(i64, String)>, Error> {
    let dialect = connection.dialect();
    let sql = format!(
        "SELECT place, content FROM {} WHERE kind = {} ORDER BY place",
        dialect.quote(JOURNAL),
        dialect.placeholder(1, &text_type())
    );
    let rows = connection.query(&sql, &[Value::Text(kind.to_owned())]).await?;
    let row = |row: Vec<Value>| match <[Value; 2]>::try_from(row) {
        Ok([Value::Int(place), Value::Text(content)]) => Ok((place, content)),
        _ => Err(unreadable()),
    };
    rows.into_iter().map(row).collect()
}

async fn write(connection: &mut dyn Connection, kind: &str, position: i64, content: &str) -> Result<(), Error> {
    let dialect: &dyn Dialect = connection.dialect();
    let placeholders = [
        dialect.placeholder(1, &text_type()),
        dialect.placeholder(2, &integer_type()),
        dialect.placeholder(3, &text_type()),
    ];
    let sql =
        format!("INSERT INTO {} (kind, place, content) VALUES ({})", dialect.quote(JOURNAL), placeholders.join(", "));
    let parameters = [Value::Text(kind.to_owned()), Value::Int(position), Value::Text(content.to_owned())];
    connection.execute(&sql, &parameters).await?;
    Ok(())
}

fn text_type() -> ColumnType {
    let kind = TypeKind::Text { max_chars: None, max_bytes: None, fixed: false };
    ColumnType { declared: "text".to_owned(), kind }
}

fn integer_type() -> ColumnType {
    ColumnType { declared: "bigint".to_owned(), kind: TypeKind::Integer { bits: 64, unsigned: false } }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("the journal's own types serialize")
}

/// What was decided, in pieces of bounded size.
fn entries<'a>(catalog: &'a Catalog, state: &'a State) -> impl Iterator<Item = Entry> + 'a {
    catalog.iter().flat_map(move |(id, relation)| entries_of(catalog, id, relation, state))
}

fn entries_of(catalog: &Catalog, id: RelationId, relation: &Relation, state: &State) -> Vec<Entry> {
    let known = state.relation(id);
    let empty = || Entry { relation: relation.name.clone(), ..Entry::default() };
    let mut entries = Vec::new();
    let mut existing = known.existing.iter().peekable();
    while existing.peek().is_some() {
        let piece = existing.by_ref().take(ENTRIES_MAX).map(|ordinal| (ordinal, known.row_name(ordinal)));
        entries.push(Entry { existing: piece.collect(), ..empty() });
    }
    for numbers in known.allotted.chunks(ENTRIES_MAX) {
        entries.push(Entry { numbers: numbers.to_vec(), ..empty() });
    }
    if known.join_rows > 0 {
        entries.push(Entry { first_join_number: Some(known.first_join_number), ..empty() });
    }
    let mut rejected: Vec<RejectEntry> = known
        .rejected
        .iter()
        .map(|(ordinal, reject)| RejectEntry {
            ordinal: *ordinal,
            code: reject.code.to_string(),
            field: reject.field.clone(),
            message: reject.message.clone(),
            because_of: reject.because_of.map(|(id, ordinal)| (catalog.relation(id).name.clone(), ordinal)),
        })
        .collect();
    rejected.sort_by_key(|reject| reject.ordinal);
    entries.extend(rejected.chunks(ENTRIES_MAX).map(|piece| Entry { rejected: piece.to_vec(), ..empty() }));
    let mut nulled: Vec<(Ordinal, usize)> = known.nulled.iter().copied().collect();
    nulled.sort_unstable();
    entries.extend(nulled.chunks(ENTRIES_MAX).map(|piece| Entry { nulled: piece.to_vec(), ..empty() }));
    entries
}
