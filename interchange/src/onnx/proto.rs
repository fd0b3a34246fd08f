//! The messages of an ONNX file (onnx.proto3, ONNX 1.23), as far as they are read and written here.

use std::io;

use super::wire::{Bytes, Field, Reader, Run, Writer, packed};

/// The messages that a file may nest within each other: graphs within attributes of nodes.
const MOST_NESTED: usize = 32;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ModelProto {
    pub ir_version: i64,
    pub producer_name: String,
    pub producer_version: String,
    /// The version of each set of operators; the standard one is `""`.
    pub opset_import: Vec<(String, i64)>,
    pub graph: GraphProto,
    /// The functions that nodes of the graph may call as operators.
    pub functions: Vec<FunctionProto>,
    pub metadata_props: Vec<(String, String)>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct GraphProto {
    pub name: String,
    pub nodes: Vec<NodeProto>,
    pub initializers: Vec<TensorProto>,
    /// The number of sparse initializers, which are not read.
    pub sparse_initializers: usize,
    pub inputs: Vec<ValueInfoProto>,
    pub outputs: Vec<ValueInfoProto>,
    pub value_info: Vec<ValueInfoProto>,
}

/// Nodes that are called as one operator.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FunctionProto {
    pub name: String,
    pub domain: String,
    /// Tells functions of one name apart.
    pub overload: String,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    /// The values of attributes that a call may leave out.
    pub defaults: Vec<AttributeProto>,
    pub nodes: Vec<NodeProto>,
    pub opset_import: Vec<(String, i64)>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct NodeProto {
    pub name: String,
    pub op_type: String,
    pub domain: String,
    /// Which function of this name is called, if there are several.
    pub overload: String,
    /// The names of the values; `""` is an input that is not given.
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub attributes: Vec<AttributeProto>,
    /// The version of the operators, where it is not that of the model. It is no field of the file: nodes of functions get it.
    pub version: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct AttributeProto {
    pub name: String,
    /// The attribute of the call whose value this one takes, in a function; `""` for one with a value of its own.
    pub ref_attr_name: String,
    pub value: AttributeValue,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum AttributeValue {
    #[default]
    Missing,
    Float(f32),
    Int(i64),
    Text(Vec<u8>),
    Tensor(TensorProto),
    Graph(Box<GraphProto>),
    Floats(Vec<f32>),
    Ints(Vec<i64>),
    Texts(Vec<Vec<u8>>),
    /// A value that is not read: the number of its type.
    Other(i64),
}

/// The type of a value: a tensor, or something that is not read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ValueInfoProto {
    pub name: String,
    /// The number of the element type, 0 if it is not said.
    pub elem_type: i32,
    /// `None` if the shape is not said.
    pub shape: Option<Vec<Dimension>>,
    /// Whether it is a sequence, a map or another value that is no tensor.
    pub is_other: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Dimension {
    Length(i64),
    /// A name, or `""` for a length that is not said.
    Free(String),
}

/// A tensor: its type and shape, and its elements, which are there or in the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TensorProto {
    pub name: String,
    pub data_type: i32,
    pub dims: Vec<i64>,
    pub data: TensorData,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TensorData {
    /// The bytes of the elements, least significant first, as they are in the file.
    InFile(Run),
    /// The same, to be written.
    Raw(Vec<u8>),
    /// In another file: the pairs of key and value that say where (`location`, `offset`, `length`).
    External(Vec<(String, String)>),
    Floats(Vec<f32>),
    /// Of all types of 32 bits and less; of two bytes for floats, their bits.
    Ints(Vec<i32>),
    Longs(Vec<i64>),
    Doubles(Vec<f64>),
    Unsigned(Vec<u64>),
    /// The number of texts, which are not read.
    Texts(usize),
}

impl Default for TensorData {
    fn default() -> Self {
        TensorData::Floats(Vec::new())
    }
}

/// The numbers of element types in a [`TensorProto`].
pub(crate) mod element {
    pub const FLOAT: i32 = 1;
    pub const UINT8: i32 = 2;
    pub const INT8: i32 = 3;
    pub const UINT16: i32 = 4;
    pub const INT16: i32 = 5;
    pub const INT32: i32 = 6;
    pub const INT64: i32 = 7;
    pub const BOOL: i32 = 9;
    pub const FLOAT16: i32 = 10;
    pub const DOUBLE: i32 = 11;
    pub const UINT32: i32 = 12;
    pub const UINT64: i32 = 13;
    pub const BFLOAT16: i32 = 16;
}

/// A message that is read field by field.
struct Message<'a> {
    bytes: &'a dyn Bytes,
    depth: usize,
}

impl<'a> Message<'a> {
    fn each(&self, run: Run, mut take: impl FnMut(&Self, u32, Field) -> io::Result<()>) -> io::Result<()> {
        if self.depth > MOST_NESTED {
            return Err(invalid(format!("at byte {}: messages are nested more than {MOST_NESTED} deep", run.begin)));
        }
        let inner = Message { bytes: self.bytes, depth: self.depth + 1 };
        let mut reader = Reader::new(self.bytes, run);
        while let Some((number, field)) = reader.next()? {
            take(&inner, number, field)?;
        }
        Ok(())
    }

    fn bytes(&self, field: Field) -> io::Result<Vec<u8>> {
        let run = run(field)?;
        let mut bytes = vec![0; run.end - run.begin];
        self.bytes.read(run.begin, &mut bytes)?;
        Ok(bytes)
    }

    fn text(&self, field: Field) -> io::Result<String> {
        let bytes = self.bytes(field)?;
        String::from_utf8(bytes).map_err(|_| invalid(format!("at byte {}: a name is no UTF-8", run_begin(field))))
    }

    /// A number, or several of them packed.
    fn numbers(&self, field: Field, mut each: impl FnMut(u64)) -> io::Result<()> {
        match field {
            Field::Number(number) => each(number),
            field => packed(self.bytes, run(field)?, each)?,
        }
        Ok(())
    }

    fn floats(&self, field: Field, out: &mut Vec<f32>) -> io::Result<()> {
        match field {
            Field::Fixed32(bits) => out.push(f32::from_bits(bits)),
            field => {
                let bytes = self.bytes(field)?;
                let (numbers, rest) = bytes.as_chunks::<4>();
                whole_numbers(field, rest)?;
                out.extend(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)));
            }
        }
        Ok(())
    }

    fn model(&self, run: Run) -> io::Result<ModelProto> {
        let (mut model, mut has_graph) = (ModelProto::default(), false);
        self.each(run, |inner, number, field| {
            match number {
                1 => model.ir_version = int(field)?,
                2 => model.producer_name = inner.text(field)?,
                3 => model.producer_version = inner.text(field)?,
                7 => (model.graph, has_graph) = (inner.graph(self::run(field)?)?, true),
                8 => model.opset_import.push(inner.version(self::run(field)?)?),
                14 => model.metadata_props.push(inner.pair(field)?),
                25 => model.functions.push(inner.function(self::run(field)?)?),
                _ => {}
            }
            Ok(())
        })?;
        if !has_graph {
            return Err(invalid("there is no graph: this is no ONNX model".to_owned()));
        }
        Ok(model)
    }

    /// A set of operators and its version.
    fn version(&self, run: Run) -> io::Result<(String, i64)> {
        let (mut domain, mut version) = (String::new(), 0);
        self.each(run, |inner, number, field| {
            match number {
                1 => domain = inner.text(field)?,
                2 => version = int(field)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok((domain, version))
    }

    fn function(&self, run: Run) -> io::Result<FunctionProto> {
        let mut function = FunctionProto::default();
        self.each(run, |inner, number, field| {
            match number {
                1 => function.name = inner.text(field)?,
                4 => function.inputs.push(inner.text(field)?),
                5 => function.outputs.push(inner.text(field)?),
                7 => function.nodes.push(inner.node(self::run(field)?)?),
                9 => function.opset_import.push(inner.version(self::run(field)?)?),
                10 => function.domain = inner.text(field)?,
                11 => function.defaults.push(inner.attribute(self::run(field)?)?),
                13 => function.overload = inner.text(field)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(function)
    }

    fn graph(&self, run: Run) -> io::Result<GraphProto> {
        let mut graph = GraphProto::default();
        self.each(run, |inner, number, field| {
            match number {
                1 => graph.nodes.push(inner.node(self::run(field)?)?),
                2 => graph.name = inner.text(field)?,
                5 => graph.initializers.push(inner.tensor(self::run(field)?)?),
                11 => graph.inputs.push(inner.value_info(self::run(field)?)?),
                12 => graph.outputs.push(inner.value_info(self::run(field)?)?),
                13 => graph.value_info.push(inner.value_info(self::run(field)?)?),
                15 => graph.sparse_initializers += 1,
                _ => {}
            }
            Ok(())
        })?;
        Ok(graph)
    }

    fn node(&self, run: Run) -> io::Result<NodeProto> {
        let mut node = NodeProto::default();
        self.each(run, |inner, number, field| {
            match number {
                1 => node.inputs.push(inner.text(field)?),
                2 => node.outputs.push(inner.text(field)?),
                3 => node.name = inner.text(field)?,
                4 => node.op_type = inner.text(field)?,
                5 => node.attributes.push(inner.attribute(self::run(field)?)?),
                7 => node.domain = inner.text(field)?,
                8 => node.overload = inner.text(field)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(node)
    }

    fn attribute(&self, run: Run) -> io::Result<AttributeProto> {
        let (mut attribute, mut kind) = (AttributeProto::default(), None);
        let (mut float, mut number_, mut text) = (0.0, 0, Vec::new());
        let (mut floats, mut ints, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        let (mut tensor, mut graph) = (None, None);
        self.each(run, |inner, number, field| {
            match number {
                1 => attribute.name = inner.text(field)?,
                2 => inner.floats(field, &mut floats).map(|()| float = floats.pop().unwrap_or_default())?,
                3 => number_ = int(field)?,
                4 => text = inner.bytes(field)?,
                5 => tensor = Some(inner.tensor(self::run(field)?)?),
                6 => graph = Some(inner.graph(self::run(field)?)?),
                7 => inner.floats(field, &mut floats)?,
                8 => inner.numbers(field, |number| ints.push(number as i64))?,
                9 => texts.push(inner.bytes(field)?),
                20 => kind = Some(int(field)?),
                21 => attribute.ref_attr_name = inner.text(field)?,
                _ => {}
            }
            Ok(())
        })?;
        attribute.value = match kind {
            Some(1) => AttributeValue::Float(float),
            Some(2) => AttributeValue::Int(number_),
            Some(3) => AttributeValue::Text(text),
            Some(4) => AttributeValue::Tensor(tensor.unwrap_or_default()),
            Some(5) => AttributeValue::Graph(Box::new(graph.unwrap_or_default())),
            Some(6) => AttributeValue::Floats(floats),
            Some(7) => AttributeValue::Ints(ints),
            Some(8) => AttributeValue::Texts(texts),
            other => AttributeValue::Other(other.unwrap_or(0)),
        };
        Ok(attribute)
    }

    fn tensor(&self, run: Run) -> io::Result<TensorProto> {
        let mut tensor = TensorProto::default();
        let (mut floats, mut ints, mut longs) = (Vec::new(), Vec::new(), Vec::new());
        let (mut doubles, mut unsigned, mut texts) = (Vec::new(), Vec::new(), 0);
        let (mut raw, mut external, mut is_external) = (None, Vec::new(), false);
        self.each(run, |inner, number, field| {
            match number {
                1 => inner.numbers(field, |length| tensor.dims.push(length as i64))?,
                2 => tensor.data_type = int(field)? as i32,
                4 => inner.floats(field, &mut floats)?,
                5 => inner.numbers(field, |number| ints.push(number as i32))?,
                6 => texts += 1,
                7 => inner.numbers(field, |number| longs.push(number as i64))?,
                8 => tensor.name = inner.text(field)?,
                9 => raw = Some(self::run(field)?),
                10 => match field {
                    Field::Fixed64(bits) => doubles.push(f64::from_bits(bits)),
                    field => {
                        let bytes = inner.bytes(field)?;
                        let (numbers, rest) = bytes.as_chunks::<8>();
                        whole_numbers(field, rest)?;
                        doubles.extend(numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)));
                    }
                },
                11 => inner.numbers(field, |number| unsigned.push(number))?,
                13 => external.push(inner.pair(field)?),
                14 => is_external = int(field)? == 1,
                _ => {}
            }
            Ok(())
        })?;
        tensor.data = match raw {
            _ if is_external => TensorData::External(external),
            Some(raw) => TensorData::InFile(raw),
            None if texts > 0 => TensorData::Texts(texts),
            None if !ints.is_empty() => TensorData::Ints(ints),
            None if !longs.is_empty() => TensorData::Longs(longs),
            None if !doubles.is_empty() => TensorData::Doubles(doubles),
            None if !unsigned.is_empty() => TensorData::Unsigned(unsigned),
            None => TensorData::Floats(floats),
        };
        Ok(tensor)
    }

    fn value_info(&self, run: Run) -> io::Result<ValueInfoProto> {
        let mut info = ValueInfoProto::default();
        self.each(run, |inner, number, field| {
            match number {
                1 => info.name = inner.text(field)?,
                2 => inner.each(self::run(field)?, |inner, number, field| match number {
                    1 => inner.each(self::run(field)?, |inner, number, field| {
                        match number {
                            1 => info.elem_type = int(field)? as i32,
                            2 => info.shape = Some(inner.shape(self::run(field)?)?),
                            _ => {}
                        }
                        Ok(())
                    }),
                    4 | 5 | 7 | 8 | 9 => {
                        info.is_other = true;
                        Ok(())
                    }
                    _ => Ok(()),
                })?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(info)
    }

    fn shape(&self, run: Run) -> io::Result<Vec<Dimension>> {
        let mut shape = Vec::new();
        self.each(run, |inner, number, field| {
            if number == 1 {
                let mut dimension = Dimension::Free(String::new());
                inner.each(self::run(field)?, |inner, number, field| {
                    match number {
                        1 => dimension = Dimension::Length(int(field)?),
                        2 => dimension = Dimension::Free(inner.text(field)?),
                        _ => {}
                    }
                    Ok(())
                })?;
                shape.push(dimension);
            }
            Ok(())
        })?;
        Ok(shape)
    }

    fn pair(&self, field: Field) -> io::Result<(String, String)> {
        let mut pair = (String::new(), String::new());
        self.each(run(field)?, |inner, number, field| {
            match number {
                1 => pair.0 = inner.text(field)?,
                2 => pair.1 = inner.text(field)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(pair)
    }
}

fn invalid(problem: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

fn run(field: Field) -> io::Result<Run> {
    match field {
        Field::Bytes(run) => Ok(run),
        other => Err(invalid(format!("a field that should be bytes is {other:?}"))),
    }
}

/// Checks that no bytes are left behind the last number of a packed field.
fn whole_numbers(field: Field, rest: &[u8]) -> io::Result<()> {
    if rest.is_empty() {
        return Ok(());
    }
    Err(invalid(format!("at byte {}: packed numbers end within one", run_begin(field))))
}

fn run_begin(field: Field) -> usize {
    if let Field::Bytes(run) = field { run.begin } else { 0 }
}

fn int(field: Field) -> io::Result<i64> {
    match field {
        Field::Number(number) => Ok(number as i64),
        other => Err(invalid(format!("a field that should be a number is {other:?}"))),
    }
}

impl ModelProto {
    /// Reads a model. Elements of tensors stay where they are.
    pub fn read(bytes: &dyn Bytes) -> io::Result<Self> {
        Message { bytes, depth: 0 }.model(Run { begin: 0, end: bytes.len() })
    }

    /// The file of this model.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.number(1, self.ir_version as u64);
        text(&mut writer, 2, &self.producer_name);
        text(&mut writer, 3, &self.producer_version);
        writer.message(7, |writer| self.graph.write(writer));
        for (domain, version) in &self.opset_import {
            writer.message(8, |writer| {
                text(writer, 1, domain);
                writer.number(2, *version as u64);
            });
        }
        self.metadata_props.iter().for_each(|props| pair(&mut writer, 14, props));
        writer.bytes
    }
}

fn text(writer: &mut Writer, field: u32, text: &str) {
    if !text.is_empty() {
        writer.run(field, text.as_bytes());
    }
}

fn pair(writer: &mut Writer, field: u32, (key, value): &(String, String)) {
    writer.message(field, |writer| {
        text(writer, 1, key);
        text(writer, 2, value);
    });
}

impl GraphProto {
    fn write(&self, writer: &mut Writer) {
        self.nodes.iter().for_each(|node| writer.message(1, |writer| node.write(writer)));
        text(writer, 2, &self.name);
        self.initializers.iter().for_each(|tensor| writer.message(5, |writer| tensor.write(writer)));
        for (field, infos) in [(11, &self.inputs), (12, &self.outputs), (13, &self.value_info)] {
            infos.iter().for_each(|info| writer.message(field, |writer| info.write(writer)));
        }
    }
}

impl NodeProto {
    fn write(&self, writer: &mut Writer) {
        // An empty name stands for an input that is not given, so it is written too.
        self.inputs.iter().for_each(|name| writer.run(1, name.as_bytes()));
        self.outputs.iter().for_each(|name| writer.run(2, name.as_bytes()));
        text(writer, 3, &self.name);
        text(writer, 4, &self.op_type);
        self.attributes.iter().for_each(|attribute| writer.message(5, |writer| attribute.write(writer)));
        text(writer, 7, &self.domain);
    }
}

impl AttributeProto {
    fn write(&self, writer: &mut Writer) {
        text(writer, 1, &self.name);
        let kind = match &self.value {
            AttributeValue::Float(value) => {
                writer.fixed32(2, value.to_bits());
                1
            }
            AttributeValue::Int(value) => {
                writer.number(3, *value as u64);
                2
            }
            AttributeValue::Text(value) => {
                writer.run(4, value);
                3
            }
            AttributeValue::Tensor(value) => {
                writer.message(5, |writer| value.write(writer));
                4
            }
            AttributeValue::Graph(value) => {
                writer.message(6, |writer| value.write(writer));
                5
            }
            AttributeValue::Floats(values) => {
                values.iter().for_each(|value| writer.fixed32(7, value.to_bits()));
                6
            }
            AttributeValue::Ints(values) => {
                values.iter().for_each(|&value| writer.number(8, value as u64));
                7
            }
            AttributeValue::Texts(values) => {
                values.iter().for_each(|value| writer.run(9, value));
                8
            }
            AttributeValue::Missing => 0,
            AttributeValue::Other(kind) => *kind,
        };
        writer.number(20, kind as u64);
    }
}

impl TensorProto {
    /// Reads a tensor that is a file of its own. Its elements stay where they are.
    pub fn read(bytes: &dyn Bytes) -> io::Result<Self> {
        Message { bytes, depth: 0 }.tensor(Run { begin: 0, end: bytes.len() })
    }

    /// A tensor to be written, of raw bytes.
    pub fn raw(name: impl Into<String>, data_type: i32, dims: &[usize], bytes: Vec<u8>) -> Self {
        let dims = dims.iter().map(|&length| length as i64).collect();
        TensorProto { name: name.into(), data_type, dims, data: TensorData::Raw(bytes) }
    }

    fn write(&self, writer: &mut Writer) {
        self.dims.iter().for_each(|&length| writer.number(1, length as u64));
        writer.number(2, self.data_type as u64);
        text(writer, 8, &self.name);
        match &self.data {
            TensorData::Raw(bytes) => writer.run(9, bytes),
            other => unreachable!("tensors are written as raw bytes, found {other:?}"),
        }
    }
}

impl ValueInfoProto {
    fn write(&self, writer: &mut Writer) {
        text(writer, 1, &self.name);
        writer.message(2, |writer| {
            writer.message(1, |writer| {
                writer.number(1, self.elem_type as u64);
                if let Some(shape) = &self.shape {
                    writer.message(2, |writer| {
                        for dimension in shape {
                            writer.message(1, |writer| match dimension {
                                Dimension::Length(length) => writer.number(1, *length as u64),
                                Dimension::Free(name) => text(writer, 2, name),
                            });
                        }
                    });
                }
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> io::Result<ModelProto> {
        ModelProto::read(&bytes)
    }

    /// A message of one field, which is a message of one field, and so on.
    fn nested(fields: &[u32], innermost: &[u8]) -> Vec<u8> {
        fields.iter().rev().fold(innermost.to_vec(), |inner, &field| {
            let mut writer = Writer::default();
            writer.run(field, &inner);
            writer.bytes
        })
    }

    #[test]
    fn a_model_comes_back() {
        let attribute = |name: &str, value| AttributeProto { name: name.to_owned(), value, ..Default::default() };
        let node = NodeProto {
            name: "node".to_owned(),
            op_type: "Op".to_owned(),
            domain: "domain".to_owned(),
            inputs: vec!["x".to_owned(), String::new(), "w".to_owned()],
            outputs: vec!["y".to_owned()],
            attributes: vec![
                attribute("a", AttributeValue::Float(-1.5)),
                attribute("b", AttributeValue::Int(-7)),
                attribute("c", AttributeValue::Text(b"text".to_vec())),
                attribute("d", AttributeValue::Floats(vec![0.5, f32::INFINITY])),
                attribute("e", AttributeValue::Ints(vec![1, -1, i64::MIN])),
                attribute("f", AttributeValue::Texts(vec![b"one".to_vec(), Vec::new()])),
                attribute(
                    "g",
                    AttributeValue::Graph(Box::new(GraphProto { name: "inner".to_owned(), ..Default::default() })),
                ),
            ],
            ..Default::default()
        };
        let value = ValueInfoProto {
            name: "x".to_owned(),
            elem_type: element::FLOAT,
            shape: Some(vec![Dimension::Free("n".to_owned()), Dimension::Length(3), Dimension::Free(String::new())]),
            is_other: false,
        };
        let model = ModelProto {
            ir_version: 8,
            producer_name: "someone".to_owned(),
            producer_version: "2".to_owned(),
            opset_import: vec![(String::new(), 17), ("domain".to_owned(), 1)],
            graph: GraphProto {
                name: "graph".to_owned(),
                nodes: vec![node],
                inputs: vec![value.clone()],
                outputs: vec![ValueInfoProto { name: "y".to_owned(), shape: None, ..value }],
                initializers: vec![TensorProto::raw("w", element::INT8, &[2, 1], vec![1, 255])],
                ..Default::default()
            },
            functions: Vec::new(),
            metadata_props: vec![("key".to_owned(), "value".to_owned())],
        };
        let bytes = model.to_bytes();
        let mut again = read(&bytes).unwrap();
        let TensorData::InFile(run) = again.graph.initializers[0].data.clone() else { panic!("no bytes") };
        assert_eq!(bytes[run.begin..run.end], [1, 255]);
        again.graph.initializers[0].data = TensorData::Raw(vec![1, 255]);
        assert_eq!(again, model);
    }

    #[test]
    fn numbers_are_read_packed_and_one_by_one() {
        // Field 8 of an attribute, ints: 3 and 270, packed and not; 20 is the type.
        let packed = [0x42, 3, 0x03, 0x8E, 0x02, 0xA0, 0x01, 7];
        let single = [0x40, 0x03, 0x40, 0x8E, 0x02, 0xA0, 0x01, 7];
        for attribute in [packed, single] {
            let model = read(&nested(&[7, 1, 5], &attribute)).unwrap();
            assert_eq!(model.graph.nodes[0].attributes[0].value, AttributeValue::Ints(vec![3, 270]));
        }
        // Field 4 of a tensor, floats: 1 and -2, packed and not.
        let packed = [&[0x22, 8][..], &1_f32.to_le_bytes(), &(-2_f32).to_le_bytes()].concat();
        let single = [&[0x25][..], &1_f32.to_le_bytes(), &[0x25], &(-2_f32).to_le_bytes()].concat();
        for tensor in [packed, single] {
            let model = read(&nested(&[7, 5], &tensor)).unwrap();
            assert_eq!(model.graph.initializers[0].data, TensorData::Floats(vec![1.0, -2.0]));
        }
    }

    #[test]
    fn what_lies_is_an_error_with_its_place() {
        let problem = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
        assert_eq!(problem(&[]), "there is no graph: this is no ONNX model");
        // Graphs within attributes of nodes of graphs, endlessly.
        let deep: Vec<u32> = [7].into_iter().chain([1, 5, 6].repeat(1000)).collect();
        assert!(problem(&nested(&deep, &[])).ends_with("messages are nested more than 32 deep"));
        // Packed floats and doubles that end within a number.
        assert_eq!(problem(&nested(&[7, 5, 4], &[0; 6])), "at byte 6: packed numbers end within one");
        assert_eq!(problem(&nested(&[7, 5, 10], &[0; 9])), "at byte 6: packed numbers end within one");
        // A name that is no text, a message that is a number, a length beyond the end.
        assert_eq!(problem(&nested(&[7, 2], &[0xFF])), "at byte 4: a name is no UTF-8");
        assert_eq!(problem(&[0x38, 1]), "a field that should be bytes is Number(1)");
        assert_eq!(
            problem(&[0x3A, 0xFF, 0xFF, 3, 0]),
            "at byte 4: a field says that it has 65535 bytes, and there are fewer"
        );
    }
}
