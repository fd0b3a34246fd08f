//! PNG files, uncompressed: ISO/IEC 15948, zlib (RFC 1950) and deflate's stored blocks (RFC 1951).

/// A picture of `width` times `pixels.len() / width` pixels, red, green and blue.
pub(crate) fn encode(width: usize, pixels: &[[u8; 3]]) -> Vec<u8> {
    let height = pixels.len().checked_div(width).unwrap_or(0);
    let mut header = Vec::with_capacity(13);
    header.extend((width as u32).to_be_bytes());
    header.extend((height as u32).to_be_bytes());
    // Eight bits, colours, deflate, the usual filters, no interlacing.
    header.extend([8, 2, 0, 0, 0]);
    let mut lines = Vec::with_capacity(height * (1 + 3 * width));
    for line in pixels.chunks(width.max(1)) {
        // Each line names its filter: none.
        lines.push(0);
        lines.extend(line.iter().flatten());
    }
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut file, b"IHDR", &header);
    chunk(&mut file, b"IDAT", &stored(&lines));
    chunk(&mut file, b"IEND", &[]);
    file
}

fn chunk(file: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    file.extend((data.len() as u32).to_be_bytes());
    let start = file.len();
    file.extend(kind);
    file.extend(data);
    let sum = crc32(&file[start..]);
    file.extend(sum.to_be_bytes());
}

/// A zlib stream of blocks that are stored as they are.
fn stored(data: &[u8]) -> Vec<u8> {
    const LONGEST: usize = 0xffff;
    let mut stream = vec![0x78, 0x01];
    let mut blocks = data.chunks(LONGEST).peekable();
    if blocks.peek().is_none() {
        stream.extend([1, 0, 0, 0xff, 0xff]);
    }
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    stream.extend(adler32(data).to_be_bytes());
    stream
}

fn crc32(data: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 })
    };
    !data.iter().fold(!0, step)
}

fn adler32(data: &[u8]) -> u32 {
    const PRIME: u32 = 65_521;
    let step = |(a, b): (u32, u32), byte: &u8| {
        let a = (a + u32::from(*byte)) % PRIME;
        (a, (b + a) % PRIME)
    };
    let (a, b) = data.iter().fold((1, 0), step);
    b << 16 | a
}

/// RFC 4648, section 4.
pub(crate) fn base64(data: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(data.len().div_ceil(3) * 4);
    for bytes in data.chunks(3) {
        let byte = |place: usize| u32::from(bytes.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let is_there = digit <= bytes.len();
            let place = (bits >> (18 - 6 * digit)) as usize & 63;
            text.push(if is_there { DIGITS[place] as char } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_their_standards() {
        // The check value of CRC-32 in Williams' "A painless guide", that of Adler-32 in Python's zlib.adler32(b"Wikipedia").
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
        // RFC 4648, section 10.
        let pairs =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        pairs.iter().for_each(|(data, text)| assert_eq!(base64(data.as_bytes()), *text));
    }

    #[test]
    fn blocks_are_as_long_as_they_say() {
        let data: Vec<u8> = (0..70_000_u32).map(|i| i as u8).collect();
        let stream = stored(&data);
        assert_eq!(stream[2..7], [0, 0xff, 0xff, 0, 0]);
        let rest = (70_000 - 0xffff) as u16;
        let second = 7 + 0xffff;
        assert_eq!(stream[second], 1);
        assert_eq!(stream[second + 1..second + 3], rest.to_le_bytes());
        assert_eq!(stream[second + 5..stream.len() - 4], data[0xffff..]);
    }
}
