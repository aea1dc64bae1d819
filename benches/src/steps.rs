//! One restore inside this process, to see how its time divides: the steps of `relink restore`, each timed. The program itself is what
//! is compared with the bulk path; this only says where its time goes.

use std::{
    error::Error,
    path::Path,
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use relink_db::{Access, Dialect};
use relink_export::{OpenOptions, Source};
use relink_model::{Catalog, Config};
use relink_restore::{Event, Phase, Request};

use crate::measure::{Server, own_cpu};

/// One step.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Which.
    pub name: &'static str,
    /// From start to end.
    pub wall: Duration,
    /// CPU time of this process.
    pub cpu: Duration,
    /// CPU time of the server meanwhile, with whatever else it had to do.
    pub server_cpu: Duration,
}

/// Ends the step at hand, and begins the next one.
struct Clock<'a> {
    server: Option<&'a Server>,
    steps: Vec<Step>,
    name: &'static str,
    wall: Instant,
    cpu: Duration,
    server_cpu: Duration,
}

impl<'a> Clock<'a> {
    fn start(name: &'static str, server: Option<&'a Server>) -> Self {
        let mut clock = Self {
            server,
            steps: Vec::new(),
            name,
            wall: Instant::now(),
            cpu: Duration::ZERO,
            server_cpu: Duration::ZERO,
        };
        (clock.cpu, clock.server_cpu) = clock.cpu_so_far();
        clock
    }

    fn cpu_so_far(&self) -> (Duration, Duration) {
        (own_cpu(), self.server.map_or(Duration::ZERO, |server| server.cpu()))
    }

    fn next(&mut self, name: &'static str) {
        let (cpu, server_cpu) = self.cpu_so_far();
        self.steps.push(Step {
            name: std::mem::replace(&mut self.name, name),
            wall: self.wall.elapsed(),
            cpu: cpu.saturating_sub(self.cpu),
            server_cpu: server_cpu.saturating_sub(self.server_cpu),
        });
        (self.wall, self.cpu, self.server_cpu) = (Instant::now(), cpu, server_cpu);
    }

    fn end(mut self) -> Vec<Step> {
        self.next("");
        self.steps
    }
}

/// Restores an export into a database whose schema is in place, and commits; the steps in their order.
///
/// # Errors
/// Where the restore fails, or finds anything wrong.
pub async fn steps(
    export: &Path,
    url: &str,
    config: &Config,
    server: Option<&Server>,
) -> Result<Vec<Step>, Box<dyn Error>> {
    let mut clock = Clock::start("open", server);
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
    let request = Request {
        source,
        index,
        config,
        profiles: &[],
        options: &relink_restore::Options::default(),
        id_map: &[],
        dry_run: false,
        schema: None,
        interrupted: &AtomicBool::new(false),
        precheck: &precheck,
    };
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
    let options =
        relink_validate::Options { only: Some(touched), ..relink_validate::Options::new(now, std::env::temp_dir()) };
    let report = relink_validate::run(connection, &catalog, &checks, &options, &mut |_| {}).await?;
    if !report.is_complete() {
        return Err("a check could not be made".into());
    }
    clock.next("commit");
    applied.commit().await?;
    Ok(clock.end())
}
