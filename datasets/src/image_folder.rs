//! Pictures in folders, a folder for each class.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use gradus_tensor::Tensor;

use crate::batch::Batch;
use crate::classes::ClassIndex;
use crate::dataset::Dataset;
use crate::error::{DatasetError, Result};
use crate::formats::PICTURE_HINT;
use crate::indexed::{IndexedDataset, IndexedSource};
use crate::picture;
use crate::source::check_memory;

/// A folder with a sub-folder of PNG and JPEG pictures for each class, and the options for reading it.
///
/// The classes are the names of the sub-folders, sorted: numbers by value, so that `2` comes before `10`, and then texts.
/// Folders of one value, such as `1` and `01`, are one class. The pictures of each folder come in alphabetical order. They are
/// the files that end in `.png`, `.jpg`, `.jpeg`, `.jpe` or `.jfif`, in capitals or not. Pictures of other formats are an
/// error; other files, folders within the sub-folders, and names that begin with a dot are skipped.
///
/// Colours become shades of grey as in Pillow, OpenCV and Keras: 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601).
/// Transparency, colour profiles and the EXIF orientation are ignored, as in Keras; palettes and CMYK become red, green and
/// blue. Values of 16 bits are rounded to 8, 65535 to 255: what is finer than 1/255 is lost. (Pillow cuts off shades of grey
/// of 16 bits at 255.) Resizing comes last and is bilinear, over all pixels that a smaller picture covers, as in Pillow.
///
/// ```no_run
/// use gradus_datasets::ImageFolder;
/// // pets/cat/1.jpg, pets/cat/2.png, pets/dog/1.jpg, ...
/// let pets = ImageFolder::new("pets").size(128, 128).load()?;
/// assert_eq!(pets.inputs().shape()[1..], [128, 128, 3]);
/// assert_eq!(pets.class_names().unwrap(), ["cat", "dog"]);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "image_dataset_from_directory")]
pub struct ImageFolder {
    folder: PathBuf,
    size: Option<[usize; 2]>,
    channels: usize,
    class_names: Option<Vec<String>>,
}

/// A folder with the pictures of a class.
struct ClassFolder {
    class: i64,
    path: PathBuf,
}

/// Pictures that were found.
struct Pictures {
    files: Vec<PathBuf>,
    labels: Vec<i64>,
    size: [usize; 2],
    class_names: Vec<String>,
}

/// Pictures that are decoded when they are used.
struct Decoded {
    folder: ImageFolder,
    pictures: Pictures,
}

impl IndexedSource for Decoded {
    type X = u8;
    type Y = i64;

    fn len(&self) -> usize {
        self.pictures.files.len()
    }

    fn read(&self, indices: &[usize]) -> Result<Batch<u8, i64>> {
        let Pictures { files, labels, size: [height, width], .. } = &self.pictures;
        let channels = self.folder.channels;
        check_memory([*height, *width, channels].iter().try_fold(indices.len(), |bytes, n| bytes.checked_mul(*n)))?;
        let mut inputs = Tensor::<u8>::zeros([indices.len(), *height, *width, channels]);
        for (&index, out) in indices.iter().zip(inputs.as_mut_slice().chunks_exact_mut(height * width * channels)) {
            self.folder.decode(&files[index], self.pictures.size, out)?;
        }
        let targets = indices.iter().map(|&index| labels[index]).collect();
        Ok(Batch { inputs, targets, weights: None })
    }
}

/// The endings of files that are read.
const PICTURES: [&str; 5] = ["png", "jpg", "jpeg", "jpe", "jfif"];
/// The endings of pictures that are not.
const OTHER_PICTURES: [&str; 12] =
    ["gif", "bmp", "webp", "tif", "tiff", "heic", "heif", "avif", "jxl", "jp2", "ppm", "pgm"];

