//! Pictures in folders, a folder for each class.

use std::fs;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};
use std::thread;

use gradus_tensor::Tensor;
use image::imageops::FilterType;
use image::{DynamicImage, ImageFormat, ImageReader};

use crate::dataset::Dataset;
use crate::error::{DatasetError, Result};

/// A folder with a sub-folder of PNG and JPEG pictures for each class, and the options for reading it.
///
/// The classes are the names of the sub-folders in alphabetical order, and so are the pictures of each. Pictures are the
/// files that end in `.png`, `.jpg` or `.jpeg`, in capitals or not; other files, folders within the sub-folders, and
/// names that begin with a dot are skipped. Transparency and the EXIF orientation are ignored, as in Keras.
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
pub struct ImageFolder {
    folder: PathBuf,
    size: Option<[usize; 2]>,
    channels: usize,
}

/// The most pixels that a file can hold for each of its bytes: deflate packs 1032 bytes into one, and a byte may hold
/// eight pixels; JPEG needs more bytes.
const PIXELS_PER_BYTE: u64 = 1032 * 8;

impl ImageFolder {
    /// All pictures in the sub-folders, in colour and of the one size that they all have.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        ImageFolder { folder: folder.into(), size: None, channels: 3 }
    }

    /// Pictures of any size, each resized to this one; proportions are not kept.
    pub fn size(self, height: usize, width: usize) -> Self {
        ImageFolder { size: Some([height, width]), ..self }
    }

    /// The number of channels: 3 for red, green and blue, as by default, or 1 for shades of grey.
    pub fn channels(self, channels: usize) -> Self {
        ImageFolder { channels, ..self }
    }

    /// The pictures as inputs `[n, height, width, channels]`, bytes, with the classes as targets `[n]` and their names.
    /// They are decoded on all cores.
    ///
    /// # Errors
    /// If the folder has no class, a class no picture, or a picture is damaged or, unless a size was asked for, of another
    /// size than the first.
    pub fn load(&self) -> Result<Dataset<u8, i64>> {
        self.check_options()?;
        let classes = self.classes()?;
        let mut files = Vec::new();
        let mut labels = Vec::new();
        for (label, class) in classes.iter().enumerate() {
            let pictures = pictures_in(class)?;
            labels.resize(labels.len() + pictures.len(), label as i64);
            files.extend(pictures);
        }
        let [height, width] = match self.size {
            Some(size) => size,
            None => common_size(&files)?,
        };
        let one = height * width * self.channels;
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
        let names = classes.iter().map(|class| name_of(class));
        Ok(Dataset::new(inputs, Tensor::from(labels))?.with_class_names(names))
    }

    fn check_options(&self) -> Result<()> {
        let refuse = |found: String, expected: &str, hint: &str| Err(DatasetError::new(found, expected, hint));
        match self.size {
            Some([height, width]) if !(1..=1 << 16).contains(&height) || !(1..=1 << 16).contains(&width) => {
                let found = format!("a size of {height} x {width}");
                refuse(found, "sides from 1 to 65536 pixels", "choose another size")
            }
            _ if ![1, 3].contains(&self.channels) => {
                let found = format!("{} channels", self.channels);
                refuse(found, "1 or 3 channels", "choose 1 for grey pictures, 3 for colours")
            }
            _ => Ok(()),
        }
    }

    fn classes(&self) -> Result<Vec<PathBuf>> {
        let classes: Vec<PathBuf> = entries(&self.folder)?.into_iter().filter(|path| path.is_dir()).collect();
        if classes.is_empty() {
            let hint = "put the pictures of each class into a folder of the class's name";
            return Err(DatasetError::new("no sub-folder", "a sub-folder for each class", hint).in_file(&self.folder));
        }
        Ok(classes)
    }

    /// A picture's pixels into `out`, of this size.
    fn decode(&self, file: &Path, [height, width]: [usize; 2], out: &mut [u8]) -> Result<()> {
        let bytes = fs::read(file).map_err(|error| unreadable(&error).in_file(file))?;
        let picture = decoded(bytes).map_err(|error| error.in_file(file))?;
        let size = (width as u32, height as u32);
        let fits = (picture.width(), picture.height()) == size;
        let picture = if fits { picture } else { picture.resize_exact(size.0, size.1, FilterType::Triangle) };
        match self.channels {
            1 => out.copy_from_slice(&picture.into_luma8()),
            _ => out.copy_from_slice(&picture.into_rgb8()),
        }
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
    let is_picture = |path: &PathBuf| {
        let known =
            |ending: &std::ffi::OsStr| ["png", "jpg", "jpeg"].iter().any(|known| ending.eq_ignore_ascii_case(known));
        path.extension().is_some_and(known) && path.is_file()
    };
    let pictures: Vec<PathBuf> = entries(class)?.into_iter().filter(is_picture).collect();
    if pictures.is_empty() {
        let expected = "pictures of its class: files that end in .png, .jpg or .jpeg";
        return Err(DatasetError::new("no picture", expected, "add some or remove the folder").in_file(class));
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
        let header = || ImageReader::open(file)?.with_guessed_format()?.into_dimensions();
        let (width, height) = header().map_err(|error| undecodable(&error).in_file(file))?;
        let &mut (expected_width, expected_height) = first.get_or_insert((width, height));
        if (width, height) != (expected_width, expected_height) {
            let found = format!("a picture of {height} x {width}");
            let expected = format!("{expected_height} x {expected_width}, the size of {}", files[0].display());
            let hint = "bring all to one size, as by `.size(height, width)`";
            return Err(DatasetError::new(found, expected, hint).in_file(file));
        }
        let length = fs::metadata(file).map_err(|error| unreadable(&error).in_file(file))?.len();
        check_claim((width, height), length).map_err(|error| error.in_file(file))?;
    }
    let (width, height) = first.unwrap_or_default();
    Ok([height as usize, width as usize])
}

