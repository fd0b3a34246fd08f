//! Parts of a model: from its inputs up to layers within it.

use std::any::Any;
use std::sync::Arc;

use gradus_tensor::Float;

use crate::build::Weights;
use crate::error::{Error, Result};
use crate::graph::{Entry, Graph, Output, Source, input_name, is_input_name, name_of_two};
use crate::inputs::{Input, InputInfo, Inputs};
use crate::layer::AnyLayer;
use crate::model::Model;
use crate::sequential::Sequential;

impl<T: Float> Model<T> {
    /// The model from the inputs up to a layer, whose output is its own: the encoder of an autoencoder, or the features
    /// before a classifier. Keras: `keras.Model(model.inputs, model.get_layer("encoder").output)`.
    ///
    /// `layer` is the layer's path as in the summary: `"1"`, or `"encoder/0"` in a network within the network. Only the
    /// inputs and layers that it depends on are left, with the weights that they have now, and the preprocessing of these
    /// inputs. Of a layer of several outputs it is the first. The memory of the weights is shared until one of the two models
    /// changes them.
    ///
    /// ```
    /// use gradus_nn::{Dense, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// let network = Sequential::new().add_named("encoder", Dense::new(2)).add_named("decoder", Dense::new(8));
    /// let autoencoder = Model::build(network, [8], 42)?;
    /// let encoder = autoencoder.up_to("encoder")?;
    /// assert_eq!(encoder.predict(Tensor::<f32>::ones([3, 8]))?.shape(), &[3, 2]);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such layer, it is within a layer that is no network, or its output is not floats.
    pub fn up_to(&self, layer: &str) -> Result<Model<T>> {
        self.up_to_all([layer])
    }

    /// As [`up_to`](Model::up_to), with the outputs of several layers in this order. Each is called as its layer, by the
    /// path given.
    ///
    /// ```
    /// use gradus_nn::{Dense, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// let network = Sequential::new().add(Dense::new(4)).add(Dense::new(2)).add(Dense::new(3));
    /// let features = Model::build(network, [8], 42)?.up_to_all(["0", "1"])?;
    /// let outputs = features.predict_all(Tensor::<f32>::ones([5, 8]))?;
    /// assert_eq!((outputs[0].shape(), outputs[1].shape()), (&[5, 4].into(), &[5, 2].into()));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As `up_to`; and if no layer is given, or one twice.
    pub fn up_to_all<'a>(&self, layers: impl IntoIterator<Item = &'a str>) -> Result<Model<T>> {
        let wanted: Vec<Wanted<'_>> = layers.into_iter().map(|path| Wanted { name: path.to_owned(), path }).collect();
        if wanted.is_empty() {
            return Err(Error::new("up_to", "no layer is given", "name one layer or more"));
        }
        let part = cut(self.network(), &wanted, false)?;
        let preprocessing = match self.preprocessing() {
            Some(before) => preprocessing_of(before, self.inputs(), &part)?,
            None => None,
        };
        let mut part = self.part(part)?;
        part.preprocessing = preprocessing.map(Arc::new);
        let outputs: Vec<&str> = part.outputs().iter().map(|output| &*output.name).collect();
        let class_names = self.info().class_names.iter().filter(|(name, _)| outputs.contains(&name.as_str()));
        let class_names = class_names.map(|(name, classes)| (name.clone(), classes.clone())).collect();
        part.info_mut().class_names = class_names;
        // Its inputs are among those of this model.
        part.info_mut().preparations = self.info().preparations.clone();
        Ok(part)
    }

    /// The model of what is left of this one's network.
    fn part(&self, Cut { graph, inputs }: Cut) -> Result<Model<T>> {
        let inputs = graph.inputs.iter().zip(inputs).map(|(name, place)| {
            let shape = self.inputs()[place].shape.clone();
            Input { name: Some(name.clone()), shape }
        });
        let inputs = Inputs(inputs.collect());
        let params = self.params().iter().map(|param| (param.name.clone(), param.clone()));
        Model::of_graph(graph, inputs, Weights::Taken(params.collect()))
    }
}

