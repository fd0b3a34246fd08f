//! Reading of pickles, in which PyTorch says what its tensors are. Nothing in them is run: a pickle names functions and classes, and a
//! few known names are read as the data that they stand for. Any other name is an error.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use gradus_nn::{Error, Result};

use super::elements::{ElementType, of_dtype, of_storage};

/// The most bytes of a pickle, which holds no elements.
pub(super) const MOST_BYTES: u64 = 64 << 20;
/// The most operations of a pickle: about a hundred thousand tensors.
const MOST_STEPS: usize = 1 << 22;
/// The most tensors of a pickle.
const MOST_TENSORS: usize = 1 << 18;
/// The most values that are looked at for tensors, those met by several ways counted each time.
const MOST_VALUES: usize = 1 << 21;
/// How deep dicts may lie within each other.
const DEEPEST: usize = 64;
/// The axes of a tensor of PyTorch at most.
const MOST_AXES: usize = 64;
/// The bytes of a name at most, and those of all names.
const LONGEST_NAME: usize = 1 << 12;
const MOST_NAMES: usize = 1 << 26;

const DAMAGED: &str = "the file is damaged or no state dict: save it again by torch.save(model.state_dict(), path)";
const SAVE_WEIGHTS: &str =
    "only tensors in dicts and lists are read, and no code is run: save torch.save(model.state_dict(), path)";

/// A value of a pickle.
#[derive(Clone, Debug)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Text(Arc<str>),
    /// What is no tensor and leads to none: a float, bytes, a device.
    Plain,
    Known(Known),
    /// A tuple, list or dict by its number.
    Object(usize),
    Storage(Arc<Storage>),
    Tensor(Arc<View>),
}

/// What has parts. Lists and dicts grow after they are made.
#[derive(Debug)]
enum Object {
    Tuple(Vec<Value>),
    List(Vec<Value>),
    Dict(Vec<(Value, Value)>),
}

/// The names that are read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Known {
    OrderedDict,
    Set,
    Bytes,
    ByteArray,
    Encode,
    Size,
    Device,
    Tensor,
    TensorOfType,
    Parameter,
    ParameterWithState,
    /// A class of attributes, such as the options of a program: a dict of them.
    Attributes,
    /// A dict with a default, which is not needed.
    DefaultDict,
    Counter,
    /// A class of values that hold no tensor: a path, a time, a number of NumPy.
    Plain,
    /// A class that is named, and not called.
    Class,
    Dtype(ElementType),
    /// A class of storages; `None` for one of bytes.
    Storage(Option<ElementType>),
}

/// The memory of one tensor or several.
#[derive(Debug, PartialEq)]
pub(super) struct Storage {
    pub key: Arc<str>,
    /// `None`: bytes.
    pub element: Option<ElementType>,
    /// The first element that belongs to it: not 0 only for a part of a storage, in the old form.
    pub first: u64,
    /// The elements, as the pickle claims.
    pub count: u64,
}

