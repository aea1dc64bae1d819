//! One restore through the libraries, in the steps of `relink restore`: open, index, load, validate, then commit or roll back.

use std::path::{Path, PathBuf};

use relink_db::{Access, Connection, DbError};
use relink_export::{ExportError, Index, OpenOptions, Source};
use relink_model::{Config, Counts, Finding, FindingCode, Ids, Severity};
use relink_restore::{
    ChosenRecord, Error, Event, Mode, MovedId, Options, Rejected, Report, Request, SchemaScript, Status, WantedKeys,
};
use relink_testkit::TestDatabase;
use tempfile::TempDir;

use crate::Contents;

/// An export in a file of its own.
#[derive(Debug)]
pub struct Export {
    _directory: Option<TempDir>,
    path: PathBuf,
}

impl Export {
    /// Writes the export.
    ///
    /// # Panics
    /// Where no temporary file can be written.
    pub fn new(content: impl AsRef<[u8]>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let path = directory.path().join("export.json");
        std::fs::write(&path, content).expect("the temporary directory is writable");
        Self { _directory: Some(directory), path }
    }

    /// A file that is there already.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { _directory: None, path: path.into() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Why a restore ended with an error.
#[derive(Debug)]
pub enum Failure {
    /// The export cannot be read.
    Export(Vec<ExportError>),
    /// The database cannot be reached.
    Connect(DbError),
    /// The restore failed.
    Restore(Error),
    /// The validation failed.
    Validate(DbError),
}

/// What came of a restore.
#[derive(Debug)]
pub struct Outcome {
    /// The engine's report.
    pub report: Report,
    /// The validation before the commit; `None` where the restore was refused.
    pub validation: Option<relink_validate::Report>,
    /// The records that were not restored, in the order of the export.
    pub rejected: Vec<Rejected>,
    /// Under which ids rows stand to which they refer.
    pub moved: Vec<MovedId>,
    /// The records that were chosen since their rows are missing.
    pub chosen: Vec<ChosenRecord>,
    /// Keys that no record has.
    pub unfound: Vec<WantedKeys>,
    /// Whether the rows stayed.
    pub committed: bool,
}

impl Outcome {
    /// The findings of this code, in the order in which they were found.
    pub fn findings(&self, code: FindingCode) -> Vec<&Finding> {
        self.report.findings.iter().filter(|group| group.code == code).flat_map(|group| &group.findings).collect()
    }

    /// The only finding there is.
    ///
    /// # Panics
    /// Where there are none or several, or it has another code.
    pub fn only(&self, code: FindingCode) -> &Finding {
        let all: Vec<&Finding> = self.report.findings.iter().flat_map(|group| &group.findings).collect();
        let [only] = all[..] else { panic!("one finding {code} was expected: {all:#?}") };
        assert_eq!(only.code, code, "{only:#?}");
        only
    }

    /// The only group of findings of this code.
    ///
    /// # Panics
    /// Where there are none or several.
    pub fn only_group(&self, code: FindingCode) -> &relink_restore::FindingGroup {
        let groups: Vec<_> = self.report.findings.iter().filter(|group| group.code == code).collect();
        let [only] = groups[..] else { panic!("one group {code} was expected: {:#?}", self.told()) };
        only
    }

    /// The codes of all findings, each once, in the order in which they were found.
    pub fn codes(&self) -> Vec<FindingCode> {
        let mut codes: Vec<FindingCode> = self.report.findings.iter().map(|group| group.code).collect();
        codes.dedup();
        codes
    }

    /// The findings in one line each, for messages: how each is handled, its code, table, field and words.
    pub fn told(&self) -> Vec<String> {
        let line = |handling: relink_restore::Handling, finding: &Finding| {
            let table = finding.relation.as_ref().map(ToString::to_string).unwrap_or_default();
            let field = finding.field.as_deref().map(|field| format!(".{field}")).unwrap_or_default();
            format!("{handling:?} {} {table}{field}: {}", finding.code, finding.message)
        };
        let groups = self.report.findings.iter();
        groups.flat_map(|group| group.findings.iter().map(|finding| line(group.handling, finding))).collect()
    }

    /// The rejected records in one line each: `TABLE RECORD`, then code and field of each link of the chain.
    pub fn rejections(&self) -> Vec<String> {
        let link = |reason: &relink_restore::Reason| match &reason.field {
            Some(field) => format!(" {}({field})", reason.code),
            None => format!(" {}", reason.code),
        };
        let line = |rejected: &Rejected| {
            let chain: String = rejected.chain.iter().map(link).collect();
            format!("{} {}{}", rejected.relation, rejected.file_ordinal, chain.replace("restore::", ""))
        };
        self.rejected.iter().map(line).collect()
    }

    /// The counts of one relation.
    ///
    /// # Panics
    /// Where the report has no such relation.
    pub fn counts(&self, relation: &str) -> Counts {
        self.relation(relation).counts
    }

