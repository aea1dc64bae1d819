//! The journal of a restore that commits on its way: a small table in the target that is committed together with each batch, so that whatever
//! happens to the process, what stands in the journal is what stands in the tables. It holds what the pre-scan decided about existing rows and new
//! ids, so that a resumed restore decides nothing anew, and how far the load has come.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt::Write as _,
    sync::atomic::{AtomicI64, Ordering},
};

use relink_db::{Connection, DbErrorKind, Dialect, JOURNAL, TransactionKind};
use relink_model::{Catalog, ColumnType, Counts, Relation, RelationId, RelationName, TypeKind, Value};
use serde::{Deserialize, Serialize};
use sha2::Digest;

use crate::{
    Error,
    apply::Loaded,
    code,
    decode::Decoder,
    memory::{Ordinal, Position},
    plan::Step,
    report::Rungs,
    state::{Reject, State},
};

/// The version of the journal's format.
const VERSION: u32 = 2;
/// How often commits of a process that was killed are waited for: it had one on each of its connections at most.
const SETTLE_ATTEMPTS_MAX: u32 = 100;
/// Entries of one row of the journal: some tens of kilobytes of JSON.
const ENTRIES_MAX: usize = 1_000;

/// What a journal belongs to: a resumed restore must be of the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    version: u32,
    export: String,
    /// A digest of each relation.
    schema: BTreeMap<String, String>,
    /// What was asked for; long values as digests.
    options: BTreeMap<String, String>,
}

impl Identity {
    pub(crate) fn new(export: String, catalog: &Catalog, options: BTreeMap<String, String>) -> Self {
        let digest = |relation: &Relation| {
            let settled = Relation { estimated_rows: None, ..relation.clone() };
            short_digest(&serde_json::to_string(&settled).unwrap_or_default())
        };
        let schema = catalog.relations.iter().map(|relation| (relation.name.to_string(), digest(relation))).collect();
        Self { version: VERSION, export, schema, options }
    }

    /// What differs, in words.
    fn difference(&self, other: &Self) -> Option<String> {
        match () {
            () if self.version != other.version => Some("the journal is another version's".to_owned()),
            () if self.export != other.export => Some("the export is not the one that the journal is about".to_owned()),
            () if self.schema != other.schema => {
                Some(format!("the schema has changed since: {}", differing(&self.schema, &other.schema)))
            }
            () if self.options != other.options => {
                let names = differing(&self.options, &other.options);
                Some(format!("the options or the configuration are other ones than when the restore began: {names}"))
            }
            () => None,
        }
    }
}

/// The keys under which two maps differ.
fn differing(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> String {
    let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let differs = keys.into_iter().filter(|key| one.get(*key) != other.get(*key));
    differs.map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// A digest that tells versions of one thing apart.
pub(crate) fn short_digest(text: &str) -> String {
    hexadecimal(&sha2::Sha256::digest(text.as_bytes())[..8])
}

/// How far the load of one step of the plan has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reached {
    /// Of the step: its records, its lists, its updates.
    pub(crate) part: usize,
    /// Records of the part that are done with.
    pub(crate) done: u64,
    /// The whole step is done with.
    pub(crate) finished: bool,
}

/// What one relation's load has come to, as the journal keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Account {
    relation: RelationName,
    counts: Counts,
    rungs: Rungs,
    patched: u64,
    deleted: u64,
}

/// What holds for the load as a whole.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Whole {
    /// The plan that the steps are of.
    plan: String,
    /// Rows of each relation before the restore began.
    before: Vec<(RelationName, i64)>,
    /// What was done before the first step.
    accounts: Vec<Account>,
    /// The rows are all there, and the journal is only still to be removed.
    finished: bool,
}

/// How far one step has come, and what its relations have come to.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct StepEntry {
    reached: Reached,
    accounts: Vec<Account>,
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
    /// By step of the plan.
    pub(crate) reached: Vec<Reached>,
    pub(crate) loaded: HashMap<RelationId, Loaded>,
    pub(crate) before: HashMap<RelationId, i64>,
    /// The earlier run came to its end, save that the journal stayed.
    pub(crate) finished: bool,
    whole: Whole,
    /// See [`Keeper`].
    generation: i64,
    step_generations: Vec<i64>,
}

impl Resumed {
    /// Fails where the steps at hand are not those that the journal counts, or the pre-scan came to other decisions than it did when the
    /// restore began: what was committed rests on those.
    pub(crate) fn check_plan(&self, steps: &[Step], decoder: &Decoder, state: &State) -> Result<(), Error> {
        if self.finished || self.whole.plan == fingerprint(steps, decoder, state) {
            return Ok(());
        }
        let message = "the target answers otherwise than when the restore began, so that what was committed and what is to come would not fit: \
             was it changed meanwhile, does a condition of --where depend on it or on the time, has the role other rights?";
        Err(Error::Journal(message.to_owned()))
    }
}

