//! A built layer: the specs of its outputs and its computation.

use std::sync::Arc;

use gradus_autograd::Var;
use gradus_tensor::{Float, Shape, Tensor};

use crate::context::Context;
use crate::epilogue::{AsEpilogue, Epilogue, Supports, WithEpilogue};
use crate::mask::MaskRule;
use crate::parts::PartRule;
use crate::value::{Spec, Value, Values};

/// A layer's computation: from its inputs, batch axis first, to its outputs. An input that nobody else needs is given away
/// for good, so that its memory may be freed or computed in.
pub type Forward<T> = Arc<dyn Fn(&mut Context<'_, T>, Values<T>) -> Values<T> + Send + Sync>;

/// The result of building a layer: the specs of its outputs, and its computation.
pub struct Built<T: Float> {
    /// Shape, without the batch axis, and kind of each output.
    pub outputs: Vec<Spec>,
    /// The computation.
    pub forward: Forward<T>,
    /// What the layer does about masks.
    pub mask_rule: MaskRule,
    /// What the layer does with sequences that come part by part.
    pub part_rule: PartRule,
    /// The computation with an epilogue behind it, if the layer takes one.
    pub(crate) with_epilogue: Option<WithEpilogue<T>>,
    /// The computation as an epilogue of the layer before it, if it can be one.
    pub(crate) as_epilogue: Option<AsEpilogue<T>>,
}

impl<T: Float> Built<T> {
    /// A layer of one input and one output, both floats. The shape is the output's, without the batch axis.
    pub fn new(
        output: impl Into<Shape>,
        forward: impl Fn(&mut Context<'_, T>, &Var<T>) -> Var<T> + Send + Sync + 'static,
    ) -> Self {
        Self::of_floats(output.into(), Arc::new(move |context, inputs| on_first(context, inputs, &forward)))
    }

    /// A layer of several inputs and one output, all floats.
    pub fn merging(
        output: impl Into<Shape>,
        forward: impl Fn(&mut Context<'_, T>, Vec<Var<T>>) -> Var<T> + Send + Sync + 'static,
    ) -> Self {
        Self::of_floats(output.into(), Arc::new(move |context, inputs| on_all(context, inputs, &forward)))
    }

    /// A layer from ids to floats.
    ///
    /// ```
    /// use gradus_autograd::Var;
    /// use gradus_nn::{Build, Built, Layer, Result, check_layer};
    /// use gradus_tensor::Float;
    /// use serde::{Deserialize, Serialize};
    ///
    /// /// Each id below 7 as a number.
    /// #[derive(Clone, Debug, Serialize, Deserialize)]
    /// struct Numbers;
    ///
    /// impl Layer for Numbers {
    ///     const KIND: &'static str = "Numbers";
    ///
    ///     fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
    ///         let shape = build.ids(7)?;
    ///         Ok(Built::of_ids(shape, |_, ids| Var::from(ids.to::<T>())))
    ///     }
    /// }
    ///
    /// check_layer(&Numbers, [3]).unwrap();
    /// ```
    pub fn of_ids(
        output: impl Into<Shape>,
        forward: impl Fn(&mut Context<'_, T>, &Tensor<i64>) -> Var<T> + Send + Sync + 'static,
    ) -> Self {
        Self::of_floats(output.into(), Arc::new(move |context, inputs| forward(context, inputs[0].ids()).into()))
    }

    /// A layer of any inputs and outputs. The computation gives one value for each spec, in order.
    ///
    /// ```
    /// use gradus_autograd::Var;
    /// use gradus_nn::{Build, Built, Graph, Layer, Model, Result, Spec, Value};
    /// use gradus_tensor::{Float, Tensor};
    /// use serde::{Deserialize, Serialize};
    ///
    /// /// The smallest and the largest feature.
    /// #[derive(Clone, Debug, Serialize, Deserialize)]
    /// struct Range;
    ///
    /// impl Layer for Range {
    ///     const KIND: &'static str = "Range";
    ///
    ///     fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
    ///         build.features()?;
    ///         Ok(Built::of_values(vec![Spec::floats([]), Spec::floats([])], |_, inputs| {
    ///             let x = inputs[0].floats();
    ///             [x.min(1), x.max(1)].into_iter().map(Value::Floats).collect()
    ///         }))
    ///     }
    /// }
    ///
    /// let mut graph = Graph::builder();
    /// let x = graph.input();
    /// let range = graph.add(Range, [x]);
    /// let network = graph.outputs([("least", range), ("greatest", range.output(1))]);
    /// let model = Model::build(network, [3], 42)?;
    /// let outputs = model.predict_all(&Tensor::new([[5.0, 2.0, 7.0]]))?;
    /// assert_eq!(outputs, [Tensor::new([2.0]), Tensor::new([7.0])]);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub fn of_values(
        outputs: Vec<Spec>,
        forward: impl Fn(&mut Context<'_, T>, Values<T>) -> Values<T> + Send + Sync + 'static,
    ) -> Self {
        Built {
            outputs,
            forward: Arc::new(forward),
            mask_rule: MaskRule::Unsaid,
            part_rule: PartRule::Unsaid,
            with_epilogue: None,
            as_epilogue: None,
        }
    }

    /// A layer of one output, floats of this shape.
    fn of_floats(output: Shape, forward: Forward<T>) -> Self {
        Built {
            outputs: vec![Spec::floats(output)],
            forward,
            mask_rule: MaskRule::Unsaid,
            part_rule: PartRule::Unsaid,
            with_epilogue: None,
            as_epilogue: None,
        }
    }

    /// The same layer, which does this about masks.
    ///
    /// ```
    /// # use gradus_nn::{Build, Built, Layer, MaskRule, Result};
    /// # use gradus_tensor::Float;
    /// # use serde::{Deserialize, Serialize};
    /// /// y = 2 x, in which padding stays padding.
    /// #[derive(Clone, Debug, Serialize, Deserialize)]
    /// struct Twice;
    ///
    /// impl Layer for Twice {
    ///     const KIND: &'static str = "Twice";
    ///
    ///     fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
    ///         Ok(Built::new(build.input()?, |_, x| x * T::of(2.0)).mask_rule(MaskRule::Kept))
    ///     }
    /// }
    /// # gradus_nn::check_layer(&Twice, [3, 2]).unwrap();
    /// ```
    pub fn mask_rule(self, mask_rule: MaskRule) -> Self {
        Built { mask_rule, ..self }
    }

    /// The same layer, which does this with sequences that come part by part.
    pub fn part_rule(self, part_rule: PartRule) -> Self {
        Built { part_rule, ..self }
    }

    /// The shape of the one output, without the batch axis.
    ///
    /// # Panics
    /// If there are several outputs.
    #[track_caller]
    pub fn output(&self) -> &Shape {
        match &self.outputs[..] {
            [output] => &output.shape,
            outputs => panic!("output: a layer of one output is expected, found {}", outputs.len()),
        }
    }

    /// The computation of a layer within another, run.
    pub fn run(&self, context: &mut Context<'_, T>, inputs: impl Into<Values<T>>) -> Values<T> {
        (self.forward)(context, inputs.into())
    }

    /// The same layer, which shows its outputs to an observer under this path. It is computed by itself, so that they are there.
    pub(crate) fn observed(self, path: String, kind: &'static str) -> Self {
        let forward = self.forward;
        let forward = move |context: &mut Context<'_, T>, inputs: Values<T>| {
            let outputs = forward(context, inputs);
            context.observe(&path, kind, outputs)
        };
        Built { forward: Arc::new(forward), with_epilogue: None, as_epilogue: None, ..self }
    }

    /// A layer of one input whose computation takes an epilogue. It gets [`Epilogue::IDENTITY`], or an epilogue whose
    /// parts it `supports`, made of the layers behind it.
    pub(crate) fn with_epilogue(
        output: impl Into<Shape>,
        supports: Supports,
        compute: impl Fn(&mut Context<'_, T>, &Var<T>, &Epilogue<T>) -> Var<T> + Send + Sync + 'static,
    ) -> Self {
        let compute = Arc::new(compute);
        let alone = Arc::clone(&compute);
        let built = Built::new(output, move |context, x| alone(context, x, &Epilogue::IDENTITY));
        Built { with_epilogue: Some(WithEpilogue { supports, compute }), ..built }
    }

    /// The same layer, which is this epilogue of the layer before it wherever the function gives one.
    pub(crate) fn or_epilogue(
        self,
        epilogue: impl Fn(&mut Context<'_, T>) -> Option<Epilogue<T>> + Send + Sync + 'static,
    ) -> Self {
        Built { as_epilogue: Some(Arc::new(epilogue)), ..self }
    }
}

type OfFirst<T> = dyn Fn(&mut Context<'_, T>, &Var<T>) -> Var<T>;
type OfAll<T> = dyn Fn(&mut Context<'_, T>, Vec<Var<T>>) -> Var<T>;

// The functions below are compiled once for each float type and not for each layer.

/// Computes from the first input, which must be floats.
fn on_first<T: Float>(context: &mut Context<'_, T>, inputs: Values<T>, forward: &OfFirst<T>) -> Values<T> {
    forward(context, inputs[0].floats()).into()
}

/// Computes from all inputs, which must be floats.
fn on_all<T: Float>(context: &mut Context<'_, T>, inputs: Values<T>, forward: &OfAll<T>) -> Values<T> {
    forward(context, inputs.into_iter().map(Value::into_floats).collect()).into()
}
