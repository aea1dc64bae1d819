//! Restores the generated inventory with the built `relink` into each database, and loads the same rows by that database's own
//! bulk path, in pairs: records per second, CPU time, peak memory, and how much of the bulk path's speed relink has.
//!
//! `tests/run --exec cargo run --release -p relink-benches --bin restore -- [--records N] [--databases sqlite,...] [--rounds N]`

use std::{
    error::Error,
    fs::File,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use clap::{Parser, ValueEnum};
use relink_benches::{Server, Usage, bulk_load, bulk_name, measure, steps};
use relink_model::Config;
use relink_testkit::{
    MYSQL_VARIABLE, POSTGRES_VARIABLE, TestDatabase,
    stocktake::{SEED, Stocktake, Table, csv, django, sql::Database},
};
use url::Url;

/// As in `relink` itself, or the steps would cost what they do not cost there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Compare restores of the generated inventory with each database's own bulk path
#[derive(Debug, Parser)]
struct Args {
    /// Records of the Django dump
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,

    /// The databases; servers take part where RELINK_TEST_POSTGRES and RELINK_TEST_MYSQL name them
    #[arg(long, value_delimiter = ',', default_value = "sqlite,postgres,mysql")]
    databases: Vec<Dialect>,

    /// Rounds; in each, every way loads the same rows once, and is compared with the bulk path of its own round
    #[arg(long, default_value_t = 3)]
    rounds: usize,

    /// Where the generated files go, to stay there; else they go into a temporary directory
    #[arg(long)]
    data: Option<PathBuf>,

    /// Restore once more inside this process, and print how the time divides
    #[arg(long)]
    steps: bool,
}

/// A database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Dialect {
    Sqlite,
    Postgres,
    Mysql,
}

/// A way to get the rows into a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The database's own.
    Bulk,
    /// The dump with natural keys.
    Natural,
    /// The dump with ids.
    Ids,
}

const WAYS: [Way; 3] = [Way::Bulk, Way::Natural, Way::Ids];

