//! Published files fetched into a cache, a folder in which they are found the next time.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ureq::Agent;

use crate::archive;
use crate::error::{DatasetError, Result};
use crate::remote::Remote;

/// The environment variable that names the folder into which data sets are downloaded.
pub const CACHE_VARIABLE: &str = "GRADUS_CACHE";

const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes after which a download ends, more than any data set has, so that no server fills the disk.
const MOST_BYTES: u64 = 4 << 30;
const CHUNK_BYTES: usize = 1 << 16;

/// The folder of the data set `name` in the cache, with all of its files: they are fetched from each of `remotes` whose
/// files the folder lacks.
pub(crate) fn cached(name: &str, remotes: &[Remote], lacks: impl Fn(&Remote, &Path) -> bool) -> Result<PathBuf> {
    let folder = cache_folder(|name| env::var_os(name))?.join(name);
    fetch_missing(remotes, &folder, &agent().build().into(), lacks)?;
    Ok(folder)
}

fn agent() -> ureq::config::ConfigBuilder<ureq::typestate::AgentScope> {
    Agent::config_builder()
        .user_agent(concat!("gradus-datasets/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE))
}

/// The folder that `GRADUS_CACHE` names, or else the folder `gradus` among the user's caches.
fn cache_folder(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf> {
    let folder = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = folder(CACHE_VARIABLE) {
        return Ok(folder);
    }
    let caches = if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library/Caches"))
    } else {
        folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))
    };
    caches.map(|caches| caches.join("gradus")).ok_or_else(|| {
        let expected = "a folder for downloads: the user's own, or what GRADUS_CACHE names";
        DatasetError::new("no folder for caches", expected, format!("set {CACHE_VARIABLE} to a folder"))
    })
}

fn fetch_missing(
    remotes: &[Remote],
    folder: &Path,
    agent: &Agent,
    lacks: impl Fn(&Remote, &Path) -> bool,
) -> Result<()> {
    for remote in remotes {
        if lacks(remote, folder) {
            fs::create_dir_all(folder).map_err(|error| unwritable(&error).in_file(folder))?;
            eprintln!("Downloading {} into {}", remote.url, folder.display());
            fetch(remote, folder, agent)?;
        }
        if lacks(remote, folder) {
            let hint = "the publisher has changed them: download them by hand";
            return Err(DatasetError::new("other files", "the files of the data set", hint).in_file(remote.url));
        }
    }
    Ok(())
}

/// Fetches one published file into the folder, or the files of an archive.
fn fetch(remote: &Remote, folder: &Path, agent: &Agent) -> Result<()> {
    let response = agent.get(remote.url).call().map_err(|error| unreachable(&error).in_file(remote.url))?;
    let mut body = response.into_body().into_with_config().limit(MOST_BYTES).reader();
    let packed = Partial::new(folder, remote.file_name())?;
    let mut sum = md5::Context::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut length = 0_u64;
    loop {
        let count = body.read(&mut chunk).map_err(|error| broken_off(&error, length).in_file(remote.url))?;
        if count == 0 {
            break;
        }
        sum.consume(&chunk[..count]);
        packed.write(&chunk[..count])?;
        length += count as u64;
    }
    let found = format!("{:x}", sum.finalize());
    if found != remote.md5 {
        let found = format!("{length} bytes with the md5 sum {found}");
        let expected = format!("the sum {}, that of the original", remote.md5);
        let hint = "the publisher's server may be out of order: try again later, or download the file by hand";
        return Err(DatasetError::new(found, expected, hint).in_file(remote.url));
    }
    if !remote.is_archive() {
        return packed.keep();
    }
    let file = File::open(&packed.path).map_err(|error| unwritable(&error).in_file(&packed.path))?;
    let unpack_one = |name: &str, bytes: &mut dyn Read| {
        let unpacked = Partial::new(folder, name)?;
        io::copy(bytes, &mut &unpacked.file).map_err(|error| unpackable(&error).in_file(remote.url))?;
        unpacked.keep()
    };
    archive::unpack(file, remote.url, unpack_one)
}

/// A file that is being written under a name of its own, and removed unless it is kept.
struct Partial {
    file: File,
    path: PathBuf,
    /// Its name once it is whole.
    whole: PathBuf,
}

impl Partial {
    fn new(folder: &Path, name: &str) -> Result<Self> {
        // Others may fetch the same file at the same time.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let path = folder.join(format!(".{name}.{}-{now}", std::process::id()));
        let file = File::create_new(&path).map_err(|error| unwritable(&error).in_file(&path))?;
        Ok(Partial { file, path, whole: folder.join(name) })
    }

    fn write(&self, bytes: &[u8]) -> Result<()> {
        (&self.file).write_all(bytes).map_err(|error| unwritable(&error).in_file(&self.path))
    }

    /// Gives the file its name, at once and whole.
    fn keep(self) -> Result<()> {
        fs::rename(&self.path, &self.whole).map_err(|error| unwritable(&error).in_file(&self.whole))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // A file that was kept has another name by now; one that cannot be removed is hidden by the dot before its name.
        let _ = fs::remove_file(&self.path);
    }
}

