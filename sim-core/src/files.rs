//! Whole files or none: a product appears under its name only when it is complete.
//!
//! Bytes go to a temporary name in the same folder (`.name.host.pid-n.part`), reach the disk (fsync), and are then renamed.
//! An error, a panic or a full disk removes the temporary file; a killed process can leave one `.part` file behind,
//! never a half-written product, and the next run into the folder removes that ([`sweep`]). The host is in the name because
//! a folder may be shared: which processes live is known of one's own host alone.

use std::fs::{File, OpenOptions};
use std::io::{Result, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes `bytes` to `path`, replacing a file that is there.
///
/// # Errors
/// When the folder is missing or cannot be written, or the disk is full. `path` is then as it was before.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes)?;
    file.commit()
}

/// Removes what killed processes were writing in a folder: temporary files of processes of this host that are no more. Where the
/// system does not tell which processes there are (no `/proc`), nothing is removed. Returns how many were.
#[must_use]
pub fn sweep(folder: &Path) -> usize {
    remove(folder, |host, pid| host == our_host() && !lives(pid))
}

/// As [`sweep`], and the temporary files of all other hosts too: for when nothing runs there. Returns how many were removed.
#[must_use]
pub fn sweep_all_hosts(folder: &Path) -> usize {
    remove(folder, |host, pid| host != our_host() || !lives(pid))
}

fn lives(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// Removes temporary files by the host and the process that wrote them.
fn remove(folder: &Path, abandoned: impl Fn(&str, u32) -> bool) -> usize {
    if !Path::new("/proc/self").exists() {
        return 0;
    }
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let writer = |name: &str| {
        let (name, number) = name.strip_prefix('.')?.strip_suffix(".part")?.rsplit_once('.')?;
        let pid = number.split_once('-')?.0.parse::<u32>().ok()?;
        Some(abandoned(name.rsplit_once('.')?.1, pid))
    };
    let paths = entries.flatten().map(|e| e.path());
    let left = paths.filter(|p| p.file_name().and_then(|n| n.to_str()).and_then(writer) == Some(true));
    left.filter(|path| std::fs::remove_file(path).is_ok()).count()
}

/// Name of this host, without dots; `local` where the system does not tell.
#[must_use]
pub fn our_host() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    HOST.get_or_init(|| {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let name: String = name.trim().chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
        if name.is_empty() { "local".into() } else { name }
    })
}

/// A file being written under a temporary name; dropped without [`AtomicFile::commit`] it vanishes.
#[derive(Debug)]
pub struct AtomicFile {
    file: File,
    temporary: PathBuf,
    target: PathBuf,
    committed: bool,
}

impl AtomicFile {
    /// Opens the temporary file for `path`.
    ///
    /// # Errors
    /// When the folder is missing or cannot be written, `path` names no file, or something that is no file has this name.
    pub fn create(path: &Path) -> Result<Self> {
        // The rename would put a file in the place of a device (`/dev/null`), a pipe or a socket.
        if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            return Err(std::io::Error::other("something that is not a file has this name; products are written to files only"));
        }
        let name = path.file_name().ok_or_else(|| std::io::Error::new(std::io::ErrorKind::InvalidInput, "this path has no file name"))?;
        loop {
            let temporary = path.with_file_name(temporary_name(name));
            match OpenOptions::new().write(true).create_new(true).open(&temporary) {
                Ok(file) => return Ok(Self { file, temporary, target: path.into(), committed: false }),
                // Left by a killed process that had our number: take the next one.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Brings the bytes to disk and gives the file its name.
    ///
    /// # Errors
    /// When the disk is full or the name is taken by a folder; the temporary file is gone then.
    pub fn commit(mut self) -> Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.temporary, &self.target)?;
        self.committed = true;
        // The rename itself survives a power cut only when the folder is synced too; not every file system allows it.
        if let Some(folder) = self.target.parent().filter(|f| !f.as_os_str().is_empty())
            && let Ok(folder) = File::open(folder)
        {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

fn temporary_name(name: &std::ffi::OsStr) -> std::ffi::OsString {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let mut out = std::ffi::OsString::from(".");
    out.push(name);
    out.push(format!(".{}.{}-{}.part", our_host(), std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed)));
    out
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.file.write(bytes)
    }
    fn flush(&mut self) -> Result<()> {
        self.file.flush()
    }
}

impl Seek for AtomicFile {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.file.seek(to)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if !self.committed {
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_second_write_replaces_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_atomically(&path, b"first, and longer").unwrap();
        write_atomically(&path, b"second").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert_eq!(names(folder.path()), ["a.json"]);
    }

    #[test]
    fn what_a_dead_process_was_writing_is_swept_and_what_a_living_one_writes_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (here, living) = (our_host(), std::process::id());
        // Numbers of processes end at 2^22.
        let dead = format!(".a.fits.{here}.4294967295-3.part");
        let elsewhere = format!(".a.fits.not-{here}.4294967295-3.part");
        for name in [&dead, &elsewhere, &format!(".b.fits.{here}.{living}-0.part"), "c.part", &format!(".d.{here}.x-1.part"), "e.fits"] {
            std::fs::write(folder.path().join(name), b"half").unwrap();
        }
        let expected = usize::from(Path::new("/proc/self").exists());
        assert_eq!(sweep(folder.path()), expected);
        assert_eq!(folder.path().join(&dead).exists(), expected == 0);
        assert_eq!(names(folder.path()).len(), 6 - expected);
        assert_eq!(sweep_all_hosts(folder.path()), expected);
        assert_eq!(folder.path().join(&elsewhere).exists(), expected == 0);
        assert_eq!(sweep(&folder.path().join("no such folder")), 0);
    }

    #[test]
    fn an_abandoned_file_leaves_the_old_one_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_atomically(&path, b"old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"half of the n").unwrap();
        drop(file);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a.json"]);
    }

    #[test]
    fn a_missing_folder_and_a_folder_as_target_are_errors_that_leave_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write_atomically(&folder.path().join("no/a.json"), b"x").is_err());
        std::fs::create_dir(folder.path().join("taken")).unwrap();
        assert!(write_atomically(&folder.path().join("taken"), b"x").is_err());
        assert_eq!(names(folder.path()), ["taken"]);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_not_a_file_is_never_replaced_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(write_atomically(&path, b"x").unwrap_err().to_string().contains("not a file"));
        assert_eq!(names(folder.path()), ["socket"]);
        assert!(!std::fs::metadata(&path).unwrap().is_file());
    }
}
