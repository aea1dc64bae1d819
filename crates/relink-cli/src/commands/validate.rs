//! `relink validate`: everything that the schema promises, and the rules, measured on the data of a database or an export.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use relink_db::{Access, DatabaseUrl, TransactionKind};
use relink_export::{FormatFamily, Index, OpenOptions, Source};
use relink_model::{Catalog, Config, Severity, config, suggest};
use relink_report::Format;
use relink_validate::{Baseline, Check, Event, Export, Options, Report};

use crate::{
    args::{FailOn, FamilyArgument, ValidateArguments},
    config::{self as configuration, Loaded},
    diagnostics,
    exit::{Exit, Failure},
    files,
    progress::Progress,
};

/// What is validated.
pub(crate) enum Target {
    Database(DatabaseUrl),
    Export(PathBuf),
}

/// What came of the checks that were asked for.
pub(crate) struct Validated {
    pub(crate) report: Report,
    /// All that there are.
    checks: Vec<Check>,
    catalog: Catalog,
}

impl Validated {
    /// Settles what of it is allowed, and hides what is masked.
    pub(crate) fn accept(
        &mut self,
        config: &Config,
        baseline: Option<&Baseline>,
        options: &Options,
    ) -> Result<Baseline, Failure> {
        relink_validate::accept(&mut self.report, &self.checks, &self.catalog, config, baseline, options)
            .map_err(Failure::Config)
    }
}

pub(crate) async fn run(arguments: &ValidateArguments) -> Result<Exit, Failure> {
    let loaded = configuration::load_with_places(arguments.config.as_deref())?;
    let config = &loaded.config;
    let baseline = match &arguments.baseline {
        Some(path) if path.exists() => Some(read_baseline(path)?),
        Some(path) if !arguments.update_baseline => {
            let error = std::io::Error::new(std::io::ErrorKind::NotFound, "no such file; --update-baseline makes it");
            return Err(Failure::File { path: path.clone(), error });
        }
        _ => None,
    };
    let now = match &arguments.now {
        Some(text) => text.parse().map_err(|_| Failure::Now(text.clone()))?,
        None => now(config)?,
    };
    let options = Options {
        samples_max: arguments.max_samples,
        exhaustive: relink_validate::exhaustive(config, arguments.baseline.is_some()),
        timeout: arguments.timeout_per_check,
        memory: usize::try_from(arguments.memory.as_u64()).unwrap_or(usize::MAX),
        partial: !arguments.only.is_empty() || arguments.no_infer,
        ..options(now, config)
    };
    let history = arguments.history.iter().map(|path| read_report(path)).collect::<Result<Vec<_>, _>>()?;
    let mut progress = Progress::new();
    let validated = match target(arguments.target.as_deref())? {
        Target::Database(url) => database(&url, config, arguments, &options, &mut progress).await,
        Target::Export(path) => export(&path, config, arguments, &options, &mut progress).await,
    };
    progress.finish();
    let mut validated = validated?;
    place(&mut validated.report, &validated.checks, &loaded);
    let found = validated.accept(config, baseline.as_ref(), &options)?;
    let Validated { mut report, checks, catalog } = validated;
    if let (Some(path), true) = (&arguments.baseline, arguments.update_baseline) {
        let earlier = baseline.unwrap_or_default();
        write_baseline(path, &found.keeping(&earlier, &report, &checks, options.partial))?;
    }
    let nothing = why_nothing(&report, &catalog, config);
    report.not_checked.extend(nothing.map(str::to_owned));
    let earlier = |since: &String| format!("rows from before {since}, save where a check needs all of them (--since)");
    report.not_checked.extend(arguments.since.as_ref().map(earlier));
    let fail_on = fail_on(arguments, config);
    write(&report, arguments, &loaded, fail_on, history)?;
    Ok(if nothing.is_some() { Exit::Database } else { exit(&report, fail_on) })
}

/// Why nothing at all was checked, where that is not what the configuration says.
fn why_nothing(report: &Report, catalog: &Catalog, config: &Config) -> Option<&'static str> {
    let is_off = |severity: &config::SeverityConfig| *severity == config::SeverityConfig::Off;
    if !report.checks.is_empty() {
        None
    } else if catalog.relations.is_empty() {
        Some("everything: there is no table, or none that can be seen")
    } else if config.run.trust == Some(config::Trust::Validated) || config.severity.values().any(is_off) {
        None
    } else {
        Some("everything: the schema promises nothing, and there is no rule")
    }
}

