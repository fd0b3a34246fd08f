//! An ONNX file: its graph as a program, and its tensors, each read when it is asked for.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use gradus_autograd::Var;
use gradus_nn::{Error, Graph, Input, Inputs, Model, OutputNode, PartialShape, Result, WeightSource};
use gradus_tensor::safetensors::TensorInfo;
use gradus_tensor::{AnyTensor, Float, Shape, StoredType};

use super::super::proto::{
    AttributeValue, Dimension, GraphProto, ModelProto, NodeProto, TensorData, TensorProto, ValueInfoProto, element,
};
use super::super::wire::Bytes;
use super::inline;
use super::node::{Attribute, Body, Constant, Node, Number};
use super::program::{Data, Port, Program, WeightPort, shortened};
use super::table::{self, NEWEST, OLDEST};
use super::value::{Kind, Value, element_name};

/// The name of the program as a layer of a model, which its weights carry: `"onnx/fc.weight"`.
const LAYER: &str = "onnx";

/// Reads a network and its weights from an ONNX file: a model that predicts and can be trained on.
///
/// Inputs and outputs are as in the file, so pictures are `[n, channels, height, width]`. If the file is for one sample only, and
/// several are not computed alike together, they are computed one after the other.
///
/// ```
/// use gradus_tensor::Tensor;
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/onnx/mlp_dynamo.onnx");
/// let model = gradus_interchange::onnx::load(path)?;
/// let classes = model.predict(&Tensor::<f32>::zeros([5, 4]))?;
/// assert_eq!(classes.shape(), &[5, 3]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// If the file cannot be read, is no ONNX model, or has operators that are not read: the error names all of them. If an input has
/// no batch axis or an output is no floats; [`OnnxFile::run`] computes such files.
pub fn load(path: impl AsRef<Path>) -> Result<Model> {
    OnnxFile::open(path)?.model()
}

/// Reads a tensor that is a file of its own, such as the inputs and outputs beside the test cases of ONNX (`input_0.pb`): its name
/// and its elements.
///
/// ```
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/onnx/");
/// # let path = format!("{folder}tensor.pb");
/// let (name, tensor) = gradus_interchange::onnx::read_tensor(path)?;
/// assert_eq!((&*name, tensor.shape()), ("x", &[2, 3].into()));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// If the file cannot be read, or its elements are of a type that is not read.
pub fn read_tensor(path: impl AsRef<Path>) -> Result<(String, AnyTensor)> {
    let path = path.as_ref();
    let fail = |problem: String| Error::new(path.display().to_string(), problem, "give a tensor that ONNX has written");
    let source = Source::open(path).map_err(|error| fail(error.to_string()))?;
    let proto = TensorProto::read(&source).map_err(|error| fail(error.to_string()))?;
    let (tensor, _) = source.tensor(&proto).map_err(fail)?;
    Ok((proto.name, tensor))
}

/// An ONNX file: what it computes, and its weights.
///
/// Weights are read when they are asked for. It is also a [`WeightSource`] of them, under the names of the file.
///
/// ```
/// use gradus_interchange::onnx::OnnxFile;
/// use gradus_tensor::Tensor;
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/onnx/mlp_dynamo.onnx");
/// let file = OnnxFile::open(path)?;
/// assert_eq!(file.inputs()[0].name, "x");
/// let outputs = file.run(&[("x", Tensor::<f32>::zeros([2, 4]).into())])?;
/// assert_eq!(outputs[0].shape(), &[2, 3]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Debug)]
pub struct OnnxFile {
    source: Source,
    program: Program,
    producer: String,
    inputs: Vec<ValueInfo>,
    outputs: Vec<ValueInfo>,
    /// The tensors of the weights, by name.
    tensors: HashMap<String, TensorProto>,
    /// All weights, once they have been read for a run.
    weights: OnceLock<Vec<AnyTensor>>,
}

/// An input or an output of a file.
///
/// ```
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/onnx/mlp_dynamo.onnx");
/// let file = gradus_interchange::onnx::OnnxFile::open(path)?;
/// let x = &file.inputs()[0];
/// // Any number of samples of 4 features.
/// assert_eq!((&*x.element, x.shape.as_deref()), ("float32", Some(&[None, Some(4)][..])));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueInfo {
    /// The name.
    pub name: String,
    /// The element type: `"float32"`, `"int64"`, `"bool"`.
    pub element: String,
    /// The length of each axis, `None` for one that is free; `None` if the file says no shape.
    pub shape: Option<Vec<Option<usize>>>,
}

