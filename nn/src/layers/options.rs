//! How layers declare their options.

/// Methods that set an option of a layer each.
macro_rules! options {
    ($Name:ident: $($(#[$doc:meta])+ $option:ident: $Type:ty;)*) => {
        impl $Name {
            $(
                $(#[$doc])+
                pub fn $option(self, $option: $Type) -> Self {
                    $Name { $option: $option.into(), ..self }
                }
            )*
        }
    };
}
pub(super) use options;
