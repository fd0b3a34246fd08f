//! What is known of a model besides its network and its weights.

use std::collections::BTreeMap;

use gradus_tensor::Float;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::inputs::OutputInfo;
use crate::model::Model;

/// What is known of a model besides its network and its weights, for those who use its file. Nothing is computed with it;
/// class names are checked against the outputs when the model is saved or loaded.
///
/// Losses and metrics are names, without their options: a loaded model is evaluated by a loss that the program makes. A trainer
/// notes its own when it is made, also one that only evaluates.
///
/// ```
/// use gradus_nn::{Dense, Model, Sequential};
/// let model = Model::build(Sequential::new().add_named("flower", Dense::new(2)), [4], 42)?;
/// let model = model.with_class_names(["tulip", "rose"])?;
/// assert_eq!(model.info().class_names["flower"], ["tulip", "rose"]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelInfo {
    /// The names of an output's classes in order, by the output's name ([`Model::with_class_names`]).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub class_names: BTreeMap<String, Vec<String>>,
    /// The name of the loss that an output was trained by, by the output's name. A trainer notes it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub losses: BTreeMap<String, String>,
    /// The metrics, named as in logs. A trainer notes them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<String>,
    /// What the inputs were made by before the model, by a name: such as the vocabulary of a text ([`Model::with_preparation`]).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub preparations: BTreeMap<String, Value>,
}

impl ModelInfo {
    /// Checks the classes against the outputs of the model.
    pub(crate) fn check(&self, outputs: &[OutputInfo]) -> Result<()> {
        for (name, classes) in &self.class_names {
            let Some(output) = outputs.iter().find(|output| output.name == *name) else {
                let known: Vec<&str> = outputs.iter().map(|output| &*output.name).collect();
                let problem = format!("there is no output {name:?}, only {}", known.join(", "));
                return Err(Error::new("class names", problem, "name an output of the network"));
            };
            let fits = |count: usize| count == classes.len() || (count, classes.len()) == (1, 2);
            if let Some(&Some(count)) = output.shape.last()
                && !fits(count)
            {
                let (found, shape) = (classes.len(), output.shape.of_batch());
                let problem = format!("{found} names for the output {name:?} of shape {shape}");
                let hint = "give a name for each class, or two for an output of one number";
                return Err(Error::new("class names", problem, hint));
            }
        }
        Ok(())
    }
}

impl<T: Float> Model<T> {
    /// What is known of the model besides its network and its weights.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// What is known of the model, to be changed.
    pub fn info_mut(&mut self) -> &mut ModelInfo {
        &mut self.info
    }

    /// The model with the names of the output's classes, which go into its file.
    ///
    /// ```
    /// use gradus_nn::{Activation, Dense, Model, Sequential};
    /// let network = Sequential::new().add(Dense::new(3).activation(Activation::Softmax));
    /// let model = Model::build(network, [4], 42)?.with_class_names(["setosa", "versicolor", "virginica"])?;
    /// assert_eq!(model.class_names()[2], "virginica");
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the model has several outputs ([`with_class_names_for`](Model::with_class_names_for) says which), or another
    /// number of classes.
    pub fn with_class_names(self, names: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        let [output] = self.outputs() else {
            let known: Vec<&str> = self.outputs().iter().map(|output| &*output.name).collect();
            let problem = format!("the model has {} outputs: {}", known.len(), known.join(", "));
            return Err(Error::new(
                "class names",
                problem,
                "say by with_class_names_for which output has these classes",
            ));
        };
        let output = output.name.clone();
        self.with_class_names_for(&output, names)
    }

    /// As [`with_class_names`](Model::with_class_names), of the output of this name. No names are those of an output that is no class.
    ///
    /// # Errors
    /// If there is no such output, or it has another number of classes.
    pub fn with_class_names_for(
        mut self,
        output: &str,
        names: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.is_empty() {
            self.info.class_names.remove(output);
        } else {
            self.info.class_names.insert(output.to_owned(), names);
        }
        self.info.check(self.outputs())?;
        Ok(self)
    }

    /// The names of the first output's classes in order; none if they have not been given.
    pub fn class_names(&self) -> &[String] {
        self.class_names_of(&self.outputs()[0].name)
    }

    /// The names of the classes of the output of this name.
    pub fn class_names_of(&self, output: &str) -> &[String] {
        self.info.class_names.get(output).map_or(&[], Vec::as_slice)
    }

    /// The model with a value that its inputs are made by outside of it, under a name: a vocabulary, the mean and deviation of a
    /// table, any plain data that serde writes. It goes into the model's file, so that who loads the model prepares inputs in the
    /// same way. (What layers can do is a [preprocessing](Model::with_preprocessing), which the model runs itself.)
    ///
    /// ```
    /// use gradus_nn::{Dense, Model, Sequential};
    /// let model = Model::build(Sequential::new().add(Dense::new(1)), [3], 42)?;
    /// let model = model.with_preparation("letters", &["a", "b", "c"])?;
    /// assert_eq!(model.preparation::<Vec<String>>("letters")?[1], "b");
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the value cannot be written as JSON, which has no numbers that are not finite.
    pub fn with_preparation(mut self, name: &str, value: &impl Serialize) -> Result<Self> {
        let value = serde_json::to_value(value).map_err(|error| {
            let problem = format!("{name:?} cannot be written as JSON: {error}");
            Error::new("preparation", problem, "give plain data, whose maps have texts for keys")
        })?;
        self.info.preparations.insert(name.to_owned(), value);
        Ok(self)
    }

    /// The value of this name that the inputs are made by.
    ///
    /// # Errors
    /// If there is none of this name, or it is one of another type.
    pub fn preparation<P: DeserializeOwned>(&self, name: &str) -> Result<P> {
        let Some(value) = self.info.preparations.get(name) else {
            let known: Vec<&str> = self.info.preparations.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let problem = format!("the model has no {name:?}, only {known}");
            return Err(Error::new("preparation", problem, "use a name that with_preparation was given"));
        };
        P::deserialize(value).map_err(|error| {
            let problem = format!("{name:?} is of another type: {error}");
            Error::new("preparation", problem, "read it as the type that was written")
        })
    }
}
