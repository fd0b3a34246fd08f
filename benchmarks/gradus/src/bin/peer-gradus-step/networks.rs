//! The networks whose training step is timed on made-up data. `networks.py` describes the same ones for the Python peers.

use gradus::prelude::*;

/// What a network is trained for.
pub enum Task {
    /// One of so many classes, by logits.
    Classes(i64),
    /// Yes or no for each number of the output, by logits.
    Bits,
    /// Numbers, by mean squared error.
    Numbers,
}

pub struct Network {
    /// The shape of a sample.
    pub input: Vec<usize>,
    /// With an embedding, a sample is a row of ids from 0 to this number.
    pub ids: Option<i64>,
    pub batch: usize,
    /// Batches in memory, which a pass goes through.
    pub steps: usize,
    pub task: Task,
    /// The shape of a sample's target; one class has none.
    pub target: Vec<usize>,
    /// Adam with decay of the weights.
    pub adamw: bool,
    pub layers: Sequential,
}

impl Network {
    /// A classifier for ten classes, trained by Adam; eight batches.
    fn new(input: impl Into<Vec<usize>>, batch: usize, layers: Sequential) -> Self {
        let (input, task) = (input.into(), Task::Classes(10));
        Network { input, ids: None, batch, steps: 8, task, target: vec![], adamw: false, layers }
    }

    fn steps(self, steps: usize) -> Self {
        Network { steps, ..self }
    }

    fn ids(self, ids: i64) -> Self {
        Network { ids: Some(ids), ..self }
    }

    fn adamw(self) -> Self {
        Network { adamw: true, ..self }
    }

    fn task(self, task: Task, target: impl Into<Vec<usize>>) -> Self {
        Network { task, target: target.into(), ..self }
    }

    pub fn named(name: &str) -> Option<Self> {
        let network = match name {
            "resnet20" => Network::new([32, 32, 3], 128, resnet20()).steps(4),
            "mobile" => Network::new([96, 96, 3], 32, mobile()),
            "series" => Network::new([1024, 8], 64, series()),
            "wide" => Network::new([1024], 256, wide()),
            "tabular" => Network::new([256], 128, tabular()).steps(50),
            "tiny" => Network::new([13], 16, tiny()).task(Task::Numbers, [1]).steps(50),
            "autoencoder" => Network::new([784], 128, autoencoder()).task(Task::Numbers, [784]).steps(20),
            "conv_autoencoder" => Network::new([32, 32, 3], 64, conv_autoencoder()).task(Task::Numbers, [32, 32, 3]),
            "unet" => Network::new([64, 64, 3], 16, unet()).task(Task::Bits, [64, 64, 1]),
            "video" => Network::new([16, 32, 32, 3], 8, video()),
            "embedding" => Network::new([128], 64, embedding()).ids(10_000).steps(20),
            "lstm" => Network::new([80], 32, recurrent(LSTM::new(128))).ids(20_000),
            "gru" => Network::new([80], 32, recurrent(GRU::new(128))).ids(20_000),
            "transformer" => Network::new([64, 256], 32, transformer()),
            "gpt" => Network::new([128], 16, gpt()).ids(256).task(Task::Classes(256), [128]).steps(4).adamw(),
            _ => return None,
        };
        Some(network)
    }
}

fn hidden(units: usize) -> Dense {
    Dense::new(units).activation(Activation::Relu)
}

/// A convolution with ReLU over N axes.
fn conv<const N: usize>(filters: usize, size: usize, stride: usize) -> Conv<N> {
    Conv::new(filters, [size; N]).strides([stride; N]).padding(Padding::Same).activation(Activation::Relu)
}

/// A convolution of pictures and a batch normalisation, behind the layers there are.
fn add_conv_norm(layers: Sequential, filters: usize, size: usize, stride: usize) -> Sequential {
    let conv: Conv2D = conv(filters, size, stride).activation(Activation::Linear).use_bias(false);
    layers.add(conv).add(BatchNormalization::new())
}

fn residual(filters: usize, stride: usize) -> Residual {
    let body = add_conv_norm(Sequential::new(), filters, 3, stride).add(Activation::Relu);
    let block = Residual::new(add_conv_norm(body, filters, 3, 1)).activation(Activation::Relu);
    if stride == 1 { block } else { block.shortcut(add_conv_norm(Sequential::new(), filters, 1, stride)) }
}

fn resnet20() -> Sequential {
    let mut layers = add_conv_norm(Sequential::new(), 16, 3, 1).add(Activation::Relu);
    for (filters, first_stride) in [(16, 1), (32, 2), (64, 2)] {
        for stride in [first_stride, 1, 1] {
            layers = layers.add(residual(filters, stride));
        }
    }
    layers.add(GlobalAveragePooling2D::new()).add(Dense::new(10))
}

