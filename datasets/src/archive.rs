//! Readers of the two kinds of archive that data sets are published in, `.tar.gz` and `.zip`.

use std::fs::File;
use std::io::{self, BufReader, Error, ErrorKind, Read, Seek, SeekFrom};

use flate2::bufread::{DeflateDecoder, MultiGzDecoder};

use crate::error::{DatasetError, Result};

/// Calls `each` with the name and the bytes of every file in the archive, in whatever folder it is. `name` is the
/// archive's name.
pub(crate) fn unpack(archive: File, name: &str, each: impl FnMut(&str, &mut dyn Read) -> Result<()>) -> Result<()> {
    let result = if name.ends_with(".zip") { unzip(archive, each) } else { untar(archive, each) };
    result.map_err(|failure| match failure {
        Failure::Each(error) => error,
        Failure::Archive(error) => {
            let found = format!("an archive that cannot be read ({error})");
            let hint = "download it again, or unpack it by hand";
            DatasetError::new(found, "a whole archive, .tar.gz or .zip", hint).in_file(name)
        }
    })
}

/// An error of the archive, or of the caller's `each`.
enum Failure {
    Archive(Error),
    Each(DatasetError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Archive(error)
    }
}

fn damaged(what: &'static str) -> Failure {
    Failure::Archive(Error::new(ErrorKind::InvalidData, what))
}

/// The name without its folders, if the file is not hidden and the name cannot lead to another folder.
fn plain_name(path: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(path).ok()?.rsplit('/').next()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (!name.is_empty() && !name.starts_with('.') && name.bytes().all(is_plain)).then_some(name)
}

/// The files of a `.tar.gz`, and those of a `.tar.gz` within it.
fn untar(mut archive: impl Read, mut each: impl FnMut(&str, &mut dyn Read) -> Result<()>) -> Result<(), Failure> {
    untar_one(&mut archive, &mut |name, bytes| {
        if !name.ends_with(".tar.gz") {
            return each(name, bytes).map_err(Failure::Each);
        }
        // A third archive is a file as any other.
        untar_one(bytes, &mut |name, bytes| each(name, bytes).map_err(Failure::Each))
    })
}

/// POSIX.1-1988 "ustar": blocks of 512 bytes, a header of a name, a size and so on before each file.
fn untar_one(
    archive: &mut dyn Read,
    each: &mut dyn FnMut(&str, &mut dyn Read) -> Result<(), Failure>,
) -> Result<(), Failure> {
    const BLOCK: u64 = 512;
    let mut bytes = MultiGzDecoder::new(BufReader::new(archive));
    loop {
        let mut header = Vec::new();
        bytes.by_ref().take(BLOCK).read_to_end(&mut header)?;
        // The end is blocks of zeros, or of nothing.
        if header.iter().all(|&byte| byte == 0) {
            return Ok(());
        }
        if (header.len() as u64) < BLOCK {
            return Err(Failure::Archive(ErrorKind::UnexpectedEof.into()));
        }
        let [name, size] = [&header[..100], &header[124..136]].map(|field| field.split(|&byte| byte == 0).next());
        let size = size.and_then(|size| std::str::from_utf8(size).ok());
        let Some(size) = size.and_then(|size| u64::from_str_radix(size.trim(), 8).ok()) else {
            return Err(damaged("a file without a size"));
        };
        let mut file = bytes.by_ref().take(size);
        let is_file = matches!(header[156], b'0' | 0);
        if let Some(name) = name.and_then(plain_name).filter(|_| is_file) {
            each(name, &mut file)?;
        }
        let rest = file.limit() + (BLOCK - size % BLOCK) % BLOCK;
        if io::copy(&mut bytes.by_ref().take(rest), &mut io::sink())? < rest {
            return Err(Failure::Archive(ErrorKind::UnexpectedEof.into()));
        }
    }
}

