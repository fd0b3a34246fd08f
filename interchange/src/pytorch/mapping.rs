//! Which module of PyTorch is which layer of a model.

use std::collections::{HashMap, HashSet};
use std::fmt;

use gradus_nn::{Error, Model, Result, WeightSource};
use gradus_tensor::Float;
use gradus_tensor::safetensors::shortened;

use super::modules::{Module, modules};
use super::state_dict::StateDict;

/// Which modules of PyTorch are which layers: at first those of the same names, `encoder.0` for the layer at `encoder/0`.
///
/// The parts of layers have PyTorch's names. A separable convolution is two modules, `depthwise` and `pointwise` beneath it; a
/// `TransformerEncoder` has `self_attn`, `linear1`, `linear2`, `norm1`, `norm2`.
///
/// ```
/// use gradus_interchange::pytorch::{self, Mapping, StateDict};
/// use gradus_nn::{Dense, Model, Sequential};
/// use gradus_tensor::{Tensor, safetensors::Writer};
/// # let path = std::env::temp_dir().join(format!("gradus_mapping_{}.safetensors", std::process::id()));
/// // The state dict of a module with `self.fc = nn.Linear(2, 1)`.
/// let file = Writer::new().tensor("fc.weight", Tensor::new([[2.0, 3.0]])).tensor("fc.bias", Tensor::new([1.0]));
/// file.write(&path)?;
/// let mut model = Model::build(Sequential::new().add(Dense::new(1)), [2], 42)?;
/// let mapping = Mapping::new().module("fc", "0");
/// println!("{}", pytorch::load_weights(&mut model, &StateDict::open(&path)?, &mapping)?);
/// assert_eq!(model.predict(&Tensor::new([[1.0, 10.0]]))?, Tensor::new([[33.0]]));
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    /// For paths of layers the module in PyTorch, and the number in a stack of recurrent layers.
    modules: Vec<(String, String, usize)>,
    /// For names of weights the tensor that is taken as it is.
    tensors: Vec<(String, String)>,
    ignored: Vec<String>,
    under: String,
    by_order: bool,
    partial: bool,
}

impl Mapping {
    /// Every layer is the module of its path, with dots.
    pub fn new() -> Self {
        Mapping::default()
    }

    /// The modules of PyTorch are the layers in the order of both, each the next one whose tensors have fitting shapes; those that
    /// [`module`](Mapping::module) or [`stack`](Mapping::stack) name are left out of the count. The report says what has been found: two layers of the same shapes in another order look alike. Files of torch.save keep the order of the
    /// modules; in safetensors files and `.npz` it is that of their names, with numbers counted up.
    pub fn by_order() -> Self {
        Mapping { by_order: true, ..Mapping::default() }
    }

    /// The module at or under `module` in PyTorch (`"layer1.0.conv1"`, or `"layer1"` with all in it) is the layer at or under `layer`
    /// (`"block/body/0"`). An empty name is the whole of either. Of several entries for a layer, that of the longest path counts.
    pub fn module(mut self, module: impl Into<String>, layer: impl Into<String>) -> Self {
        self.modules.push((layer.into(), module.into(), 0));
        self
    }

    /// The recurrent module of several layers (`nn.LSTM(.., num_layers=2)`) is these layers, in their order.
    pub fn stack<L: Into<String>>(mut self, module: impl Into<String>, layers: impl IntoIterator<Item = L>) -> Self {
        let module = module.into();
        for (number, layer) in layers.into_iter().enumerate() {
            self.modules.push((layer.into(), module.clone(), number));
        }
        self
    }

    /// The tensor of this name is the weight of this name (`"tokens/embeddings"`), as it is: its axes are not turned.
    pub fn tensor(mut self, tensor: impl Into<String>, weight: impl Into<String>) -> Self {
        self.tensors.push((weight.into(), tensor.into()));
        self
    }

