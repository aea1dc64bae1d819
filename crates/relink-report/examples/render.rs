//! Renders a stored JSON report: `render FORMAT [EARLIER.json ...] < report.json`. `summary` is the step summary for GitHub Actions.

use std::{error::Error, fs, io::Read as _};

use relink_report::{Format, Options, render, step_summary};
use relink_validate::Report;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let format = arguments.next().ok_or("give a format")?;
    let mut options = Options::default();
    for earlier in arguments {
        options.history.push(serde_json::from_str(&fs::read_to_string(earlier)?)?);
    }
    let mut stored = String::new();
    std::io::stdin().read_to_string(&mut stored)?;
    let report: Report = serde_json::from_str(&stored)?;
    let written = match Format::from_name(&format) {
        Some(format) => render(&report, format, &options),
        None if format == "summary" => step_summary(&report, &options),
        None => return Err(format!("no format {format}").into()),
    };
    print!("{written}");
    Ok(())
}