/// What is left of a model's preprocessing if only some of the model's inputs are left. Its outputs are named after these.
fn preprocessing_of<T: Float>(before: &Model<T>, inputs: &[InputInfo], part: &Cut) -> Result<Option<Model<T>>> {
    if inputs.len() == 1 {
        return Ok(Some(before.clone()));
    }
    let mut network = before.network().clone();
    let left = |output: &Output| part.inputs.iter().position(|&place| inputs[place].name == output.name);
    network.outputs.retain(|output| left(output).is_some());
    if network.outputs.is_empty() {
        return Ok(None);
    }
    let places: Vec<Option<usize>> = network.outputs.iter().map(left).collect();
    let mut cut = cut(&network, &[], true)?;
    for (output, place) in cut.graph.outputs.iter_mut().zip(places.into_iter().flatten()) {
        output.name.clone_from(&part.graph.inputs[place]);
    }
    before.part(cut).map(Some)
}

/// A layer whose output is wanted, and the name of that output.
struct Wanted<'a> {
    name: String,
    path: &'a str,
}

/// What is left of a network, and which of its inputs.
struct Cut {
    graph: Graph,
    inputs: Vec<usize>,
}

/// An entry of a network that is left.
struct Kept {
    layer: Arc<dyn AnyLayer>,
    inputs: Vec<Source>,
    /// Whether the layer is cut, too: a network of which only a part, or of which more outputs are wanted.
    is_cut: bool,
    /// Where its outputs are that are wanted of layers within it.
    inner: Vec<usize>,
}

/// A network with the outputs of these layers: behind its own outputs, or instead of them.
fn cut(graph: &Graph, wanted: &[Wanted<'_>], with_own: bool) -> Result<Cut> {
    let places = wanted.iter().map(|wanted| place(graph, wanted)).collect::<Result<Vec<usize>>>()?;
    let (mut used_inputs, mut used) = (vec![false; graph.inputs.len()], vec![false; graph.entries.len()]);
    let mut mark = |used: &mut [bool], source: Source| match source {
        Source::Input(input) => used_inputs[input] = true,
        Source::Layer { index, .. } => used[index] = true,
    };
    if with_own {
        graph.outputs.iter().for_each(|output| mark(&mut used, output.source));
    }
    let is_whole = |wanted: &Wanted<'_>| !wanted.path.contains('/');
    for (wanted, &index) in wanted.iter().zip(&places) {
        used[index] |= is_whole(wanted);
    }
    // Each entry stands behind those that feed it, so what uses it is known when its turn comes.
    let mut kept: Vec<Option<Kept>> = Vec::with_capacity(graph.entries.len());
    for (index, entry) in graph.entries.iter().enumerate().rev() {
        let within = wanted.iter().zip(&places).filter(|(wanted, place)| **place == index && !is_whole(wanted));
        let within: Vec<Wanted<'_>> = within.map(|(wanted, _)| inner(wanted)).collect();
        let entry = match (&within[..], used[index]) {
            ([], false) => None,
            ([], true) => {
                let (layer, inputs) = (Arc::clone(&entry.layer), entry.inputs.clone());
                Some(Kept { layer, inputs, is_cut: false, inner: Vec::new() })
            }
            (within, whole) => Some(cut_within(entry, within, whole)?),
        };
        entry.iter().flat_map(|entry| &entry.inputs).for_each(|&source| mark(&mut used, source));
        kept.push(entry);
    }
    kept.reverse();
    let inputs: Vec<usize> = (0..graph.inputs.len()).filter(|&input| used_inputs[input]).collect();
    let names = inputs.iter().enumerate().map(|(place, &input)| match &graph.inputs[input] {
        name if is_input_name(name) => input_name(place),
        name => name.clone(),
    });
    let left = Left { graph, places: numbered(&kept), inputs: &inputs };
    let own = graph.outputs.iter().filter(|_| with_own);
    let mut outputs: Vec<Output> =
        own.map(|output| Output { name: output.name.clone(), source: left.source(output.source) }).collect();
    let mut asked = vec![0; graph.entries.len()];
    for (wanted, &place) in wanted.iter().zip(&places) {
        let entry = kept[place].as_ref().expect("a layer that is wanted is kept");
        let output = if is_whole(wanted) { 0 } else { entry.inner[asked[place]] };
        asked[place] += usize::from(!is_whole(wanted));
        outputs.push(Output { name: wanted.name.clone(), source: left.source(Source::Layer { index: place, output }) });
    }
    if !with_own && let Some(name) = name_of_two(&outputs) {
        return Err(Error::new("up_to", format!("the layer {name:?} is given twice"), "name each layer once"));
    }
    // A network that has been cut before may have an output of this name already; within, names say nothing.
    for index in 0..outputs.len() {
        while outputs[..index].iter().any(|output| output.name == outputs[index].name) {
            outputs[index].name.push('_');
        }
    }
    let graph = Graph { inputs: names.collect(), entries: left.entries(kept)?, outputs };
    Ok(Cut { graph, inputs })
}

/// The place of the entry that a wanted layer is, or is within.
fn place(graph: &Graph, wanted: &Wanted<'_>) -> Result<usize> {
    let name = wanted.path.split('/').next().unwrap_or_default();
    graph.entries.iter().position(|entry| entry.name == name).ok_or_else(|| {
        let names: Vec<&str> = graph.entries.iter().map(|entry| &*entry.name).collect();
        let problem = format!("there is no layer {:?}: {name:?} is none of {}", wanted.name, names.join(", "));
        Error::new("up_to", problem, "the summary lists the layers")
    })
}

/// What is wanted within the network that a path begins with.
fn inner<'a>(wanted: &Wanted<'a>) -> Wanted<'a> {
    let path = wanted.path.split_once('/').map_or(wanted.path, |(_, rest)| rest);
    Wanted { name: wanted.name.clone(), path }
}

