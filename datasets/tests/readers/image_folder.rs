//! Folders of pictures, written by the test itself.
#![cfg(feature = "images")]

use std::fs;
use std::path::{Path, PathBuf};

use gradus_datasets::{ImageFolder, load_picture};
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
fn classes_and_pictures_come_in_order() {
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
    // ITU-R BT.601: 0.299 10 + 0.587 20 + 0.114 30 = 18.15.
    assert_eq!(grey.inputs().get([0, 0, 0, 0]), 18);
}

#[test]
fn classes_of_numbers_are_ordered_by_value() {
    let folder = folder("numbers");
    for class in ["10", "2", "02", "0.5", "unknown", "cat", "dog"] {
        fs::create_dir_all(folder.join(class)).unwrap();
        counting(class.len() as u8).save(folder.join(class).join("a.png")).unwrap();
    }
    let pictures = ImageFolder::new(&folder).load().unwrap();
    assert_eq!(pictures.class_names().unwrap(), ["0.5", "2", "10", "cat", "dog", "unknown"]);
    assert_eq!(pictures.targets().to_vec(), [0, 1, 1, 2, 3, 4, 5]);
    // The pictures stay with their classes: green is the length of the folder's name.
    let green: Vec<u8> = (0..7_usize).map(|picture| pictures.inputs().get([picture, 0, 0, 1])).collect();
    assert_eq!(green, [3, 2, 1, 2, 3, 3, 7]);
    // A test set that lacks a class keeps the labels of its training set.
    let names = ["0.5", "2", "3", "10", "cat", "dog", "unknown"];
    let test = ImageFolder::new(&folder).class_names(names).load().unwrap();
    assert_eq!(test.targets().to_vec(), [0, 1, 1, 3, 4, 5, 6]);
    assert_eq!(
        ImageFolder::new(&folder).class_names(names[..6].to_vec()).load().unwrap_err().to_string(),
        format!(
            "{}: found a folder of another name, expected one of the classes [\"0.5\", \"2\", \"3\", \"10\", \"cat\", \
             \"dog\"]; rename or remove the folder, or name its class",
            folder.join("unknown").display()
        )
    );
}

#[test]
fn pixels_are_those_of_pillow() {
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference");
    let lines = fs::read_to_string(reference.join("pictures.txt")).unwrap();
    assert_eq!(lines.lines().count(), 19);
    for line in lines.lines() {
        let [name, size, colours, grey, resized] = line.split("; ").collect::<Vec<_>>().try_into().unwrap();
        let numbers = |text: &str| text.split(' ').map(|number| number.parse().unwrap()).collect::<Vec<usize>>();
        let folder = folder("pillow");
        for class in ["cat", "dog"] {
            fs::copy(reference.join("pictures").join(name), folder.join(class).join(name)).unwrap();
        }
        let pictures = ImageFolder::new(&folder);
        let whole = pictures.load().unwrap();
        assert_eq!(whole.inputs().shape()[1..3], numbers(size), "{name}");
        // Decoders of JPEG round in their own ways; so does resizing.
        let rounding = if name.ends_with("jpg") { 2 } else { 0 };
        for (pictures, expected, tolerance) in [
            (whole, colours, rounding),
            (pictures.clone().channels(1).load().unwrap(), grey, rounding),
            (pictures.channels(1).size(2, 3).load().unwrap(), resized, rounding + 1),
        ] {
            let found = pictures.inputs().select(0, 0).to_vec();
            let expected = numbers(expected);
            assert_eq!(found.len(), expected.len(), "{name}");
            let away = found.iter().zip(&expected).map(|(&found, &expected)| expected.abs_diff(found.into())).max();
            assert!(away <= Some(tolerance), "{name}: {away:?}: {found:?}, {expected:?}");
        }
    }
}