/// The file, and where it is.
#[derive(Debug)]
struct Source {
    path: PathBuf,
    file: Mutex<File>,
    length: usize,
}

impl Bytes for Source {
    fn len(&self) -> usize {
        self.length
    }

    fn read(&self, place: usize, out: &mut [u8]) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(place as u64))?;
        file.read_exact(out)
    }
}

impl Source {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no file"));
        }
        let length = usize::try_from(file.metadata()?.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        Ok(Source { path: path.to_owned(), file: Mutex::new(file), length })
    }

    /// Reads a tensor.
    fn tensor(&self, proto: &TensorProto) -> Result<(AnyTensor, Kind), String> {
        let (kind, stored, shape) = checked(proto)?;
        let needed = bytes_of(&shape, stored)?;
        let tensor = match &proto.data {
            TensorData::InFile(run) => {
                let found = run.end - run.begin;
                if found != needed {
                    return Err(format!("{:?} of shape {shape} needs {needed} bytes, found {found}", proto.name));
                }
                stored.read(shape, &mut Part { bytes: self, place: run.begin, end: run.end })
            }
            TensorData::External(pairs) => self.external(pairs, stored, &shape, needed)?,
            other => {
                let bytes = elements(other, stored);
                if bytes.len() != needed {
                    let found = bytes.len() / stored.size();
                    return Err(format!("{:?} of shape {shape} has {found} elements", proto.name));
                }
                stored.read(shape, &mut &bytes[..])
            }
        };
        let tensor = tensor.map_err(|error| format!("{:?}: {error}", proto.name))?;
        if proto.data_type == element::UINT64 && tensor.to::<i64>().iter().any(|number| number < 0) {
            return Err(format!("{:?} has numbers of 2^63 and more, which are not read", proto.name));
        }
        Ok((tensor, kind))
    }

    /// The element of a tensor that is one bool.
    fn truth(&self, proto: &TensorProto) -> Option<bool> {
        let is_one = proto.data_type == element::BOOL && proto.dims.iter().all(|length| *length == 1);
        let (tensor, _) = is_one.then(|| self.tensor(proto).ok()).flatten()?;
        tensor.to::<bool>().iter().next()
    }

    /// Reads elements out of a file beside this one.
    fn external(
        &self,
        pairs: &[(String, String)],
        stored: StoredType,
        shape: &Shape,
        needed: usize,
    ) -> Result<io::Result<AnyTensor>, String> {
        let value = |key: &str| pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        let number = |key: &str| match value(key) {
            None => Ok(None),
            Some(text) => {
                text.parse::<u64>().map(Some).map_err(|_| format!("the {key} of external data is no number: {text:?}"))
            }
        };
        let location = value("location").ok_or("the location of external data is missing")?;
        let is_beside =
            !location.is_empty() && Path::new(location).components().all(|part| matches!(part, Component::Normal(_)));
        if !is_beside {
            return Err(format!("external data are read from beside the model only, found {location:?}"));
        }
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let wrong = |error: io::Error| format!("the external data {location:?}: {error}");
        let path = folder.join(location).canonicalize().map_err(wrong)?;
        if !path.starts_with(folder.canonicalize().map_err(wrong)?) {
            return Err(format!("external data are read from beside the model only, and {location:?} leads elsewhere"));
        }
        let source = Source::open(&path).map_err(wrong)?;
        let begin = number("offset")?.unwrap_or(0);
        let end = match number("length")? {
            Some(length) => begin.checked_add(length),
            None => begin.checked_add(needed as u64),
        };
        let end = end.filter(|end| *end <= source.length as u64);
        let Some(end) = end else {
            return Err(format!(
                "the external data {location:?} have {} bytes, fewer than the model says",
                source.length
            ));
        };
        if end - begin != needed as u64 {
            return Err(format!(
                "a tensor of shape {shape} needs {needed} bytes, its external data have {}",
                end - begin
            ));
        }
        Ok(stored.read(shape, &mut Part { bytes: &source, place: begin as usize, end: end as usize }))
    }
}

/// Some bytes of a file, to be read in order.
struct Part<'a> {
    bytes: &'a dyn Bytes,
    place: usize,
    end: usize,
}

impl Read for Part<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = out.len().min(self.end - self.place);
        self.bytes.read(self.place, &mut out[..count])?;
        self.place += count;
        Ok(count)
    }
}