/// A URL is a database, everything else a file; a file that SQLite has written is a database, too.
pub(crate) fn target(given: Option<&str>) -> Result<Target, Failure> {
    let how = "give its URL, or the file of an export";
    let text = given.filter(|text| !text.is_empty()).ok_or(Failure::NoDatabase(how))?;
    let path = Path::new(text);
    if path.is_file() && is_sqlite(path) {
        return Ok(Target::Database(format!("sqlite:{text}").parse()?));
    }
    if DatabaseUrl::is_meant(text) && !path.exists() {
        return Ok(Target::Database(text.parse()?));
    }
    Ok(Target::Export(path.to_owned()))
}

fn is_sqlite(path: &Path) -> bool {
    use std::io::Read as _;
    let mut start = [0; 16];
    std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && &start == b"SQLite format 3\0"
}

/// Whether `--only` names a check, or is not given.
fn is_wanted(id: &str, arguments: &ValidateArguments) -> bool {
    arguments.only.is_empty() || arguments.only.iter().any(|pattern| relink_validate::fits(pattern, id))
}

/// The checks that were asked for.
fn chosen(
    checks: &[Check],
    catalog: &Catalog,
    config: &Config,
    arguments: &ValidateArguments,
    of_export: bool,
) -> Result<Vec<Check>, Failure> {
    // Which of these there are shows only when an export is read.
    let late = |pattern: &String| of_export && pattern.starts_with("complete:");
    let is_there = |pattern: &String| checks.iter().any(|check| relink_validate::fits(pattern, &check.id));
    if let Some(pattern) = arguments.only.iter().find(|pattern| !late(pattern) && !is_there(pattern)) {
        let nearest = suggest::nearest(pattern, checks.iter().map(|check| check.id.as_str())).map(str::to_owned);
        return Err(Failure::NoCheck { pattern: pattern.clone(), nearest });
    }
    let mut checks: Vec<Check> = checks.iter().filter(|check| is_wanted(&check.id, arguments)).cloned().collect();
    if let Some(since) = &arguments.since {
        let restricted = relink_validate::restrict(&mut checks, catalog, config, since);
        if restricted.map_err(|error| Failure::Config(vec![error]))? == 0 {
            return Err(Failure::NoSince);
        }
    }
    Ok(checks)
}

async fn database(
    url: &DatabaseUrl,
    config: &Config,
    arguments: &ValidateArguments,
    options: &Options,
    progress: &mut Progress,
) -> Result<Validated, Failure> {
    if arguments.schema.is_some() || arguments.from.is_some() || arguments.encoding.is_some() {
        return Err(Failure::ForExports);
    }
    let choose = |checks: &[Check], catalog: &Catalog| chosen(checks, catalog, config, arguments, false);
    measure(url, config, options, (!arguments.no_infer, None), choose, &mut |event| show(progress, &event)).await
}

/// Makes the chosen checks over a connection and in a snapshot of its own, and with them, if `inferring`, what names suggest. `waits` is how long to wait for
/// locks of others; `None`: as long as it takes.
pub(crate) async fn measure(
    url: &DatabaseUrl,
    config: &Config,
    options: &Options,
    (inferring, waits): (bool, Option<Duration>),
    choose: impl Fn(&[Check], &Catalog) -> Result<Vec<Check>, Failure>,
    events: &mut dyn FnMut(Event),
) -> Result<Validated, Failure> {
    let mut connection = super::connect(url, Access::ReadOnly).await?;
    connection.begin(TransactionKind::Snapshot).await?;
    if let Some(limit) = waits {
        connection.set_lock_timeout(limit).await?;
    }
    let mut catalog = connection.introspect().await?;
    config.add_virtual_references(&mut catalog).map_err(Failure::Config)?;
    let mut checks = relink_validate::plan(&catalog, config, connection.dialect()).map_err(Failure::Config)?;
    let guesses = inferring.then(|| relink_validate::infer(&catalog, config, Some(connection.dialect()), &checks));
    if let Some(guesses) = &guesses {
        guesses.add_to(&mut checks);
    }
    let chosen = choose(&checks, &catalog)?;
    let options = &Options { made: relink_validate::made_columns(&catalog, config), ..options.clone() };
    let mut report = relink_validate::run(connection.as_mut(), &catalog, &chosen, options, events).await?;
    if let Some(guesses) = &guesses {
        guesses.judge(&mut report);
    }
    connection.rollback().await?;
    connection.close().await?;
    Ok(Validated { report, checks, catalog })
}

