//! One picture: its bytes become pixels.

use std::fs::{self, File};
use std::io::{Cursor, Read};
use std::path::Path;

use gradus_tensor::Tensor;
use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageError, ImageFormat, ImageReader, Limits};

use crate::error::{DatasetError, Result};
use crate::formats::{Format, PICTURE_HINT, TELLING_BYTES};
use crate::image_folder::unreadable;

/// The most pixels that a file can hold for each of its bytes: deflate packs 1032 bytes into one, and a byte may hold
/// eight pixels; JPEG needs more bytes.
const PIXELS_PER_BYTE: u64 = 1032 * 8;

/// The most bytes that a picture takes, decoded or resized: those of 13,000 x 13,000 pixels in colour.
const MOST_BYTES: usize = 1 << 29;

/// The picture in a PNG or JPEG file, `[height, width, channels]`, of one channel (shades of grey) or three. It is resized if
/// a height and a width are given, and read as [`ImageFolder`](crate::ImageFolder) reads pictures.
///
/// ```no_run
/// use gradus_datasets::load_picture;
/// let digit = load_picture("seven.png", Some([28, 28]), 1)?;
/// assert_eq!(digit.shape(), &[28, 28, 1]);
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// # Errors
/// If the file cannot be read, is no whole PNG or JPEG picture, or its pixels take more than 512 MiB; if there are neither 1
/// nor 3 channels, or the size has a side of 0 or takes more than 512 MiB.
pub fn load_picture(path: impl AsRef<Path>, size: Option<[usize; 2]>, channels: usize) -> Result<Tensor<u8>> {
    let path = path.as_ref();
    let read = || {
        check_form(size, channels)?;
        let bytes = fs::read(path).map_err(|error| unreadable(&error))?;
        let ([height, width], pixels) = decode(&bytes, size, channels)?;
        Ok(Tensor::from(pixels).reshape([height, width, channels]))
    };
    read().map_err(|error: DatasetError| error.in_file(path))
}

/// Checks a size that pictures are brought to, and their number of channels.
pub(crate) fn check_form(size: Option<[usize; 2]>, channels: usize) -> Result<()> {
    if !matches!(channels, 1 | 3) {
        let hint = "choose 1 for grey pictures, 3 for colours";
        return Err(DatasetError::new(format!("{channels} channels"), "1 or 3 channels", hint));
    }
    let Some([height, width]) = size else { return Ok(()) };
    let bytes = height.checked_mul(width).and_then(|pixels| pixels.checked_mul(channels));
    if bytes.is_some_and(|bytes| (1..=MOST_BYTES).contains(&bytes)) {
        return Ok(());
    }
    let found = format!("a size of {height} x {width}");
    let expected = format!("at least one pixel, and pixels of at most {} MiB", MOST_BYTES >> 20);
    Err(DatasetError::new(found, expected, "choose another size"))
}

/// Width and height of the picture in a file, by its header.
pub(crate) fn size(file: &Path) -> Result<(u32, u32)> {
    let mut start = Vec::new();
    let mut open = || {
        let mut opened = File::open(file)?;
        opened.by_ref().take(TELLING_BYTES as u64).read_to_end(&mut start)?;
        Ok(opened.metadata()?.len())
    };
    let length = open().map_err(|error| unreadable(&error))?;
    let format = format(&start)?;
    let header = || ImageReader::open(file)?.with_guessed_format()?.into_dimensions();
    let size = header().map_err(|error| undecodable(&error, format, &fs::read(file).unwrap_or_default()))?;
    check_claim(size, length)?;
    Ok(size)
}

/// Height and width of a picture, and its pixels in 1 or 3 channels; it is resized if a size is given. The form was checked.
pub(crate) fn decode(bytes: &[u8], size: Option<[usize; 2]>, channels: usize) -> Result<([usize; 2], Vec<u8>)> {
    let picture = decoded(bytes)?;
    let own = [picture.height(), picture.width()];
    let [height, width] = size.map_or(own, |size| size.map(|side| side as u32));
    let fits = own == [height, width];
    // The picture is first brought to its height, in numbers of 16 bytes a pixel.
    if !fits && u64::from(picture.width()) * u64::from(height) > MOST_BYTES as u64 / 4 {
        let found = format!("a picture of {} x {} to be resized to {height} x {width}", own[0], own[1]);
        let expected = format!("at most {} pixels, its width times the new height", MOST_BYTES / 4);
        return Err(DatasetError::new(found, expected, "choose another size, or make the picture smaller"));
    }
    let pixels = if channels == 1 {
        let grey = shades_of_grey(picture);
        if fits { grey } else { imageops::resize(&grey, width, height, FilterType::Triangle) }.into_raw()
    } else {
        let colours = picture.into_rgb8();
        if fits { colours } else { imageops::resize(&colours, width, height, FilterType::Triangle) }.into_raw()
    };
    Ok(([height as usize, width as usize], pixels))
}