    /// The tensors at or under this name are not wanted: a head that is replaced, or a second name of tied weights.
    pub fn ignoring(mut self, module: impl Into<String>) -> Self {
        self.ignored.push(module.into());
        self
    }

    /// All names are meant under this one: `"state_dict"` of a checkpoint, `"module"` of a DataParallel. What else the file holds is
    /// left out.
    pub fn under(mut self, name: impl Into<String>) -> Self {
        self.under = name.into();
        self
    }

    /// Layers without tensors stay as they are, and tensors without a layer are not used. Shapes must still fit, and one tensor at
    /// least must be used.
    pub fn partial(mut self) -> Self {
        self.partial = true;
        self
    }

    pub(super) fn is_partial(&self) -> bool {
        self.partial
    }

    /// The full name of a tensor.
    fn full(&self, name: &str) -> String {
        joined(&self.under, name)
    }

    /// The entry for a module: the path of a layer, the place in PyTorch, and the number in a stack.
    fn entry(&self, module: &Module) -> Option<&(String, String, usize)> {
        let entries = self.modules.iter().filter(|(layer, ..)| rest_of(&module.path, layer, '/').is_some());
        entries.max_by_key(|(layer, ..)| layer.len())
    }

    /// Where a module is in PyTorch, and its number in a stack.
    fn place(&self, module: &Module) -> (String, usize) {
        let (layer, theirs, number) = match self.entry(module) {
            Some((layer, theirs, number)) => (&**layer, &**theirs, *number),
            None => ("", "", 0),
        };
        let given = layer.split('/').filter(|part| !part.is_empty()).count();
        let place = module.names[given..].iter().fold(theirs.to_owned(), |place, name| joined(&place, name));
        (place, number)
    }
}

/// What follows `start` in a name, if it is at or under it.
fn rest_of<'a>(name: &'a str, start: &str, separator: char) -> Option<&'a str> {
    if start.is_empty() {
        return Some(name);
    }
    match name.strip_prefix(start)? {
        "" => Some(""),
        rest => rest.strip_prefix(separator),
    }
}

fn joined(start: &str, end: &str) -> String {
    match (start, end) {
        ("", name) | (name, "") => name.to_owned(),
        _ => format!("{start}.{end}"),
    }
}

/// The modules of a model, and where each is in PyTorch.
pub(super) struct Placed {
    pub modules: Vec<Module>,
    /// For each module the names of the tensors in its slots; `None` where a partial mapping leaves it out.
    pub names: Vec<Option<Vec<String>>>,
    /// For each module the name of its count of batches.
    pub counts: Vec<Option<String>>,
    /// For names of weights the tensor that is taken as it is.
    pub tensors: HashMap<String, String>,
}

impl Placed {
    /// Where the modules of a model are by these names.
    pub fn new<T: Float>(model: &Model<T>, mapping: &Mapping) -> Result<Self> {
        let mut modules = modules(model)?;
        let mut problems = Vec::new();
        for (layer, ..) in &mapping.modules {
            if !modules.iter().any(|module| rest_of(&module.path, layer, '/').is_some()) {
                problems.push(format!("there is no layer with weights at {layer:?}"));
            }
        }
        for (weight, _) in &mapping.tensors {
            if model.params().get(weight).is_none() {
                problems.push(format!("there is no weight {weight:?}"));
            }
        }
        if !problems.is_empty() {
            return Err(Error::new("mapping", problems.join("; "), "the model's summary lists its layers"));
        }
        let tensors: HashMap<String, String> =
            mapping.tensors.iter().map(|(weight, tensor)| (weight.clone(), mapping.full(tensor))).collect();
        let params = model.params();
        modules.retain_mut(|module| {
            module.without(|name| tensors.contains_key(name), params.iter().map(|param| &*param.name))
        });
        let mut placed = Placed { names: Vec::new(), counts: Vec::new(), modules, tensors };
        for module in &placed.modules {
            let (place, number) = mapping.place(module);
            let count = joined(&place, "num_batches_tracked");
            placed.names.push(Some(slot_names(module, &mapping.full(&place), number)));
            placed.counts.push(module.counts_batches.then(|| mapping.full(&count)));
        }
        Ok(placed)
    }