async fn export(
    path: &Path,
    config: &Config,
    arguments: &ValidateArguments,
    options: &Options,
    progress: &mut Progress,
) -> Result<Validated, Failure> {
    let (source, index) = open(path, arguments, progress)?;
    let profiles = configuration::profiles(config)?;
    let (mut catalog, schema) = if let Some(schema) = &arguments.schema {
        schema_of(schema).await?
    } else {
        let export = Export { source: &source, index: &index, schema: "" };
        let catalog = relink_validate::infer_catalog(&export, config, &profiles)
            .map_err(|error| Failure::Export { errors: vec![error], source_text: Some(source.clone()) })?;
        (catalog, "inferred from the data: without --schema nothing is known of keys and references".to_owned())
    };
    config.add_virtual_references(&mut catalog).map_err(Failure::Config)?;
    let mut checks = relink_validate::plan_export(&catalog, config).map_err(Failure::Config)?;
    let guesses = (!arguments.no_infer).then(|| relink_validate::infer(&catalog, config, None, &checks));
    if let Some(guesses) = &guesses {
        guesses.add_to(&mut checks);
    }
    let chosen = chosen(&checks, &catalog, config, arguments, true)?;
    let catalog = Arc::new(catalog);
    let options = &Options {
        made: relink_validate::made_columns(&catalog, config),
        chosen: arguments.only.clone(),
        ..options.clone()
    };
    let export = Export { source: &source, index: &index, schema: &schema };
    let mut events = |event| show(progress, &event);
    let mut report = relink_validate::run_export(export, &catalog, config, &profiles, &chosen, options, &mut events)
        .await
        .map_err(Failure::Config)?;
    if let Some(guesses) = &guesses {
        guesses.judge(&mut report);
    }
    // What all of an export tells is no check that could be chosen beforehand.
    report.checks.retain(|check| is_wanted(&check.id, arguments));
    Ok(Validated { report, checks, catalog: catalog.as_ref().clone() })
}

/// Opens and indexes an export.
fn open(path: &Path, arguments: &ValidateArguments, progress: &mut Progress) -> Result<(Source, Index), Failure> {
    let mut options = OpenOptions::default();
    options.encoding.clone_from(&arguments.encoding);
    options.format = arguments.from.map(FamilyArgument::family);
    super::open_export(&[path], &options, progress)
}

impl FamilyArgument {
    /// The family of formats.
    pub(crate) fn family(self) -> FormatFamily {
        match self {
            Self::Django => FormatFamily::Django,
            Self::TableMap => FormatFamily::TableMap,
            Self::RowFiles => FormatFamily::RowFiles,
        }
    }
}

/// The schema of an export, and where it comes from in words.
pub(crate) async fn schema_of(given: &str) -> Result<(Catalog, String), Failure> {
    let path = Path::new(given);
    let url: DatabaseUrl = if path.is_file() && is_sqlite(path) {
        format!("sqlite:{given}").parse()?
    } else if path.exists() {
        let text = super::read_file(path)?;
        if text.trim_start().starts_with('{') {
            let catalog = catalog_of(&text).map_err(|why| Failure::Schema { path: path.to_owned(), why })?;
            return Ok((catalog, format!("the catalog in {given}")));
        }
        let catalog = of_script(path, &text).await?;
        return Ok((catalog, format!("the script {given}")));
    } else if DatabaseUrl::is_meant(given) {
        given.parse()?
    } else {
        let error = std::io::Error::new(std::io::ErrorKind::NotFound, "no such file, and no database URL");
        return Err(Failure::File { path: path.to_owned(), error });
    };
    let mut connection = super::connect(&url, Access::ReadOnly).await?;
    let catalog = connection.introspect().await?;
    connection.close().await?;
    let schema = format!("the database {}", catalog.server.database);
    Ok((catalog, schema))
}

/// A catalog as `relink inspect --format json` prints it, alone or among the rest.
fn catalog_of(text: &str) -> Result<Catalog, String> {
    let mut value: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let catalog = match value.get_mut("catalog") {
        Some(catalog) => catalog.take(),
        None => value,
    };
    serde_json::from_value(catalog).map_err(|error| format!("it is no catalog: {error}"))
}

/// What a script makes in an empty SQLite database, which keeps the types' own words.
async fn of_script(path: &Path, text: &str) -> Result<Catalog, Failure> {
    let folder = tempfile::tempdir().map_err(|error| Failure::File { path: path.to_owned(), error })?;
    let url: DatabaseUrl = format!("sqlite:{}", folder.path().join("schema.db").display()).parse()?;
    let mut connection = super::connect(&url, Access::Create).await?;
    connection.begin(TransactionKind::Write).await?;
    let made = connection.execute_script(text).await;
    if let Err(error) = made {
        let why = format!(
            "{error}; scripts are read by SQLite: for another database's, give its URL or `relink inspect --format json`"
        );
        return Err(Failure::Schema { path: path.to_owned(), why });
    }
    let catalog = connection.introspect().await?;
    connection.rollback().await?;
    connection.close().await?;
    Ok(catalog)
}