impl ImageFolder {
    /// All pictures in the sub-folders, in colour and of the one size that they all have.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        ImageFolder { folder: folder.into(), size: None, channels: 3, class_names: None }
    }

    /// Pictures of any size, each resized to this one; proportions are not kept.
    pub fn size(self, height: usize, width: usize) -> Self {
        ImageFolder { size: Some([height, width]), ..self }
    }

    /// The number of channels: 3 for red, green and blue, as by default, or 1 for shades of grey.
    pub fn channels(self, channels: usize) -> Self {
        ImageFolder { channels, ..self }
    }

    /// The classes 0, 1, ... by the names of their folders. A class may have no folder, but each folder must have a class; a
    /// test set needs the names of its training set.
    pub fn class_names(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        ImageFolder { class_names: Some(names.into_iter().map(Into::into).collect()), ..self }
    }

    /// The pictures as inputs `[n, height, width, channels]`, bytes, with the classes as targets `[n]` and their names.
    /// They are decoded on all cores.
    ///
    /// # Errors
    /// If the folder has no class, a class no picture, or a picture is damaged or, unless a size was asked for, of another
    /// size than the first.
    pub fn load(&self) -> Result<Dataset<u8, i64>> {
        let Pictures { files, labels, size: [height, width], class_names } = self.find()?;
        let one = height * width * self.channels;
        check_memory(one.checked_mul(files.len())).map_err(|error| error.in_file(&self.folder))?;
        let mut inputs = Tensor::<u8>::zeros([files.len(), height, width, self.channels]);
        let share = files.len().div_ceil(thread::available_parallelism().map_or(1, usize::from));
        thread::scope(|scope| {
            let parts = files.chunks(share).zip(inputs.as_mut_slice().chunks_mut(share * one));
            let workers: Vec<_> = parts
                .map(|(files, out)| {
                    scope.spawn(move || {
                        let mut pairs = files.iter().zip(out.chunks_exact_mut(one));
                        pairs.try_for_each(|(file, out)| self.decode(file, [height, width], out))
                    })
                })
                .collect();
            // In the order of the files, so that the first that is damaged is the one named.
            workers.into_iter().try_for_each(|worker| match worker.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })?;
        Ok(Dataset::new(inputs, Tensor::from(labels))?.with_class_names(class_names))
    }

    /// The pictures as by [`load`](ImageFolder::load), each decoded whenever it is used: they need not fit into memory.
    /// `Fit::prefetch` and `Fit::workers` decode ahead on threads.
    ///
    /// ```no_run
    /// use gradus_datasets::ImageFolder;
    /// let pets = ImageFolder::new("pets").size(128, 128).load_by_index()?;
    /// let pets = pets.map(|batch| batch.map_inputs(|x| x.to::<f32>() / 255.0).to_categorical(2));
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    ///
    /// # Errors
    /// If the folder has no class, a class no picture, or, unless a size was asked for, a picture has another size than the
    /// first. What is damaged or has vanished is found when it is used.
    pub fn load_by_index(&self) -> Result<IndexedDataset<u8, i64>> {
        let pictures = self.find()?;
        let class_names = pictures.class_names.clone();
        Ok(IndexedDataset::new(Decoded { folder: self.clone(), pictures })?.with_class_names(class_names))
    }

    /// The files with their labels, and the size to which they are decoded.
    fn find(&self) -> Result<Pictures> {
        picture::check_form(self.size, self.channels)?;
        let (folders, class_names) = self.classes()?;
        let (mut files, mut labels) = (Vec::new(), Vec::new());
        for ClassFolder { class, path } in folders {
            let pictures = pictures_in(&path)?;
            labels.resize(labels.len() + pictures.len(), class);
            files.extend(pictures);
        }
        let size = match self.size {
            Some(size) => size,
            None => common_size(&files)?,
        };
        Ok(Pictures { files, labels, size, class_names })
    }

    /// The folders with their classes, in the order of these, and the names of the classes.
    fn classes(&self) -> Result<(Vec<ClassFolder>, Vec<String>)> {
        let folders: Vec<PathBuf> = entries(&self.folder)?.into_iter().filter(|path| path.is_dir()).collect();
        if folders.is_empty() {
            let hint = "put the pictures of each class into a folder of the class's name";
            return Err(DatasetError::new("no sub-folder", "a sub-folder for each class", hint).in_file(&self.folder));
        }
        let mut classes = ClassIndex::new(self.class_names.clone())?;
        for folder in &folders {
            if !classes.push(&name_of(folder)) {
                let expected = format!("one of the classes {:?}", classes.names());
                let hint = "rename or remove the folder, or name its class";
                return Err(DatasetError::new("a folder of another name", expected, hint).in_file(folder));
            }
        }
        let (labels, names) = classes.finish();
        let with_class = |(class, path)| ClassFolder { class, path };
        let mut folders: Vec<ClassFolder> = labels.iter().zip(folders).map(with_class).collect();
        folders.sort_by_key(|folder| folder.class);
        Ok((folders, names))
    }

    /// A picture's pixels into `out`, of this size.
    fn decode(&self, file: &Path, size: [usize; 2], out: &mut [u8]) -> Result<()> {
        let bytes = fs::read(file).map_err(|error| unreadable(&error).in_file(file))?;
        let (_, pixels) = picture::decode(&bytes, Some(size), self.channels).map_err(|error| error.in_file(file))?;
        out.copy_from_slice(&pixels);
        Ok(())
    }
}