/// What a tensor's elements are, and its shape.
fn checked(proto: &TensorProto) -> Result<(Kind, StoredType, Shape), String> {
    let stored = match proto.data_type {
        element::FLOAT => StoredType::F32,
        element::DOUBLE => StoredType::F64,
        element::FLOAT16 => StoredType::F16,
        element::BFLOAT16 => StoredType::BF16,
        element::INT8 => StoredType::I8,
        element::INT16 => StoredType::I16,
        element::INT32 => StoredType::I32,
        // Numbers of 2^63 and more are refused when they are read.
        element::INT64 | element::UINT64 => StoredType::I64,
        element::UINT8 => StoredType::U8,
        element::UINT16 => StoredType::U16,
        element::UINT32 => StoredType::U32,
        element::BOOL => StoredType::Bool,
        other => return Err(format!("{:?} has elements of {}, which are not read", proto.name, element_name(other))),
    };
    let shape = proto.dims.iter().map(|&length| usize::try_from(length).ok()).collect::<Option<Shape>>();
    let shape = shape.ok_or_else(|| format!("{:?} has a length below 0: {:?}", proto.name, proto.dims))?;
    let kind = Kind::of_element(proto.data_type).ok_or("no such element type")?;
    Ok((kind, stored, shape))
}

fn bytes_of(shape: &Shape, stored: StoredType) -> Result<usize, String> {
    let bytes = shape.iter().try_fold(stored.size(), |bytes, &length| bytes.checked_mul(length));
    bytes.ok_or_else(|| format!("a tensor of shape {shape} is larger than any memory"))
}

/// Elements that the file holds as numbers, as bytes.
fn elements(data: &TensorData, stored: StoredType) -> Vec<u8> {
    let mut bytes = Vec::new();
    let width = stored.size();
    match data {
        TensorData::Floats(numbers) if stored == StoredType::F32 => {
            numbers.iter().for_each(|n| bytes.extend(n.to_le_bytes()))
        }
        TensorData::Doubles(numbers) if stored == StoredType::F64 => {
            numbers.iter().for_each(|n| bytes.extend(n.to_le_bytes()))
        }
        TensorData::Ints(numbers) if width <= 4 && stored != StoredType::F32 => {
            numbers.iter().for_each(|n| bytes.extend(&n.to_le_bytes()[..width]));
        }
        TensorData::Longs(numbers) if width == 8 && stored != StoredType::F64 => {
            numbers.iter().for_each(|n| bytes.extend(n.to_le_bytes()));
        }
        TensorData::Unsigned(numbers) if stored != StoredType::F64 && stored != StoredType::F32 => {
            numbers.iter().for_each(|n| bytes.extend(&n.to_le_bytes()[..width]));
        }
        _ => {}
    }
    bytes
}