/// How to validate, as the configuration says it.
pub(crate) fn options(now: Timestamp, config: &Config) -> Options {
    let timezone = config.run.timezone.clone();
    Options { started: Timestamp::now(), timezone, ..Options::new(now, std::env::temp_dir()) }
}

/// The instant that counts as now.
pub(crate) fn now(config: &Config) -> Result<Timestamp, Failure> {
    match &config.run.now {
        Some(text) if text != "clock" => {
            text.parse().map_err(|_| Failure::Config(vec![config::ConfigError::Now { text: text.clone() }]))
        }
        _ => Ok(Timestamp::now()),
    }
}

pub(crate) fn show(progress: &mut Progress, event: &Event) {
    match event {
        Event::Planned { checks } => progress.start("validating", *checks as u64, false),
        Event::Started { .. } => {}
        Event::Finished { .. } => progress.advance(),
    }
}

/// Says of each result where its rule stands.
fn place(report: &mut Report, checks: &[Check], loaded: &Loaded) {
    for result in &mut report.checks {
        let rule = checks.iter().find(|check| check.id == result.id).and_then(|check| check.rule.as_ref());
        result.rule = rule.and_then(|rule| loaded.place(rule));
    }
}

fn read_baseline(path: &Path) -> Result<Baseline, Failure> {
    let text = super::read_file(path)?;
    let baseline: Baseline = serde_json::from_str(&text).map_err(|error| Failure::Unreadable {
        path: path.to_owned(),
        what: "baseline",
        why: error.to_string(),
    })?;
    if baseline.version != relink_validate::BASELINE_VERSION {
        let why = format!("version {} is not known to this relink", baseline.version);
        return Err(Failure::Unreadable { path: path.to_owned(), what: "baseline", why });
    }
    Ok(baseline)
}

fn write_baseline(path: &Path, baseline: &Baseline) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(baseline).expect("a baseline serializes: its maps have text keys");
    files::write(path, &format!("{text}\n"))
}

fn read_report(path: &Path) -> Result<Report, Failure> {
    serde_json::from_str(&super::read_file(path)?).map_err(|error| Failure::Unreadable {
        path: path.to_owned(),
        what: "report",
        why: error.to_string(),
    })
}

/// From which severity on findings count; `None`: never.
fn fail_on(arguments: &ValidateArguments, config: &Config) -> Option<Severity> {
    let configured = config.run.fail_on.map(|fail_on| match fail_on {
        config::FailOn::Error => FailOn::Error,
        config::FailOn::Warning => FailOn::Warning,
        config::FailOn::Info => FailOn::Info,
        config::FailOn::Never => FailOn::Never,
    });
    match arguments.fail_on.or(configured).unwrap_or(FailOn::Error) {
        FailOn::Error => Some(Severity::Error),
        FailOn::Warning => Some(Severity::Warning),
        FailOn::Info => Some(Severity::Info),
        FailOn::Never => None,
    }
}

/// Writes the report in every form that was asked for.
fn write(
    report: &Report,
    arguments: &ValidateArguments,
    loaded: &Loaded,
    fail_on: Option<Severity>,
    history: Vec<Report>,
) -> Result<(), Failure> {
    let mut options = relink_report::Options {
        colour: false,
        width: None,
        quiet: arguments.quiet,
        history,
        fail_on,
        config_file: loaded.file().map(str::to_owned),
    };
    for output in &arguments.format {
        let to_terminal = output.file.is_none() && output.format == Format::Text;
        options.colour = to_terminal && diagnostics::colour_on_stdout();
        options.width = if to_terminal { diagnostics::width_of_stdout() } else { None };
        let text = relink_report::render(report, output.format, &options);
        match &output.file {
            Some(path) => files::write(path, &text)?,
            None => super::print(&text),
        }
        // Where the job's page shows a summary, it gets the whole table.
        if let (Format::Github, Some(path)) = (output.format, std::env::var_os("GITHUB_STEP_SUMMARY")) {
            files::append(Path::new(&path), &relink_report::step_summary(report, &options))?;
        }
    }
    Ok(())
}

/// What could not be judged is no pass: it outranks what was judged.
fn exit(report: &Report, fail_on: Option<Severity>) -> Exit {
    if !report.is_complete() {
        return Exit::Database;
    }
    let fails = fail_on.is_some_and(|mildest| report.gravest() >= Some(mildest));
    if fails { Exit::Findings } else { Exit::Clean }
}