/// A tensor: elements of a storage, some steps apart along each axis.
#[derive(Debug, PartialEq)]
pub(super) struct View {
    pub storage: Arc<Storage>,
    pub element: ElementType,
    pub offset: u64,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

fn known(module: &str, name: &str) -> Option<Known> {
    Some(match (module, name) {
        ("collections", "OrderedDict") => Known::OrderedDict,
        ("builtins" | "__builtin__", "set" | "frozenset") => Known::Set,
        ("builtins" | "__builtin__", "bytes") => Known::Bytes,
        ("builtins" | "__builtin__", "bytearray") => Known::ByteArray,
        ("builtins" | "__builtin__", "complex" | "range" | "slice") => Known::Plain,
        ("builtins" | "__builtin__", "list" | "dict" | "tuple" | "int" | "float" | "str" | "bool") => Known::Class,
        ("collections", "defaultdict") => Known::DefaultDict,
        ("collections", "Counter") => Known::Counter,
        ("argparse", "Namespace") | ("types", "SimpleNamespace") => Known::Attributes,
        (
            "pytorch_lightning.utilities.parsing"
            | "lightning_fabric.utilities.data"
            | "lightning.fabric.utilities.data",
            "AttributeDict",
        ) => Known::Attributes,
        ("datetime", "date" | "datetime" | "time" | "timedelta" | "timezone") => Known::Plain,
        ("pathlib" | "pathlib._local", name) if name.ends_with("Path") => Known::Plain,
        ("decimal", "Decimal") | ("uuid", "UUID") => Known::Plain,
        ("numpy", "dtype") | ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => Known::Plain,
        ("_codecs", "encode") => Known::Encode,
        ("torch", "Size") => Known::Size,
        ("torch", "device") => Known::Device,
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Known::Tensor,
        ("torch._utils", "_rebuild_tensor_v3") => Known::TensorOfType,
        ("torch._utils", "_rebuild_parameter") => Known::Parameter,
        ("torch._utils", "_rebuild_parameter_with_state") => Known::ParameterWithState,
        ("torch" | "torch.storage", "UntypedStorage") => Known::Storage(None),
        ("torch" | "torch.cuda", name) if let Some(element) = of_storage(name) => Known::Storage(Some(element)),
        ("torch", name) => Known::Dtype(of_dtype(name)?),
        _ => return None,
    })
}

/// What a name is that is not read, and what to do, where that is more than to save the weights.
fn unknown(module: &str, name: &str) -> Error {
    let (what, hint) = match (module, name) {
        ("torch._utils", "_rebuild_qtensor") => (
            "a quantised tensor",
            "quantised tensors are not read: save the weights before they are quantised, or each as tensor.dequantize()",
        ),
        ("torch._utils", "_rebuild_sparse_tensor" | "_rebuild_sparse_csr_tensor") => {
            ("a sparse tensor", "sparse tensors are not read: save each as tensor.to_dense()")
        }
        (module, _) if module == "__torch__" || module.starts_with("__torch__.") => (
            "a program of TorchScript",
            "save its weights by torch.save(torch.jit.load(path).state_dict(), path), or export it by torch.onnx.export",
        ),
        ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => {
            ("an array of NumPy among tensors", "save it as torch.from_numpy(array)")
        }
        _ => ("no tensor", SAVE_WEIGHTS),
    };
    Error::new("pickle", format!("the file holds {module}.{name}, which is {what}"), hint)
}

/// A pickle that has been read.
pub(super) struct Pickle {
    pub value: Value,
    /// The bytes that it has; others may follow.
    pub length: usize,
    objects: Vec<Object>,
}

impl Pickle {
    /// Reads the pickle at the beginning of these bytes.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let mut machine = Machine { bytes, ..Machine::default() };
        let value = machine.run().map_err(|error| error.within(&format!("byte {} of the pickle", machine.begun)))?;
        Ok(Pickle { value, length: machine.place, objects: machine.objects })
    }

    /// The values of a list or tuple.
    pub fn list(&self) -> Option<&[Value]> {
        match &self.value {
            Value::Object(number) => self.objects[*number].values(),
            _ => None,
        }
    }

    /// The value under this key.
    pub fn get(&self, wanted: &str) -> Option<&Value> {
        let Value::Object(number) = self.value else { return None };
        let Object::Dict(items) = &self.objects[number] else { return None };
        let found = items.iter().rev().find(|(key, _)| matches!(key, Value::Text(key) if **key == *wanted));
        found.map(|(_, value)| value)
    }

    /// The tensors, each by the keys and indices that lead to it, joined by dots.
    pub fn tensors(&self) -> Result<Vec<(String, Arc<View>)>> {
        let mut found =
            Found { objects: &self.objects, tensors: Vec::new(), names: HashSet::new(), values: 0, bytes: 0 };
        found.collect(&self.value, String::new(), 0)?;
        Ok(found.tensors)
    }
}

