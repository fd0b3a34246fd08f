//! The folders that are searched for a data set's files, and the checksums of the originals.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

#[cfg(feature = "download")]
use crate::download;
use crate::error::{DatasetError, Result};
use crate::remote::Remote;
use crate::source::ByteSource;

/// The environment variable that names a folder of data sets: `mnist/`, `iris/` and so on lie in it.
pub const DATA_VARIABLE: &str = "GRADUS_DATA";

/// The folder with copies of some data sets in this crate's source.
const OWN_DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data");

/// The folder in which packages of the system install data sets, such as Debian's `dataset-fashion-mnist`.
const SYSTEM_DATA: &str = "/usr/share/datasets";

/// Endings that a file's name may have: none, or that of a packed file.
const PACKED: [&str; 3] = ["", ".gz", ".bz2"];

/// The files of a data set: the name of their folder, their own names, the md5 sums of the unpacked originals, and the
/// addresses at which the originals are published.
///
/// A data set is a constant of this type and a function that reads the files found by [`DataFiles::find`]:
///
/// ```no_run
/// use gradus_datasets::{DataFiles, Dataset, Result, idx};
///
/// const DIGITS: DataFiles = DataFiles {
///     name: "digits",
///     files: &[
///         ("images-idx3-ubyte", Some("d41d8cd98f00b204e9800998ecf8427e")),
///         ("labels-idx1-ubyte", None),
///     ],
///     remotes: &[],
/// };
///
/// pub fn load() -> Result<Dataset<u8, u8>> {
///     let found = DIGITS.find()?;
///     let images = idx::read_source(found.open("images-idx3-ubyte")?)?;
///     let labels = idx::read_source(found.open("labels-idx1-ubyte")?)?;
///     Dataset::new(images, labels)
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DataFiles {
    /// The data set's name, and that of its folder.
    pub name: &'static str,
    /// The name of each file, without `.gz` or `.bz2`, and, where it is known, the md5 sum of its unpacked bytes in
    /// hexadecimal.
    pub files: &'static [(&'static str, Option<&'static str>)],
    /// The addresses of the originals.
    pub remotes: &'static [Remote],
}

/// A folder that holds a data set's files.
///
/// ```
/// use gradus_datasets::{Csv, iris};
/// let found = iris::FILES.find_in("data/iris")?;
/// assert!(found.path("iris.csv")?.ends_with("iris/iris.csv"));
/// assert_eq!(Csv::new(found.open("iris.csv")?).classification()?.len(), 150);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FoundFiles {
    files: DataFiles,
    folder: PathBuf,
    /// Whether the files must have the sums of the originals.
    verified: bool,
}

impl DataFiles {
    /// The files in the folder of data sets that the environment variable `GRADUS_DATA` names; or else the copy in this
    /// crate's source, or one that a package of the system installed in `/usr/share/datasets`. Of such copies the sums are
    /// compared with those of the originals.
    ///
    /// With the feature `download`, published files that are in none of these places are fetched into the folder that the
    /// environment variable `GRADUS_CACHE` names, or else into the folder `gradus` among the user's caches, and found there
    /// the next time. A fetched file must have the published sum.
    ///
    /// # Errors
    /// If the files are in none of these places and cannot be fetched.
    pub fn find(self) -> Result<FoundFiles> {
        self.find_with(env::var_os(DATA_VARIABLE), Path::new(OWN_DATA), Path::new(SYSTEM_DATA))
    }

    fn find_with(self, variable: Option<OsString>, own_data: &Path, system_data: &Path) -> Result<FoundFiles> {
        if let Some(folder) = variable.filter(|folder| !folder.is_empty()) {
            let folder = PathBuf::from(folder);
            if !folder.is_dir() {
                let expected = format!("a folder of data sets, as {DATA_VARIABLE} should name");
                let hint = format!("correct {DATA_VARIABLE} or unset it");
                return Err(DatasetError::new("no such folder", expected, hint).in_file(folder));
            }
            if self.is_in(&folder.join(self.name)) {
                return Ok(FoundFiles { files: self, folder: folder.join(self.name), verified: false });
            }
        }
        let known = [own_data, system_data].map(|folder| folder.join(self.name));
        match known.iter().find(|folder| self.is_in(folder)) {
            Some(folder) => Ok(FoundFiles { files: self, folder: folder.clone(), verified: true }),
            #[cfg(feature = "download")]
            None if !self.remotes.is_empty() => {
                let folder = download::cached(self.name, self.remotes, |remote, folder| self.lacks(remote, folder))?;
                Ok(FoundFiles { files: self, folder, verified: true })
            }
            None => Err(self.missing(&known[0], &self.where_to_get())),
        }
    }