impl OnnxFile {
    /// Opens a file, and reads its graph. Weights stay in the file.
    ///
    /// # Errors
    /// If the file cannot be read, is no ONNX model, or has operators, attributes or types that are not read: the error names all of
    /// them.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let place = path.display().to_string();
        let fail = |problem: String, hint: &str| Error::new(place.clone(), problem, hint);
        let source = Source::open(path).map_err(|error| fail(error.to_string(), ""))?;
        let model = ModelProto::read(&source).map_err(|error| fail(error.to_string(), "give an ONNX model"))?;
        let hint = "export it for an opset of 13 to 24, without operators of other sets";
        let opset = opset(&model).map_err(|problem| fail(problem, hint))?;
        let producer = format!("{} {}", model.producer_name, model.producer_version).trim().to_owned();
        let graph =
            inline::written_out(model, opset, &|tensor| source.truth(tensor)).map_err(|problem| fail(problem, hint))?;
        let Contents { data, tensors } = Reading::of(&source, &graph, opset).map_err(|problem| fail(problem, hint))?;
        let program = Program::new(data).map_err(|problem| fail(problem, hint))?;
        let info = |port: &Port| ValueInfo {
            name: port.name.clone(),
            element: element_name(port.element),
            shape: port.shape.clone(),
        };
        let (inputs, outputs) =
            (program.data.inputs.iter().map(info).collect(), program.data.outputs.iter().map(info).collect());
        Ok(OnnxFile { source, program, producer, inputs, outputs, tensors, weights: OnceLock::new() })
    }

    /// The inputs.
    pub fn inputs(&self) -> &[ValueInfo] {
        &self.inputs
    }

    /// The outputs.
    pub fn outputs(&self) -> &[ValueInfo] {
        &self.outputs
    }

    /// The version of the set of operators.
    pub fn opset(&self) -> i64 {
        self.program.data.opset
    }

    /// The program that wrote the file, and its version: `"pytorch 2.15.0"`.
    pub fn producer(&self) -> &str {
        &self.producer
    }

    /// What the file computes, without weights: a layer.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Computes the outputs in f32, in the order of [`outputs`](OnnxFile::outputs). Inputs are given by name, in any order.
    ///
    /// Whole numbers and masks keep their types; uint16 comes as i32, and uint32 and uint64 as i64.
    ///
    /// # Errors
    /// If an input is missing or does not fit, the weights cannot be read, or an operator cannot be computed.
    pub fn run(&self, inputs: &[(&str, AnyTensor)]) -> Result<Vec<AnyTensor>> {
        self.run_as::<f32>(inputs)
    }

    /// As [`run`](OnnxFile::run), with floats of this type.
    ///
    /// # Errors
    /// As `run`.
    pub fn run_as<T: Float>(&self, inputs: &[(&str, AnyTensor)]) -> Result<Vec<AnyTensor>> {
        let inputs = self.program.values::<T>(inputs)?;
        let outputs = self.program.compute(inputs, self.weights()?, false)?;
        Ok(outputs.into_iter().map(Value::into_tensor).collect())
    }

    /// All weights, in the order of the program.
    fn weights<T: Float>(&self) -> Result<Vec<Var<T>>> {
        if self.weights.get().is_none() {
            let names = self.program.data.weights.iter().map(|weight| &weight.name);
            let read = names.map(|name| WeightSource::read(self, name)).collect::<Result<Vec<AnyTensor>>>()?;
            // Another thread may have been faster, and has read the same.
            _ = self.weights.set(read);
        }
        Ok(self.weights.get().into_iter().flatten().map(|weight| Var::from(weight.to::<T>())).collect())
    }

    /// A model for inputs of the shapes in the file.
    ///
    /// # Errors
    /// As [`load`].
    pub fn model(&self) -> Result<Model> {
        let mut shapes = Vec::with_capacity(self.inputs.len());
        for input in &self.inputs {
            match input.shape.as_deref() {
                Some([_, shape @ ..]) => shapes.push(PartialShape::from(shape)),
                Some([]) => {
                    let problem = format!("the input {:?} is a single number, without a batch axis", input.name);
                    return Err(self.error(problem, "compute it by OnnxFile::run"));
                }
                None => {
                    let problem = format!("the file does not say the shape of the input {:?}", input.name);
                    return Err(self.error(problem, "give the shapes by OnnxFile::model_for"));
                }
            }
        }
        self.model_of(shapes)
    }

    /// A model for inputs of other shapes than in the file, without the batch axis, in the order of the inputs.
    ///
    /// ```
    /// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/onnx/mlp_dynamo.onnx");
    /// let file = gradus_interchange::onnx::OnnxFile::open(path)?;
    /// let model = file.model_for(&[[4].into()])?;
    /// assert_eq!(model.output_shape(), &[3]);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`load`]; if there is not a shape for each input.
    pub fn model_for(&self, shapes: &[PartialShape]) -> Result<Model> {
        if shapes.len() != self.inputs.len() {
            let problem =
                format!("{} shapes are needed, one for each input, found {}", self.inputs.len(), shapes.len());
            return Err(self.error(problem, "give a shape for each input"));
        }
        self.model_of(shapes.to_vec())
    }

    fn model_of(&self, shapes: Vec<PartialShape>) -> Result<Model> {
        if self.inputs.is_empty() {
            return Err(self.error("there are no inputs".to_owned(), "compute it by OnnxFile::run"));
        }
        let mut graph = Graph::builder();
        let (mut nodes, mut taken) = (Vec::new(), HashSet::from([LAYER.to_owned()]));
        for input in &self.inputs {
            let name = input.name.replace('/', "_");
            let is_free = !name.is_empty() && !is_numbered_input(&name) && taken.insert(name.clone());
            nodes.push(if is_free { graph.input_named(&name) } else { graph.input() });
        }
        let program = self.for_samples(&shapes)?;
        let layer = graph.add_named(LAYER, program, &nodes);
        let mut outputs: Vec<OutputNode> = Vec::new();
        for (index, output) in self.outputs.iter().enumerate() {
            if self.outputs[..index].iter().any(|before| before.name == output.name) {
                return Err(self.error(format!("two outputs are called {:?}", output.name), ""));
            }
            outputs.push((output.name.as_str(), layer.output(index)).into());
        }
        let graph = graph.outputs(outputs);
        let names = graph_inputs(&graph)?;
        let inputs: Vec<Input> = names.iter().zip(shapes).map(|(name, shape)| Input::named(name, shape)).collect();
        Model::with_weights(graph, Inputs::from(inputs), &OfModel(self))
    }

    /// The program, computed sample by sample if the file is for one sample, and more are not computed alike together.
    fn for_samples(&self, shapes: &[PartialShape]) -> Result<Program> {
        let batches: Vec<Option<usize>> = self
            .inputs
            .iter()
            .map(|input| input.shape.as_ref().and_then(|shape| shape.first().copied().flatten()))
            .collect();
        if batches.iter().all(Option::is_none) {
            return Ok(self.program.clone());
        }
        if self.takes_batches(shapes).unwrap_or(false) {
            return Ok(self.program.clone());
        }
        if let Some(batch) = batches.iter().flatten().find(|batch| **batch != 1) {
            let problem = format!("the file is for batches of {batch} samples, and others are not computed alike");
            return Err(self.error(problem, "export it with a free batch axis, or compute it by OnnxFile::run"));
        }
        let data = Data { one_by_one: true, ..(*self.program.data).clone() };
        Program::new(data).map_err(|problem| self.error(problem, ""))
    }

    /// Whether three samples give together what each gives alone.
    fn takes_batches(&self, shapes: &[PartialShape]) -> Result<bool> {
        const SAMPLES: usize = 3;
        /// Stands for lengths that are free.
        const FREE: usize = 8;
        let mut generator = gradus_tensor::Generator::new(1);
        let mut inputs = Vec::with_capacity(shapes.len());
        for (port, shape) in self.program.data.inputs.iter().zip(shapes) {
            let kind = port.kind().map_err(|problem| self.error(problem, ""))?;
            let lengths: Shape = shape.iter().map(|length| length.unwrap_or(FREE)).collect();
            let shape = Shape::from(SAMPLES).join(&lengths);
            let floats = generator.uniform(shape.clone(), 0.0_f32..1.0);
            inputs.push(match kind {
                Kind::Floats => Value::Floats(Var::from(floats)),
                Kind::Ints(whole) => Value::Ints(floats.map(|x| i64::from(x > 0.5)), whole),
                Kind::Mask => Value::Mask(floats.map(|x| x > 0.5)),
            });
        }
        let weights = self.weights::<f32>()?;
        let together = self.program.compute(inputs.clone(), weights.clone(), false)?;
        for sample in 0..SAMPLES {
            let alone = inputs.iter().map(|input| input.slice(0, sample, sample + 1, 1)).collect();
            let alone = self.program.compute(alone, weights.clone(), false)?;
            for (alone, together) in alone.iter().zip(&together) {
                if together.shape().first() != Some(&SAMPLES) || alone.shape().first() != Some(&1) {
                    return Ok(false);
                }
                let part = together.slice(0, sample, sample + 1, 1);
                let (alone, part) = (alone.clone().into_tensor().to::<f32>(), part.into_tensor().to::<f32>());
                if alone.shape() != part.shape() || !alone.allclose(&part, 1e-3, 1e-4) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn error(&self, problem: String, hint: &str) -> Error {
        Error::new(self.source.path.display().to_string(), problem, hint)
    }
}

/// Whether inputs without a name may get this one: `input`, `input_1`.
fn is_numbered_input(name: &str) -> bool {
    let rest = name.strip_prefix("input").unwrap_or("-");
    rest.is_empty() || rest.strip_prefix('_').is_some_and(|digits| digits.parse::<usize>().is_ok())
}

/// The names of the inputs of a network.
fn graph_inputs(graph: &Graph) -> Result<Vec<String>> {
    Ok(crate::network::Network::of(graph)?.inputs)
}

/// The tensors of a file under their own names.
impl WeightSource for OnnxFile {
    fn names(&self) -> Vec<String> {
        self.program.data.weights.iter().map(|weight| weight.name.clone()).collect()
    }

    fn info(&self, name: &str) -> Option<TensorInfo> {
        let proto = self.tensors.get(name)?;
        let (_, stored, shape) = checked(proto).ok()?;
        let bytes = bytes_of(&shape, stored).ok()?;
        Some(TensorInfo { stored: element_name(proto.data_type), element: Some(stored.element()), shape, bytes })
    }

    fn read(&self, name: &str) -> Result<AnyTensor> {
        let proto = self.tensors.get(name);
        let proto =
            proto.ok_or_else(|| Error::new("onnx", format!("there is no weight {name:?}"), "take one of its names"))?;
        Ok(self.source.tensor(proto).map_err(|problem| Error::new("onnx", problem, "export the network again"))?.0)
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.source.path)
    }
}

/// The same under the names of a model's weights.
struct OfModel<'a>(&'a OnnxFile);