/// Writes the journal of a load under way: a row for the whole, and one for each step, so that steps that are loaded side by side do not wait for
/// each other. Each write raises the generation of its row, so that of two restores that go on with one journal only the first to commit can: the
/// other finds a generation that it did not write.
#[derive(Debug)]
pub(crate) struct Keeper {
    whole: Whole,
    generation: AtomicI64,
    steps: Vec<AtomicI64>,
}

/// The row about the load as a whole.
const WHOLE: &str = "at";

/// The kind of the row about a step.
fn step_kind(step: usize) -> String {
    format!("step {step}")
}

/// Whether the journal's table is there.
pub(crate) async fn exists(connection: &mut dyn Connection) -> Result<bool, Error> {
    let sql = connection.dialect().journal_exists();
    Ok(connection.query(&sql, &[]).await?.first().map(Vec::as_slice) == Some(&[Value::Int(1)]))
}

/// What the journal in the target belongs to, where there is one; `None` also where the restore that it belonged to has come to its end.
pub(crate) async fn find(connection: &mut dyn Connection) -> Result<Option<Identity>, Error> {
    let found = look(connection).await?;
    Ok(found.filter(|(_, whole, _)| !whole.finished).map(|(identity, ..)| identity))
}

/// What the journal belongs to, what it says of the load as a whole, and the generation of that.
async fn look(connection: &mut dyn Connection) -> Result<Option<(Identity, Whole, i64)>, Error> {
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
    let whole = read(connection, WHOLE).await?;
    let Some((generation, whole)) = whole.into_iter().next() else { return Err(unreadable()) };
    Ok(Some((identity, serde_json::from_str(&whole).map_err(|_| unreadable())?, generation)))
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
    let wait = format!("UPDATE {} SET place = place", connection.dialect().quote(JOURNAL));
    let mut attempts = 0;
    loop {
        connection.begin(TransactionKind::Write).await?;
        let locked = connection.execute(&wait, &[]).await;
        connection.rollback().await?;
        match locked {
            // A commit that was waited for came through, and what it changed cannot be locked as it was before: there may be others.
            Err(error) if error.kind == DbErrorKind::Contention && attempts < SETTLE_ATTEMPTS_MAX => attempts += 1,
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(()),
        }
    }
}

