//! Sequences of DNA and proteins: readers, and sequences as numbers.
//!
//! | | |
//! |---|---|
//! | [`Fasta`], [`Fastq`] | sequences from files, record by record, plain or gzip'd |
//! | [`OneHot`] | bases or amino acids as rows of numbers |
//! | [`Kmers`] | DNA as the ids or counts of its k-mers |
//! | [`reverse_complement`], [`reverse_complement_one_hot`] | the other strand; [`Augment::reverse_complement`](crate::Augment::reverse_complement) takes it at random |
//! | [`read_pdb`], [`read_mmcif`] | the chains of a protein structure, with a state of secondary structure for each residue |

mod cif;
mod complement;
mod fasta;
mod fastq;
mod kmers;
mod mmcif;
mod one_hot;
mod pdb;
mod structure;

pub use complement::{reverse_complement, reverse_complement_one_hot};
pub use fasta::{Fasta, FastaRecord};
pub use fastq::{Fastq, FastqRecord};
pub use kmers::Kmers;
pub use mmcif::read_mmcif;
pub use one_hot::{Ambiguous, OneHot};
pub use pdb::read_pdb;
pub use structure::Chain;
