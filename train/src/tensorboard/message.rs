//! Messages of Protocol Buffers, as much of the format as event files need.

/// A message being written: its fields in order, each by its number in the schema.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<u8>);

// The kinds of fields on the wire.
const VARINT: u32 = 0;
const EIGHT_BYTES: u32 = 1;
const LENGTH: u32 = 2;
const FOUR_BYTES: u32 = 5;

impl Message {
    pub fn new() -> Self {
        Message::default()
    }

    /// An `int64`; one below zero takes ten bytes.
    pub fn int64(mut self, field: u32, value: i64) -> Self {
        self.key(field, VARINT);
        self.varint(value as u64);
        self
    }

    pub fn float(mut self, field: u32, value: f32) -> Self {
        self.key(field, FOUR_BYTES);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn double(mut self, field: u32, value: f64) -> Self {
        self.key(field, EIGHT_BYTES);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// `bytes`, or a `string`.
    pub fn bytes(mut self, field: u32, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.key(field, LENGTH);
        self.varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    pub fn message(self, field: u32, value: &Message) -> Self {
        self.bytes(field, &value.0)
    }

    /// A `repeated double`, packed.
    pub fn doubles(self, field: u32, values: &[f64]) -> Self {
        self.bytes(field, values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn key(&mut self, field: u32, kind: u32) {
        self.varint(u64::from(field << 3 | kind));
    }

    /// Seven bits a byte, the lowest first; the highest bit says that more follow.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_the_bytes_of_the_encoding_guide() {
        // https://protobuf.dev/programming-guides/encoding: Test1 { a: 150 }, Test2 { b: "testing" }, Test3 { c: Test1 },
        // and -2 as an int64.
        let test1 = Message::new().int64(1, 150);
        assert_eq!(test1.as_bytes(), [0x08, 0x96, 0x01]);
        let test2 = Message::new().bytes(2, "testing");
        assert_eq!(test2.as_bytes(), [0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67]);
        let test3 = Message::new().message(3, &test1);
        assert_eq!(test3.as_bytes(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        let negative = Message::new().int64(1, -2);
        assert_eq!(negative.as_bytes(), [0x08, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
        // 1 is 0x3f800000 as a float, 0x3ff0000000000000 as a double: by hand.
        assert_eq!(Message::new().float(2, 1.0).as_bytes(), [0x15, 0, 0, 0x80, 0x3f]);
        assert_eq!(Message::new().double(1, 1.0).as_bytes(), [0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
        assert_eq!(Message::new().doubles(6, &[1.0]).as_bytes(), [0x32, 0x08, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
        // Field 16 is the first whose key takes two bytes: 16 << 3 is 128.
        assert_eq!(Message::new().int64(16, 0).as_bytes(), [0x80, 0x01, 0x00]);
    }
}