struct Found<'a> {
    objects: &'a [Object],
    tensors: Vec<(String, Arc<View>)>,
    names: HashSet<String>,
    values: usize,
    /// Of all names.
    bytes: usize,
}

/// A key of a dict that can be part of a name.
#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    Text(&'a str),
    Int(i64),
}

impl<'a> Key<'a> {
    fn of(value: &'a Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(Key::Text(text)),
            Value::Int(number) => Some(Key::Int(*number)),
            _ => None,
        }
    }
}

impl std::fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Key::Text(text) => f.write_str(text),
            Key::Int(number) => write!(f, "{number}"),
        }
    }
}

impl Found<'_> {
    fn collect(&mut self, value: &Value, name: String, depth: usize) -> Result<()> {
        self.values += 1;
        if self.values > MOST_VALUES || depth > DEEPEST {
            let problem =
                format!("dicts and lists lie more than {DEEPEST} deep, or hold more than {MOST_VALUES} values");
            return Err(Error::new("pickle", problem, DAMAGED));
        }
        if name.len() > LONGEST_NAME || self.bytes > MOST_NAMES {
            let problem = format!("a name has more than {LONGEST_NAME} bytes, or all have more than {MOST_NAMES}");
            return Err(Error::new("pickle", problem, DAMAGED));
        }
        match value {
            Value::Tensor(view) => {
                self.bytes += name.len();
                // The one tensor of a file of one tensor has no key.
                let name = if name.is_empty() { "tensor".to_owned() } else { name };
                if !self.names.insert(name.clone()) {
                    let problem =
                        format!("two tensors are named {name:?}, since dicts within dicts are joined by dots");
                    return Err(Error::new("pickle", problem, "give them other keys"));
                }
                self.tensors.push((name, Arc::clone(view)));
            }
            Value::Object(number) => {
                let at = |key: &dyn std::fmt::Display| match &*name {
                    "" => key.to_string(),
                    name => format!("{name}.{key}"),
                };
                match &self.objects[*number] {
                    Object::Tuple(values) | Object::List(values) => {
                        for (index, value) in values.iter().enumerate() {
                            self.collect(value, at(&index), depth + 1)?;
                        }
                    }
                    Object::Dict(items) => self.collect_items(items, at, depth)?,
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn collect_items(
        &mut self,
        items: &[(Value, Value)],
        at: impl Fn(&dyn std::fmt::Display) -> String,
        depth: usize,
    ) -> Result<()> {
        self.values += items.len();
        if let Some(long) = items.iter().find_map(|(key, _)| match key {
            Value::Text(key) if key.len() > LONGEST_NAME => Some(key.len()),
            _ => None,
        }) {
            return Err(Error::new("pickle", format!("a key of a dict has {long} bytes"), DAMAGED));
        }
        // Of items of one key the last counts, as in Python.
        let places = items.iter().enumerate().filter_map(|(place, (key, _))| Some((Key::of(key)?, place)));
        let last: HashMap<Key<'_>, usize> = places.collect();
        for (place, (key, value)) in items.iter().enumerate() {
            match Key::of(key) {
                Some(key) if last[&key] == place => self.collect(value, at(&key), depth + 1)?,
                Some(_) => {}
                None => {
                    let before = self.tensors.len();
                    self.collect(value, at(&"?"), depth + 1)?;
                    if let Some((name, _)) = self.tensors.get(before) {
                        let problem = format!("the tensor {name:?} has a key that is no text and no number");
                        return Err(Error::new("pickle", problem, "give it a text as key"));
                    }
                }
            }
        }
        Ok(())
    }
}

impl Object {
    fn values(&self) -> Option<&[Value]> {
        match self {
            Object::Tuple(values) | Object::List(values) => Some(values),
            Object::Dict(_) => None,
        }
    }
}

/// The state of reading: what has been read so far lies on a stack.
#[derive(Default)]
struct Machine<'a> {
    bytes: &'a [u8],
    place: usize,
    /// Where the operation begins that is being read.
    begun: usize,
    stack: Vec<Value>,
    /// Where on the stack the parts of tuples, lists and dicts begin.
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    objects: Vec<Object>,
    /// The dicts among them that are attributes.
    attributed: HashSet<usize>,
    /// The operations so far, and the items copied.
    steps: usize,
    tensors: usize,
}

fn damaged(problem: impl Into<String>) -> Error {
    Error::new("pickle", problem, DAMAGED)
}

impl Machine<'_> {
    fn run(&mut self) -> Result<Value> {
        if self.bytes.first() != Some(&0x80) {
            let problem = "this is no pickle of protocol 2 to 5, which begins with the byte 80";
            return Err(damaged(problem));
        }
        loop {
            self.begun = self.place;
            let operation = self.take(1)?[0];
            if operation == b'.' {
                return self.pop();
            }
            self.count(1)?;
            self.step(operation)?;
        }
    }

    fn count(&mut self, steps: usize) -> Result<()> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > MOST_STEPS {
            return Err(damaged(format!("there are more than {MOST_STEPS} operations")));
        }
        Ok(())
    }

    fn step(&mut self, operation: u8) -> Result<()> {
        match operation {
            // The protocol, and a frame, which only says how many bytes may be read at once.
            0x80 => {
                let protocol = self.take(1)?[0];
                if !(2..=5).contains(&protocol) {
                    return Err(damaged(format!("the protocol is {protocol}, 2 to 5 are known")));
                }
            }
            0x95 => _ = self.number(8)?,
            b'(' => self.marks.push(self.stack.len()),
            b'0' => _ = self.pop()?,
            b'1' => _ = self.since_mark()?,
            // Constants.
            b'N' => self.stack.push(Value::None),
            0x88 => self.stack.push(Value::Bool(true)),
            0x89 => self.stack.push(Value::Bool(false)),
            b'J' => {
                let number = self.number(4)?;
                self.stack.push(Value::Int(i64::from(number as u32 as i32)));
            }
            b'K' => self.push_number(1)?,
            b'M' => self.push_number(2)?,
            0x8a => {
                let length = self.number(1)?;
                self.push_long(length)?;
            }
            0x8b => {
                let length = self.number(4)?;
                self.push_long(length)?;
            }
            b'G' => {
                self.take(8)?;
                self.stack.push(Value::Plain);
            }
            b'X' => self.push_text(4)?,
            0x8c => self.push_text(1)?,
            0x8d => self.push_text(8)?,
            b'C' => self.push_bytes(1)?,
            b'B' => self.push_bytes(4)?,
            0x8e | 0x96 => self.push_bytes(8)?,
            // Tuples, lists, dicts and sets.
            b')' => self.push(Object::Tuple(Vec::new())),
            0x85..=0x87 => {
                let count = usize::from(operation - 0x84);
                let begins = self.stack.len().checked_sub(count).filter(|&begins| begins >= self.floor());
                let values = self.stack.split_off(begins.ok_or_else(empty)?);
                self.push(Object::Tuple(values));
            }
            b't' => {
                let values = self.since_mark()?;
                self.push(Object::Tuple(values));
            }
            b']' => self.push(Object::List(Vec::new())),
            b'l' => {
                let values = self.since_mark()?;
                self.push(Object::List(values));
            }
            b'}' => self.push(Object::Dict(Vec::new())),
            b'd' => {
                let items = pairs(self.since_mark()?)?;
                self.push(Object::Dict(items));
            }
            0x8f => self.push(Object::List(Vec::new())),
            0x91 => {
                let values = self.since_mark()?;
                self.push(Object::List(values));
            }
            b'a' => {
                let value = self.pop()?;
                self.extend(vec![value])?;
            }
            b'e' | 0x90 => {
                let values = self.since_mark()?;
                self.extend(values)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(vec![(key, value)])?;
            }
            b'u' => {
                let items = pairs(self.since_mark()?)?;
                self.set_items(items)?;
            }
            // What has been read before.
            b'q' => {
                let number = self.number(1)?;
                self.remember(number as u32)?;
            }
            b'r' => {
                let number = self.number(4)?;
                self.remember(number as u32)?;
            }
            0x94 => self.remember(self.memo.len() as u32)?,
            b'h' => {
                let number = self.number(1)?;
                self.recall(number as u32)?;
            }
            b'j' => {
                let number = self.number(4)?;
                self.recall(number as u32)?;
            }
            // Names, and what is made of them.
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push_name(&module, &name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (module, name) else {
                    return Err(damaged("a name is no text"));
                };
                self.push_name(&module, &name)?;
            }
            b'R' | 0x81 => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                self.make(function, &arguments)?;
            }
            b'b' => self.build()?,
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(&id)?;
                self.stack.push(Value::Storage(Arc::new(storage)));
            }
            other => {
                let of_class =
                    if matches!(other, b'i' | b'o' | 0x92) { ", which makes an object of a class," } else { "" };
                let problem = format!("the operation {other:#04x}{of_class} is none that state dicts need");
                return Err(Error::new("pickle", problem, SAVE_WEIGHTS));
            }
        }
        Ok(())
    }

    fn take(&mut self, count: u64) -> Result<&[u8]> {
        let rest = &self.bytes[self.place..];
        if count > rest.len() as u64 {
            return Err(damaged(format!("{count} bytes are needed, {} are left", rest.len())));
        }
        self.place += count as usize;
        Ok(&rest[..count as usize])
    }

    /// A number of some bytes, least significant first.
    fn number(&mut self, width: u64) -> Result<u64> {
        Ok(self.take(width)?.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// The rest of a line.
    fn line(&mut self) -> Result<String> {
        let rest = &self.bytes[self.place..];
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or_else(|| damaged("a name has no end"))?;
        let line = text(&rest[..length])?.to_owned();
        self.place += length + 1;
        Ok(line)
    }

    fn push_number(&mut self, width: u64) -> Result<()> {
        let number = self.number(width)?;
        self.stack.push(Value::Int(number as i64));
        Ok(())
    }

    /// A whole number of any length, as two's complement.
    fn push_long(&mut self, length: u64) -> Result<()> {
        let bytes = self.take(length)?;
        let value = match bytes.last() {
            None => Value::Int(0),
            Some(last) if bytes.len() <= 8 => {
                let mut all = if last & 0x80 == 0 { [0; 8] } else { [0xFF; 8] };
                all[..bytes.len()].copy_from_slice(bytes);
                Value::Int(i64::from_le_bytes(all))
            }
            Some(_) => Value::Plain,
        };
        self.stack.push(value);
        Ok(())
    }

    fn push_text(&mut self, width: u64) -> Result<()> {
        let length = self.number(width)?;
        let text = text(self.take(length)?)?.into();
        self.stack.push(Value::Text(text));
        Ok(())
    }

    fn push_bytes(&mut self, width: u64) -> Result<()> {
        let length = self.number(width)?;
        self.take(length)?;
        self.stack.push(Value::Plain);
        Ok(())
    }

    fn push(&mut self, object: Object) {
        self.stack.push(Value::Object(self.objects.len()));
        self.objects.push(object);
    }

    /// Where the stack ends for what stands behind the last mark.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Value> {
        if self.stack.len() <= self.floor() {
            return Err(empty());
        }
        self.stack.pop().ok_or_else(empty)
    }

    fn since_mark(&mut self) -> Result<Vec<Value>> {
        let mark = self.marks.pop().ok_or_else(|| damaged("a mark is missing"))?;
        Ok(self.stack.split_off(mark))
    }

    /// The object on the top of the stack.
    fn top(&mut self) -> Result<&mut Object> {
        match self.stack.last() {
            Some(Value::Object(number)) => Ok(&mut self.objects[*number]),
            _ => Err(damaged("a list or dict is missing")),
        }
    }

    fn extend(&mut self, values: Vec<Value>) -> Result<()> {
        match self.top()? {
            Object::List(list) => list.extend(values),
            _ => return Err(damaged("values are added to what is no list")),
        }
        Ok(())
    }

    fn set_items(&mut self, new: Vec<(Value, Value)>) -> Result<()> {
        match self.top()? {
            Object::Dict(items) => items.extend(new),
            _ => return Err(damaged("items are added to what is no dict")),
        }
        Ok(())
    }

    fn remember(&mut self, number: u32) -> Result<()> {
        let value = self.stack.last().ok_or_else(empty)?.clone();
        self.memo.insert(number, value);
        Ok(())
    }

    fn recall(&mut self, number: u32) -> Result<()> {
        let value = self.memo.get(&number).ok_or_else(|| damaged(format!("there is no value {number} from before")))?;
        self.stack.push(value.clone());
        Ok(())
    }

    fn push_name(&mut self, module: &str, name: &str) -> Result<()> {
        let known = known(module, name).ok_or_else(|| unknown(module, name))?;
        self.stack.push(Value::Known(known));
        Ok(())
    }

    fn values<'v>(&'v self, value: &Value) -> Option<&'v [Value]> {
        match value {
            Value::Object(number) => self.objects[*number].values(),
            _ => None,
        }
    }

    /// What a known function or class gives for its arguments.
    fn make(&mut self, function: Value, arguments: &Value) -> Result<()> {
        let Value::Known(known) = function else {
            return Err(damaged("what is called is no function or class"));
        };
        if matches!(known, Known::Tensor | Known::TensorOfType) {
            self.tensors += 1;
            if self.tensors > MOST_TENSORS {
                return Err(damaged(format!("there are more than {MOST_TENSORS} tensors")));
            }
        }
        let arguments = self.values(arguments).ok_or_else(|| damaged("the arguments are no tuple"))?;
        let made = match (known, arguments) {
            (Known::OrderedDict, []) => {
                self.push(Object::Dict(Vec::new()));
                return Ok(());
            }
            // Older Pythons give the items as a list of pairs.
            (Known::OrderedDict, [items]) => {
                let pair = |pair: &Value| match self.values(pair) {
                    Some([key, value]) => Some((key.clone(), value.clone())),
                    _ => None,
                };
                let items = self.values(items).and_then(|items| items.iter().map(pair).collect::<Option<_>>());
                let items: Vec<(Value, Value)> =
                    items.ok_or_else(|| damaged("the items of an OrderedDict are no pairs"))?;
                self.count(items.len())?;
                self.push(Object::Dict(items));
                return Ok(());
            }
            (Known::DefaultDict | Known::Counter, []) | (Known::DefaultDict, [_]) => {
                self.push(Object::Dict(Vec::new()));
                return Ok(());
            }
            (Known::Counter, [counts @ Value::Object(_)]) => counts.clone(),
            (Known::Attributes, []) => {
                self.attributed.insert(self.objects.len());
                self.push(Object::Dict(Vec::new()));
                return Ok(());
            }
            (Known::Size, [shape]) if self.values(shape).is_some() => shape.clone(),
            // Sets hold no tensors: those cannot be compared.
            (Known::Set | Known::Bytes | Known::ByteArray | Known::Encode | Known::Device | Known::Plain, _) => {
                Value::Plain
            }
            (Known::Tensor, [storage, offset, shape, strides, ..]) => {
                self.tensor(storage, offset, shape, strides, None)?
            }
            (Known::TensorOfType, [storage, offset, shape, strides, _, _, Value::Known(Known::Dtype(element)), ..]) => {
                self.tensor(storage, offset, shape, strides, Some(*element))?
            }
            (Known::Parameter | Known::ParameterWithState, [tensor @ Value::Tensor(_), ..]) => tensor.clone(),
            _ => return Err(damaged(format!("{known:?} is given other arguments than it takes"))),
        };
        self.stack.push(made);
        Ok(())
    }

    fn tensor(
        &self,
        storage: &Value,
        offset: &Value,
        shape: &Value,
        strides: &Value,
        element: Option<ElementType>,
    ) -> Result<Value> {
        let numbers = |value: &Value| {
            let values = self.values(value).filter(|values| values.len() <= MOST_AXES)?;
            values.iter().map(number).collect::<Option<Vec<usize>>>()
        };
        let (Value::Storage(storage), Some(offset), Some(shape), Some(strides)) =
            (storage, number(offset), numbers(shape), numbers(strides))
        else {
            let problem = format!(
                "a tensor is not made of a storage, an offset, and lengths and steps of {MOST_AXES} axes at most"
            );
            return Err(damaged(problem));
        };
        if shape.len() != strides.len() {
            return Err(damaged(format!("a tensor has {} lengths and {} steps", shape.len(), strides.len())));
        }
        let Some(element) = element.or(storage.element) else {
            return Err(damaged("a tensor has no element type"));
        };
        let view = View { storage: Arc::clone(storage), element, offset: offset as u64, shape, strides };
        Ok(Value::Tensor(Arc::new(view)))
    }

    /// The storage of a persistent id: `("storage", class, key, device, count)`. In the old form there may be a part of it behind that:
    /// `(name, first, count)`.
    fn storage(&self, id: &Value) -> Result<Storage> {
        let read = || {
            let [Value::Text(kind), Value::Known(Known::Storage(element)), Value::Text(key), _, count, part @ ..] =
                self.values(id)?
            else {
                return None;
            };
            let (first, count) = match part {
                [] | [Value::None] => (0, count),
                [part] => match self.values(part)? {
                    [_, first, count] => (number(first)?, count),
                    _ => return None,
                },
                _ => return None,
            };
            let (first, count) = (first as u64, number(count)? as u64);
            (**kind == *"storage").then(|| Storage { key: Arc::clone(key), element: *element, first, count })
        };
        read().ok_or_else(|| damaged("what lies outside the pickle is no storage of a tensor"))
    }

    /// Attributes of the object on the stack. Those of a dict are the versions of PyTorch's modules, which are not needed.
    fn build(&mut self) -> Result<()> {
        let state = self.pop()?;
        match (self.stack.last(), state) {
            (Some(Value::Object(number)), Value::Object(state)) if self.attributed.contains(number) => {
                let Object::Dict(items) = &self.objects[state] else {
                    return Err(damaged("the attributes of an object are no dict"));
                };
                let items: Vec<(Value, Value)> = items.clone();
                self.count(items.len())?;
                self.set_items(items)
            }
            (Some(Value::Plain), _) => Ok(()),
            (Some(Value::Object(number)), _) if matches!(self.objects[*number], Object::Dict(_)) => Ok(()),
            _ => Err(Error::new("pickle", "attributes are set on what is no dict", SAVE_WEIGHTS)),
        }
    }
}

