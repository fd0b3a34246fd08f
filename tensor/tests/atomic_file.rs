//! A process that is killed while it writes leaves the old file or the new one.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{env, fs};

use gradus_tensor::{Generator, write_atomically};

/// The file's size: as many bytes as take some milliseconds to write.
const SIZE: usize = 4 << 20;
/// Where the process that is killed finds the path.
const PATH: &str = "GRADUS_TEST_ATOMIC_FILE";

/// Writes a file of one number, again and again.
fn write(path: &Path, number: u8) -> io::Result<()> {
    write_atomically(path, |file| (0..SIZE / 4096).try_for_each(|_| file.write_all(&[number; 4096])))
}

/// The number that the file is full of.
fn number(path: &Path) -> u8 {
    let bytes = fs::read(path).expect("there is a file at every moment");
    assert!(bytes.len() == SIZE && bytes.iter().all(|byte| *byte == bytes[0]), "the file is half written");
    bytes[0]
}

/// Not a test but the process that is killed, when the test below says so.
#[test]
fn writes_until_it_is_killed() {
    let Some(path) = env::var_os(PATH).map(PathBuf::from) else { return };
    let end = Instant::now() + Duration::from_secs(30);
    let mut next = number(&path);
    while Instant::now() < end {
        next = next.wrapping_add(1);
        write(&path, next).unwrap();
    }
}

fn writer(path: &Path) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "writes_until_it_is_killed"]).env(PATH, path).stdout(std::process::Stdio::null());
    command.spawn().unwrap()
}

#[test]
fn a_process_that_is_killed_leaves_the_old_file_or_the_new_one() {
    let folder = env::temp_dir().join(format!("gradus_killed_{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let path = folder.join("weights");
    write(&path, 0).unwrap();
    let mut random = Generator::new(5);
    let (mut before, mut changed, mut in_mid_write) = (0, 0, 0);
    for _ in 0..20 {
        let mut child = writer(&path);
        sleep(Duration::from_micros(random.integers([1], 1_000..60_000).item() as u64));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = number(&path);
        changed += u32::from(found != before);
        before = found;
        for entry in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(|entry| *entry != path) {
            let name = entry.file_name().unwrap().to_string_lossy().into_owned();
            assert!(name.starts_with(".weights.") && name.ends_with(".tmp"), "{name}");
            in_mid_write += 1;
            fs::remove_file(entry).unwrap();
        }
    }
    fs::remove_dir_all(&folder).unwrap();
    // Else the test would show nothing.
    assert!(changed > 0 && in_mid_write > 0, "{changed} changed, {in_mid_write} killed in mid-write");
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_nobody_may_write_to_is_an_error() {
    // For root, too.
    assert!(write(Path::new("/proc/weights"), 1).is_err());
}
