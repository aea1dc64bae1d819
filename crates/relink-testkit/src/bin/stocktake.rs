//! Writes the stocktake application's test data: the committed files, or one large form of it for benchmarks. What each
//! file is for stands in `testdata/stocktake/README.md`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use relink_testkit::stocktake::{SEED, Stocktake, csv, django, samples, tables};

/// Write the stocktake application's test data
///
/// Without --only: every generated file of testdata/stocktake. The same arguments always give the same bytes.
#[derive(Debug, Parser)]
struct Args {
    /// Objects of the Django dump; the rows of join tables come on top in the other forms
    #[arg(long, default_value_t = samples::RECORDS)]
    records: u64,

    /// The directory to write into; it is made where it is missing
    #[arg(long)]
    out: PathBuf,

    /// Write one form only
    #[arg(long)]
    only: Option<Form>,

    /// Django form: foreign keys as natural keys (the default)
    #[arg(long, overrides_with = "no_natural")]
    natural: bool,

    /// Django form: foreign keys as ids
    #[arg(long, overrides_with = "natural")]
    no_natural: bool,

    /// Spaces per level of the JSON forms; 0 writes one line
    #[arg(long)]
    indent: Option<usize>,

    /// The seed of the pseudo-random numbers
    #[arg(long, default_value_t = SEED)]
    seed: u64,
}

/// A form of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A Django dump, clean.django.json
    Django,
    /// A table map, clean.tables.json
    Tables,
    /// One CSV file per table, and for each database a script that loads them
    Csv,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> io::Result<()> {
    fs::create_dir_all(&args.out)?;
    let stocktake = Stocktake::new(args.seed, args.records);
    let natural_foreign = !args.no_natural;
    match args.only {
        None => {
            for missing in samples::write(&stocktake, &args.out)? {
                eprintln!("warning: {missing} was not made: the sqlite3 program is not installed");
            }
            Ok(())
        }
        Some(Form::Django) => {
            let options = django::Options { natural_foreign, indent: args.indent.unwrap_or(samples::DJANGO_INDENT) };
            to_file(&args.out, samples::DJANGO, |out| django::write(&stocktake, out, options))
        }
        Some(Form::Tables) => {
            let indent = args.indent.unwrap_or(samples::TABLES_INDENT);
            to_file(&args.out, samples::TABLES, |out| tables::write(&stocktake, out, indent))
        }
        Some(Form::Csv) => csv::write(&stocktake, &args.out),
    }
}

fn to_file(directory: &Path, name: &str, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(directory.join(name))?);
    write(&mut out)?;
    out.flush()
}
