//! Runs a program and measures it: wall time, CPU time and peak memory as the kernel accounts them to the process when it
//! ends, and the CPU time that a database server on this machine spent meanwhile.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use wait4::Wait4 as _;

/// The kernel's unit of CPU time in `/proc`: `USER_HZ`, 100 on every architecture that Rust's Linux targets have.
const TICK: Duration = Duration::from_millis(10);

/// What a run took.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// From start to end.
    pub wall: Duration,
    /// CPU time of the program, all threads, user and system.
    pub cpu: Duration,
    /// CPU time of the server meanwhile, with whatever else it had to do; zero where there is none or it is out of sight.
    pub server_cpu: Duration,
    /// The most memory that the program had resident, in bytes. Never less than this process had when it started the
    /// program: the kernel counts the moment between fork and exec too.
    pub memory_peak: u64,
}

impl Usage {
    /// CPU time of both sides.
    pub fn cpu_in_all(&self) -> Duration {
        self.cpu + self.server_cpu
    }
}

/// Runs a program to its end.
///
/// # Errors
/// Where it cannot be started, or fails: then with what it printed.
pub fn measure(mut command: Command, server: Option<&Server>) -> io::Result<Usage> {
    let program = command.get_program().to_string_lossy().into_owned();
    // A file takes any amount without a reader beside it, and is no terminal to draw progress on.
    let mut printed = tempfile::tempfile()?;
    command.stdout(printed.try_clone()?).stderr(printed.try_clone()?);
    let server_cpu = || server.map_or(Duration::ZERO, |server| server.cpu());
    let before = server_cpu();
    let begun = Instant::now();
    let mut child = command.spawn().map_err(|error| io::Error::new(error.kind(), format!("{program}: {error}")))?;
    let used = child.wait4()?;
    let wall = begun.elapsed();
    let server_cpu = server_cpu().saturating_sub(before);
    if !used.status.success() {
        let mut text = Vec::new();
        printed.rewind()?;
        printed.read_to_end(&mut text)?;
        let text = String::from_utf8_lossy(&text).trim().to_owned();
        return Err(io::Error::other(format!("{program}: {}\n{text}", used.status)));
    }
    let cpu = used.rusage.utime + used.rusage.stime;
    Ok(Usage { wall, cpu, server_cpu, memory_peak: used.rusage.maxrss })
}

/// Feeds a file to a program's standard input.
///
/// # Errors
/// Where the file cannot be opened.
pub(crate) fn feed(command: &mut Command, script: &Path) -> io::Result<()> {
    command.stdin(Stdio::from(File::open(script)?));
    Ok(())
}

/// A database server's process on this machine.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    process: u32,
}

impl Server {
    /// The server of one of these names that was started with this port on its command line; `None` where there is none, as with
    /// a server on another machine.
    pub fn listening_on(port: u16, names: &[&str]) -> Option<Self> {
        let port = port.to_string();
        let process = processes().find(|process| {
            let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
            let arguments = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
            let names_port = |argument: &[u8]| {
                argument == port.as_bytes() || argument.strip_prefix(b"--port=") == Some(port.as_bytes())
            };
            names.contains(&name.trim_end()) && arguments.split(|byte| *byte == 0).any(names_port)
        })?;
        Some(Self { process })
    }

    /// CPU time since the server's start, with that of its child processes, the ended ones included.
    pub(crate) fn cpu(self) -> Duration {
        let ticks: u64 = processes()
            .filter_map(|process| Some((process, Stat::of(process)?)))
            .filter(|(process, stat)| *process == self.process || stat.parent == self.process)
            .map(|(_, stat)| stat.ticks)
            .sum();
        TICK * u32::try_from(ticks).unwrap_or(u32::MAX)
    }
}

/// CPU time of this process so far, with that of the programs that it ran.
pub(crate) fn own_cpu() -> Duration {
    let ticks = Stat::of(std::process::id()).map_or(0, |stat| stat.ticks);
    TICK * u32::try_from(ticks).unwrap_or(u32::MAX)
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Some of `/proc/<process>/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    /// User and system time of the process and of the children that it has waited for.
    ticks: u64,
}

impl Stat {
    fn of(process: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        // The second field, the name in parentheses, may hold spaces and parentheses itself.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks = fields.get(11..15)?.iter().map(|field| field.parse::<u64>().ok()).sum::<Option<u64>>()?;
        Some(Self { parent: fields.get(1)?.parse().ok()?, ticks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_does_not_confuse_its_numbers() {
        let text = "77 (a ) name (x) S 5 77 77 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 100 0 0";
        assert_eq!(Stat::parse(text), Some(Stat { parent: 5, ticks: 100 }));
        assert_eq!(Stat::parse("77 (short) S 5"), None);
    }

    #[test]
    fn a_program_is_measured_and_a_failing_one_tells_why() {
        let mut busy = Command::new("sh");
        busy.args(["-c", "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done"]);
        let usage = measure(busy, None).expect("the shell counts");
        assert!(usage.cpu > Duration::ZERO && usage.cpu <= usage.wall * 2, "{usage:?}");
        assert!(usage.memory_peak > 100_000, "bytes, not kibibytes: {usage:?}");
        let mut failing = Command::new("sh");
        failing.args(["-c", "echo why >&2; exit 3"]);
        let error = measure(failing, None).expect_err("it exits 3");
        assert!(error.to_string().contains("why"), "{error}");
    }
}
