//! The layers, one file each, and the list of them.

// Not in the list below: no file holds a function, so `LayerKinds` does not read it.
mod lambda;
mod support;

pub use lambda::Lambda;
pub use support::{Padding, PerAxis};

use crate::graph::Graph;
use crate::layer::LayerKinds;
use crate::sequential::Sequential;

/// Makes of each line `file: Layer, ..;` the module, the exports, and the entries in [`LayerKinds::standard`]. Items that a
/// file exports besides its layers stand in parentheses: `file (Item, ..): Layer, ..;`.
macro_rules! layers {
    ($($file:ident $(($($Item:ident),+))?: $($Layer:ident),+;)+) => {
        $(
            mod $file;
            pub use $file::{$($($Item,)+)? $($Layer),+};
        )+

        impl LayerKinds {
            /// The layers of this crate.
            pub fn standard() -> Self {
                LayerKinds::none().with::<Graph>().with::<Sequential>()$($(.with::<$Layer>())+)+
            }
        }
    };
}

layers! {
    activation: Activation;
    adaptive_pool (AdaptiveAveragePooling, AdaptiveMaxPooling):
        AdaptiveAveragePooling1D, AdaptiveAveragePooling2D, AdaptiveAveragePooling3D,
        AdaptiveMaxPooling1D, AdaptiveMaxPooling2D, AdaptiveMaxPooling3D;
    batch_normalization (BatchNorm): BatchNormalization;
    bidirectional (MergeMode): Bidirectional;
    category_encoding (CategoryMode): CategoryEncoding;
    center_crop: CenterCrop;
    concatenate: Concatenate;
    conv (Conv): Conv1D, Conv2D, Conv3D;
    conv_transpose (ConvTranspose): Conv1DTranspose, Conv2DTranspose, Conv3DTranspose;
    cropping (Cropping): Cropping1D, Cropping2D, Cropping3D;
    dense: Dense;
    depthwise_conv (DepthwiseConv): DepthwiseConv1D, DepthwiseConv2D;
    dropout: Dropout;
    elu: ELU;
    embedding: Embedding;
    flatten: Flatten;
    gaussian: GaussianDropout, GaussianNoise;
    global_pool (GlobalAveragePooling, GlobalMaxPooling):
        GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D,
        GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D;
    group_normalization (GroupNorm): GroupNormalization;
    gru: GRU;
    grouped_query_attention: GroupedQueryAttention;
    identity: Identity;
    instance_normalization (InstanceNorm): InstanceNormalization;
    layer_normalization (LayerNorm): LayerNormalization;
    leaky_relu: LeakyReLU;
    masking: Masking;
    lstm: LSTM;
    merge: Add, Average, Maximum, Minimum, Multiply, Subtract;
    multi_head_attention: MultiHeadAttention;
    normalization: Normalization;
    padding (ReflectionPadding, ReplicationPadding, ZeroPadding):
        ReflectionPadding1D, ReflectionPadding2D, ReflectionPadding3D,
        ReplicationPadding1D, ReplicationPadding2D, ReplicationPadding3D,
        ZeroPadding1D, ZeroPadding2D, ZeroPadding3D;
    permute: Permute;
    pool (AveragePooling, MaxPooling):
        AveragePooling1D, AveragePooling2D, AveragePooling3D, MaxPooling1D, MaxPooling2D, MaxPooling3D;
    positions: PositionEmbedding, RotaryEmbedding, SinePositionEncoding, TokenAndPositionEmbedding;
    prelu: PReLU;
    relu: ReLU;
    repeat_vector: RepeatVector;
    rescaling: Rescaling;
    reshape: Reshape;
    residual: Residual;
    resizing: Resizing;
    reversible_embedding: ReversibleEmbedding;
    rms_normalization (RMSNorm): RMSNormalization;
    separable_conv (SeparableConv): SeparableConv1D, SeparableConv2D;
    simple_rnn: SimpleRNN;
    softmax: Softmax;
    spatial_dropout (SpatialDropout): SpatialDropout1D, SpatialDropout2D, SpatialDropout3D;
    time_distributed: TimeDistributed;
    transformer: TransformerDecoder, TransformerEncoder;
    unit_normalization: UnitNormalization;
    up_sampling (Interpolation, UpSampling): UpSampling1D, UpSampling2D, UpSampling3D;
}
