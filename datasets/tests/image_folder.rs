//! Folders of pictures, written by the test itself.
#![cfg(feature = "images")]

use std::fs;
use std::path::{Path, PathBuf};

use gradus_datasets::ImageFolder;
use image::{GrayImage, ImageBuffer, Luma, Rgb, RgbImage, Rgba};

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-pictures-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    for class in ["dog", "cat"] {
        fs::create_dir_all(folder.join(class)).unwrap();
    }
    folder
}

/// 2 rows of 3 pixels: red counts them, green and blue are the same all over.
fn counting(green: u8) -> RgbImage {
    RgbImage::from_fn(3, 2, |x, y| Rgb([(3 * y + x) as u8, green, 9]))
}

fn error(folder: &Path) -> String {
    ImageFolder::new(folder).load().unwrap_err().to_string()
}

#[test]
fn classes_and_pictures_come_in_alphabetical_order() {
    let folder = folder("order");
    counting(3).save(folder.join("dog/a.PNG")).unwrap();
    counting(2).save(folder.join("cat/b.png")).unwrap();
    counting(1).save(folder.join("cat/a.png")).unwrap();
    // Passed over.
    fs::write(folder.join("cat/notes.txt"), "no picture").unwrap();
    fs::write(folder.join("cat/.hidden.png"), "no picture").unwrap();
    fs::write(folder.join("at the top.png"), "no picture").unwrap();
    fs::create_dir_all(folder.join(".git")).unwrap();
    let pets = ImageFolder::new(&folder).load().unwrap();
    assert_eq!(pets.inputs().shape(), &[3, 2, 3, 3]);
    assert_eq!(pets.targets().to_vec(), [0, 0, 1]);
    assert_eq!(pets.class_names().unwrap(), ["cat", "dog"]);
    for picture in 0..3_usize {
        let pixels = pets.inputs().select(0, picture as isize);
        assert_eq!(pixels.select(-1, 0).to_vec(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(pixels.select(-1, 1).to_vec(), [picture as u8 + 1; 6]);
    }
}

#[test]
fn colours_and_sizes_are_brought_to_what_is_asked_for() {
    let folder = folder("kinds");
    GrayImage::from_pixel(4, 4, Luma([100])).save(folder.join("cat/grey.png")).unwrap();
    ImageBuffer::from_pixel(5, 2, Rgba([10_u8, 20, 30, 7])).save(folder.join("cat/alpha.png")).unwrap();
    ImageBuffer::from_pixel(1, 1, Luma([0x8000_u16])).save(folder.join("dog/deep.png")).unwrap();
    RgbImage::from_pixel(16, 16, Rgb([200, 200, 200])).save(folder.join("dog/photo.jpeg")).unwrap();
    let colours = ImageFolder::new(&folder).size(2, 3).load().unwrap();
    assert_eq!(colours.inputs().shape(), &[4, 2, 3, 3]);
    let pixel = |picture: usize| [0, 1, 2].map(|channel| colours.inputs().get([picture, 1, 2, channel]));
    // Alphabetically: alpha, grey; deep, photo.
    assert_eq!([pixel(0), pixel(1), pixel(2)], [[10, 20, 30], [100; 3], [128; 3]]);
    assert!(pixel(3).iter().all(|value| value.abs_diff(200) <= 2), "{:?}", pixel(3));
    let grey = ImageFolder::new(&folder).size(8, 1).channels(1).load().unwrap();
    assert_eq!(grey.inputs().shape(), &[4, 8, 1, 1]);
    // ITU-R 709: 0.2126 10 + 0.7152 20 + 0.0722 30 = 18.6.
    assert!(grey.inputs().get([0, 0, 0, 0]).abs_diff(18) <= 1);
}

#[test]
fn another_size_is_named() {
    let folder = folder("sizes");
    counting(1).save(folder.join("cat/a.png")).unwrap();
    RgbImage::new(7, 5).save(folder.join("dog/b.png")).unwrap();
    assert_eq!(
        error(&folder),
        format!(
            "{}: found a picture of 5 x 7, expected 2 x 3, the size of {}; bring all to one size, as by `.size(height, \
             width)`",
            folder.join("dog/b.png").display(),
            folder.join("cat/a.png").display()
        )
    );
}

#[test]
fn every_cut_of_a_picture_is_noticed() {
    let folder = folder("cut");
    let noisy =
        RgbImage::from_fn(24, 24, |x, y| Rgb([(x * y * 37 % 251) as u8, (x * 91 % 256) as u8, (y * 53 % 256) as u8]));
    noisy.save(folder.join("cat/whole.png")).unwrap();
    for name in ["dog/cut.png", "dog/cut.jpg"] {
        let path = folder.join(name);
        noisy.save(&path).unwrap();
        let whole = fs::read(&path).unwrap();
        assert!(ImageFolder::new(&folder).load().is_ok());
        // The last 12 bytes of a PNG are an empty chunk: all pixels are there without it.
        let needed = if name.ends_with("png") { whole.len() - 12 } else { whole.len() };
        for length in (0..needed).step_by(7).chain([needed - 1]) {
            fs::write(&path, &whole[..length]).unwrap();
            let error = error(&folder);
            assert!(error.starts_with(&path.display().to_string()), "{length} of {}: {error}", whole.len());
        }
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_header_is_not_believed() {
    let folder = folder("claim");
    counting(1).save(folder.join("cat/a.png")).unwrap();
    let path = folder.join("dog/b.png");
    counting(1).save(&path).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    // The width and height in the first chunk, and its checksum (zlib.crc32 of "IHDR" and what follows, in Python).
    bytes[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
    bytes[29..33].copy_from_slice(&0xe945_6fed_u32.to_be_bytes());
    fs::write(&path, &bytes).unwrap();
    let error = ImageFolder::new(&folder).size(2, 2).load().unwrap_err().to_string();
    assert!(
        error.contains("found a header that claims 30000 x 30000 pixels, expected some, but no more than"),
        "{error}"
    );
}

#[test]
fn a_picture_without_pixels_is_refused() {
    let folder = folder("flat");
    counting(1).save(folder.join("dog/b.png")).unwrap();
    let path = folder.join("cat/a.jpg");
    counting(1).save(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    // The frame's header (0xffc0) has the height after its length and precision, then the width.
    let frame = whole.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    for side in [frame + 5, frame + 7] {
        let mut flat = whole.clone();
        flat[side..side + 2].fill(0);
        fs::write(&path, &flat).unwrap();
        assert!(error(&folder).starts_with(&path.display().to_string()));
    }
}

#[test]
fn folders_that_hold_no_pictures_explain_themselves() {
    let folder = folder("empty");
    counting(1).save(folder.join("cat/a.png")).unwrap();
    let dog = folder.join("dog");
    assert_eq!(
        error(&folder),
        format!(
            "{}: found no picture, expected pictures of its class: files that end in .png, .jpg or .jpeg; add some or \
             remove the folder",
            dog.display()
        )
    );
    let hint = "put the pictures of each class into a folder of the class's name";
    assert!(error(&dog).ends_with(hint));
    assert!(error(&folder.join("mouse")).contains("found no such folder, expected a folder of pictures"));
    fs::write(dog.join("gif.png"), "GIF89a and so on").unwrap();
    assert!(error(&folder).contains("gif.png: found a picture that cannot be decoded"));
    let message = |pictures: ImageFolder| pictures.load().unwrap_err().to_string();
    assert!(message(ImageFolder::new(&folder).channels(4)).starts_with("found 4 channels, expected 1 or 3"));
    assert!(message(ImageFolder::new(&folder).size(0, 4)).starts_with("found a size of 0 x 4"));
}
