//! Files that commands write: each whole or not at all, at the place that its path leads to.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::exit::Failure;

/// Writes a file whole or not at all: whoever reads it never finds half of it. A link stays a link, and what exists and is no plain file (a pipe, a
/// device) is written to as it is.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    written(path, text).map_err(|error| Failure::Write { path: path.to_owned(), error })
}

/// Adds to the end of a file.
pub(crate) fn append(path: &Path, text: &str) -> Result<(), Failure> {
    let file = fs::OpenOptions::new().create(true).append(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| Failure::Write { path: path.to_owned(), error })
}

fn written(path: &Path, text: &str) -> io::Result<()> {
    let old = fs::metadata(path).ok();
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        return fs::OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes());
    }
    let path = led_to(path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // As for any new file: less what the umask takes away.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    if let Some(old) = old {
        file.as_file().set_permissions(old.permissions())?;
    }
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// Links followed, also to a file that is still to be made.
fn led_to(path: &Path) -> io::Result<PathBuf> {
    /// As many as systems follow themselves.
    const LINKS_MAX: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many links lead from one to the next"))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_link_stays_a_link_and_a_file_keeps_its_mode() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("deep")).expect("a folder");
        for (name, target) in [("link", "deep/real"), ("other", "link")] {
            symlink(target, at(name)).expect("a link");
        }
        // A link to what is not there yet, then to a file.
        for text in ["one", "two"] {
            write(&at("other"), text).expect("written");
            assert_eq!(fs::read_to_string(at("deep/real")).expect("a file"), text);
            assert!(at("link").is_symlink() && at("other").is_symlink());
        }
        fs::set_permissions(at("deep/real"), fs::Permissions::from_mode(0o640)).expect("set");
        write(&at("link"), "three").expect("written");
        assert_eq!(fs::metadata(at("deep/real")).expect("a file").mode() & 0o777, 0o640);
        fs::write(at("plain"), "").expect("written");
        write(&at("new"), "").expect("written");
        let mode = |name: &str| fs::metadata(at(name)).expect("a file").mode();
        assert_eq!(mode("new"), mode("plain"), "as any program makes a file");
        symlink("round", at("round")).expect("a link");
        assert!(write(&at("round"), "").is_err());
        assert!(write(&at("deep"), "").is_err(), "a folder is no file");
    }

    #[test]
    fn a_pipe_is_written_to_and_stays_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
        assert!(made.success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read_to_string(pipe)
        });
        write(&pipe, "through").expect("written");
        assert_eq!(reader.join().expect("it reads").expect("a text"), "through");
        assert!(fs::metadata(&pipe).expect("it is there").file_type().is_fifo());
    }
}
