//! Layers over one, two and three spatial axes: one generic struct, and a name for each number of axes.

/// A number for each of `N` axes: an array, or one number for all. So `Conv2D::new(32, 3)` is `Conv2D::new(32, [3, 3])`.
///
/// ```
/// use gradus_nn::PerAxis;
/// assert_eq!(PerAxis::<2>::per_axis(3), [3, 3]);
/// assert_eq!([3, 5].per_axis(), [3, 5]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no number for each of {N} axes",
    label = "give one number for all axes, such as 3, or an array of {N} numbers"
)]
pub trait PerAxis<const N: usize> {
    /// The number of each axis.
    fn per_axis(self) -> [usize; N];
}

impl<const N: usize> PerAxis<N> for [usize; N] {
    fn per_axis(self) -> [usize; N] {
        self
    }
}

impl<const N: usize> PerAxis<N> for usize {
    fn per_axis(self) -> [usize; N] {
        [self; N]
    }
}

/// Names the layer over each number of axes, and implements [`Layer`](crate::layer::Layer) for it by its method
/// `build_spatial`.
///
/// ```text
/// ranks! { Conv:
///     /// The documentation of the layer over two axes.
///     Conv2D = 2;
/// }
/// ```
///
/// `Conv (activation):` is a layer that ends in its option `activation`. Any other only moves, drops or pools elements, and
/// passes on the activation of its input.
///
/// `Layer` is implemented for each N by itself. A generic implementation would be compiled again in every program that
/// uses the layer ([`compiled_here!`](crate::layer::compiled_here)).
macro_rules! ranks {
    ($Layer:ident: $($names:tt)+) => {
        ranks! { $Layer (): $($names)+ }
    };
    ($Layer:ident $activation:tt: $($(#[doc = $about:expr])+ $Name:ident = $N:literal;)+) => {
        $(
            $(#[doc = $about])+
            pub type $Name = $Layer<$N>;

            impl crate::layer::Layer for $Layer<$N> {
                const KIND: &'static str = stringify!($Name);
                crate::layer::compiled_here!();

                fn build<T: gradus_tensor::Float>(
                    &self,
                    build: &mut crate::layer::Build<'_, T>,
                ) -> crate::error::Result<crate::layer::Built<T>> {
                    self.build_spatial(build)
                }

                fn output_activations(
                    &self,
                    inputs: &[Option<crate::activation::Activation>],
                ) -> Vec<Option<crate::activation::Activation>> {
                    ranks!(@activations self, inputs, $activation)
                }
            }
        )+
    };
    (@activations $layer:expr, $inputs:expr, ()) => {
        $inputs.to_vec()
    };
    (@activations $layer:expr, $inputs:expr, ($activation:ident)) => {{
        let _ = $inputs;
        vec![Some($layer.$activation)]
    }};
}
pub(in crate::layers) use ranks;
