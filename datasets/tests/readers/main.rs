//! The tests of data sets, as one program: what they have in common is compiled once.
//!
//!     cargo test --workspace --test readers -- csv::     # those of one file

mod damage;

mod audio;
mod augment;
mod biology;
mod byte_pair;
mod columns;
mod csv;
mod csv_lazy;
mod going_on;
mod idx;
mod idx_lazy;
mod image_folder;
mod images;
mod lazy;
mod mnist;
mod sequences;
mod shares;
mod tables;
mod text;