/// The entry with its network cut to the layers that are wanted within it, and to its own outputs if they are used.
fn cut_within(entry: &Entry, wanted: &[Wanted<'_>], with_own: bool) -> Result<Kept> {
    let any: &dyn Any = entry.layer.as_ref();
    let network = any.downcast_ref::<Graph>().cloned();
    let network = network.or_else(|| any.downcast_ref::<Sequential>().cloned().map(Graph::from));
    let Some(network) = network else {
        let (name, of, kind) = (&wanted[0].name, &entry.name, entry.layer.kind());
        let problem = format!("the layer {name:?} is within {of:?}, a {kind}, which is no network of layers");
        return Err(Error::new("up_to", problem, "name the layer around it, or a layer of a Sequential or a Graph"));
    };
    let Cut { graph, inputs } = cut(&network, wanted, with_own)?;
    let inputs = inputs.into_iter().map(|input| entry.inputs[input]).collect();
    let first = if with_own { network.outputs.len() } else { 0 };
    Ok(Kept { layer: Arc::new(graph), inputs, is_cut: true, inner: (first..first + wanted.len()).collect() })
}

/// The new index of each entry that is left.
fn numbered(kept: &[Option<Kept>]) -> Vec<Option<usize>> {
    let mut count = 0;
    let number = |entry: &Option<Kept>| {
        entry.as_ref().map(|_| {
            count += 1;
            count - 1
        })
    };
    kept.iter().map(number).collect()
}

/// Where the entries and inputs that are left stand now.
struct Left<'a> {
    graph: &'a Graph,
    places: Vec<Option<usize>>,
    inputs: &'a [usize],
}

impl Left<'_> {
    fn source(&self, source: Source) -> Source {
        match source {
            Source::Input(input) => {
                let place = self.inputs.iter().position(|&kept| kept == input);
                Source::Input(place.expect("an input that is used is kept"))
            }
            Source::Layer { index, output } => {
                Source::Layer { index: self.places[index].expect("a layer that is used is kept"), output }
            }
        }
    }

    /// The entries in order. Of those that share weights the first one left has the name of the first of all, after which
    /// the weights are called.
    fn entries(&self, kept: Vec<Option<Kept>>) -> Result<Vec<Entry>> {
        let is_cut: Vec<bool> = kept.iter().map(|entry| entry.as_ref().is_some_and(|entry| entry.is_cut)).collect();
        let mut entries: Vec<Entry> = Vec::new();
        for (index, entry) in kept.into_iter().enumerate() {
            let Some(Kept { layer, inputs, .. }) = entry else { continue };
            let first = self.graph.entries[index].shares.unwrap_or(index);
            let of_first = |other: usize| self.graph.entries[other].shares.unwrap_or(other) == first;
            let before = (0..index).find(|&other| self.places[other].is_some() && of_first(other));
            if let Some(before) = before.filter(|&before| is_cut[before] || is_cut[index]) {
                let (a, b) = (&self.graph.entries[before].name, &self.graph.entries[index].name);
                let problem = format!("the layers {a:?} and {b:?} are one, of which one part and the whole are needed");
                return Err(Error::new("up_to", problem, "name the layer itself, not one within it"));
            }
            let shares = before.and_then(|before| self.places[before]);
            let named = if shares.is_none() { first } else { index };
            let name = self.graph.entries[named].name.clone();
            entries.push(Entry {
                name,
                layer,
                shares,
                inputs: inputs.iter().map(|&input| self.source(input)).collect(),
            });
        }
        Ok(entries)
    }
}