/// Reads the journal of an earlier run of this very restore.
pub(crate) async fn resume(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    identity: &Identity,
) -> Result<Resumed, Error> {
    let found = look(connection).await?;
    let Some((found, whole, generation)) = found else {
        let message = "there is nothing to resume: no restore has committed a part and stopped, or it has been gone on with to its end";
        return Err(Error::Journal(message.to_owned()));
    };
    if let Some(difference) = found.difference(identity) {
        return Err(Error::Journal(format!(
            "{difference}; to go on, restore the same as before; to give up what was begun: DROP TABLE {JOURNAL}"
        )));
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
    let mut resumed = Resumed {
        decisions,
        reached: Vec::new(),
        loaded: HashMap::new(),
        before: whole.before.iter().filter_map(|(name, rows)| Some((catalog.id(name)?, *rows))).collect(),
        finished: whole.finished,
        whole,
        generation,
        step_generations: Vec::new(),
    };
    let mut accounts = resumed.whole.accounts.clone();
    for (generation, text) in read_steps(connection).await? {
        let StepEntry { reached, accounts: of_step } = serde_json::from_str(&text).map_err(|_| unreadable())?;
        resumed.reached.push(reached);
        resumed.step_generations.push(generation);
        accounts.extend(of_step);
    }
    // What a step came to includes what was done to its relations before.
    for Account { relation, counts, rungs, patched, deleted } in accounts {
        let Some(id) = catalog.id(&relation) else { continue };
        resumed.loaded.insert(id, Loaded { counts, rungs, patched, deleted });
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
    #[expect(clippy::too_many_arguments, reason = "all that a journal begins with")]
    pub(crate) async fn begin(
        connection: &mut dyn Connection,
        identity: &Identity,
        catalog: &Catalog,
        state: &State,
        steps: &[Step],
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
        let ids: BTreeSet<RelationId> = before.keys().copied().collect();
        let rows = ids.iter().map(|id| (catalog.relation(*id).name.clone(), before[id]));
        let whole =
            Whole { plan, before: rows.collect(), accounts: accounts(catalog, ids.iter(), loaded), finished: false };
        write(connection, WHOLE, 0, &json(&whole)).await?;
        for step in 0..steps.len() {
            let entry = StepEntry { reached: Reached::default(), accounts: Vec::new() };
            write(connection, &step_kind(step), 0, &json(&entry)).await?;
        }
        let steps = steps.iter().map(|_| AtomicI64::new(0)).collect();
        Ok(Self { whole, generation: AtomicI64::new(0), steps })
    }

    /// Goes on with a journal.
    pub(crate) fn resume(resumed: &Resumed) -> Self {
        Self {
            whole: resumed.whole.clone(),
            generation: AtomicI64::new(resumed.generation),
            steps: resumed.step_generations.iter().copied().map(AtomicI64::new).collect(),
        }
    }

    /// Notes how far a step has come; to be committed with it.
    pub(crate) async fn advance(
        &self,
        connection: &mut dyn Connection,
        catalog: &Catalog,
        at: usize,
        step: &Step,
        reached: Reached,
        loaded: &HashMap<RelationId, Loaded>,
    ) -> Result<(), Error> {
        let entry = StepEntry { reached, accounts: accounts(catalog, step.relations.iter(), loaded) };
        note(connection, &step_kind(at), &self.steps[at], &json(&entry)).await
    }

    /// Fails where another process has gone on with the same restore meanwhile, and keeps one from doing so until the transaction ends: what is decided
    /// anew must not be what another has left behind.
    pub(crate) async fn fence(
        &self,
        connection: &mut dyn Connection,
        catalog: &Catalog,
        steps: &[Step],
        reached: &[Reached],
        loaded: &HashMap<RelationId, Loaded>,
    ) -> Result<(), Error> {
        note(connection, WHOLE, &self.generation, &json(&self.whole)).await?;
        for (at, reached) in reached.iter().enumerate().filter(|(_, reached)| !reached.finished) {
            self.advance(connection, catalog, at, &steps[at], *reached, loaded).await?;
        }
        Ok(())
    }

    /// Notes that the restore is complete, which it is with the commit of this. Where a table can be dropped along with that, it is.
    pub(crate) async fn finish(mut self, connection: &mut dyn Connection) -> Result<(), Error> {
        self.whole.finished = true;
        note(connection, WHOLE, &self.generation, &json(&self.whole)).await?;
        if connection.dialect().capabilities().transactional_ddl { remove(connection).await } else { Ok(()) }
    }
}

/// Writes a row anew, if it is still the one that this process wrote or found.
async fn note(connection: &mut dyn Connection, kind: &str, generation: &AtomicI64, content: &str) -> Result<(), Error> {
    let dialect = connection.dialect();
    let (text, integer) = (text_type(), integer_type());
    let sql = format!(
        "UPDATE {} SET content = {}, place = {} WHERE kind = {} AND place = {}",
        dialect.quote(JOURNAL),
        dialect.placeholder(1, &text),
        dialect.placeholder(2, &integer),
        dialect.placeholder(3, &text),
        dialect.placeholder(4, &integer)
    );
    let found = generation.load(Ordering::Relaxed);
    let parameters =
        [Value::Text(content.to_owned()), Value::Int(found + 1), Value::Text(kind.to_owned()), Value::Int(found)];
    if connection.execute(&sql, &parameters).await? != 1 {
        let message =
            "the journal is not as it was left: another process goes on with the same restore, or has abandoned it";
        return Err(Error::Journal(message.to_owned()));
    }
    generation.store(found + 1, Ordering::Relaxed);
    Ok(())
}

/// What these relations have come to, where they have come to anything.
fn accounts<'a>(
    catalog: &Catalog,
    relations: impl Iterator<Item = &'a RelationId>,
    loaded: &HashMap<RelationId, Loaded>,
) -> Vec<Account> {
    let account = |id: &RelationId| {
        let Loaded { counts, rungs, patched, deleted } = loaded.get(id)?.clone();
        Some(Account { relation: catalog.relation(*id).name.clone(), counts, rungs, patched, deleted })
    };
    relations.filter_map(account).collect()
}

/// Of what the journal counts: the steps, and the order of the rows in each.
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

/// The generations and contents of the rows about steps, in order.
async fn read_steps(connection: &mut dyn Connection) -> Result<Vec<(i64, String)>, Error> {
    let sql =
        format!("SELECT kind, place, content FROM {} WHERE kind LIKE 'step %'", connection.dialect().quote(JOURNAL));
    let rows = connection.query(&sql, &[]).await?;
    let step = |row: Vec<Value>| match <[Value; 3]>::try_from(row) {
        Ok([Value::Text(kind), Value::Int(place), Value::Text(content)]) => {
            let number = kind.strip_prefix("step ").and_then(|number| number.parse::<usize>().ok());
            Ok((number.ok_or_else(unreadable)?, place, content))
        }
        _ => Err(unreadable()),
    };
    let mut steps: Vec<(usize, i64, String)> = rows.into_iter().map(step).collect::<Result<_, _>>()?;
    steps.sort_unstable_by_key(|(number, ..)| *number);
    if steps.iter().map(|(number, ..)| *number).ne(0..steps.len()) {
        return Err(unreadable());
    }
    Ok(steps.into_iter().map(|(_, place, content)| (place, content)).collect())
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
