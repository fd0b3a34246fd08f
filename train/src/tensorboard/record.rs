//! The frame of a record in an event file: TFRecord.

/// A record of these data: their length in eight bytes, its masked checksum in four, the data, and their masked checksum.
pub(super) fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let [of_length, of_data] = [&length, data].map(|bytes| masked(crc32c(bytes)).to_le_bytes());
    [&length, &of_length[..], data, &of_data].concat()
}

/// A checksum as it stands in a file. It is turned and shifted, since a checksum of bytes that hold checksums is weak.
fn masked(checksum: u32) -> u32 {
    checksum.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C, Castagnoli's: RFC 3720, section 12.1.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| TABLE[usize::from(crc as u8 ^ byte)] ^ crc >> 8)
}

/// What each byte does to a checksum. The polynomial is 0x1EDC6F41 with its bits in reverse.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_rfc_3720() {
        // Appendix B.4 prints the four bytes in the order of the wire, the lowest first.
        let ascending: Vec<u8> = (0..32).collect();
        let descending: Vec<u8> = (0..32).rev().collect();
        let read_command = [
            0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0x14, 0, 0, 0,
            0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(crc32c(&[0; 32]).to_le_bytes(), [0xaa, 0x36, 0x91, 0x8a]);
        assert_eq!(crc32c(&[0xff; 32]).to_le_bytes(), [0x43, 0xab, 0xa8, 0x62]);
        assert_eq!(crc32c(&ascending).to_le_bytes(), [0x4e, 0x79, 0xdd, 0x46]);
        assert_eq!(crc32c(&descending).to_le_bytes(), [0x5c, 0xdb, 0x3f, 0x11]);
        assert_eq!(crc32c(&read_command).to_le_bytes(), [0x56, 0x3a, 0x96, 0xd9]);
        // The check value of the catalogues, and nothing at all.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(b""), 0);
    }

    #[test]
    fn a_record_is_framed_as_tensorflow_frames_it() {
        // TFRecordWriter of TensorFlow 2.21.0, of b"gradus": `train/tests/tensorboard/records.py`.
        let expected = [
            0x06, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x73, 0x69, 0xd5, 0x37, 0x67, 0x72, 0x61, 0x64, 0x75, 0x73,
            0xac, 0x0c, 0x4d, 0xd4,
        ];
        assert_eq!(record(b"gradus"), expected);
    }
}