/// PKWARE's APPNOTE: a directory at the end of the archive holds the offset of each file.
fn unzip(
    mut archive: impl Read + Seek,
    mut each: impl FnMut(&str, &mut dyn Read) -> Result<()>,
) -> Result<(), Failure> {
    // The end of the directory (section 4.3.16) is 22 bytes long and may have a comment of up to 65,535 after it.
    const END_BYTES: u64 = 22;
    let length = archive.seek(SeekFrom::End(0))?;
    archive.seek(SeekFrom::Start(length.saturating_sub(END_BYTES + 0xffff)))?;
    let mut tail = Vec::new();
    archive.read_to_end(&mut tail)?;
    let Some(end) = tail.windows(4).rposition(|bytes| bytes == b"PK\x05\x06") else {
        return Err(damaged("no directory"));
    };
    let end = &tail[end..];
    let Some((files, start)) = u16_at(end, 10).zip(u32_at(end, 16)) else { return Err(damaged("half a directory")) };

    let mut place = u64::from(start);
    for _ in 0..files {
        // Section 4.3.12.
        let entry = bytes_at(&mut archive, place, 46)?;
        let lengths = [u16_at(&entry, 28), u16_at(&entry, 30), u16_at(&entry, 32)].map(|length| length.unwrap_or(0));
        if !entry.starts_with(b"PK\x01\x02") {
            return Err(damaged("an entry of the directory that is none"));
        }
        let path = bytes_at(&mut archive, place + 46, u64::from(lengths[0]))?;
        place += 46 + lengths.iter().map(|&length| u64::from(length)).sum::<u64>();
        let Some(name) = plain_name(&path) else { continue };

        // Section 4.3.7.
        let (method, packed) = (u16_at(&entry, 10), u32_at(&entry, 20).unwrap_or(0));
        let header = u64::from(u32_at(&entry, 42).unwrap_or(0));
        let local = bytes_at(&mut archive, header, 30)?;
        let skipped = u64::from(u16_at(&local, 26).unwrap_or(0)) + u64::from(u16_at(&local, 28).unwrap_or(0));
        archive.seek(SeekFrom::Start(header + 30 + skipped))?;
        let bytes = BufReader::new(archive.by_ref()).take(u64::from(packed));
        let result = match method {
            Some(0) => each(name, &mut { bytes }),
            Some(8) => each(name, &mut DeflateDecoder::new(bytes)),
            _ => return Err(damaged("a file packed neither by deflate nor not at all")),
        };
        result.map_err(Failure::Each)?;
    }
    Ok(())
}

fn bytes_at(archive: &mut (impl Read + Seek), place: u64, count: u64) -> Result<Vec<u8>, Failure> {
    archive.seek(SeekFrom::Start(place))?;
    let mut bytes = Vec::new();
    if archive.take(count).read_to_end(&mut bytes)? as u64 == count {
        return Ok(bytes);
    }
    Err(Failure::Archive(ErrorKind::UnexpectedEof.into()))
}

