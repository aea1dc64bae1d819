//! One restore inside this process, to see how its time divides: the steps of `relink restore`, each timed. The program itself is what
//! is compared with the bulk path; this only says where its time goes.

use std::{
    error::Error,
    path::Path,
    time::{Duration, Instant},
};

use relink_db::{Access, Dialect};
use relink_export::{OpenOptions, Source};
use relink_model::{Catalog, Config};
use relink_restore::{Event, Mode, Phase, Request};

/// Names and times of the steps, in their order.
pub type Phases = Vec<(&'static str, Duration)>;

/// Ends the step at hand, and begins the next one.
struct Clock {
    phases: Phases,
    name: &'static str,
    begun: Instant,
}

impl Clock {
    fn start(name: &'static str) -> Self {
        Self { phases: Vec::new(), name, begun: Instant::now() }
    }

    fn next(&mut self, name: &'static str) {
        self.phases.push((std::mem::replace(&mut self.name, name), self.begun.elapsed()));
        self.begun = Instant::now();
    }

    fn end(mut self) -> Phases {
        self.next("");
        self.phases
    }
}

/// Restores an export into a database whose schema is in place, and commits.
///
/// # Errors
/// Where the restore fails, or finds anything wrong.
pub async fn phases(export: &Path, url: &str, config: &Config) -> Result<Phases, Box<dyn Error>> {
    let mut clock = Clock::start("open");
    let source = Source::open(export, &OpenOptions::default())?;
    clock.next("read");
    let index = match source.index(&mut |_| {}) {
        Ok(index) => index,
        Err(errors) => return Err(format!("{errors:?}").into()),
    };
    clock.next("prepare");
    let connection = relink_db::connect(&url.parse()?, Access::ReadWrite).await?;
    // The rules are planned after loading here, where that is timed.
    let precheck = |_: &Catalog, _: &dyn Dialect| Ok(());
    let request =
        Request { source, index, config, mode: Mode::Insert, dry_run: false, schema: None, precheck: &precheck };
    let mut events = |event| {
        if let Event::Started { phase, .. } = event {
            clock.next(match phase {
                Phase::PreScan => "check",
                Phase::Load => "load",
                Phase::Finish => "finish",
            });
        }
    };
    let mut applied = relink_restore::restore(connection, request, &mut events).await?;
    if !applied.is_open() {
        return Err(format!("refused: {:?}", applied.report().findings).into());
    }
    clock.next("validate");
    let catalog = applied.catalog().clone();
    let touched = applied.touched().to_vec();
    let connection = applied.connection();
    let checks =
        relink_validate::plan(&catalog, config, connection.dialect()).map_err(|errors| format!("{errors:?}"))?;
    let now = config.run.now.as_deref().ok_or("the configuration says what now is")?.parse()?;
    let options = relink_validate::Options { now, samples_max: 20, only: Some(touched) };
    let report = relink_validate::run(connection, &catalog, &checks, &options, &mut |_| {}).await?;
    if !report.is_complete() {
        return Err("a check could not be made".into());
    }
    clock.next("commit");
    applied.commit().await?;
    Ok(clock.end())
}