fn unreachable(error: &ureq::Error) -> DatasetError {
    match error {
        ureq::Error::StatusCode(status) => DatasetError::new(
            format!("the answer {status}"),
            "the published file",
            "try again later, or download the files by hand: the data set's documentation says from where",
        ),
        _ => DatasetError::new(
            format!("no answer ({error})"),
            "the publisher's server",
            "check the connection, or download the files elsewhere and set GRADUS_DATA to the folder around them",
        ),
    }
}

fn broken_off(error: &io::Error, length: u64) -> DatasetError {
    let found = format!("the connection broken off after {length} bytes ({error})");
    DatasetError::new(found, "the whole file", "try again")
}

fn unwritable(error: &io::Error) -> DatasetError {
    DatasetError::new(
        format!("a place that cannot be written to ({error})"),
        "a folder for downloads",
        format!("free some space, or set {CACHE_VARIABLE} to another folder"),
    )
}

fn unpackable(error: &io::Error) -> DatasetError {
    let found = format!("an archive that cannot be unpacked ({error})");
    DatasetError::new(found, "a whole archive, and room on the disk for what it holds", "unpack it by hand")
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::folder::DataFiles;
    use crate::movie_snippets;

    /// A server on this machine that answers each request with the bytes of that path, and how many it has had.
    struct Server {
        address: String,
        requests: Arc<AtomicUsize>,
    }

    impl Server {
        fn new(files: &'static [(&'static str, &'static [u8])]) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = format!("http://{}", listener.local_addr().unwrap());
            let requests = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&requests);
            // It ends with the process.
            thread::spawn(move || {
                for mut stream in listener.incoming().flatten() {
                    let mut request = Vec::new();
                    let mut byte = [0];
                    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
                        request.push(byte[0]);
                    }
                    count.fetch_add(1, Ordering::SeqCst);
                    let request = String::from_utf8_lossy(&request).into_owned();
                    let path = request.split(' ').nth(1).unwrap_or_default();
                    let answer = match files.iter().find(|(name, _)| path.ends_with(name)) {
                        // Twice as many bytes are announced as come.
                        Some((name, bytes)) if *name == "cut" => (200, 2 * bytes.len(), *bytes),
                        Some((_, bytes)) => (200, bytes.len(), *bytes),
                        None => (404, 0, &b""[..]),
                    };
                    let (status, length, bytes) = answer;
                    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
                    let _ = stream.write_all(&[head.as_bytes(), bytes].concat());
                }
            });
            Server { address, requests }
        }

        /// A data set with one file, published at this path.
        fn set(&self, file: &'static str, path: &str, md5: &'static str) -> DataFiles {
            // For as long as the process runs, as those of a constant.
            let url = String::leak(format!("{}/{path}", self.address));
            let files = Box::leak(Box::new([(file, None)]));
            DataFiles { name: "served", files, remotes: Box::leak(Box::new([Remote { url, md5 }])) }
        }
    }

    /// Without the proxy that the environment may name.
    fn fetched(files: DataFiles, folder: &Path) -> Result<()> {
        let agent = agent().proxy(None).build().into();
        fetch_missing(files.remotes, folder, &agent, |remote, folder| files.lacks(remote, folder))
    }

    fn folder(test: &str) -> PathBuf {
        let folder = env::temp_dir().join(format!("gradus-cache-{}-{test}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    // md5 of "one", by md5sum.
    const ONE: &str = "f97c5d29941bfb1b2fdab0874906ab82";

    #[test]
    #[cfg(target_os = "linux")]
    fn the_cache_is_where_the_environment_says() {
        let with = |variables: &[(&str, &str)]| {
            cache_folder(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()))
        };
        let all = [("HOME", "/home/ada"), ("XDG_CACHE_HOME", "/caches"), (CACHE_VARIABLE, "/data")];
        let folders = [3, 2, 1].map(|count| with(&all[..count]).unwrap());
        assert_eq!(folders, ["/data", "/caches/gradus", "/home/ada/.cache/gradus"].map(PathBuf::from));
        assert_eq!(with(&[("HOME", ""), (CACHE_VARIABLE, "")]).unwrap_err().hint(), "set GRADUS_CACHE to a folder");
    }

    #[test]
    fn a_file_is_fetched_once() {
        let (server, folder) = (Server::new(&[("one", b"one")]), folder("once"));
        let files = server.set("one", "pub/one", ONE);
        for _ in 0..3 {
            fetched(files, &folder).unwrap();
        }
        assert_eq!(server.requests.load(Ordering::SeqCst), 1);
        assert_eq!((names(&folder), fs::read(folder.join("one")).unwrap()), (vec!["one".into()], b"one".to_vec()));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_archive_is_unpacked() {
        let (server, folder) = (Server::new(&[("pair.zip", ZIP)]), folder("archive"));
        let files = server.set("a.txt", "pair.zip", ZIP_SUM);
        fetched(files, &folder).unwrap();
        // The archive itself is not kept.
        assert_eq!(names(&folder), ["a.txt", "b.txt"]);
        assert_eq!(fs::read(folder.join("b.txt")).unwrap(), b"bb");
        fetched(files, &folder).unwrap();
        assert_eq!(server.requests.load(Ordering::SeqCst), 1);
        let error = fetched(server.set("c.txt", "pair.zip", ZIP_SUM), &folder).unwrap_err();
        assert_eq!(error.hint(), "the publisher has changed them: download them by hand");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_archive_within_an_archive_is_unpacked() {
        // As the film reviews are published. The headers hold what is read of them.
        let packed = |name: &str, content: &[u8]| {
            let mut tar = vec![0; 512];
            tar[..name.len()].copy_from_slice(name.as_bytes());
            tar[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
            tar[156] = b'0';
            tar.extend(content);
            tar.resize(tar.len().next_multiple_of(512) + 1024, 0);
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(&tar).unwrap();
            packed.finish().unwrap()
        };
        let (file, _) = movie_snippets::FILES.files[0];
        let inner = packed(&format!("reviews/{file}"), b"1\t2.5\tMade up.\n");
        let outer: &[u8] = packed("package-1.0/resources/reviews.tar.gz", &inner).leak();
        let (server, folder) = (Server::new(vec![("package-1.0.tar.gz", outer)].leak()), folder("nested"));
        let files = server.set(file, "package-1.0.tar.gz", String::leak(format!("{:x}", md5::compute(outer))));
        fetched(files, &folder).unwrap();
        assert_eq!(fs::read(folder.join(file)).unwrap(), b"1\t2.5\tMade up.\n");
        // It has a line only, but is found and read.
        let error = movie_snippets::load_from(&folder).unwrap_err();
        assert_eq!(error.found(), "the end after 1 samples");
        fetched(files, &folder).unwrap();
        assert_eq!(server.requests.load(Ordering::SeqCst), 1);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_not_the_original_is_not_kept() {
        let (server, folder) = (Server::new(&[("one", b"One"), ("cut", b"one")]), folder("damaged"));
        let error = fetched(server.set("one", "one", ONE), &folder).unwrap_err().to_string();
        // md5 of "One", by md5sum.
        let expected = "/one: found 3 bytes with the md5 sum 06c2cea18679d64399783748fa367bdd, expected the sum \
                        f97c5d29941bfb1b2fdab0874906ab82, that of the original; the publisher's server may be out of \
                        order: try again later, or download the file by hand";
        assert_eq!(error, format!("{}{expected}", server.address));
        let error = fetched(server.set("cut", "cut", ONE), &folder).unwrap_err();
        assert!(error.found().starts_with("the connection broken off after 3 bytes"), "{error}");
        let error = fetched(server.set("one", "missing", ONE), &folder).unwrap_err();
        assert_eq!(error.found(), "the answer 404");
        assert_eq!(names(&folder), [""; 0]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn without_a_connection_the_error_says_what_to_do() {
        // Nobody listens where somebody did until now.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let nobody = Server { address: format!("http://{address}"), requests: Arc::default() };
        let folder = folder("offline");
        let error = fetched(nobody.set("one", "one", ONE), &folder).unwrap_err();
        assert!(error.found().starts_with("no answer ("), "{error}");
        assert!(error.hint().starts_with("check the connection, or download the files elsewhere"), "{error}");
        assert_eq!(error.file(), Some(format!("http://{address}/one").as_str()));
        // A file where the folder should be.
        fs::write(folder.join("file"), "").unwrap();
        let error = fetched(nobody.set("one", "one", ONE), &folder.join("file")).unwrap_err();
        assert!(error.found().starts_with("a place that cannot be written to"), "{error}");
        fs::remove_dir_all(folder).unwrap();
    }

    // By Python 3's zipfile: x/a.txt, "a", and x/b.txt, "bb"; and its sum by md5sum.
    const ZIP: &[u8] =
        b"PK\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00!PC\xbe\xb7\xe8\x01\x00\x00\x00\x01\x00\x00\x00\x07\x00\
        \x00\x00x/a.txtaPK\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00!P\xae\x1b\xae\xb5\x02\x00\x00\x00\x02\x00\
        \x00\x00\x07\x00\x00\x00x/b.txtbbPK\x01\x02\x14\x03\x14\x00\x00\x00\x00\x00\x00\x00!PC\xbe\xb7\xe8\
        \x01\x00\x00\x00\x01\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\x00\
        \x00x/a.txtPK\x01\x02\x14\x03\x14\x00\x00\x00\x00\x00\x00\x00!P\xae\x1b\xae\xb5\x02\x00\x00\x00\x02\
        \x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01&\x00\x00\x00x/b.txtPK\x05\x06\
        \x00\x00\x00\x00\x02\x00\x02\x00j\x00\x00\x00M\x00\x00\x00\x00\x00";
    const ZIP_SUM: &str = "6c58e9cf3af74204b7f503af503215c8";
}