impl OfModel<'_> {
    fn name<'b>(&self, name: &'b str) -> &'b str {
        name.strip_prefix(LAYER).and_then(|name| name.strip_prefix('/')).unwrap_or(name)
    }
}

impl WeightSource for OfModel<'_> {
    fn names(&self) -> Vec<String> {
        self.0.names().into_iter().map(|name| format!("{LAYER}/{name}")).collect()
    }

    fn info(&self, name: &str) -> Option<TensorInfo> {
        self.0.info(self.name(name))
    }

    fn read(&self, name: &str) -> Result<AnyTensor> {
        WeightSource::read(self.0, self.name(name))
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.0.source.path)
    }
}

/// The version of the standard operators that a model is written for.
fn opset(model: &ModelProto) -> Result<i64, String> {
    let versions: Vec<i64> =
        model.opset_import.iter().filter(|(domain, _)| is_standard(domain)).map(|(_, version)| *version).collect();
    match versions[..] {
        [version] if (OLDEST..=NEWEST).contains(&version) => Ok(version),
        [version] => Err(format!("it is written for opset {version}, {OLDEST} to {NEWEST} are read")),
        // Then the operators are of other sets, and are refused by name.
        [] => Ok(NEWEST),
        _ => Err(format!("one version of the standard operators is needed, found {versions:?}")),
    }
}