fn empty() -> Error {
    damaged("a value is missing on the stack")
}

fn pairs(values: Vec<Value>) -> Result<Vec<(Value, Value)>> {
    if !values.len().is_multiple_of(2) {
        return Err(damaged("the last key of a dict has no value"));
    }
    let mut values = values.into_iter();
    Ok(std::iter::from_fn(|| Some((values.next()?, values.next()?))).collect())
}

fn number(value: &Value) -> Option<usize> {
    match value {
        Value::Int(number) => usize::try_from(*number).ok(),
        _ => None,
    }
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| damaged("a text is not in UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parts: &[&[u8]]) -> Result<Vec<(String, Arc<View>)>> {
        Pickle::read(&[b"\x80\x02", &parts.concat()[..], b"."].concat())?.tensors()
    }

    #[track_caller]
    fn assert_refused(parts: &[&[u8]], expected: &str) {
        let error = read(parts).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    /// A tensor of one element, and on the stack nothing else.
    const TENSOR: &[u8] =
        b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu\
                            K\x01tQK\0K\x01\x85K\x01\x85\x89}tR";

    #[test]
    fn keys_and_indices_become_names() {
        let found = read(&[b"}(X\x01\0\0\0a](", TENSOR, b"K\x07", TENSOR, b"eK\x02", TENSOR, b"u"]).unwrap();
        assert_eq!(found.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["a.0", "a.2", "2"]);
        let view = &found[0].1;
        assert_eq!(
            (view.offset, &view.shape[..], &view.strides[..], view.element.name),
            (0, &[1][..], &[1][..], "float32")
        );
        assert_eq!((&*view.storage.key, view.storage.count), ("0", 1));
        // Of one key the last value counts.
        assert_eq!(read(&[b"}(X\x01\0\0\0a", TENSOR, b"X\x01\0\0\0aNu"]).unwrap(), []);
        assert_refused(
            &[b"}(X\x03\0\0\0a.b", TENSOR, b"X\x01\0\0\0a}X\x01\0\0\0b", TENSOR, b"su"],
            r#"two tensors are named "a.b""#,
        );
        assert_refused(&[b"}N", TENSOR, b"s"], "has a key that is no text");
    }

    #[test]
    fn names_of_code_are_refused() {
        assert_refused(&[b"cos\nsystem\n(X\x02\0\0\0lstR"], "the file holds os.system, which is no tensor");
        assert_refused(&[b"X\x08\0\0\0builtinsX\x04\0\0\0eval\x93"], "builtins.eval");
        // Forms that make objects by themselves.
        assert_refused(&[b"(ios\nsystem\n"], "0x69, which makes an object of a class");
        assert_refused(&[b"(cos\nsystem\no"], "os.system");
        assert_refused(&[b"\x82\x01"], "0x82");
        // Attributes of a dict are left out, those of others refused.
        assert_eq!(read(&[b"ccollections\nOrderedDict\n)R}X\x09\0\0\0_metadataNsb"]).unwrap(), []);
        assert_refused(&[b"]}b"], "attributes are set on what is no dict");
    }

    #[test]
    fn what_refers_to_itself_or_is_nested_endlessly_is_an_error() {
        // A list that holds itself.
        assert_refused(&[b"]q\x00h\x00a"], "more than 64 deep");
        // Dicts, each with the one before twice: 2 to the 60 values.
        let mut parts: Vec<u8> = b"}".to_vec();
        for _ in 0..60 {
            parts.extend(b"q\x00}(K\x00h\x00K\x01h\x00u");
        }
        assert_refused(&[&parts], "more than 2097152 values");
        assert_refused(&[&b"]".repeat(100_000), &b"a".repeat(99_999)], "more than 64 deep");
        assert_refused(&[&b"(".repeat(1_000_000)], "a value is missing");
        assert_refused(&[&b"N".repeat(MOST_STEPS + 1)], "operations");
        assert_refused(&[b"}(X\x00\x20\0\0", &[b'k'; 0x2000], b"Nu"], "a key of a dict has 8192 bytes");
    }

    #[test]
    fn lengths_are_held_against_the_bytes() {
        assert_refused(&[b"X\xFF\xFF\xFF\x7Fabc"], "2147483647 bytes are needed");
        assert_refused(&[b"\x8d\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFabc"], "18446744073709551615 bytes are needed");
        assert_refused(&[b"\x8b\xFF\xFF\xFF\xFFabc"], "4294967295 bytes are needed");
        assert_refused(&[b"j\xFF\xFF\xFF\xFF"], "there is no value 4294967295");
        assert!(read(&[b"Nr\xFF\xFF\xFF\xFF"]).is_ok());
        assert_refused(&[b"\x86"], "a value is missing");
        // Values behind a mark are not taken by what stands before it.
        assert_refused(&[b"NN(\x86"], "a value is missing");
        for bytes in [&b""[..], b"\x80", b"\x80\x01N.", b"\x80\x06N.", b"(I1\n."] {
            assert!(Pickle::read(bytes).is_err());
        }
    }
}