/// The paths in a folder, in alphabetical order, without hidden ones.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = || -> io::Result<Vec<PathBuf>> { fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect() };
    let mut paths = read().map_err(|error| {
        let found = match error.kind() {
            io::ErrorKind::NotFound => "no such folder".to_owned(),
            _ => format!("a folder that cannot be read ({error})"),
        };
        DatasetError::new(found, "a folder of pictures", "check the path").in_file(folder)
    })?;
    paths.retain(|path| !name_of(path).starts_with('.'));
    paths.sort();
    Ok(paths)
}

fn pictures_in(class: &Path) -> Result<Vec<PathBuf>> {
    let entries = entries(class)?;
    let ends_in = |path: &Path, endings: &[&str]| {
        let known = |ending: &std::ffi::OsStr| endings.iter().any(|known| ending.eq_ignore_ascii_case(known));
        path.extension().is_some_and(known) && path.is_file()
    };
    if let Some(other) = entries.iter().find(|path| ends_in(path, &OTHER_PICTURES)) {
        let hint = format!("{PICTURE_HINT}, or move the file out of the folder");
        return Err(DatasetError::new("a picture of another format", "PNG and JPEG pictures", hint).in_file(other));
    }
    let has_folders = entries.iter().any(|path| path.is_dir());
    let pictures: Vec<PathBuf> = entries.into_iter().filter(|path| ends_in(path, &PICTURES)).collect();
    if pictures.is_empty() {
        let expected = format!("pictures of its class: files that end in .{}", PICTURES.join(", ."));
        let hint = match has_folders {
            true => "name the folder right above those of the classes, or move the pictures up into this one",
            false => "add some or remove the folder",
        };
        return Err(DatasetError::new("no picture", expected, hint).in_file(class));
    }
    Ok(pictures)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Height and width of all pictures, by their headers.
fn common_size(files: &[PathBuf]) -> Result<[usize; 2]> {
    let mut first = None;
    for file in files {
        let (width, height) = picture::size(file).map_err(|error| error.in_file(file))?;
        let &mut (expected_width, expected_height) = first.get_or_insert((width, height));
        if (width, height) != (expected_width, expected_height) {
            let found = format!("a picture of {height} x {width}");
            let expected = format!("{expected_height} x {expected_width}, the size of {}", files[0].display());
            let hint = "bring all to one size, as by `.size(height, width)`";
            return Err(DatasetError::new(found, expected, hint).in_file(file));
        }
    }
    let (width, height) = first.unwrap_or_default();
    Ok([height as usize, width as usize])
}

pub(crate) fn unreadable(error: &io::Error) -> DatasetError {
    let found = format!("a file that cannot be read ({error})");
    DatasetError::new(found, "a picture", "check the file and its permissions")
}