fn is_standard(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

/// A graph that has been read.
struct Contents {
    data: Data,
    tensors: HashMap<String, TensorProto>,
}

/// A graph while it is read: what is needed of it, and all that is wrong.
struct Reading<'a> {
    source: &'a Source,
    opset: i64,
    nodes: Vec<&'a NodeProto>,
    wrong: Vec<String>,
    /// The operators that are not read.
    unread: Vec<String>,
    constants: BTreeMap<String, Constant>,
    tensors: HashMap<String, TensorProto>,
    /// The numbers of the element types of values, as far as the file says them.
    elements: HashMap<String, i32>,
}

/// The inputs of operators that are no weights even if they are floats: bounds, scales and the like.
const SETTINGS: &[(&str, &[usize])] = &[
    ("Clip", &[1, 2]),
    ("Dropout", &[1]),
    ("OneHot", &[1, 2]),
    ("Pad", &[2]),
    ("Range", &[0, 1, 2]),
    ("Resize", &[1, 2]),
    ("Upsample", &[1]),
];

impl<'a> Reading<'a> {
    fn of(source: &'a Source, graph: &'a GraphProto, opset: i64) -> Result<Contents, String> {
        let mut reading = Reading {
            source,
            opset,
            nodes: needed(graph),
            wrong: Vec::new(),
            unread: Vec::new(),
            constants: BTreeMap::new(),
            tensors: HashMap::new(),
            elements: HashMap::new(),
        };
        each_graph(graph, &mut |graph| {
            let infos = graph.inputs.iter().chain(&graph.outputs).chain(&graph.value_info);
            let infos = infos.filter(|info| info.elem_type > 0);
            reading.elements.extend(infos.map(|info| (info.name.clone(), info.elem_type)));
        });
        reading.elements.extend(graph.initializers.iter().map(|tensor| (tensor.name.clone(), tensor.data_type)));
        if graph.sparse_initializers > 0 {
            reading.wrong.push("sparse initializers are not read".to_owned());
        }
        let stored: HashSet<&str> = graph.initializers.iter().map(|tensor| tensor.name.as_str()).collect();
        let inputs = graph.inputs.iter().filter(|input| !stored.contains(input.name.as_str()));
        let inputs: Vec<Port> = inputs.map(|input| reading.port(input)).collect();
        let outputs: Vec<Port> = graph.outputs.iter().map(|output| reading.port(output)).collect();
        let weights = reading.weights(graph);
        let needed = std::mem::take(&mut reading.nodes);
        let nodes = reading.operators(needed);
        let mut said = HashSet::new();
        reading.wrong.extend(reading.unread.into_iter().filter(|problem| said.insert(problem.clone())));
        if !reading.wrong.is_empty() {
            return Err(shortened(&reading.wrong));
        }
        let data = Data { opset, inputs, weights, constants: reading.constants, nodes, outputs, one_by_one: false };
        Ok(Contents { data, tensors: reading.tensors })
    }

    fn port(&mut self, info: &ValueInfoProto) -> Port {
        let shape = info.shape.as_ref().map(|shape| {
            let length = |dimension: &Dimension| match dimension {
                Dimension::Length(length) => usize::try_from(*length).ok(),
                Dimension::Free(_) => None,
            };
            shape.iter().map(length).collect()
        });
        let port = Port { name: info.name.clone(), element: info.elem_type, shape };
        if info.is_other {
            self.wrong.push(format!("{:?} is no tensor", info.name));
        } else if let Err(problem) = port.kind() {
            self.wrong.push(problem);
        }
        port
    }