fn decoded(bytes: Vec<u8>) -> Result<DynamicImage> {
    let reader = || ImageReader::new(Cursor::new(&bytes)).with_guessed_format();
    let header = || -> image::ImageResult<_> { Ok((reader()?.format(), reader()?.into_dimensions()?)) };
    let (format, size) = header().map_err(|error| undecodable(&error))?;
    check_claim(size, bytes.len() as u64)?;
    // The decoder fills missing parts with grey.
    if format == Some(ImageFormat::Jpeg) && !jpeg_is_whole(&bytes) {
        let expected = "the marker that ends a JPEG picture";
        return Err(DatasetError::new("the end of the file", expected, "the file is cut off: get it again"));
    }
    let decode = || reader()?.decode();
    decode().map_err(|error| undecodable(&error))
}

/// Refuses a header that claims no pixels, or more than the file could hold, before memory is taken for them.
fn check_claim((width, height): (u32, u32), file_bytes: u64) -> Result<()> {
    let pixels = u64::from(width) * u64::from(height);
    if (1..=file_bytes.saturating_mul(PIXELS_PER_BYTE)).contains(&pixels) {
        return Ok(());
    }
    let found = format!("a header that claims {height} x {width} pixels");
    let expected = format!("some, but no more than a file of {file_bytes} bytes can hold");
    Err(DatasetError::new(found, expected, "the file is damaged: get it again"))
}

/// Whether the segments of a JPEG file (ITU T.81, annex B) reach the marker of its end.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    const END: u8 = 0xd9;
    let mut rest = &bytes[2.min(bytes.len())..];
    loop {
        // A marker is 0xff, perhaps more than once, and a code; after a scan's header its data come first, in which 0xff is
        // followed by 0 or the code of a restart.
        let Some(start) =
            rest.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff | 0xd0..=0xd7))
        else {
            return false;
        };
        let code = rest[start + 1];
        rest = &rest[start + 2..];
        if code == END {
            return true;
        }
        let Some(length) = rest.first_chunk::<2>() else { return false };
        let Some(after) = rest.get(usize::from(u16::from_be_bytes(*length)).max(2)..) else { return false };
        rest = after;
    }
}

fn unreadable(error: &io::Error) -> DatasetError {
    let found = format!("a file that cannot be read ({error})");
    DatasetError::new(found, "a picture", "check the file and its permissions")
}

fn undecodable(error: &image::ImageError) -> DatasetError {
    let found = format!("a picture that cannot be decoded ({error})");
    DatasetError::new(found, "a whole PNG or JPEG picture", "the file is damaged or cut off: get it again or remove it")
}
