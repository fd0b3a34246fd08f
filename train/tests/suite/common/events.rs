//! A small reader of event files, apart from the code that writes them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::ZlibDecoder;

/// A field of a message: a number, or bytes.
#[derive(Clone, Debug)]
enum Field {
    Number(u64),
    Bytes(Vec<u8>),
}

/// A message of Protocol Buffers: its fields in order.
struct Message(Vec<(u64, Field)>);

impl Message {
    fn read(bytes: &[u8]) -> Self {
        let (mut rest, mut fields) = (bytes, Vec::new());
        let take = |rest: &mut &[u8], count: usize| {
            let (head, tail) = rest.split_at(count);
            *rest = tail;
            head.to_vec()
        };
        let varint = |rest: &mut &[u8]| {
            let mut value = 0;
            for place in (0..).step_by(7) {
                let byte = take(rest, 1)[0];
                value |= u64::from(byte & 0x7f) << place;
                if byte < 0x80 {
                    break;
                }
            }
            value
        };
        while !rest.is_empty() {
            let key = varint(&mut rest);
            let field = match key & 7 {
                0 => Field::Number(varint(&mut rest)),
                1 => Field::Number(u64::from_le_bytes(take(&mut rest, 8).try_into().unwrap())),
                2 => {
                    let length = varint(&mut rest) as usize;
                    Field::Bytes(take(&mut rest, length))
                }
                5 => Field::Number(u32::from_le_bytes(take(&mut rest, 4).try_into().unwrap()).into()),
                other => panic!("a field of kind {other}"),
            };
            fields.push((key >> 3, field));
        }
        Message(fields)
    }

    fn all(&self, number: u64) -> impl Iterator<Item = &Field> {
        self.0.iter().filter(move |(found, _)| *found == number).map(|(_, field)| field)
    }

    fn number(&self, number: u64) -> Option<u64> {
        self.all(number).next().map(|field| match field {
            Field::Number(number) => *number,
            Field::Bytes(_) => panic!("field {number} is no number"),
        })
    }

    fn double(&self, number: u64) -> f64 {
        self.number(number).map_or(0.0, f64::from_bits)
    }

    fn bytes(&self, number: u64) -> Vec<&[u8]> {
        let bytes = self.all(number).map(|field| match field {
            Field::Bytes(bytes) => &bytes[..],
            Field::Number(_) => panic!("field {number} is a number"),
        });
        bytes.collect()
    }

    fn messages(&self, number: u64) -> Vec<Message> {
        self.bytes(number).into_iter().map(Message::read).collect()
    }

    fn texts(&self, number: u64) -> Vec<String> {
        self.bytes(number).into_iter().map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).collect()
    }

    fn text(&self, number: u64) -> String {
        self.texts(number).pop().unwrap_or_default()
    }

    fn doubles(&self, number: u64) -> Vec<f64> {
        let bytes = self.bytes(number).pop().unwrap_or_default();
        bytes.chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap())).collect()
    }
}

/// CRC-32C bit by bit.
fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
        }
    }
    let crc = !crc;
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The records of a file, whose checksums are compared.
pub fn records(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut rest, mut records) = (bytes, Vec::new());
    let word = |bytes: &[u8]| u32::from_le_bytes(bytes[..4].try_into().unwrap());
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        assert_eq!(word(&rest[8..]), checksum(&rest[..8]), "the checksum of a length");
        let data = &rest[12..12 + length];
        assert_eq!(word(&rest[12 + length..]), checksum(data), "the checksum of a record");
        records.push(data.to_vec());
        rest = &rest[16 + length..];
    }
    records
}

/// What the last log in a folder holds. Those of earlier runs are removed.
#[allow(dead_code)] // Not every test begins several runs in a folder.
pub fn newest(folder: &Path) -> String {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.pop();
    files.iter().for_each(|path| fs::remove_file(path).unwrap());
    shown(folder)
}

