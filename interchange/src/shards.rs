//! Weights in several files, and the list that says which tensor is in which: `.weights.json` of Keras, `.safetensors.index.json` and
//! `.bin.index.json` of others.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use gradus_nn::{Error, Result};
use serde_json::Value as Json;

use crate::format::Start;

/// The most bytes that a list may have.
const LONGEST_LIST: u64 = 1 << 28;

const DAMAGED: &str = "the list is damaged: fetch or write it again";

/// A list that has been read. Its files lie beside it.
pub(crate) struct Shards {
    folder: PathBuf,
    /// The names of the files, each once, sorted. There is one at least.
    pub files: Vec<String>,
    /// What the list names, and the files that have it.
    pub entries: Vec<(String, Vec<String>)>,
}

impl Shards {
    /// Reads a list: a JSON object with a `weight_map` from names to the names of files.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |error: std::io::Error| Error::new("list", error.to_string(), "check the path");
        let mut text = Vec::new();
        fs::File::open(path).map_err(failed)?.take(LONGEST_LIST).read_to_end(&mut text).map_err(failed)?;
        let list: Json = serde_json::from_slice(&text)
            .map_err(|error| Error::new("list", format!("this is no JSON: {error}"), DAMAGED))?;
        let Some(map) = list["weight_map"].as_object() else {
            let hint = "give a .weights.json or .safetensors.index.json, or a file of weights itself";
            return Err(Error::new("list", "this is JSON without a weight_map, so no list of files of weights", hint));
        };
        let mut entries = Vec::new();
        for (name, value) in map {
            // Keras gives the files of each group of variables as a list, others the file of each tensor.
            let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            let files = values.iter().map(name_of_file).collect::<Result<Vec<String>>>()?;
            entries.push((name.clone(), files));
        }
        let files: BTreeSet<&String> = entries.iter().flat_map(|(_, files)| files).collect();
        let files: Vec<String> = files.into_iter().cloned().collect();
        if files.is_empty() {
            return Err(Error::new("list", "its weight_map names no file", DAMAGED));
        }
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Shards { folder, files, entries })
    }

    /// Opens each of `files`, of which it is known how they begin. Errors name it.
    pub fn open_each<R>(&self, open: impl Fn(&Path, Start) -> Result<R>) -> Result<Vec<R>> {
        self.files.iter().map(|name| self.open_one(name, &open)).collect()
    }

    /// Opens the first of `files`, as [`open_each`](Shards::open_each) does.
    pub fn open_first<R>(&self, open: impl Fn(&Path, Start) -> Result<R>) -> Result<R> {
        self.open_one(&self.files[0], &open)
    }

    fn open_one<R>(&self, name: &str, open: &impl Fn(&Path, Start) -> Result<R>) -> Result<R> {
        let path = self.folder.join(name);
        let opened = Start::of_file(&path).and_then(|start| match start {
            Start::List => {
                let hint = "give the list of the files that hold the weights";
                Err(Error::new("list", "it lists this file, which is a list itself", hint))
            }
            start => open(&path, start),
        });
        opened.map_err(|error| error.within(name))
    }
}

/// The name of a file in the folder of the list: no path leads out of it.
fn name_of_file(value: &Json) -> Result<String> {
    match value.as_str().filter(|name| Path::new(name).file_name().is_some_and(|last| last == *name)) {
        Some(name) => Ok(name.to_owned()),
        None => Err(Error::new("list", format!("{value} is no name of a file beside it"), DAMAGED)),
    }
}