fn mobile() -> Sequential {
    let mut layers = add_conv_norm(Sequential::new(), 32, 3, 2).add(Activation::Relu);
    for (filters, stride) in [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] {
        let depthwise = DepthwiseConv2D::new([3, 3]).strides([stride; 2]).padding(Padding::Same).use_bias(false);
        layers = layers.add(depthwise).add(BatchNormalization::new()).add(Activation::Relu);
        layers = add_conv_norm(layers, filters, 1, 1).add(Activation::Relu);
    }
    layers.add(GlobalAveragePooling2D::new()).add(Dense::new(10))
}

fn series() -> Sequential {
    Sequential::new()
        .add(conv::<1>(64, 7, 2))
        .add(conv::<1>(128, 5, 2))
        .add(conv::<1>(128, 3, 1))
        .add(GlobalMaxPooling1D::new())
        .add(Dense::new(10))
}

fn wide() -> Sequential {
    Sequential::new().add(hidden(1024)).add(hidden(1024)).add(Dense::new(10))
}

fn tabular() -> Sequential {
    let mut layers = Sequential::new();
    for _ in 0..2 {
        layers = layers.add(Dense::new(512)).add(BatchNormalization::new()).add(Activation::Relu).add(Dropout::new(0.5));
    }
    layers.add(Dense::new(10))
}

fn tiny() -> Sequential {
    Sequential::new().add(hidden(64)).add(hidden(32)).add(Dense::new(1))
}

fn autoencoder() -> Sequential {
    Sequential::new().add(hidden(256)).add(hidden(64)).add(hidden(256)).add(Dense::new(784))
}

fn recurrent(layer: impl Layer) -> Sequential {
    Sequential::new().add(Embedding::new(20_000, 128)).add(&LayerHandle::new(layer)).add(Dense::new(10))
}

fn transposed(filters: usize, size: usize) -> Conv2DTranspose {
    Conv2DTranspose::new(filters, [size; 2]).strides([2, 2]).padding(Padding::Same).activation(Activation::Relu)
}

fn conv_autoencoder() -> Sequential {
    Sequential::new()
        .add(conv::<2>(32, 3, 2))
        .add(conv::<2>(64, 3, 2))
        .add(transposed(32, 3))
        .add(transposed(16, 3))
        .add(conv::<2>(3, 3, 1).activation(Activation::Linear))
}

/// Two convolutions; what `inner` makes of their output at half the size, beside it; two convolutions.
fn unet_level(filters: usize, inner: Sequential) -> Sequential {
    let mut graph = Graph::builder();
    let input = graph.input();
    let first = graph.add(conv::<2>(filters, 3, 1), [input]);
    let second = graph.add(conv::<2>(filters, 3, 1), [first]);
    let half = graph.add(MaxPooling2D::new([2, 2]), [second]);
    let inside = graph.add(inner, [half]);
    let up = graph.add(transposed(filters, 2), [inside]);
    let both = graph.add(Concatenate::new(), [second, up]);
    let third = graph.add(conv::<2>(filters, 3, 1), [both]);
    let last = graph.add(conv::<2>(filters, 3, 1), [third]);
    Sequential::new().add(graph.output(last))
}

fn unet() -> Sequential {
    let bottom = Sequential::new().add(conv::<2>(64, 3, 1)).add(conv::<2>(64, 3, 1));
    unet_level(16, unet_level(32, bottom)).add(conv::<2>(1, 1, 1).activation(Activation::Linear))
}

fn video() -> Sequential {
    Sequential::new()
        .add(conv::<3>(16, 3, 1))
        .add(MaxPooling3D::new([2, 2, 2]))
        .add(conv::<3>(32, 3, 1))
        .add(MaxPooling3D::new([2, 2, 2]))
        .add(conv::<3>(64, 3, 1))
        .add(GlobalAveragePooling3D::new())
        .add(Dense::new(10))
}

fn embedding() -> Sequential {
    Sequential::new()
        .add(Embedding::new(10_000, 64))
        .add(GlobalAveragePooling1D::new())
        .add(hidden(64))
        .add(Dense::new(10))
}

fn transformer() -> Sequential {
    let mut layers = Sequential::new();
    for _ in 0..2 {
        let wide = Dense::new(4 * 256).activation(Activation::Gelu);
        layers = layers.add(Residual::new(Sequential::new().add(LayerNormalization::new()).add(wide).add(Dense::new(256))));
    }
    layers.add(GlobalAveragePooling1D::new()).add(Dense::new(10))
}

pub fn gpt() -> Sequential {
    let mut layers = Sequential::new().add(TokenAndPositionEmbedding::new(256, 128, 128));
    for _ in 0..4 {
        let block = TransformerDecoder::new(4 * 128, 4).activation(Activation::GeluTanh).normalize_first(true);
        layers = layers.add(block);
    }
    layers.add(LayerNormalization::new()).add(Dense::new(256))
}