/// What the event files of a run hold, in the form that `tensorboard/read.py` prints.
pub fn shown(folder: &Path) -> String {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.to_str().unwrap().contains("tfevents"));
    files.sort();
    let mut scalars: BTreeMap<String, String> = BTreeMap::new();
    let (mut histograms, mut images) = (scalars.clone(), scalars.clone());
    let mut nodes = String::new();
    for file in files {
        let mut events = records(&fs::read(file).unwrap()).into_iter().map(|record| Message::read(&record));
        assert_eq!(events.next().unwrap().text(3), "brain.Event:2");
        for event in events {
            assert!(event.double(1) > 1.5e9, "an event has a time");
            let step = event.number(2).unwrap_or(0);
            for graph in event.messages(4) {
                nodes = graph.messages(1).iter().map(node).collect();
            }
            for value in event.messages(5).iter().flat_map(|summary| summary.messages(1)) {
                let name = value.text(1);
                if let Some(bits) = value.number(2) {
                    let value = f64::from(f32::from_bits(bits as u32));
                    write!(scalars.entry(name.clone()).or_default(), " {step}:{value:?}").unwrap();
                }
                for of in value.messages(5) {
                    let ends = [1, 2, 3, 4, 5].map(|field| of.double(field));
                    let (ends, limits, counts) = (numbers(&ends), numbers(&of.doubles(6)), numbers(&of.doubles(7)));
                    let text = format!("histogram {name} {step}: {ends}\n  limits {limits}\n  counts {counts}\n");
                    histograms.entry(name.clone()).or_default().push_str(&text);
                }
                for of in value.messages(4) {
                    let (height, width) = (of.number(1).unwrap(), of.number(2).unwrap());
                    let pixels = pixels(of.bytes(4)[0], width, height, of.number(3).unwrap());
                    let text = format!("image {name} {step}: {height} x {width} {pixels}\n");
                    images.entry(name.clone()).or_default().push_str(&text);
                }
            }
        }
    }
    let scalars: String = scalars.iter().map(|(name, points)| format!("scalar {name}{points}\n")).collect();
    let texts = [histograms, images].map(|texts| texts.into_values().collect::<String>());
    [scalars, texts.concat(), nodes].concat()
}

fn numbers(numbers: &[f64]) -> String {
    numbers.iter().map(|number| format!("{number:?}")).collect::<Vec<String>>().join(" ")
}

fn node(node: &Message) -> String {
    let (name, op, inputs) = (node.text(1), node.text(2), node.texts(3));
    let attribute = |name: &str| {
        let entry = node.messages(5).into_iter().find(|entry| entry.text(1) == name)?;
        entry.messages(2).pop()
    };
    let shapes = attribute("_output_shapes").unwrap().messages(1).pop().unwrap().messages(7);
    let shapes: Vec<Vec<i64>> = shapes
        .iter()
        .map(|shape| shape.messages(2).iter().map(|axis| axis.number(1).unwrap() as i64).collect())
        .collect();
    let params = attribute("params").map_or(0, |value| value.number(3).unwrap());
    let shares = attribute("shares").map_or(String::new(), |value| value.text(2));
    let inputs: Vec<String> = inputs.iter().map(|input| format!("'{input}'")).collect();
    let inputs = inputs.join(", ");
    format!("node {name}: {op} of [{inputs}] gives {shapes:?}, {params} params, shares '{shares}'\n")
}

/// The bytes of a PNG file's pixels.
fn pixels(png: &[u8], width: u64, height: u64, channels: u64) -> String {
    let (signature, mut rest) = png.split_at(8);
    assert_eq!(signature, b"\x89PNG\r\n\x1a\n");
    let (mut packed, mut kinds) = (Vec::new(), Vec::new());
    while !rest.is_empty() {
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        let (kind, data) = (&rest[4..8], &rest[8..8 + length]);
        if kind == b"IHDR" {
            let colour = [0, 4, 2, 6][channels as usize - 1];
            let size = |number: u64| (number as u32).to_be_bytes();
            assert_eq!(data, [&size(width)[..], &size(height), &[8, colour, 0, 0, 0]].concat());
        }
        if kind == b"IDAT" {
            packed.extend(data);
        }
        kinds.push(kind);
        rest = &rest[12 + length..];
    }
    assert_eq!(kinds, [b"IHDR", b"IDAT", b"IEND"]);
    let mut rows = Vec::new();
    ZlibDecoder::new(&packed[..]).read_to_end(&mut rows).unwrap();
    let rows = rows.chunks_exact(1 + (width * channels) as usize);
    assert_eq!(rows.len() as u64, height);
    let bytes = rows.flat_map(|row| {
        assert_eq!(row[0], 0, "no filter");
        row[1..].iter().map(u8::to_string)
    });
    bytes.collect::<Vec<String>>().join(" ")
}
