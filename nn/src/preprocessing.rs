//! What a model's inputs are made by of raw data.

use std::sync::Arc;

use gradus_tensor::{Columns, Float, Tensor};

use crate::error::{Error, Result};
use crate::feed::Fed;
use crate::graph::Graph;
use crate::inputs::{InputInfo, Inputs};
use crate::model::Model;
use crate::value::ValueKind;

impl<T: Float> Model<T> {
    /// The model with a network without weights that makes its inputs of raw data: floats from 0 to 1 of the bytes of a picture, or
    /// columns of a table with mean 0. It goes into the model's file.
    ///
    /// [`predict_from_raw`](Model::predict_from_raw) runs it and predicts, [`preprocess`](Model::preprocess) runs it alone.
    /// Training and [`predict`](Model::predict) do not: they go on with data that have been prepared.
    ///
    /// `raw` are the shapes of the raw data, as for [`Model::build`]. If the model has several inputs, an output of the
    /// preprocessing feeds the input of its name (`graph.output(("features", node))` names one), and an input that none is named
    /// after is given with the raw data.
    ///
    /// ```
    /// use gradus_nn::{Dense, Flatten, Model, Rescaling, Sequential};
    /// use gradus_tensor::Tensor;
    /// let network = Sequential::new().add(Flatten).add(Dense::new(10));
    /// let model = Model::build(network, [28, 28], 42)?
    ///     .with_preprocessing(Sequential::new().add(Rescaling::new(1.0 / 255.0)), [28, 28])?;
    /// let pictures = Tensor::<u8>::full([2, 28, 28], 255);
    /// let outputs = model.predict_from_raw(&pictures)?;
    /// let inputs = model.preprocess(&pictures)?;
    /// assert_eq!(inputs[0].to::<f32>(), Tensor::ones([2, 28, 28]));
    /// assert_eq!(model.predict(inputs)?, outputs);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the network has weights, its outputs are not the inputs of the model, or a layer cannot take its input. Its outputs
    /// are floats, which ids may be if they are whole numbers, and masks may not.
    pub fn with_preprocessing(mut self, network: impl Into<Graph>, raw: impl Into<Inputs>) -> Result<Self> {
        let preprocessing = Model::build_as(network, raw, 0).map_err(|error| error.within("preprocessing"))?;
        self.check_preprocessing(&preprocessing)?;
        self.preprocessing = Some(Arc::new(preprocessing));
        Ok(self)
    }

    /// The preprocessing, if the model has one.
    pub fn preprocessing(&self) -> Option<&Model<T>> {
        self.preprocessing.as_deref()
    }

    /// What raw data are: the inputs of the preprocessing, and those of the model that it does not make.
    pub fn raw_inputs(&self) -> Vec<InputInfo> {
        match &self.preprocessing {
            None => self.inputs().to_vec(),
            Some(before) => before.inputs().iter().chain(self.given(before)).cloned().collect(),
        }
    }

    /// The output for a batch of raw data: [`preprocess`](Model::preprocess) and [`predict`](Model::predict) in one call. For
    /// several outputs, give to [`predict_all`](Model::predict_all) what `preprocess` makes.
    ///
    /// # Errors
    /// As `preprocess` and `predict`.
    pub fn predict_from_raw(&self, raw: impl Into<Columns>) -> Result<Tensor<T>> {
        self.predict(self.preprocess(raw)?)
    }

    /// The model's inputs, made of raw data by the preprocessing. Without one they are the raw data.
    ///
    /// # Errors
    /// If the raw data have other shapes or names than [`raw_inputs`](Model::raw_inputs).
    pub fn preprocess(&self, raw: impl Into<Columns>) -> Result<Columns> {
        let raw = raw.into();
        let Some(before) = &self.preprocessing else {
            Fed::new("preprocess", self.inputs(), &raw)?;
            return Ok(raw);
        };
        if self.inputs().len() == 1 {
            let inputs = before.outputs_of("preprocess", &raw)?.0.swap_remove(0);
            return Ok(inputs.into());
        }
        let infos = self.raw_inputs();
        let fed = Fed::new("preprocess", &infos, &raw)?;
        let column = |(info, tensor): (&InputInfo, _)| (info.name.clone(), Clone::clone(tensor));
        let columns = |fed: &mut dyn Iterator<Item = (String, _)>| {
            fed.fold(Columns::new(), |columns, (name, tensor)| columns.with(&name, tensor))
        };
        let mut fed = infos.iter().zip(fed.columns.iter().copied()).map(column);
        let taken = columns(&mut fed.by_ref().take(before.inputs().len()));
        let made = before.outputs_of("preprocess", &taken)?.0;
        let given = columns(&mut fed);
        let made = before.outputs().iter().zip(made);
        Ok(made.fold(given, |columns, (output, tensor)| columns.with(&output.name, tensor)))
    }

    /// The inputs that the preprocessing does not make.
    fn given<'a>(&'a self, before: &'a Model<T>) -> impl Iterator<Item = &'a InputInfo> {
        let several = self.inputs().len() > 1;
        let is_made = |input: &&InputInfo| before.outputs().iter().any(|output| output.name == input.name);
        self.inputs().iter().filter(move |input| several && !is_made(input))
    }

    /// Checks that a preprocessing makes inputs of this model.
    pub(crate) fn check_preprocessing(&self, before: &Model<T>) -> Result<()> {
        let fail = |problem: String, hint: &str| Err(Error::new("preprocessing", problem, hint));
        if let Some(param) = before.params().iter().next() {
            let problem = format!("it has weights, such as {:?}", param.name);
            return fail(problem, "put layers with weights into the model's own network");
        }
        let names =
            |names: &mut dyn Iterator<Item = &String>| names.map(|name| &**name).collect::<Vec<&str>>().join(", ");
        let inputs = names(&mut self.inputs().iter().map(|input| &input.name));
        if self.inputs().len() == 1 && before.outputs().len() != 1 {
            let problem = format!("it has {} outputs, the model has one input", before.outputs().len());
            return fail(problem, "merge them by a layer");
        }
        for output in before.outputs() {
            let input = match self.inputs() {
                [input] => input,
                several => match several.iter().find(|input| input.name == output.name) {
                    Some(input) => input,
                    None => {
                        let problem =
                            format!("its output {:?} is named after no input of the model ({inputs})", output.name);
                        return fail(
                            problem,
                            "name each output after the input that it makes: graph.output((\"features\", node))",
                        );
                    }
                },
            };
            if input.kind == ValueKind::Mask {
                let problem =
                    format!("its output {:?} is floats, the model's input {:?} is a mask", output.name, input.name);
                return fail(problem, "give the mask with the raw data");
            }
            if output.is_masked {
                let problem = format!("its output {:?} has a mask, which the model would not see", output.name);
                return fail(problem, "put the layer that makes the mask into the model's own network");
            }
            let fits = input.shape.len() == output.shape.len()
                && input.shape.iter().zip(output.shape.iter()).all(|(a, b)| a.is_none() || a == b);
            if !fits {
                let (output, input) = (output.shape.of_batch(), input.shape.of_batch());
                let problem = format!("its output has the shape {output}, the model takes {input}");
                return fail(problem, "change the preprocessing, or the shapes of the raw data");
            }
        }
        let mut given = self.given(before);
        if let Some(twice) = given.find(|input| before.inputs().iter().any(|raw| raw.name == input.name)) {
            let problem = format!("it takes {:?}, an input of the model that it does not make", twice.name);
            return fail(problem, "name the raw data otherwise, or make the input");
        }
        Ok(())
    }
}