    /// Where they are in this file, or all that does not fit; also the tensors that are not used.
    pub fn find<T: Float>(model: &Model<T>, state: &StateDict, mapping: &Mapping) -> Result<(Self, Vec<String>)> {
        let mut placed = Placed::new(model, mapping)?;
        let all = state.names();
        let wanted = |name: &&String| {
            let rest = rest_of(name, &mapping.under, '.');
            rest.is_some_and(|rest| !mapping.ignored.iter().any(|ignored| rest_of(rest, ignored, '.').is_some()))
        };
        let there: Vec<&String> = all.iter().filter(wanted).collect();
        let mut problems = Vec::new();
        if mapping.by_order {
            placed.place_by_order(&there, state, mapping, &mut problems);
        }
        let mut used: HashSet<&str> = HashSet::new();
        let known: HashSet<&str> = there.iter().map(|name| &***name).collect();
        for (module, names) in placed.modules.iter().zip(&mut placed.names) {
            if let Some(why) = &module.refused {
                *names = None;
                if !mapping.partial {
                    problems.push(format!("layer {} ({}) {why}", module.path, module.kind));
                }
            }
            let Some(slots) = names else { continue };
            let missing: Vec<&String> = slots.iter().filter(|name| !known.contains(&***name)).collect();
            if missing.len() == slots.len() && mapping.partial {
                *names = None;
                continue;
            }
            if !missing.is_empty() {
                problems.push(format!("layer {} ({}) has no {}", module.path, module.kind, shortened(&missing)));
            }
            for (slot, name) in module.slots.iter().zip(&*slots) {
                let Some(found) = known.get(&**name) else { continue };
                used.insert(found);
                let info = state.info(name).expect("the file has the tensor");
                if info.shape != slot.shape {
                    let (path, kind) = (&module.path, module.kind);
                    problems.push(format!(
                        "{name:?} has the shape {}, layer {path} ({kind}) takes {}",
                        info.shape, slot.shape
                    ));
                }
            }
        }
        for (weight, tensor) in &placed.tensors {
            let (Some(param), found) = (model.params().get(weight), state.info(tensor)) else { continue };
            match found {
                None => problems.push(format!("there is no tensor {tensor:?} for {weight:?}")),
                Some(info) if info.shape != *param.value.shape() => {
                    problems.push(format!(
                        "{tensor:?} has the shape {}, {weight:?} takes {}",
                        info.shape,
                        param.value.shape()
                    ));
                }
                Some(_) => _ = used.insert(tensor),
            }
        }
        let counts: HashSet<&String> = placed.counts.iter().flatten().collect();
        let is_unused =
            |name: &&&String| !used.contains(name.as_str()) && !counts.contains(**name) && !state.is_second_name(name);
        let unused: Vec<&String> = there.iter().filter(is_unused).copied().collect();
        if !mapping.partial && !unused.is_empty() {
            problems.push(format!("no layer takes {}", shortened(&unused)));
        }
        if used.is_empty() && (problems.is_empty() || there.is_empty()) && !placed.modules.is_empty() {
            problems.push("no tensor is a weight of the model".to_owned());
        }
        if !problems.is_empty() {
            let hint = hint(state, mapping, &placed, used.is_empty());
            return Err(Error::new("load_weights", problems.join("; "), hint));
        }
        let is_left_out = |name: &&String| !used.contains(name.as_str()) && !counts.contains(name);
        let unused = all.iter().filter(is_left_out).cloned().collect();
        Ok((placed, unused))
    }

