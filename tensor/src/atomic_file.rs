//! The writing of a file that is at no moment half written.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Writes a file so that at every moment, and after a crash, the old file is there or the new one, each whole.
///
/// `write` gets a new file in the same folder. What it has written is brought to the disk (fsync), then the file is renamed
/// to `path`, then the folder is brought to the disk, where the file system can do that. If anything before the renaming
/// fails, the new file is removed and the old one stays. Only a process that is killed leaves the new file behind: its name is
/// `.NAME.PROCESS-NUMBER.tmp`, where a long NAME is cut off.
///
/// The new file has the permissions of the old one, from its first byte on. Where `path` is a symbolic link, the file that it leads to is
/// replaced, and the link stays.
///
/// ```
/// use std::io::Write;
/// let path = std::env::temp_dir().join(format!("gradus_write_atomically_{}", std::process::id()));
/// gradus_tensor::write_atomically(&path, |file| file.write_all(b"epoch 7"))?;
/// assert_eq!(std::fs::read(&path)?, b"epoch 7");
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// What `write` returns; or if the folder does not exist or cannot be read and written to, `path` is read-only or no file, or
/// the disk is full: then the old file is there. If only the last step fails, by which the folder is brought to the disk, the
/// new file is there, and a crash may still bring the old one back.
pub fn write_atomically<R>(path: impl AsRef<Path>, write: impl FnOnce(&mut File) -> io::Result<R>) -> io::Result<R> {
    let path = behind_links(path.as_ref())?;
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(ErrorKind::InvalidInput, "the path ends in no file name"));
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let permissions = permissions(&path)?;
    // Opened now, so that what cannot be opened is an error before anything has changed.
    let opened_folder = if cfg!(unix) { Some(File::open(folder)?) } else { None };
    let (mut file, beside) = create_beside(folder, name, permissions)?;
    let result = write(&mut file)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&beside.path, &path)?;
    beside.keep();
    opened_folder.as_ref().map_or(Ok(()), sync_folder)?;
    Ok(result)
}

/// The file that `path` leads to through symbolic links; it need not exist.
fn behind_links(path: &Path) -> io::Result<PathBuf> {
    // As many as Linux follows.
    const MOST_LINKS: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            // A target that does not begin at the root is meant from the link's folder.
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("the path is a symbolic link that leads to no end"))
}

/// The permissions of the old file, if there is one.
fn permissions(path: &Path) -> io::Result<Option<fs::Permissions>> {
    let old = match fs::metadata(path) {
        Ok(old) => old,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if old.is_dir() {
        return Err(io::Error::new(ErrorKind::IsADirectory, "this is a folder"));
    }
    // Such as a device: renaming would put a file in its place.
    if !old.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "there is something that is no regular file"));
    }
    // Renaming asks for no permission to write to the old file, so it is asked for here.
    if old.permissions().readonly() {
        return Err(io::Error::new(ErrorKind::PermissionDenied, "the file that is there is read-only"));
    }
    Ok(Some(old.permissions()))
}

/// A new file in the folder, under a name that no other process and no other thread has.
fn create_beside(folder: &Path, name: &OsStr, permissions: Option<fs::Permissions>) -> io::Result<(File, Beside)> {
    // It names files, it changes no result.
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if let Some(permissions) = &permissions {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        options.mode(permissions.mode());
    }
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".{}.{}-{number}.tmp", beginning(name), std::process::id()));
        match options.open(&path) {
            Ok(file) => {
                let beside = Beside { path };
                // Those that the process takes away from all new files (umask) are the old file's nevertheless.
                permissions.map_or(Ok(()), |permissions| file.set_permissions(permissions))?;
                return Ok((file, beside));
            }
            // A process of this number was killed before.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// So much of a file's name that a longer one made of it is still a name: file systems take 255 bytes.
fn beginning(name: &OsStr) -> String {
    const LONGEST: usize = 200;
    let mut name = name.to_string_lossy().into_owned();
    while name.len() > LONGEST {
        name.pop();
    }
    name
}

/// A new file that is removed when this is dropped, whether by an error or a panic.
struct Beside {
    path: PathBuf,
}

impl Beside {
    /// Leaves the file, which is called otherwise now.
    fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // The error that led here tells more than one of this.
        _ = fs::remove_file(&self.path);
    }
}