    /// Rows of one relation that were inserted with a NULL in place of a reference, then updated.
    ///
    /// # Panics
    /// Where the report has no such relation.
    pub fn patched(&self, relation: &str) -> u64 {
        self.relation(relation).patched
    }

    /// The ways in which cycles were broken, in the order of the plan.
    pub fn ways(&self) -> Vec<String> {
        self.report.plan.steps.iter().filter_map(|step| Some(step.cycle.as_ref()?.way.to_string())).collect()
    }

    /// What the report says of one relation.
    ///
    /// # Panics
    /// Where the report has no such relation.
    pub fn relation(&self, relation: &str) -> &relink_restore::RelationReport {
        let found = self.report.relations.iter().find(|found| found.relation.to_string() == relation);
        found.unwrap_or_else(|| panic!("{relation} is not in the report: {:#?}", self.report))
    }
}

type SetOptions<'a> = Box<dyn FnOnce(&mut Options) + 'a>;
type Wrap<'a> = Box<dyn FnOnce(Box<dyn Connection>) -> Box<dyn Connection> + 'a>;

/// A restore to be.
pub struct Restore<'a> {
    export: &'a Export,
    config: Config,
    options: Vec<SetOptions<'a>>,
    dry_run: bool,
    schema: Option<String>,
    url: Option<String>,
    wrap: Option<Wrap<'a>>,
    hear: Box<dyn FnMut(Event) + 'a>,
    id_map: Vec<MovedId>,
}

impl std::fmt::Debug for Restore<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Restore").field("export", &self.export).finish_non_exhaustive()
    }
}

impl<'a> Restore<'a> {
    /// Of this export, with the defaults of the command line.
    pub fn of(export: &'a Export) -> Self {
        Self {
            export,
            config: Config::default(),
            options: Vec::new(),
            dry_run: false,
            schema: None,
            url: None,
            wrap: None,
            hear: Box::new(|_| {}),
            id_map: Vec::new(),
        }
    }

    /// `--config` with this text.
    ///
    /// # Panics
    /// Where the text is no configuration.
    #[must_use]
    pub fn config(mut self, text: &str) -> Self {
        self.config = toml::from_str(text).unwrap_or_else(|error| panic!("{error}"));
        self
    }

    /// `--mode`.
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        self.options(move |options| options.mode = mode)
    }

    /// `--ids`.
    #[must_use]
    pub fn ids(self, ids: Ids) -> Self {
        self.options(move |options| options.ids = ids)
    }

    /// Any other option.
    #[must_use]
    pub fn options(mut self, set: impl FnOnce(&mut Options) + 'a) -> Self {
        self.options.push(Box::new(set));
        self
    }

    /// `--dry-run`.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// `--schema` with this script.
    #[must_use]
    pub fn schema(mut self, sql: &str) -> Self {
        self.schema = Some(sql.to_owned());
        self
    }

    /// Through this URL, e.g. as another role.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Over a connection made of the real one.
    #[must_use]
    pub fn over(mut self, wrap: impl FnOnce(Box<dyn Connection>) -> Box<dyn Connection> + 'a) -> Self {
        self.wrap = Some(Box::new(wrap));
        self
    }

    /// Tells this function what happens.
    #[must_use]
    pub fn hear(mut self, hear: impl FnMut(Event) + 'a) -> Self {
        self.hear = Box::new(hear);
        self
    }

    /// `--id-map` with these entries.
    #[must_use]
    pub fn id_map(mut self, entries: &[MovedId]) -> Self {
        self.id_map = entries.to_vec();
        self
    }

    /// Carries it out.
    ///
    /// # Panics
    /// With the error where it fails, and where the accounts do not balance.
    pub fn into(self, database: &TestDatabase) -> Outcome {
        self.try_into(database).unwrap_or_else(|failure| panic!("{database:?}: {failure:#?}"))
    }

    /// Carries it out.
    ///
    /// # Errors
    /// What the command line would report instead of a report.
    ///
    /// # Panics
    /// Where the accounts do not balance.
    pub fn try_into(self, database: &TestDatabase) -> Result<Outcome, Failure> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
        let outcome = runtime.block_on(self.run(database))?;
        assert_accounts_balance(&outcome.report);
        Ok(outcome)
    }

    async fn run(mut self, database: &TestDatabase) -> Result<Outcome, Failure> {
        let url = self.url.clone().unwrap_or_else(|| database.url()).parse().expect("a database URL");
        let source =
            Source::open(self.export.path(), &OpenOptions::default()).map_err(|error| Failure::Export(vec![error]))?;
        let index: Index = source.index(&mut |_| {}).map_err(Failure::Export)?;
        let access = if self.schema.is_some() { Access::Create } else { Access::ReadWrite };
        let mut connection = relink_db::connect(&url, access).await.map_err(Failure::Connect)?;
        if let Some(wrap) = self.wrap.take() {
            connection = wrap(connection);
        }
        let schema = self.schema.take().map(|sql| SchemaScript { name: "schema.sql".to_owned(), sql });
        let dry_run = self.dry_run;
        let mut options = Options::of(&self.config);
        // Every restore of the tests proves itself whole, unless the test says otherwise.
        options.verify = relink_model::Verify::Full;
        for set in self.options.drain(..) {
            set(&mut options);
        }
        let precheck = |_: &relink_model::Catalog, _: &dyn relink_db::Dialect| Ok(());
        let interrupted = std::sync::atomic::AtomicBool::new(false);
        let request = Request {
            source,
            index,
            config: &self.config,
            profiles: &[],
            options: &options,
            id_map: &self.id_map,
            dry_run,
            schema,
            precheck: &precheck,
            interrupted: &interrupted,
        };
        let applied = relink_restore::restore(connection, request, &mut *self.hear).await;
        let mut applied = applied.map_err(Failure::Restore)?;
        let validation = if applied.is_open() {
            match validate(&mut applied, &self.config).await {
                Ok(report) => Some(report),
                Err(error) => {
                    applied.roll_back().await.map_err(Failure::Restore)?;
                    return Err(Failure::Validate(error));
                }
            }
        } else {
            None
        };
        let (rejected, moved) = (applied.rejected().to_vec(), applied.moved_ids().to_vec());
        let (chosen, unfound) = (applied.chosen().to_vec(), applied.unfound().to_vec());
        let sound =
            validation.as_ref().is_some_and(|report| report.is_complete() && report.gravest() < Some(Severity::Error));
        let committed = sound && !dry_run;
        let report = if committed { applied.commit().await } else { applied.roll_back().await };
        Ok(Outcome {
            report: report.map_err(Failure::Restore)?,
            validation,
            rejected,
            moved,
            chosen,
            unfound,
            committed,
        })
    }
}

