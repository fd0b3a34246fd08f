//! The tests of layers, losses and models, as one program: what they have in common is compiled once.
//!
//!     cargo test --workspace --test suite -- losses::     # those of one file

mod activations;
mod activations_and_losses;
mod attention;
mod constraints;
mod ctc;
mod functional;
mod generation;
mod graphs;
mod lambda;
mod layers;
mod losses;
mod masks;
mod messages;
mod model_files;
mod models;
mod observer;
mod parts;
mod recurrent;
mod shards;
mod spatial;
mod sub_models;
mod triplet;