    /// Gives each module that has no place by name the next tensors of the file that fit.
    fn place_by_order(&mut self, there: &[&String], state: &StateDict, mapping: &Mapping, problems: &mut Vec<String>) {
        let groups = groups(there);
        let by_name: Vec<bool> = self.modules.iter().map(|module| mapping.entry(module).is_some()).collect();
        let of_named = |group: &Group<'_>| {
            let named = self.names.iter().zip(&by_name).filter(|(_, by_name)| **by_name);
            named.filter_map(|(names, _)| names.as_ref()).flatten().any(|name| group.names.contains(&&**name))
        };
        let mut taken: Vec<bool> = groups.iter().map(of_named).collect();
        for (index, module) in self.modules.iter().enumerate() {
            if module.refused.is_some() || by_name[index] {
                continue;
            }
            let fit = groups.iter().enumerate().find(|(place, group)| !taken[*place] && group.fits(module, state));
            let Some((place, group)) = fit else {
                if !mapping.partial {
                    let wanted = module.slots.iter().map(|slot| format!("{} {}", slot.name, slot.shape));
                    let wanted = wanted.collect::<Vec<_>>().join(", ");
                    problems.push(format!("no module is left for layer {} ({}): {wanted}", module.path, module.kind));
                }
                self.names[index] = None;
                continue;
            };
            taken[place] = true;
            self.names[index] = Some(slot_names(module, &group.module, group.number));
            let count = joined(&group.module, "num_batches_tracked");
            self.counts[index] = module.counts_batches.then_some(count);
        }
    }
}

/// The names of a module's slots.
fn slot_names(module: &Module, place: &str, number: usize) -> Vec<String> {
    let name = |slot: &super::modules::Slot| match module.is_recurrent {
        true => joined(place, &slot.name.replace("_l0", &format!("_l{number}"))),
        false => joined(place, &slot.name),
    };
    module.slots.iter().map(name).collect()
}

/// The tensors of a module of PyTorch, or of one of several layers in it.
struct Group<'a> {
    module: String,
    number: usize,
    names: Vec<&'a str>,
}

impl Group<'_> {
    fn fits(&self, module: &Module, state: &StateDict) -> bool {
        let names = slot_names(module, &self.module, self.number);
        let has = |(name, slot): (&String, &super::modules::Slot)| {
            self.names.contains(&&**name) && state.info(name).is_some_and(|info| info.shape == slot.shape)
        };
        let count = joined(&self.module, "num_batches_tracked");
        let is_known =
            |found: &&str| *found == count && module.counts_batches || names.iter().any(|name| name == found);
        names.iter().zip(&module.slots).all(has) && self.names.iter().all(is_known)
    }
}

/// The tensors by the modules that they belong to, in the order of the file.
fn groups<'a>(there: &[&'a String]) -> Vec<Group<'a>> {
    let attentions: HashSet<&str> = there
        .iter()
        .filter_map(|name| {
            let of = |end: &str| name.strip_suffix(end).map(|start| start.trim_end_matches('.'));
            of("in_proj_weight").or_else(|| of("q_proj_weight"))
        })
        .collect();
    let mut groups: Vec<Group<'a>> = Vec::new();
    let mut places: HashMap<(String, usize), usize> = HashMap::new();
    for name in there {
        let (mut module, last) = name.rsplit_once('.').unwrap_or(("", name));
        // The last projection of an attention is a module within it.
        let around = module.strip_suffix("out_proj").map(|start| start.trim_end_matches('.'));
        if let Some(attention) = around.filter(|around| attentions.contains(around)) {
            module = attention;
        }
        let number = last.rsplit_once("_l").map_or("", |(_, number)| number.trim_end_matches("_reverse"));
        let key = (module.to_owned(), number.parse().unwrap_or(0));
        let place = *places.entry(key.clone()).or_insert_with(|| {
            groups.push(Group { module: key.0, number: key.1, names: Vec::new() });
            groups.len() - 1
        });
        groups[place].names.push(name);
    }
    groups
}

