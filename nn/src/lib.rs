//! Layers, activations, initialisers, losses and models.
#![forbid(unsafe_code)]
