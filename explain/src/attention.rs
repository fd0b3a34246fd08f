//! Which positions looked at which.

use gradus_nn::{Model, Result};
use gradus_tensor::{Columns, Float, Tensor};

use crate::colors;
use crate::svg::{Svg, escaped, text_width};

/// The weights of a layer of attention for a batch; see [`attention_maps`].
///
/// ```
/// use gradus_explain::attention_maps;
/// use gradus_nn::{Model, Sequential, TransformerEncoder};
/// use gradus_tensor::Tensor;
/// let model = Model::build(Sequential::new().add(TransformerEncoder::new(16, 2)), [3, 8], 42)?;
/// let maps = attention_maps(&model, Tensor::<f32>::ones([1, 3, 8]))?;
/// // Each row of weights sums up to 1.
/// assert!((maps[0].head(0, 1).sum(-1) - 1.0).abs().max(..).item() < 1e-5);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct AttentionMap<T: Float = f32> {
    /// The layer's path.
    pub path: String,
    /// The weights `[n, heads, queries, keys]`; those of a query sum up to 1.
    pub weights: Tensor<T>,
}

/// The weights of each layer of attention that the model's summary lists, in order: which positions its queries looked at.
///
/// The layers need not give their weights as an output (`return_attention_scores`): they are seen on their way.
///
/// ```
/// use gradus_explain::attention_maps;
/// use gradus_nn::{Model, Sequential, TransformerEncoder};
/// use gradus_tensor::Tensor;
/// let model = Model::build(Sequential::new().add_named("encoder", TransformerEncoder::new(16, 2)), [3, 8], 42)?;
/// let maps = attention_maps(&model, Tensor::<f32>::ones([1, 3, 8]))?;
/// assert_eq!((&*maps[0].path, maps[0].weights.shape()), ("encoder/self_attention", &[1, 2, 3, 3].into()));
/// let words = ["the", "old", "man"];
/// let picture = maps[0].to_svg(&maps[0].mean_of_heads(0), &words, &words);
/// assert!(picture.contains("encoder/self_attention"));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// If the inputs are none of the model's.
pub fn attention_maps<T: Float>(model: &Model<T>, inputs: impl Into<Columns>) -> Result<Vec<AttentionMap<T>>> {
    const KINDS: [&str; 2] = ["MultiHeadAttention", "GroupedQueryAttention"];
    const WEIGHTS: &str = "/attention_scores";
    let layers = model.summary().layers;
    let layers = layers.iter().filter(|layer| KINDS.contains(&layer.kind));
    let paths: Vec<String> = layers.map(|layer| format!("{}{WEIGHTS}", layer.path)).collect();
    let (_, seen) = model.observer().of(paths.iter().map(String::as_str)).predict_all(inputs)?;
    let map = |path: &String| AttentionMap {
        path: path.trim_end_matches(WEIGHTS).to_owned(),
        weights: seen[path].value.clone(),
    };
    Ok(paths.iter().map(map).collect())
}

impl<T: Float> AttentionMap<T> {
    /// The mean over the heads, of one sample: `[queries, keys]`.
    ///
    /// # Panics
    /// If there is no such sample.
    #[track_caller]
    pub fn mean_of_heads(&self, sample: usize) -> Tensor<T> {
        self.weights.select(0, sample as isize).mean(0)
    }

    /// One head of one sample: `[queries, keys]`.
    ///
    /// # Panics
    /// If there is no such sample or head.
    #[track_caller]
    pub fn head(&self, sample: usize, head: usize) -> Tensor<T> {
        self.weights.select(0, sample as isize).select(0, head as isize)
    }

    /// Draws weights `[queries, keys]` as an SVG file: a row for each query, a column for each key; the darker, the more it looked
    /// there. The weights are those of [`mean_of_heads`](AttentionMap::mean_of_heads) or [`head`](AttentionMap::head), or sums of
    /// them, such as over the pieces of a word.
    ///
    /// # Panics
    /// If there is not a name for each row and column.
    #[track_caller]
    pub fn to_svg(&self, weights: &Tensor<T>, queries: &[impl AsRef<str>], keys: &[impl AsRef<str>]) -> String {
        const CELL: f64 = 34.0;
        const SMALL: f64 = 11.0;
        if *weights.shape() != [queries.len(), keys.len()] {
            let (rows, columns) = (queries.len(), keys.len());
            panic!("to_svg: {rows} names of queries and {columns} of keys are given for weights {}", weights.shape());
        }
        let longest =
            |names: &mut dyn Iterator<Item = &str>| names.map(|name| text_width(name, 14.0)).fold(40.0, f64::max);
        let left = longest(&mut queries.iter().map(AsRef::as_ref)) + 24.0;
        let top = longest(&mut keys.iter().map(AsRef::as_ref)) + 56.0;
        let (width, height) = (CELL * keys.len() as f64, CELL * queries.len() as f64);
        let title = format!("Attention of {}", self.path);
        let legend = top + height + 18.0;
        let all = (left + width + 24.0).max(text_width(&title, 16.0) + 40.0).max(left + 260.0);
        let mut svg = Svg::new(all, legend + 44.0);
        svg.text(16.0, 28.0, 16.0, "start", &title);
        for (column, key) in keys.iter().enumerate() {
            let (x, y) = (left + CELL * (column as f64 + 0.5) + 4.0, top - 8.0);
            let name = escaped(key.as_ref());
            svg.push(&format!(
                "<text transform=\"translate({x:.1} {y:.1}) rotate(-90)\" font-size=\"14\">{name}</text>"
            ));
        }
        for (row, query) in queries.iter().enumerate() {
            let y = top + CELL * row as f64;
            svg.text(left - 8.0, y + CELL / 2.0 + 5.0, 14.0, "end", query.as_ref());
            for column in 0..keys.len() {
                let weight = weights.get([row, column]).as_f64();
                let (x, share) = (left + CELL * column as f64, colors::share(weight));
                svg.rect(x, y, CELL - 2.0, CELL - 2.0, &colors::hex(colors::amount(share)));
                if weight >= 0.1 {
                    let ink = if share > 0.6 { "#ffffff" } else { "#222222" };
                    let percent = format!("{:.0}%", 100.0 * weight);
                    svg.inked(x + CELL / 2.0 - 1.0, y + CELL / 2.0 + 3.0, SMALL, "middle", ink, &percent);
                }
            }
        }
        let steps: Vec<[u8; 3]> = (0..=20).map(|step| colors::amount(colors::share(f64::from(step) / 20.0))).collect();
        svg.legend(left, legend, &steps, ["0%", "of the attention of a row", "100%"]);
        svg.finish()
    }
}
