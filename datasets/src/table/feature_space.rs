//! What a table's columns become, before it is known what they hold.

use super::feature::Feature;
use super::preparation::{Part, Preparation};
use super::target::{AdaptedTarget, Target};
use super::{Table, TableColumn};
use crate::error::{DatasetError, Result};

/// What the columns of a table become: features, inputs of ids, a target. [`adapt`](FeatureSpace::adapt) looks at a table to train
/// on, and returns a [`Preparation`], which makes inputs and targets of any table in the same way. This is Keras's `FeatureSpace`.
///
/// | a column of | becomes by | |
/// |---|---|---|
/// | numbers | [`Number`](crate::Number) | a number, scaled; perhaps whether it was missing |
/// | numbers | [`Discretization`](crate::Discretization) | the bin that it falls into |
/// | categories | [`Category`](crate::Category) | a number for each category; or ids |
/// | dates | [`Date`](crate::Date) | days, the time of the year, the day of the week |
/// | texts | [`TextVectorization`](crate::TextVectorization) | a number for each word; or ids |
///
/// ```
/// use gradus_datasets::{Category, FeatureSpace, Number, Table, TableColumn, Target};
/// use gradus_tensor::Tensor;
/// let table = Table::new([
///     ("age", TableColumn::from([20.0, 40.0])),
///     ("city", TableColumn::from(["Rome", "Paris"])),
///     ("stays", TableColumn::from(["no", "yes"])),
/// ])?;
/// let preparation = FeatureSpace::new()
///     .feature("age", Number::standard())
///     .feature("city", Category::one_hot())
///     .target("stays", Target::binary())
///     .adapt(&table)?;
/// let data = preparation.dataset(&table)?;
/// assert_eq!(data.inputs()[0].to::<f32>(), Tensor::new([[-1.0, 1.0, 0.0], [1.0, 0.0, 1.0]]));
/// assert_eq!(data.targets()[0].to::<f32>(), Tensor::new([[0.0], [1.0]]));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct FeatureSpace {
    features: Vec<(Vec<String>, Feature)>,
    target: Option<(String, Target)>,
}

impl FeatureSpace {
    /// A space without features.
    pub fn new() -> Self {
        FeatureSpace::default()
    }

    /// A feature of a column. A column may have several.
    pub fn feature(mut self, column: impl Into<String>, feature: impl Into<Feature>) -> Self {
        self.features.push((vec![column.into()], feature.into()));
        self
    }

    /// The same feature of each of these columns.
    ///
    /// ```
    /// use gradus_datasets::{FeatureSpace, Number};
    /// let space = FeatureSpace::new().features(["length", "width"], Number::standard());
    /// ```
    pub fn features(
        self,
        columns: impl IntoIterator<Item = impl Into<String>>,
        feature: impl Into<Feature> + Clone,
    ) -> Self {
        columns.into_iter().fold(self, |space, column| space.feature(column, feature.clone()))
    }

    /// A feature of what columns hold together, such as the weekday and the hour: their texts are joined, and are a category.
    ///
    /// ```
    /// use gradus_datasets::{Category, FeatureSpace, Table, TableColumn};
    /// let table = Table::new([("a", TableColumn::from(["x", "y"])), ("b", TableColumn::from([1.0, 2.0]))])?;
    /// let preparation = FeatureSpace::new().cross(["a", "b"], Category::one_hot()).adapt(&table)?;
    /// assert_eq!(preparation.feature_names(), ["a_b = y_2", "a_b = x_1"]);
    /// # Ok::<(), gradus_datasets::DatasetError>(())
    /// ```
    pub fn cross(mut self, columns: impl IntoIterator<Item = impl Into<String>>, category: super::Category) -> Self {
        self.features.push((columns.into_iter().map(Into::into).collect(), category.into()));
        self
    }

    /// The column that is predicted.
    pub fn target(self, column: impl Into<String>, target: Target) -> Self {
        FeatureSpace { target: Some((column.into(), target)), ..self }
    }

    /// Looks at a table to train on: the means and deviations of its numbers, its categories, what stands for what is missing.
    ///
    /// # Errors
    /// If there is no feature, a column is missing, or holds what its feature cannot take.
    pub fn adapt(&self, table: &Table) -> Result<Preparation> {
        if self.features.is_empty() {
            let hint = "add some by `feature`";
            return Err(DatasetError::new("a feature space without features", "at least one", hint));
        }
        let adapt = |(columns, feature): &(Vec<String>, Feature)| {
            if let Some((target, _)) = self.target.as_ref().filter(|(target, _)| columns.contains(target)) {
                let found = format!("the column {target:?} as a feature and as the target");
                return Err(DatasetError::new(found, "another one to predict from", "leave the feature out"));
            }
            let column = joined(table, columns)?;
            let adapted = feature.adapt(&column).map_err(|error| error.in_column(columns.join("_")))?;
            Ok(Part::new(columns.clone(), adapted))
        };
        let parts: Result<Vec<Part>> = self.features.iter().map(adapt).collect();
        let target: Option<Result<(String, AdaptedTarget)>> = self.target.as_ref().map(|(column, target)| {
            let adapted = target.adapt(table.column(column)?).map_err(|error| error.in_column(column))?;
            Ok((column.clone(), adapted))
        });
        Preparation::new(parts?, target.transpose()?)
    }
}

/// A column of a table, or what several hold together.
pub(super) fn joined(table: &Table, columns: &[String]) -> Result<TableColumn> {
    match columns {
        [column] => table.column(column).cloned(),
        [] => Err(DatasetError::new("a cross of no columns", "at least one", "name the columns")),
        columns => {
            let columns: Result<Vec<_>> = columns.iter().map(|column| table.texts(column)).collect();
            let columns = columns?;
            let row = |row: usize| columns.iter().map(|texts| texts.get(row)).collect::<Vec<_>>().join("_");
            Ok(TableColumn::Texts((0..table.len()).map(row).collect()))
        }
    }
}