async fn validate(applied: &mut relink_restore::Applied, config: &Config) -> Result<relink_validate::Report, DbError> {
    let catalog = applied.catalog().clone();
    let only = Some(applied.touched().to_vec());
    let connection = applied.connection();
    let checks =
        relink_validate::plan(&catalog, config, connection.dialect()).expect("the configuration fits the catalog");
    let now = config.run.now.as_deref().map_or_else(jiff::Timestamp::now, |now| now.parse().expect("an instant"));
    let options = relink_validate::Options { only, ..relink_validate::Options::new(now, std::env::temp_dir()) };
    relink_validate::run(connection, &catalog, &checks, &options, &mut |_| {}).await
}

/// Every record that was read is accounted for, by relation and in all.
fn assert_accounts_balance(report: &Report) {
    let mut totals = Counts::default();
    for relation in &report.relations {
        assert!(relation.counts.balances(), "{relation:#?}");
        if report.status == Status::Restored {
            assert_eq!(
                relation.rungs.bulk + relation.rungs.insert + relation.rungs.row + relation.rungs.raw,
                relation.counts.inserted,
                "{relation:#?}"
            );
        }
        totals += relation.counts;
    }
    assert_eq!(totals, report.totals);
}

/// Restores a text that must be restored without any finding.
///
/// # Panics
/// Where it is not.
pub fn restored(database: &TestDatabase, export: &str, config: &str) -> Outcome {
    let export = Export::new(export);
    let outcome = Restore::of(&export).config(config).into(database);
    let (report, validation) = (&outcome.report, &outcome.validation);
    assert!(outcome.committed && report.findings.is_empty(), "{database:?}: {report:#?}\n{validation:#?}");
    outcome
}

/// Restores a text that must be refused, and leave the database as it was.
///
/// # Panics
/// Where it is not, or does not.
pub fn refused(database: &TestDatabase, export: &str, config: &str) -> Outcome {
    let before = Contents::of(database);
    let export = Export::new(export);
    let outcome = Restore::of(&export).config(config).into(database);
    assert_eq!(outcome.report.status, Status::Refused, "{database:?}: {:#?}", outcome.report);
    before.assert_unchanged(database);
    outcome
}

/// Whether two reports say the same, save that one is of a dry run.
///
/// # Panics
/// Where they do not.
pub fn same_but_for_the_dry_run(dry: &Report, real: &Report) {
    let plain = |report: &Report| {
        let mut report = report.clone();
        report.dry_run = false;
        serde_json::to_string_pretty(&report).expect("reports serialize")
    };
    assert!(dry.dry_run && !real.dry_run);
    let (dry, real) = (plain(dry), plain(real));
    for (dry, real) in dry.lines().zip(real.lines()) {
        assert_eq!(dry, real);
    }
    assert_eq!(dry.lines().count(), real.lines().count());
}