    fn where_to_get(self) -> String {
        let name = self.name;
        match self.remotes {
            [] => format!("set {DATA_VARIABLE} to a folder that holds {name}/, or name its folder to `load_from`"),
            [remote, ..] => {
                let from = if remote.is_archive() { remote.url } else { remote.parent() };
                format!(
                    "download them from {from} and set {DATA_VARIABLE} to the folder that holds {name}/ with them, or build \
                     with the feature `download`"
                )
            }
        }
    }

    /// The files in this folder, or in its subfolder of the data set's name. They need not be the originals: the sums are
    /// not compared.
    ///
    /// # Errors
    /// If the files are in neither place.
    pub fn find_in(self, folder: impl AsRef<Path>) -> Result<FoundFiles> {
        let folder = folder.as_ref();
        let inner = folder.join(self.name);
        match [folder, &inner].into_iter().find(|folder| self.is_in(folder)) {
            Some(folder) => Ok(FoundFiles { files: self, folder: folder.to_owned(), verified: false }),
            None => {
                Err(self.missing(folder, &format!("name the folder that holds the files, or {}/ with them", self.name)))
            }
        }
    }

    /// Whether a file that is published at `remote` is not in the folder.
    #[cfg(feature = "download")]
    pub(crate) fn lacks(self, remote: &Remote, folder: &Path) -> bool {
        match remote.is_archive() {
            true => self.files.iter().any(|(name, _)| path_in(folder, name).is_none()),
            false => !folder.join(remote.file_name()).is_file(),
        }
    }

    fn is_in(self, folder: &Path) -> bool {
        self.files.iter().any(|(name, _)| path_in(folder, name).is_some())
    }

    fn missing(self, folder: &Path, hint: &str) -> DatasetError {
        let found = if folder.is_dir() { "none of the files" } else { "no such folder" };
        let names: Vec<&str> = self.files.iter().map(|(name, _)| *name).collect();
        let expected = format!("the files of {}, plain or packed: {}", self.name, names.join(", "));
        DatasetError::new(found, expected, hint).in_file(folder)
    }
}

impl FoundFiles {
    /// The folder that holds the files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of a file, plain or with `.gz` or `.bz2`.
    ///
    /// # Errors
    /// If it is missing.
    pub fn path(&self, name: &str) -> Result<PathBuf> {
        path_in(&self.folder, name).ok_or_else(|| {
            let expected = format!("{name}, plain or packed, beside the other files of {}", self.files.name);
            DatasetError::new("no such file", expected, "complete the folder").in_file(self.folder.join(name))
        })
    }

    /// The unpacked bytes of a file. If the folder should hold the originals (see [`DataFiles::find`]) and the file's md5 sum
    /// is known, reading to the end compares it.
    ///
    /// # Errors
    /// If the file is missing or cannot be read.
    pub fn open(&self, name: &str) -> Result<ByteSource<'static>> {
        let source = ByteSource::open(self.path(name)?)?;
        match self.files.files.iter().find(|(known, _)| *known == name) {
            Some((_, Some(md5))) if self.verified => Ok(source.with_md5(md5)),
            _ => Ok(source),
        }
    }
}