/// 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601), with Pillow's weights of 16 bits, so that the last bit agrees too.
fn shades_of_grey(picture: DynamicImage) -> image::GrayImage {
    if !picture.color().has_color() {
        return picture.into_luma8();
    }
    let colours = picture.into_rgb8();
    let mut grey = image::GrayImage::new(colours.width(), colours.height());
    for (grey, colour) in grey.iter_mut().zip(colours.as_chunks::<3>().0) {
        let [red, green, blue] = colour.map(u32::from);
        *grey = ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16) as u8;
    }
    grey
}

fn decoded(bytes: &[u8]) -> Result<DynamicImage> {
    let format = format(bytes)?;
    let reader = || ImageReader::with_format(Cursor::new(bytes), format);
    let size = reader().into_dimensions().map_err(|error| undecodable(&error, format, bytes))?;
    check_claim(size, bytes.len() as u64)?;
    // The decoder fills missing parts with grey.
    if format == ImageFormat::Jpeg && !jpeg_segments(bytes).any(|(code, _)| code == JPEG_END) {
        let expected = "the marker that ends a JPEG picture";
        return Err(DatasetError::new("the end of the file", expected, "the file is cut off: get it again"));
    }
    let mut reader = reader();
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_BYTES as u64);
    reader.limits(limits);
    reader.decode().map_err(|error| undecodable(&error, format, bytes))
}

/// PNG or JPEG, by the first bytes of a file, whatever its name.
fn format(start: &[u8]) -> Result<ImageFormat> {
    match image::guess_format(start) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg)) => Ok(format),
        _ => Err(match Format::of(start) {
            Some(format) => format.refused("a PNG or JPEG picture, whatever the name of the file"),
            None => DatasetError::new(
                format!("a file that begins with the bytes {:02x?}", &start[..start.len().min(4)]),
                "a PNG or JPEG picture",
                "convert the file to one of these, get it again if it is damaged, or remove it",
            ),
        }),
    }
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

const JPEG_END: u8 = 0xd9;

/// The segments of a JPEG file (ITU T.81, annex B): the code of each marker and the bytes behind it.
fn jpeg_segments(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = &bytes[2.min(bytes.len())..];
    std::iter::from_fn(move || {
        // A marker is 0xff, perhaps more than once, and a code; after a scan's header its data come first, in which 0xff is
        // followed by 0 or the code of a restart.
        let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff | 0xd0..=0xd7);
        let start = rest.windows(2).position(is_marker)?;
        let code = rest[start + 1];
        let content = &rest[start + 2..];
        let length = content.first_chunk::<2>().map_or(0, |length| usize::from(u16::from_be_bytes(*length)).max(2));
        rest = content.get(length..).unwrap_or_default();
        Some((code, content))
    })
}

/// The kind of a JPEG picture that the decoder has not, by the header of its frame.
fn unusual_jpeg(bytes: &[u8]) -> Option<&'static str> {
    // The frame's code says how it is packed (table B.1); its first number, behind the length, is the bits of a value.
    let is_frame = |code: u8| matches!(code, 0xc0..=0xcf) && !matches!(code, 0xc4 | 0xc8 | 0xcc);
    let (code, content) = jpeg_segments(bytes).find(|(code, _)| is_frame(*code))?;
    match code {
        0xc0..=0xc2 => (content.get(2)? != &8).then_some("a JPEG picture of 12 bits"),
        0xc3 => Some("a lossless JPEG picture"),
        0xc9..=0xcb => Some("a JPEG picture in arithmetic coding"),
        _ => Some("a hierarchical JPEG picture"),
    }
}

fn undecodable(error: &ImageError, format: ImageFormat, bytes: &[u8]) -> DatasetError {
    let expected = "a whole PNG or JPEG picture";
    if format == ImageFormat::Jpeg
        && let Some(kind) = unusual_jpeg(bytes)
    {
        return DatasetError::new(kind, "a PNG, or a JPEG of 8 bits in Huffman coding", PICTURE_HINT);
    }
    let found = format!("a picture that cannot be decoded ({error})");
    match error {
        ImageError::Unsupported(_) => DatasetError::new(found, expected, PICTURE_HINT),
        _ => DatasetError::new(found, expected, "the file is damaged or cut off: get it again or remove it"),
    }
}