#[test]
fn pictures_of_other_formats_say_how_to_convert_them() {
    let folder = folder("formats");
    counting(1).save(folder.join("dog/a.png")).unwrap();
    let disguised = folder.join("cat/a.jpg");
    let box_of = |brand: &str| [b"\0\0\0\x20ftyp", brand.as_bytes(), b"\0\0\0\0mif1"].concat();
    let bitmap = [&b"BM"[..], &[0; 12], &[40, 0, 0, 0], &[0; 40]].concat();
    let cases = [
        (b"RIFF\x24\0\0\0WEBPVP8 ".to_vec(), "a WebP picture"),
        (b"GIF89a\x01\0\x01\0".to_vec(), "a GIF picture"),
        (bitmap, "a BMP picture"),
        (box_of("heic"), "a HEIC picture"),
        (box_of("avif"), "an AVIF picture"),
        (b"II\x2a\0\x08\0\0\0".to_vec(), "a TIFF picture"),
        (b"MM\0\x2a\0\0\0\x08".to_vec(), "a TIFF picture"),
        (b"<?xml version=\"1.0\"?>\n<svg width=\"5\">".to_vec(), "an SVG drawing"),
    ];
    for (bytes, found) in cases {
        fs::write(&disguised, bytes).unwrap();
        // With a size the header is not read first.
        for error in [error(&folder), ImageFolder::new(&folder).size(2, 2).load().unwrap_err().to_string()] {
            let expected = format!(
                "{}, byte 0: found {found}, expected a PNG or JPEG picture, whatever the name of the file; ",
                disguised.display()
            );
            assert!(error.starts_with(&expected) && error.contains("PNG, as by"), "{error}");
        }
    }
    for (bytes, hint) in [
        (&b""[..], "get the file again, or remove it"),
        (b"<html><body>404", "download the file itself"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    ] {
        fs::write(&disguised, bytes).unwrap();
        assert!(error(&folder).contains(hint), "{}", error(&folder));
    }
    // A JPEG whose frame says that it is in arithmetic coding (0xc9), or of 12 bits.
    counting(1).save(&disguised).unwrap();
    let whole = fs::read(&disguised).unwrap();
    let frame = whole.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    for (place, value, found) in [
        (frame + 1, 0xc9, "found a JPEG picture in arithmetic coding, expected a PNG"),
        (frame + 4, 12, "found a JPEG picture of 12 bits, expected a PNG"),
    ] {
        let mut bytes = whole.clone();
        bytes[place] = value;
        fs::write(&disguised, bytes).unwrap();
        assert!(error(&folder).contains(found), "{}", error(&folder));
    }
    fs::remove_file(&disguised).unwrap();
    counting(1).save(folder.join("cat/a.jfif.jpg")).unwrap();
    fs::rename(folder.join("cat/a.jfif.jpg"), folder.join("cat/a.JFIF")).unwrap();
    assert_eq!(ImageFolder::new(&folder).load().unwrap().len(), 2);
    // A picture that would be left out is no less wrong.
    fs::write(folder.join("cat/b.WebP"), "RIFF").unwrap();
    let expected = "b.WebP: found a picture of another format, expected PNG and JPEG pictures; convert it to PNG";
    assert!(error(&folder).contains(expected), "{}", error(&folder));
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
            "{}: found no picture, expected pictures of its class: files that end in .png, .jpg, .jpeg, .jpe, .jfif; add \
             some or remove the folder",
            dog.display()
        )
    );
    let hint = "put the pictures of each class into a folder of the class's name";
    assert!(error(&dog).ends_with(hint));
    assert!(error(&folder.join("mouse")).contains("found no such folder, expected a folder of pictures"));
    fs::create_dir_all(dog.join("poodle")).unwrap();
    assert!(
        error(&folder)
            .ends_with("name the folder right above those of the classes, or move the pictures up into this one")
    );
    fs::write(dog.join("film.png"), "no picture").unwrap();
    assert!(
        error(&folder).contains("film.png: found a file that begins with the bytes [6e, 6f, 20, 70], expected a PNG")
    );
    let message = |pictures: ImageFolder| pictures.load().unwrap_err().to_string();
    assert!(message(ImageFolder::new(&folder).channels(4)).starts_with("found 4 channels, expected 1 or 3"));
    for size in [[0, 4], [4, 0], [1 << 29, 2], [4_000_000_000; 2], [usize::MAX; 2], [1 << 32, 1]] {
        let error = message(ImageFolder::new(&folder).size(size[0], size[1]));
        assert_eq!(
            error,
            format!(
                "found a size of {} x {}, expected at least one pixel, and pixels of at most 512 MiB; choose another size",
                size[0], size[1]
            )
        );
        let one = load_picture(dog.join("a.png"), Some(size), 3).unwrap_err().to_string();
        assert!(one.ends_with(&error) && one.contains("a.png: "), "{one}");
    }
}