    /// The initializers: weights, and constants.
    fn weights(&mut self, graph: &GraphProto) -> Vec<WeightPort> {
        let mut users: HashMap<&str, Vec<(&str, usize)>> = HashMap::new();
        let mut outputs: HashSet<&str> = graph.outputs.iter().map(|output| output.name.as_str()).collect();
        let mut nodes = self.nodes.clone();
        while let Some(node) = nodes.pop() {
            for (place, input) in node.inputs.iter().enumerate() {
                users.entry(input).or_default().push((node.op_type.as_str(), place));
            }
            for graph in graphs(node) {
                nodes.extend(needed(graph));
                outputs.extend(graph.outputs.iter().map(|output| output.name.as_str()));
            }
        }
        let mut weights = Vec::new();
        for tensor in &graph.initializers {
            let users = users.get(tensor.name.as_str()).map_or(&[][..], Vec::as_slice);
            if users.is_empty() && !outputs.contains(tensor.name.as_str()) {
                continue;
            }
            match self.initializer(tensor, users) {
                Ok(weight) => weights.extend(weight),
                Err(problem) => self.wrong.push(problem),
            }
        }
        weights
    }

    /// An initializer as a weight, if it is one.
    fn initializer(&mut self, tensor: &TensorProto, users: &[(&str, usize)]) -> Result<Option<WeightPort>, String> {
        let (kind, _, shape) = checked(tensor)?;
        let is_setting =
            |(op, place): &(&str, usize)| SETTINGS.iter().any(|(other, places)| other == op && places.contains(place));
        if kind != Kind::Floats || shape.is_empty() || users.iter().all(is_setting) {
            let (value, kind) = self.source.tensor(tensor)?;
            self.constants.insert(tensor.name.clone(), Constant::of(&value, kind));
            return Ok(None);
        }
        let is_average = |(op, place): &(&str, usize)| *op == "BatchNormalization" && *place >= 3;
        // What is added or chosen from may be a mask of minus infinity.
        let may_be_table = |(op, _): &(&str, usize)| ["Add", "Sub", "Mul", "Where", "Expand", "Slice"].contains(op);
        let is_finite = || Ok(self.source.tensor(tensor)?.0.to::<f64>().iter().all(f64::is_finite));
        let trained = !users.iter().any(is_average)
            && (!users.iter().any(may_be_table) || is_finite().map_err(|error: String| error)?);
        self.tensors.insert(tensor.name.clone(), tensor.clone());
        Ok(Some(WeightPort { name: tensor.name.clone(), shape: shape.to_vec(), trained }))
    }

    /// The operators. Constants among them become constants of the program.
    fn operators(&mut self, protos: Vec<&NodeProto>) -> Vec<Node> {
        let mut nodes = Vec::with_capacity(protos.len());
        for proto in protos {
            if proto.op_type == "Constant" && is_standard(&proto.domain) {
                if let Err(problem) = self.constant(proto) {
                    self.unread.push(problem);
                }
                continue;
            }
            match self.node(proto) {
                Ok(node) => nodes.push(node),
                Err(problem) => self.unread.push(problem),
            }
        }
        nodes
    }

    /// A graph within an operator.
    fn body(&mut self, graph: &GraphProto) -> Body {
        for input in &graph.inputs {
            // Its type may be left out.
            if input.is_other || input.elem_type > 0 {
                self.port(input);
            }
        }
        let name = |info: &ValueInfoProto| info.name.clone();
        Body {
            inputs: graph.inputs.iter().map(name).collect(),
            nodes: self.operators(needed(graph)),
            outputs: graph.outputs.iter().map(name).collect(),
        }
    }

    fn node(&mut self, proto: &NodeProto) -> Result<Node, String> {
        if !is_standard(&proto.domain) {
            return Err(format!("the operator {}.{} is not read", proto.domain, proto.op_type));
        }
        let mut node = Node {
            name: proto.name.clone(),
            op: proto.op_type.clone(),
            inputs: proto.inputs.clone(),
            outputs: proto.outputs.clone(),
            attributes: BTreeMap::new(),
            opset: proto.version,
        };
        // What it is to be like is known in most files, and so is the width of floats then.
        if node.op == "CastLike"
            && let [x, like] = &proto.inputs[..]
            && let Some(&element) = self.elements.get(like)
        {
            node.op = "Cast".to_owned();
            node.inputs = vec![x.clone()];
            node.attributes.insert("to".to_owned(), Attribute::Int(element.into()));
        }
        // The operator itself first, so that its name is what is said.
        table::problem(&node, self.opset).map_or(Ok(()), Err)?;
        for attribute in &proto.attributes {
            let value = self.attribute(&attribute.value).map_err(|problem| {
                format!("the attribute {} of {} is not read: {problem}", attribute.name, proto.op_type)
            })?;
            node.attributes.insert(attribute.name.clone(), value);
        }
        table::problem(&node, self.opset).map_or(Ok(node), Err)
    }