/// What to do where names do not fit.
fn hint(state: &StateDict, mapping: &Mapping, placed: &Placed, none: bool) -> String {
    let names = state.names();
    let is_made = |name: &&String| {
        let last = name.rsplit('.').next().unwrap_or(name);
        matches!(last, "weight_g" | "weight_orig") || name.contains("parametrizations.")
    };
    if let Some(made) = names.iter().find(is_made) {
        return format!(
            "{made:?} is one of several tensors that a weight is made of: in PyTorch, make it one before you save it, by \
             torch.nn.utils.parametrize.remove_parametrizations(module, \"weight\"), or by remove_weight_norm, \
             remove_spectral_norm or prune.remove"
        );
    }
    if none && let Some((under, count)) = place_of_all(&names, mapping, placed) {
        return format!("{count} tensors are under {under:?}: say Mapping::under({under:?})");
    }
    let roots = state.roots();
    let usual = |name: &str| {
        matches!(name, "state_dict" | "model" | "model_state_dict" | "module" | "net" | "params" | "weights")
    };
    if (none || mapping.by_order)
        && mapping.under.is_empty()
        && let Some((root, count)) =
            roots.iter().find(|(root, count)| usual(root) && *count > 1 && *count < names.len() + usize::from(none))
    {
        return format!("{count} tensors are under {root:?}: say Mapping::under({root:?})");
    }
    "say by Mapping::module which module is which layer, or try Mapping::by_order; Mapping::partial takes what fits"
        .to_owned()
}

/// The name under which the tensors of all modules are, and how many.
fn place_of_all(names: &[String], mapping: &Mapping, placed: &Placed) -> Option<(String, usize)> {
    let known: HashSet<&str> = names.iter().map(|name| &**name).collect();
    let within = |name: &str| rest_of(name, &mapping.under, '.').unwrap_or(name).to_owned();
    let wanted: Vec<String> = placed.names.iter().flatten().flatten().map(|name| within(name)).collect();
    let first = wanted.first()?;
    let unders = names.iter().filter_map(|name| name.strip_suffix(first.as_str())?.strip_suffix('.'));
    let mut unders = unders.filter(|under| wanted.iter().all(|name| known.contains(&*joined(under, name))));
    unders
        .next()
        .map(|under| (under.to_owned(), names.iter().filter(|name| rest_of(name, under, '.').is_some()).count()))
}

/// What [`load_weights`](super::load_weights) did.
///
/// ```
/// use gradus_interchange::pytorch::{self, Mapping, StateDict};
/// use gradus_nn::{Dense, Model, Sequential};
/// use gradus_tensor::{Tensor, safetensors::Writer};
/// let bytes = Writer::new().tensor("0.weight", Tensor::new([[2.0, 3.0]])).to_bytes()?;
/// let mut model = Model::build(Sequential::new().add(Dense::new(1).use_bias(false)), [2], 42)?;
/// let report = pytorch::load_weights(&mut model, &StateDict::from_bytes(bytes)?, &Mapping::new())?;
/// assert_eq!(report.to_string(), "0/kernel [2, 1] from 0.weight\n1 weights loaded\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// For each weight that has new values, in the model's order: its name, its shape, and the tensors that it is made of.
    pub loaded: Vec<(String, gradus_tensor::Shape, Vec<String>)>,
    /// The weights that stayed as they were.
    pub left: Vec<String>,
    /// The tensors of the file that were not used.
    pub unused: Vec<String>,
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, shape, from) in &self.loaded {
            writeln!(f, "{name} {shape} from {}", from.join(", "))?;
        }
        write!(f, "{} weights loaded", self.loaded.len())?;
        if !self.left.is_empty() {
            write!(f, ", {} left as they were ({})", self.left.len(), shortened(&self.left))?;
        }
        if !self.unused.is_empty() {
            write!(f, ", {} tensors not used ({})", self.unused.len(), shortened(&self.unused))?;
        }
        writeln!(f)
    }
}