fn u16_at(bytes: &[u8], place: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(place..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], place: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(place..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    // By Python 3's tarfile (USTAR_FORMAT, then gzip) and zipfile: a folder with one.bin, 600 times the digit 1; two.bin,
    // "two"; .hidden; and empty.txt. In the zip only one.bin is deflated, and a comment stands at the end.
    const TAR_GZ: &[u8] =
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xed\xd7A\x0e\x820\x10\x85\xe1\x1e\x85\x13\x00C\x0b\x9e\x07\
        \xa4\x09,\x04#5\xe2\xed\x9d\x18W\xe0\xca\xa4\xa0\xf1\xff6\xd3t\xd3\xc5\xcb\x9b\xa4M\x1d\x8e\x9d\x9f2\
        \x13Q\xae*\xe7\x9eS-\xe7\x9b\xf3\xc1\x96\xd6$\xa5\xd9\xc0u\x0a\xf5E\x9f4\xff\xa9y\xe5?\x0e>m\xfaa\
        \x8f\xfcE\xec\x22\x7f\xc9\xab\xc2\x99$'\xff\xe8\x04\x88\xc0\xe0\xa7\xf6\x7f\xb8\x8d{\xed\x7feW\xfb\
        \xbf,\xd8\xff[\xd0\xdc)\x01\xfd\xcf\xd2\xaeo[\xbfW\xffe\xd5\x7f\xbd\xa2\xff\x1b\x98\xa9\x00\xfd\xd7\
        \xfe\xfb\xd39\xdc\xd30\x87o\xf8\xff\x8b\x14\xce\xd2\x7f\x00\x00\x00\x00\x00\x00\x00\x00>\xf5\x00\x94\
        \xd0\x80C\x00(\x00\x00";
    const ZIP: &[u8] =
        b"PK\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00!P\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\
        \x00\x00gzip/PK\x03\x04\x14\x00\x00\x00\x08\x00\x00\x00!PL\xb5\x03\x83\x09\x00\x00\x00X\x02\x00\x00\
        \x0c\x00\x00\x00gzip/one.bin34\x1c\x05\xa3\x80\xfa\x00\x00PK\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00\
        !Pf\x8a\xca\x11\x03\x00\x00\x00\x03\x00\x00\x00\x0c\x00\x00\x00gzip/two.bintwoPK\x03\x04\x14\x00\x00\
        \x00\x00\x00\x00\x00!P\x83\x16\xdc\x8c\x01\x00\x00\x00\x01\x00\x00\x00\x0c\x00\x00\x00gzip/.hiddenxP\
        K\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00!P\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0e\x00\
        \x00\x00gzip/empty.txtPK\x01\x02\x14\x03\x14\x00\x00\x00\x00\x00\x00\x00!P\x00\x00\x00\x00\x00\x00\
        \x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\x00\x00gzip\
        /PK\x01\x02\x14\x03\x14\x00\x00\x00\x08\x00\x00\x00!PL\xb5\x03\x83\x09\x00\x00\x00X\x02\x00\x00\x0c\
        \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01#\x00\x00\x00gzip/one.binPK\x01\x02\x14\x03\x14\
        \x00\x00\x00\x00\x00\x00\x00!Pf\x8a\xca\x11\x03\x00\x00\x00\x03\x00\x00\x00\x0c\x00\x00\x00\x00\x00\
        \x00\x00\x00\x00\x00\x00\x80\x01V\x00\x00\x00gzip/two.binPK\x01\x02\x14\x03\x14\x00\x00\x00\x00\x00\
        \x00\x00!P\x83\x16\xdc\x8c\x01\x00\x00\x00\x01\x00\x00\x00\x0c\x00\x00\x00\x00\x00\x00\x00\x00\x00\
        \x00\x00\x80\x01\x83\x00\x00\x00gzip/.hiddenPK\x01\x02\x14\x03\x14\x00\x00\x00\x00\x00\x00\x00!P\x00\
        \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0e\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\
        \xae\x00\x00\x00gzip/empty.txtPK\x05\x06\x00\x00\x00\x00\x05\x00\x05\x00\x1d\x01\x00\x00\xda\x00\x00\
        \x00\x0d\x00PK\x05 is no end";

    /// The files' names and bytes, or the error's message.
    fn files(
        unpack: impl FnOnce(&mut dyn FnMut(&str, &mut dyn Read) -> Result<()>) -> Result<(), Failure>,
    ) -> Result<Vec<(String, Vec<u8>)>, String> {
        let mut files = Vec::new();
        let mut each = |name: &str, bytes: &mut dyn Read| {
            let mut content = Vec::new();
            let read = bytes.read_to_end(&mut content);
            read.map_err(|error| DatasetError::new(error.to_string(), "bytes", "none"))?;
            files.push((name.to_owned(), content));
            Ok(())
        };
        match unpack(&mut each) {
            Ok(()) => Ok(files),
            Err(Failure::Archive(error)) => Err(error.to_string()),
            Err(Failure::Each(error)) => Err(error.to_string()),
        }
    }

    fn from_tar(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, String> {
        files(|each| untar(bytes, each))
    }

    fn from_zip(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, String> {
        files(|each| unzip(Cursor::new(bytes), each))
    }

    fn expected() -> Vec<(String, Vec<u8>)> {
        let file = |name: &str, bytes: &[u8]| (name.to_owned(), bytes.to_vec());
        vec![file("one.bin", &[b'1'; 600]), file("two.bin", b"two"), file("empty.txt", b"")]
    }

    #[test]
    fn files_come_out_of_either_kind() {
        assert_eq!(from_tar(TAR_GZ), Ok(expected()));
        assert_eq!(from_zip(ZIP), Ok(expected()));
        // Files that nobody reads are skipped.
        let mut names = Vec::new();
        let unread = untar(TAR_GZ, |name, _| {
            names.push(name.to_owned());
            Ok(())
        });
        assert!(unread.is_ok());
        assert_eq!(names, ["one.bin", "two.bin", "empty.txt"]);
    }

    #[test]
    fn an_archive_within_an_archive_is_unpacked_too() {
        // A header by hand, as far as it is read, around the archive; and blocks of zeros.
        let mut header = [0; 512];
        header[..16].copy_from_slice(b"folder/in.tar.gz");
        header[124..135].copy_from_slice(format!("{:011o}", TAR_GZ.len()).as_bytes());
        header[156] = b'0';
        let mut tar = [&header[..], TAR_GZ].concat();
        tar.resize(tar.len().next_multiple_of(512) + 1024, 0);
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&tar).unwrap();
        let packed = packed.finish().unwrap();
        assert_eq!(from_tar(&packed), Ok(expected()));
        tar[600] ^= 0xff;
        let mut damaged = GzEncoder::new(Vec::new(), Compression::fast());
        damaged.write_all(&tar).unwrap();
        assert!(from_tar(&damaged.finish().unwrap()).is_err());
    }

    #[test]
    fn no_damage_does_more_than_fail() {
        let mut tar = Vec::new();
        MultiGzDecoder::new(TAR_GZ).read_to_end(&mut tar).unwrap();
        let packed = |tar: &[u8]| {
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(tar).unwrap();
            packed.finish().unwrap()
        };
        for length in 0..ZIP.len() {
            // The end is found again only where all of it is there.
            assert_eq!(from_zip(&ZIP[..length]).is_ok(), length >= ZIP.len() - 15, "{length}");
            for value in [0, 0xff] {
                let mut damaged = ZIP.to_vec();
                damaged[length] = value;
                let _ = from_zip(&damaged);
            }
        }
        for place in 0..3 * 512 {
            let mut damaged = tar.clone();
            damaged[place] ^= 0x15;
            let _ = from_tar(&packed(&damaged));
            assert!(from_tar(&packed(&tar[..place])).is_err() || place % 512 == 0, "{place}");
        }
        for length in 0..TAR_GZ.len() {
            let _ = from_tar(&TAR_GZ[..length]);
        }
    }

    #[test]
    fn names_stay_within_their_folder() {
        assert_eq!(plain_name(b"../../etc/passwd"), Some("passwd"));
        for bad in ["..", ".", "", "a/", "a/..", "a\\b", "c:d", ".bashrc", "\u{e9}"] {
            assert_eq!(plain_name(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(plain_name(&[0xff]), None);
    }
}