    fn attribute(&mut self, value: &AttributeValue) -> Result<Attribute, String> {
        let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).map_err(|_| "a text that is no UTF-8".to_owned());
        Ok(match value {
            AttributeValue::Float(number) => Attribute::Float(Number(f64::from(*number))),
            AttributeValue::Int(number) => Attribute::Int(*number),
            AttributeValue::Text(bytes) => Attribute::Text(text(bytes)?),
            AttributeValue::Floats(numbers) => {
                Attribute::Floats(numbers.iter().map(|number| Number(f64::from(*number))).collect())
            }
            AttributeValue::Ints(numbers) => Attribute::Ints(numbers.clone()),
            AttributeValue::Texts(texts) => Attribute::Texts(texts.iter().map(text).collect::<Result<_, _>>()?),
            AttributeValue::Tensor(tensor) => {
                let (tensor, kind) = self.source.tensor(tensor)?;
                Attribute::Tensor(Constant::of(&tensor, kind))
            }
            AttributeValue::Graph(graph) => Attribute::Graph(self.body(graph)),
            AttributeValue::Missing | AttributeValue::Other(_) => return Err("it has an unknown type".to_owned()),
        })
    }

    /// A node that gives a constant.
    fn constant(&mut self, proto: &NodeProto) -> Result<(), String> {
        let ([output], [attribute]) = (&proto.outputs[..], &proto.attributes[..]) else {
            return Err("a Constant needs one output and one value".to_owned());
        };
        let longs = |numbers: &[i64], shape: Vec<usize>| Constant {
            shape,
            elements: super::node::Elements::Int64(numbers.to_vec()),
        };
        let floats = |numbers: &[Number], shape: Vec<usize>| Constant {
            shape,
            elements: super::node::Elements::Floats(numbers.to_vec()),
        };
        let constant = match (attribute.name.as_str(), self.attribute(&attribute.value)?) {
            ("value", Attribute::Tensor(constant)) => constant,
            ("value_int", Attribute::Int(number)) => longs(&[number], Vec::new()),
            ("value_float", Attribute::Float(number)) => floats(&[number], Vec::new()),
            ("value_ints", Attribute::Ints(numbers)) => longs(&numbers, vec![numbers.len()]),
            ("value_floats", Attribute::Floats(numbers)) => floats(&numbers, vec![numbers.len()]),
            (name, _) => return Err(format!("the attribute {name} of Constant is not read")),
        };
        if self.tensors.contains_key(output) || self.constants.insert(output.clone(), constant).is_some() {
            return Err(format!("two values are called {output:?}"));
        }
        Ok(())
    }
}

/// The nodes on which the outputs depend, in the order of the file.
fn needed(graph: &GraphProto) -> Vec<&NodeProto> {
    let mut wanted: HashSet<&str> = graph.outputs.iter().map(|output| output.name.as_str()).collect();
    let mut nodes = Vec::with_capacity(graph.nodes.len());
    for node in graph.nodes.iter().rev() {
        if node.outputs.iter().any(|output| !output.is_empty() && wanted.contains(output.as_str())) {
            wanted.extend(node.inputs.iter().map(String::as_str));
            for graph in graphs(node) {
                each_graph(graph, &mut |graph| {
                    wanted.extend(graph.nodes.iter().flat_map(|node| &node.inputs).map(String::as_str));
                    wanted.extend(graph.outputs.iter().map(|output| output.name.as_str()));
                });
            }
            nodes.push(node);
        }
    }
    nodes.reverse();
    nodes
}

/// The graphs within an operator.
fn graphs(node: &NodeProto) -> impl Iterator<Item = &GraphProto> {
    node.attributes.iter().filter_map(|attribute| match &attribute.value {
        AttributeValue::Graph(graph) => Some(&**graph),
        _ => None,
    })
}

/// Calls `each` on a graph and those within its operators.
fn each_graph<'a>(graph: &'a GraphProto, each: &mut impl FnMut(&'a GraphProto)) {
    each(graph);
    graph.nodes.iter().flat_map(graphs).for_each(|graph| each_graph(graph, each));
}