/// The generated files, and what must be in a database that they were loaded into.
struct Data {
    directory: PathBuf,
    records: u64,
    /// Rows by table.
    rows: Vec<(&'static str, u64)>,
}

fn main() -> Result<(), Box<dyn Error>> {
    if cfg!(debug_assertions) {
        return Err("measure with optimization: cargo run --release".into());
    }
    let args = Args::parse();
    let relink = relink()?;
    let temporary = tempfile::tempdir()?;
    let data = generate(args.records, args.data.as_deref().unwrap_or(temporary.path()))?;
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/stocktake/relink.toml").canonicalize()?;
    let (present, absent): (Vec<Dialect>, Vec<Dialect>) = args.databases.iter().partition(|dialect| dialect.is_there());
    for dialect in absent {
        println!("\n{}: left out, {} is not set", dialect.name(), dialect.variable().unwrap_or_default());
    }
    for dialect in &present {
        compare(*dialect, &data, &relink, &config, args.rounds)?;
    }
    if args.steps {
        println!("\nsteps of one restore in this process: wall seconds (CPU seconds + the server's)");
        // After all that is measured: the memory of this process would count as that of the programs it starts.
        for dialect in &present {
            print_steps(*dialect, &data, &config)?;
        }
    }
    Ok(())
}

/// Builds the program that is measured, beside this one.
fn relink() -> Result<PathBuf, Box<dyn Error>> {
    if let Some(relink) = std::env::var_os("RELINK_BIN") {
        return Ok(relink.into());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let mut build = Command::new(cargo);
    build.args(["build", "--release", "--quiet", "--package", "relink-cli", "--manifest-path", manifest]);
    if !build.status()?.success() {
        return Err("relink could not be built".into());
    }
    Ok(std::env::current_exe()?.with_file_name("relink"))
}

fn generate(records: u64, directory: &Path) -> io::Result<Data> {
    let begun = Instant::now();
    std::fs::create_dir_all(directory)?;
    let directory = directory.canonicalize()?;
    let stocktake = Stocktake::new(SEED, records);
    csv::write(&stocktake, &directory)?;
    for way in [Way::Natural, Way::Ids] {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(way.export(&directory))?);
        let options = django::Options { natural_foreign: way == Way::Natural, indent: 0 };
        django::write(&stocktake, &mut out, options)?;
        out.flush()?;
    }
    let rows: Vec<_> = Table::ALL.into_iter().map(|table| (table.spec().name, stocktake.count(table))).collect();
    let data = Data { records: stocktake.records(), rows, directory };
    println!(
        "{} records ({} rows of {} tables), made in {:.1} s; dump with natural keys {:.0} MB, with ids {:.0} MB",
        data.records,
        data.rows.iter().map(|(_, rows)| rows).sum::<u64>(),
        data.rows.len(),
        begun.elapsed().as_secs_f64(),
        megabytes(Way::Natural.export(&data.directory).metadata()?.len()),
        megabytes(Way::Ids.export(&data.directory).metadata()?.len()),
    );
    Ok(data)
}

/// Measures all ways in turn, and prints their medians.
fn compare(dialect: Dialect, data: &Data, relink: &Path, config: &Path, rounds: usize) -> Result<(), Box<dyn Error>> {
    let mut usages: Vec<Vec<Usage>> = vec![Vec::new(); WAYS.len()];
    let mut described = String::new();
    for _ in 0..rounds.max(1) {
        for (way, usages) in WAYS.into_iter().zip(&mut usages) {
            let database = dialect.fresh();
            described = dialect.describe(&database);
            let command = match way {
                Way::Bulk => bulk_load(dialect.name(), &database.url(), &data.directory)?,
                Way::Natural | Way::Ids => {
                    let mut command = Command::new(relink);
                    command.arg("restore").arg(way.export(&data.directory)).arg("--config").arg(config);
                    // Not as an argument, which every process of the machine can see.
                    command.env("RELINK_DATABASE_URL", database.url());
                    command
                }
            };
            usages.push(measure(command, dialect.server(&database).as_ref())?);
            require_rows(&database, &data.rows)?;
        }
    }
    println!("\n{described}; {rounds} rounds, medians; the rows of each table counted after each load");
    println!(
        "{:<24}{:>10}{:>9}{:>9}{:>12}{:>10}  {:<26} CPU / bulk",
        "", "records/s", "wall s", "CPU s", "server CPU", "peak MB", "speed / bulk (range)"
    );
    for (way, own) in WAYS.into_iter().zip(&usages) {
        let pairs = || own.iter().zip(&usages[0]);
        let wall = median(own.iter().map(|usage| usage.wall.as_secs_f64()));
        let mut line = format!(
            "{:<24}{:>10.0}{:>9.2}{:>9.2}{:>12.2}{:>10.0}",
            way.name(dialect),
            data.records as f64 / wall,
            wall,
            median(own.iter().map(|usage| usage.cpu.as_secs_f64())),
            median(own.iter().map(|usage| usage.server_cpu.as_secs_f64())),
            megabytes(own.iter().map(|usage| usage.memory_peak).max().unwrap_or(0)),
        );
        if way != Way::Bulk {
            let ratio = |own: Duration, bulk: Duration| own.as_secs_f64() / bulk.as_secs_f64();
            let speeds: Vec<f64> = pairs().map(|(own, bulk)| ratio(bulk.wall, own.wall)).collect();
            let range = |fold: fn(f64, f64) -> f64| speeds.iter().copied().reduce(fold).unwrap_or(f64::NAN);
            let speed =
                format!("{:.2} ({:.2} - {:.2})", median(speeds.iter().copied()), range(f64::min), range(f64::max));
            let cpu = median(pairs().map(|(own, bulk)| ratio(own.cpu_in_all(), bulk.cpu_in_all())));
            line = format!("{line}  {speed:<26} {cpu:.2}");
        }
        println!("{line}");
    }
    Ok(())
}

fn print_steps(dialect: Dialect, data: &Data, config: &Path) -> Result<(), Box<dyn Error>> {
    let config: Config = toml::from_str(&std::fs::read_to_string(config)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for way in [Way::Natural, Way::Ids] {
        let database = dialect.fresh();
        let server = dialect.server(&database);
        let (export, url) = (way.export(&data.directory), database.url());
        let shown: Vec<String> = runtime
            .block_on(steps(&export, &url, &config, server.as_ref()))?
            .iter()
            .map(|step| {
                let [wall, cpu, server] = [step.wall, step.cpu, step.server_cpu].map(|time| time.as_secs_f64());
                format!("{} {wall:.2} ({cpu:.2} + {server:.2})", step.name)
            })
            .collect();
        println!("{}, {}: {}", dialect.name(), way.name(dialect), shown.join(", "));
        require_rows(&database, &data.rows)?;
    }
    Ok(())
}

/// Compares the number of rows in each table.
fn require_rows(database: &TestDatabase, expected: &[(&'static str, u64)]) -> Result<(), Box<dyn Error>> {
    let counts: Vec<String> =
        expected.iter().map(|(table, _)| format!("SELECT '{table}', count(*) FROM {table}")).collect();
    let found = database.rows(&counts.join(" UNION ALL "));
    for (table, rows) in expected {
        let found = found.iter().find(|row| row[0].as_deref() == Some(*table)).and_then(|row| row[1].clone());
        if found.as_deref() != Some(rows.to_string().as_str()) {
            return Err(format!("{table} has {found:?} rows and should have {rows}").into());
        }
    }
    Ok(())
}

impl Way {
    fn export(self, directory: &Path) -> PathBuf {
        directory.join(if self == Self::Natural { "natural.django.json" } else { "ids.django.json" })
    }

    fn name(self, dialect: Dialect) -> &'static str {
        match self {
            Self::Bulk => bulk_name(dialect.name()),
            Self::Natural => "relink, natural keys",
            Self::Ids => "relink, ids",
        }
    }
}

impl Dialect {
    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
        }
    }

    /// Names the server.
    fn variable(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some(POSTGRES_VARIABLE),
            Self::Mysql => Some(MYSQL_VARIABLE),
        }
    }

