//! Which columns of a table a model relies on.

use std::fmt;

use gradus_tensor::{Element, Generator, Tensor};

/// Permutation importance: how much worse a score is when one column is shuffled, so that it says nothing any more of its row. Breiman
/// 2001, "Random Forests", section 10; scikit-learn's `permutation_importance`.
///
/// The score is any function of the table that is larger for a better model, such as accuracy, or the loss with a minus. It is best
/// taken of data that the model was not trained on. Of two columns that say the same, each may look unimportant.
///
/// ```
/// use gradus_explain::PermutationImportance;
/// use gradus_tensor::Tensor;
/// // A model that looks at the first column alone.
/// let table = Tensor::from_iter((0..40).map(|i| (i * 7 % 40) as f32)).reshape([20, 2]);
/// let truth = table.select(1, 0);
/// let importances = PermutationImportance::new()
///     .names(["age", "height"])
///     .of(&table, |table| Ok::<_, String>(-f64::from((table.select(1, 0) - &truth).square().mean(..).item())))?;
/// assert_eq!(importances.ranked()[0].name, "age");
/// assert_eq!(importances["height"].mean, 0.0);
/// println!("{importances}");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug)]
pub struct PermutationImportance {
    repeats: usize,
    seed: u64,
    names: Vec<String>,
}

/// How much each column matters, in the order of the columns. Printed, the most important is the first.
///
/// ```
/// use gradus_explain::PermutationImportance;
/// use gradus_tensor::Tensor;
/// let table = Tensor::from_iter((0..40).map(|i| (i * 7 % 40) as f32)).reshape([20, 2]);
/// let truth = table.select(1, 0);
/// let score = |table: &Tensor| Ok::<_, String>(-f64::from((table.select(1, 0) - &truth).square().mean(..).item()));
/// let importances = PermutationImportance::new().of(&table, score)?;
/// // The score of the table as it is: nothing is wrong.
/// assert_eq!(importances.score, 0.0);
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Importances {
    /// The score of the table as it is.
    pub score: f64,
    list: Vec<Importance>,
}

/// How much a column matters.
///
/// ```
/// use gradus_explain::PermutationImportance;
/// use gradus_tensor::Tensor;
/// let table = Tensor::from_iter((0..40).map(|i| (i * 7 % 40) as f32)).reshape([20, 2]);
/// let truth = table.select(1, 0);
/// let score = |table: &Tensor| Ok::<_, String>(-f64::from((table.select(1, 0) - &truth).square().mean(..).item()));
/// let importances = PermutationImportance::new().repeats(3).of(&table, score)?;
/// let first = &importances.ranked()[0];
/// assert_eq!((first.column, first.losses.len()), (0, 3));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Importance {
    /// The column's name; its number by default.
    pub name: String,
    /// Its place in the table.
    pub column: usize,
    /// The mean of the losses of score.
    pub mean: f64,
    /// Their standard deviation, as scikit-learn's: the root of the mean of the squared deviations.
    pub std: f64,
    /// The loss of score of each repeat: the score less that of the shuffled table.
    pub losses: Vec<f64>,
}

impl PermutationImportance {
    /// Each column is shuffled 5 times, from the seed 0.
    pub fn new() -> Self {
        PermutationImportance { repeats: 5, seed: 0, names: Vec::new() }
    }

    /// How often each column is shuffled; 5 times by default.
    ///
    /// # Panics
    /// If never.
    #[track_caller]
    pub fn repeats(self, repeats: usize) -> Self {
        assert!(repeats > 0, "repeats: a column is shuffled at least once, found 0");
        PermutationImportance { repeats, ..self }
    }

    /// The seed of the shuffling; 0 by default.
    pub fn seed(self, seed: u64) -> Self {
        PermutationImportance { seed, ..self }
    }

    /// The names of the columns in order.
    pub fn names(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        PermutationImportance { names: names.into_iter().map(Into::into).collect(), ..self }
    }

    /// The importance of each column of a table `[n, columns]`, or `[n, columns, ..]`, for a score.
    ///
    /// # Errors
    /// That of the score.
    ///
    /// # Panics
    /// If the table has no columns, or names are given and not one for each.
    #[track_caller]
    pub fn of<X: Element, E>(
        &self,
        table: &Tensor<X>,
        mut score: impl FnMut(&Tensor<X>) -> Result<f64, E>,
    ) -> Result<Importances, E> {
        let &[rows, columns, ..] = &table.shape()[..] else {
            panic!("PermutationImportance: a table [n, columns] is needed, found {}", table.shape());
        };
        if !self.names.is_empty() && self.names.len() != columns {
            panic!("PermutationImportance: {} names are given for {columns} columns", self.names.len());
        }
        let mut generator = Generator::new(self.seed);
        let whole = score(table)?;
        let mut list = Vec::with_capacity(columns);
        for column in 0..columns {
            let mut losses = Vec::with_capacity(self.repeats);
            for _ in 0..self.repeats {
                let order = generator.permutation(rows);
                let place = column as isize;
                let shuffled = table.slice(1, place..place + 1).index_select(0, &order);
                let (before, behind) = (table.slice(1, ..place), table.slice(1, place + 1..));
                losses.push(whole - score(&Tensor::concat(&[before, shuffled, behind], 1))?);
            }
            let count = losses.len() as f64;
            let mean = losses.iter().sum::<f64>() / count;
            let std = (losses.iter().map(|loss| (loss - mean).powi(2)).sum::<f64>() / count).sqrt();
            let name = self.names.get(column).cloned().unwrap_or_else(|| column.to_string());
            list.push(Importance { name, column, mean, std, losses });
        }
        Ok(Importances { score: whole, list })
    }
}

impl Default for PermutationImportance {
    fn default() -> Self {
        PermutationImportance::new()
    }
}

impl Importances {
    /// The columns in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, Importance> {
        self.list.iter()
    }

    /// The columns, the most important first.
    pub fn ranked(&self) -> Vec<&Importance> {
        let mut ranked: Vec<&Importance> = self.list.iter().collect();
        // What is not a number comes last.
        ranked.sort_by(|a, b| a.mean.is_nan().cmp(&b.mean.is_nan()).then(b.mean.total_cmp(&a.mean)));
        ranked
    }
}

impl std::ops::Index<&str> for Importances {
    type Output = Importance;

    /// The column of this name.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    fn index(&self, name: &str) -> &Importance {
        self.list.iter().find(|importance| importance.name == name).unwrap_or_else(|| {
            let names: Vec<&str> = self.list.iter().map(|importance| &*importance.name).collect();
            panic!("Importances: no column is named {name:?}, only {}", names.join(", "))
        })
    }
}

impl fmt::Display for Importances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BAR: f64 = 24.0;
        let width = self.list.iter().map(|importance| importance.name.chars().count()).fold(6, usize::max);
        let most = self.list.iter().map(|importance| importance.mean).fold(0.0, f64::max);
        writeln!(f, "{:width$}  {:>10}   {:<10}", "Column", "Importance", "Std")?;
        for Importance { name, mean, std, .. } in self.ranked() {
            let bar = if *mean > 0.0 { "#".repeat((BAR * mean / most).round() as usize) } else { String::new() };
            writeln!(f, "{}", format!("{name:width$}  {mean:>10.4} ± {std:<10.4}  {bar}").trim_end())?;
        }
        // The sum makes 0 of -0.
        write!(f, "How much the score {:.4} falls when a column is shuffled", self.score + 0.0)
    }
}