#[test]
fn one_picture_is_read_as_those_of_a_folder() {
    let folder = folder("one");
    counting(3).save(folder.join("dog/a.png")).unwrap();
    counting(2).save(folder.join("cat/b.png")).unwrap();
    let file = folder.join("dog/a.png");
    let own = ImageFolder::new(&folder).size(1, 3).channels(1).load().unwrap();
    let one = load_picture(&file, Some([1, 3]), 1).unwrap();
    assert_eq!(one, own.inputs().select(0, 1));
    // Without a size it has its own.
    assert_eq!(load_picture(&file, None, 3).unwrap(), load_picture(&file, Some([2, 3]), 3).unwrap());
    let error = |size, channels| load_picture(&file, size, channels).unwrap_err().to_string();
    assert!(
        error(None, 2)
            .ends_with("found 2 channels, expected 1 or 3 channels; choose 1 for grey pictures, 3 for colours")
    );
    // A size that is small, by way of numbers that are not.
    RgbImage::new(1000, 1).save(&file).unwrap();
    let found = "found a picture of 1 x 1000 to be resized to 1000000 x 1, expected at most 134217728 pixels";
    assert!(error(Some([1_000_000, 1]), 1).contains(found), "{}", error(Some([1_000_000, 1]), 1));
    // A header that claims more than is decoded, in a file that could hold it.
    let mut bytes = fs::read(&file).unwrap();
    bytes[16..24].copy_from_slice(&[0, 0, 0x40, 0, 0, 0, 0x40, 0]);
    let mut sum = flate2::Crc::new();
    sum.update(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&sum.sum().to_be_bytes());
    bytes.resize(1 << 20, 0);
    fs::write(&file, bytes).unwrap();
    assert!(error(None, 3).contains("a picture that cannot be decoded (Memory limit exceeded)"), "{}", error(None, 3));
}

#[test]
fn pictures_by_index_are_those_that_are_loaded_and_one_that_vanished_is_named() {
    let folder = folder("by-index");
    counting(3).save(folder.join("dog/a.png")).unwrap();
    counting(2).save(folder.join("cat/b.png")).unwrap();
    counting(1).save(folder.join("cat/a.png")).unwrap();
    let pictures = ImageFolder::new(&folder);
    let (loaded, by_index) = (pictures.load().unwrap(), pictures.load_by_index().unwrap());
    assert_eq!(by_index.class_names(), loaded.class_names());
    let batch = by_index.read(&[2, 0, 1]).unwrap();
    assert_eq!(
        (batch.inputs, batch.targets),
        (loaded.inputs().take_rows(&[2, 0, 1]), loaded.targets().take_rows(&[2, 0, 1]))
    );
    let gone = folder.join("cat/b.png");
    fs::remove_file(&gone).unwrap();
    let error = by_index.read(&[0, 1]).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: found a file that cannot be read", gone.display())), "{error}");
    let mut small = ImageFolder::new(&folder).size(1, 1).load_by_index().unwrap();
    assert_eq!(small.read(&[0]).unwrap().inputs.shape(), &[1, 1, 1, 3]);
    small = small.map(|batch| Ok(batch.map_inputs(|x| x)));
    assert_eq!(small.len(), 2);
}