    fn is_there(self) -> bool {
        self.variable().is_none_or(|variable| std::env::var_os(variable).is_some())
    }

    /// A database with the application's schema and no row.
    fn fresh(self) -> TestDatabase {
        let (database, schema) = match self {
            Self::Sqlite => (Some(TestDatabase::sqlite()), Database::Sqlite),
            Self::Postgres => (TestDatabase::postgres("bench"), Database::Postgres),
            Self::Mysql => (TestDatabase::mysql("bench"), Database::Mysql),
        };
        let database = database.expect("a server is named");
        database.run(schema.schema());
        if self == Self::Postgres {
            // What the load before left to write is not this one's to wait for.
            database.run("CHECKPOINT");
        }
        database
    }

    /// The server, with the settings that weigh most.
    fn describe(self, database: &TestDatabase) -> String {
        let query = match self {
            Self::Sqlite => "SELECT 'SQLite ' || sqlite_version() || ' (the program''s), synchronous full, cache 256 MiB'",
            Self::Postgres => {
                "SELECT 'PostgreSQL ' || current_setting('server_version') || ', fsync ' || current_setting('fsync')
                 || ', shared_buffers ' || current_setting('shared_buffers') || ', max_wal_size ' || current_setting('max_wal_size')"
            }
            Self::Mysql => {
                "SELECT concat(version(), ', innodb_flush_log_at_trx_commit ', @@innodb_flush_log_at_trx_commit,
                 ', innodb_buffer_pool_size ', @@innodb_buffer_pool_size DIV 1048576, ' MiB')"
            }
        };
        database.value(query)
    }

    /// The server's process, where it runs here.
    fn server(self, database: &TestDatabase) -> Option<Server> {
        let names: &[&str] = match self {
            Self::Sqlite => return None,
            Self::Postgres => &["postgres"],
            Self::Mysql => &["mariadbd", "mysqld"],
        };
        Server::listening_on(Url::parse(&database.url()).ok()?.port()?, names)
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