/// The file of this name in the folder, plain or packed.
fn path_in(folder: &Path, name: &str) -> Option<PathBuf> {
    PACKED.iter().map(|ending| folder.join(format!("{name}{ending}"))).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;

    use super::*;

    const PAIR: DataFiles = DataFiles {
        name: "pair",
        // md5 of "one" and "two", by md5sum.
        files: &[("one", Some("f97c5d29941bfb1b2fdab0874906ab82")), ("two", Some("b8a9f715dbb64fd5c56e7783c6820a61"))],
        remotes: &[],
    };

    /// A folder of data sets that holds `pair/` with these files.
    fn data_folder(test: &str, files: &[(&str, &str)]) -> PathBuf {
        let folder = env::temp_dir().join(format!("gradus-datasets-{}-{test}", std::process::id()));
        fs::create_dir_all(folder.join("pair")).unwrap();
        for (name, text) in files {
            fs::write(folder.join("pair").join(name), text).unwrap();
        }
        folder
    }

    fn text(found: &FoundFiles, name: &str) -> std::io::Result<String> {
        let mut text = String::new();
        found.open(name).unwrap().read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn the_variable_comes_first_and_need_not_hold_every_data_set() {
        let own = data_folder("own", &[("one", "one"), ("two", "two")]);
        let other = data_folder("other", &[("one", "another one"), ("two", "another two")]);
        let none = Path::new("no/such/folder");
        let find = |variable: Option<&Path>| PAIR.find_with(variable.map(OsString::from), &own, none);
        assert_eq!(text(&find(None).unwrap(), "one").unwrap(), "one");
        assert_eq!(text(&find(Some(Path::new(""))).unwrap(), "one").unwrap(), "one");
        // The sums of the user's own files are not compared with those of the original.
        assert_eq!(text(&find(Some(&other)).unwrap(), "one").unwrap(), "another one");
        // A folder without this data set.
        assert_eq!(find(Some(&other.join("pair"))).unwrap().folder(), own.join("pair"));
        // Files that a package of the system has installed come last.
        assert_eq!(PAIR.find_with(None, none, &own).unwrap().folder(), own.join("pair"));
        assert_eq!(PAIR.find_with(None, &own, &other).unwrap().folder(), own.join("pair"));
        assert_eq!(
            find(Some(none)).unwrap_err().to_string(),
            "no/such/folder: found no such folder, expected a folder of data sets, as GRADUS_DATA should name; correct \
             GRADUS_DATA or unset it"
        );
        fs::remove_dir_all(own).unwrap();
        fs::remove_dir_all(other).unwrap();
    }

    #[test]
    fn a_damaged_original_is_noticed() {
        let own = data_folder("damaged", &[("one", "one"), ("two", "zwo")]);
        let found = PAIR.find_with(None, &own, &own).unwrap();
        assert_eq!(text(&found, "one").unwrap(), "one");
        let error = text(&found, "two").unwrap_err();
        assert_eq!(
            crate::source::read_error(&error).to_string(),
            "found the md5 sum f8e7d2b4f49d6a54419be184d483a987, expected b8a9f715dbb64fd5c56e7783c6820a61, that of the \
             original; the file is damaged: get it again"
        );
        fs::remove_dir_all(own).unwrap();
    }

    #[test]
    #[cfg(not(feature = "download"))]
    fn missing_files_that_are_published_say_where() {
        let own = data_folder("published", &[]);
        let remotes = &[Remote { url: "https://example.org/pair/one.gz", md5: "" }];
        let error = DataFiles { remotes, ..PAIR }.find_with(None, &own, &own).unwrap_err();
        assert_eq!(
            error.hint(),
            "download them from https://example.org/pair and set GRADUS_DATA to the folder that holds pair/ with them, or \
             build with the feature `download`"
        );
        fs::remove_dir_all(own).unwrap();
    }

    #[test]
    fn missing_files_say_where_they_were_looked_for() {
        let own = data_folder("missing", &[]);
        let pair = own.join("pair");
        assert_eq!(
            PAIR.find_with(None, &own, &own).unwrap_err().to_string(),
            format!(
                "{}: found none of the files, expected the files of pair, plain or packed: one, two; set GRADUS_DATA to \
                 a folder that holds pair/, or name its folder to `load_from`",
                pair.display()
            )
        );
        assert_eq!(
            PAIR.find_in("no/such/folder").unwrap_err().to_string(),
            "no/such/folder: found no such folder, expected the files of pair, plain or packed: one, two; name the folder \
             that holds the files, or pair/ with them"
        );
        fs::write(pair.join("one"), "1").unwrap();
        assert_eq!(PAIR.find_in(&own).unwrap().folder(), pair);
        assert_eq!(PAIR.find_in(&pair).unwrap().folder(), pair);
        assert_eq!(
            PAIR.find_in(&pair).unwrap().open("two").unwrap_err().to_string(),
            format!(
                "{}: found no such file, expected two, plain or packed, beside the other files of pair; complete the folder",
                pair.join("two").display()
            )
        );
        fs::remove_dir_all(own).unwrap();
    }
}
