//! Formats of files that are given in place of the one that a reader reads, by their first bytes.

use crate::error::{DatasetError, Place};

/// The most bytes that tell the format of a file.
pub(crate) const TELLING_BYTES: usize = 512;

/// A format that a file turned out to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    /// The name with its article.
    name: &'static str,
    /// How to make a file of it that can be read.
    hint: String,
}

/// The formats that begin with fixed bytes: these bytes, the name, and how to go on.
const FORMATS: &[(&[u8], &str, &str)] = &[
    (b"\xff\xfe", "text in UTF-16", "save it in UTF-8, as by `iconv -f UTF-16 -t UTF-8`"),
    (b"\xfe\xff", "text in UTF-16", "save it in UTF-8, as by `iconv -f UTF-16 -t UTF-8`"),
    (b"\x1f\x8b", "bytes that gzip packed, more than once", "unpack the file with `gunzip` as often"),
    (b"\x28\xb5\x2f\xfd", "bytes that zstd packed", "unpack the file with `unzstd`"),
    (b"\xfd7zXZ\0", "bytes that xz packed", "unpack the file with `unxz`"),
    (b"\x04\x22\x4d\x18", "bytes that lz4 packed", "unpack the file with `unlz4`"),
    (b"\x1f\x9d", "bytes that compress packed", "unpack the file with `gunzip`"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it with `7z x`, and read a file that it holds"),
    (b"Rar!\x1a\x07", "a RAR archive", "unpack it with `unrar x`, and read a file that it holds"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file, such as .xls", "save the sheet as CSV"),
    (b"PAR1", "a Parquet file", "convert it, as by pandas: `read_parquet(..).to_csv(.., index=False)`"),
    (b"ARROW1", "an Arrow or Feather file", "convert it, as by pandas: `read_feather(..).to_csv(.., index=False)`"),
    (b"SQLite format 3\0", "an SQLite database", "export the table as CSV"),
    (b"\x93NUMPY", "a NumPy array", "read it by `Tensor::load_npy` of gradus-tensor"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "write the array it holds as .npy, by h5py and `numpy.save`"),
    (
        b"MATLAB 5.0 MAT-file",
        "a MATLAB file",
        "write the array it holds as .npy, by `scipy.io.loadmat` and `numpy.save`",
    ),
    (b"\x80\x02", PICKLE, PICKLE_HINT),
    (b"\x80\x03", PICKLE, PICKLE_HINT),
    (b"\x80\x04", PICKLE, PICKLE_HINT),
    (b"\x80\x05", PICKLE, PICKLE_HINT),
    (b"%PDF", "a PDF document", "get the data in another form"),
    (b"version https://git-lfs", "a pointer to a file in Git LFS", "fetch the file itself by `git lfs pull`"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture", "read pictures by `ImageFolder`"),
    (b"\xff\xd8\xff", "a JPEG picture", "read pictures by `ImageFolder`"),
    (b"GIF8", "a GIF picture", PICTURE_HINT),
    (b"II\x2a\0", "a TIFF picture", PICTURE_HINT),
    (b"MM\0\x2a", "a TIFF picture", PICTURE_HINT),
    (b"8BPS", "a Photoshop picture", PICTURE_HINT),
    (b"\0\0\x01\0", "an icon (.ico)", PICTURE_HINT),
    (b"\xff\x0a", "a JPEG XL picture", PICTURE_HINT),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture", PICTURE_HINT),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture", PICTURE_HINT),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture", PICTURE_HINT),
];

const PICKLE: &str = "a Python pickle";
const PICKLE_HINT: &str = "write its data from Python as CSV or, by `numpy.save`, as .npy";
/// How to make a picture of another format readable.
pub(crate) const PICTURE_HINT: &str =
    "convert it to PNG, as by ImageMagick, `magick in.xyz out.png`, or by Pillow, `Image.open(..).save(\"out.png\")`";

impl Format {
    /// The format that begins with these bytes, if it is known.
    pub fn of(bytes: &[u8]) -> Option<Format> {
        let begins =
            |letters: &[u8]| bytes.get(..letters.len()).is_some_and(|start| start.eq_ignore_ascii_case(letters));
        let known = |name, hint: &str| Some(Format { name, hint: hint.to_owned() });
        if bytes.is_empty() {
            return known("an empty file", "get the file again, or remove it");
        }
        if let Some((_, name, hint)) = FORMATS.iter().find(|(magic, ..)| bytes.starts_with(magic)) {
            return known(name, hint);
        }
        if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
            return Some(of_zip(bytes));
        }
        if bytes.get(257..262) == Some(b"ustar") {
            return known("a tar archive", "unpack it with `tar -xf`, and read a file that it holds");
        }
        if let Some(kind) = bytes.get(8..12) {
            match (&bytes[4..8], kind, &bytes[..4]) {
                (b"ftyp", b"avif" | b"avis", _) => return known("an AVIF picture", PICTURE_HINT),
                (b"ftyp", [b'h', b'e', ..] | b"mif1" | b"msf1", _) => return known("a HEIC picture", PICTURE_HINT),
                (b"ftyp", ..) => return known("a film (.mp4)", "take pictures out of it, as by `ffmpeg`"),
                (_, b"WEBP", b"RIFF") => return known("a WebP picture", PICTURE_HINT),
                (_, b"WAVE", b"RIFF") => return known("a sound (.wav)", "get the data in another form"),
                _ => {}
            }
        }
        // The header of a bitmap has its own length, of six there are.
        if bytes.starts_with(b"BM") && matches!(bytes.get(14..18), Some([12 | 40 | 52 | 56 | 108 | 124, 0, 0, 0])) {
            return known("a BMP picture", PICTURE_HINT);
        }
        let text = bytes.trim_ascii_start();
        if begins(b"<svg") || bytes.starts_with(b"<?xml") && bytes.windows(4).any(|letters| letters == b"<svg") {
            return known("an SVG drawing", "draw it as PNG, as by `magick in.svg out.png` or Inkscape");
        }
        if text.get(..14).is_some_and(|start| start.eq_ignore_ascii_case(b"<!doctype html"))
            || text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"<html"))
        {
            let hint = "download the file itself: the address gave a page, perhaps of an error or to log in";
            return known("a web page", hint);
        }
        if bytes.starts_with(b"<?xml") {
            return known("XML", "convert it, as by pandas: `read_xml(..).to_csv(.., index=False)`");
        }
        None
    }

    /// The format of bytes that are no text, or none of a table.
    pub fn of_no_text(bytes: &[u8]) -> Option<Format> {
        let start = &bytes[..bytes.len().min(TELLING_BYTES)];
        if let Some(format) = Format::of(start).filter(|_| !bytes.is_empty()) {
            return Some(format);
        }
        if let [0, 0, 0x08..=0x0e, 1..=8, ..] = start {
            return Some(Format { name: "an IDX file", hint: "read it by `idx::read`".to_owned() });
        }
        if [&b"{\""[..], b"[{", b"[["].iter().any(|json| start.trim_ascii_start().starts_with(json)) {
            let hint = "convert it, as by pandas: `read_json(..).to_csv(.., index=False)`";
            return Some(Format { name: "JSON", hint: hint.to_owned() });
        }
        // UTF-16 without a mark has a zero in nearly every second place.
        let zeros = start.iter().filter(|&&byte| byte == 0).count();
        if zeros > 0 && 3 * zeros > start.len() && start.iter().any(u8::is_ascii_graphic) {
            let hint = "save it in UTF-8, as by `iconv -f UTF-16LE -t UTF-8`";
            return Some(Format { name: "text in UTF-16", hint: hint.to_owned() });
        }
        Format::of_zeros(bytes)
    }

    /// The format of bytes with a zero among them.
    pub fn of_zeros(bytes: &[u8]) -> Option<Format> {
        let hint = "check that the path names a text, and save it in UTF-8";
        bytes.contains(&0).then(|| Format { name: "zero bytes, which no text has", hint: hint.to_owned() })
    }

    /// The error of a reader that expected something else.
    pub fn refused(self, expected: impl Into<String>) -> DatasetError {
        DatasetError::new(self.name, expected, self.hint).at(Place::Byte(0))
    }
}

/// What a ZIP file holds, by the names of its first entries.
fn of_zip(bytes: &[u8]) -> Format {
    let holds = |name: &[u8]| bytes.windows(name.len()).any(|found| found == name);
    let (name, hint) = if holds(b"[Content_Types].xml") || holds(b"xl/") {
        ("an Excel workbook (.xlsx)", "save the sheet as CSV")
    } else if holds(b"opendocument.spreadsheet") {
        ("an OpenDocument sheet (.ods)", "save the sheet as CSV")
    } else if holds(b".npy") {
        ("an archive of NumPy arrays (.npz)", "unpack it with `unzip`, and read each array by `Tensor::load_npy`")
    } else {
        ("a ZIP archive", "unpack it with `unzip`, and read a file that it holds")
    };
    Format { name, hint: hint.to_owned() }
}