/// Brings the names in a folder to the disk. Some file systems, of networks for example, cannot, and say so.
fn sync_folder(folder: &File) -> io::Result<()> {
    match folder.sync_all() {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// An empty folder that is removed in the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("gradus_atomic_{name}_{}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Folder(path)
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_alone() {
        let folder = Folder::new("fails");
        let path = folder.0.join("a");
        write_atomically(&path, |file| file.write_all(b"old")).unwrap();
        let full = |file: &mut File| {
            file.write_all(b"ne")?;
            Err::<(), _>(io::Error::from(ErrorKind::StorageFull))
        };
        assert_eq!(write_atomically(&path, full).unwrap_err().kind(), ErrorKind::StorageFull);
        let panics =
            std::panic::AssertUnwindSafe(|| write_atomically(&path, |_| -> io::Result<()> { panic!("in mid-write") }));
        assert!(std::panic::catch_unwind(panics).is_err());
        assert_eq!((folder.names(), fs::read(&path).unwrap()), (vec!["a".to_owned()], b"old".to_vec()));
        assert_eq!(write_atomically(&path, |file| file.write_all(b"new").map(|()| 7)).unwrap(), 7);
        assert_eq!((folder.names(), fs::read(&path).unwrap()), (vec!["a".to_owned()], b"new".to_vec()));
    }

    #[test]
    fn what_is_no_file_is_not_replaced() {
        let folder = Folder::new("no_file");
        let kind = |path: &Path| write_atomically(path, |_| Ok(())).unwrap_err().kind();
        assert_eq!(kind(&folder.0), ErrorKind::IsADirectory);
        assert_eq!(kind(&folder.0.join("missing/a")), ErrorKind::NotFound);
        assert_eq!(kind(Path::new("..")), ErrorKind::InvalidInput);
        assert!(cfg!(not(unix)) || kind(Path::new("/dev/null")) == ErrorKind::InvalidInput);
        assert_eq!(folder.names(), [""; 0]);
    }

    #[test]
    fn long_names_are_written_too() {
        let folder = Folder::new("long");
        // The longest that file systems take: of one byte, and of three bytes a letter.
        for name in ["a".repeat(240), "a".repeat(255), "\u{20AC}".repeat(85)] {
            let path = folder.0.join(&name);
            for text in ["old", "new"] {
                write_atomically(&path, |file| file.write_all(text.as_bytes())).unwrap();
                assert_eq!((folder.names(), fs::read_to_string(&path).unwrap()), (vec![name.clone()], text.to_owned()));
            }
            fs::remove_file(path).unwrap();
        }
        let too_long = folder.0.join("a".repeat(256));
        assert!(write_atomically(too_long, |file| file.write_all(b"x")).is_err() && folder.names().is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_at_no_moment_open_to_others_than_the_old_one() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::new("mode");
        let path = folder.0.join("a");
        let mode = |file: &File| file.metadata().unwrap().permissions().mode() & 0o777;
        for expected in [0o600, 0o200, 0o666] {
            fs::write(&path, "old").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(expected)).unwrap();
            // Before the first byte.
            assert_eq!(write_atomically(&path, |file| Ok(mode(file))).unwrap(), expected);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, expected);
            fs::remove_file(&path).unwrap();
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_that_cannot_be_synced_is_no_error() {
        // fsync gives EINVAL here, as in folders of some file systems.
        let null = File::open("/dev/null").unwrap();
        assert_eq!(null.sync_all().unwrap_err().kind(), ErrorKind::InvalidInput);
        sync_folder(&null).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_cannot_be_read_is_an_error_before_anything_changes() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::new("unreadable");
        let path = folder.0.join("a");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o300)).unwrap();
        let written = write_atomically(&path, |file| file.write_all(b"new"));
        // For root every folder can be read.
        let is_root = fs::read_dir(&folder.0).is_ok();
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o700)).unwrap();
        let expected = if is_root { "new" } else { "old" };
        assert_eq!((written.is_ok(), fs::read_to_string(&path).unwrap()), (is_root, expected.to_owned()));
        assert_eq!(folder.names(), ["a"]);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = Folder::new("links");
        let (path, link, far) = (folder.0.join("a"), folder.0.join("link"), folder.0.join("far"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("a", &link).unwrap();
        symlink(&link, &far).unwrap();
        write_atomically(&far, |file| file.write_all(b"new")).unwrap();
        assert_eq!((fs::read_link(&link).unwrap(), fs::read(&path).unwrap()), ("a".into(), b"new".to_vec()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        // A link to what is not there yet.
        symlink("b", folder.0.join("to_b")).unwrap();
        write_atomically(folder.0.join("to_b"), |file| file.write_all(b"b")).unwrap();
        assert_eq!(fs::read(folder.0.join("b")).unwrap(), b"b");
        // A link to itself, and a file that is read-only.
        symlink("loop", folder.0.join("loop")).unwrap();
        assert!(write_atomically(folder.0.join("loop"), |_| Ok(())).is_err());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
        assert_eq!(write_atomically(&path, |_| Ok(())).unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert_eq!(folder.names(), ["a", "b", "far", "link", "loop", "to_b"]);
    }
}
