//! Sequences and structures as text: readers end at their first error, and records come back from a text that is written of them.
#![no_main]

use gradus_datasets::biology::{Fasta, Fastq, OneHot, read_mmcif, read_pdb, reverse_complement};
use gradus_datasets::{ByteSource, Result};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let [how, bytes @ ..] = bytes else { return };
    let Ok(source) = ByteSource::new(bytes, "fuzz") else { return };
    match how % 4 {
        0 => {
            let Some(records) = all(Fasta::new(source)) else { return };
            let text: String =
                records.iter().map(|r| format!(">{} {}\n{}\n", r.id, r.description, r.sequence)).collect();
            assert_eq!(all(Fasta::new(ByteSource::new(text.as_bytes(), "written").unwrap())), Some(records.clone()));
            for record in &records {
                if let Ok(strand) = reverse_complement(&record.sequence) {
                    assert_eq!(OneHot::dna().encode(&strand).unwrap().shape(), &[record.sequence.len(), 4]);
                }
                let _ = OneHot::protein().encode(&record.sequence);
            }
        }
        1 => {
            let Some(records) = all(Fastq::new(source)) else { return };
            for record in &records {
                assert_eq!(record.sequence.len(), record.quality.len());
            }
        }
        kind => {
            let chains = if kind == 2 { read_pdb(source) } else { read_mmcif(source) };
            for chain in chains.into_iter().flatten() {
                assert!(!chain.sequence.is_empty() && chain.sequence.len() == chain.q3.len());
            }
        }
    }
});

/// All records, or `None` if the last one is an error.
fn all<T>(records: impl Iterator<Item = Result<T>>) -> Option<Vec<T>> {
    let mut records: Vec<Result<T>> = records.collect();
    assert!(records.iter().rev().skip(1).all(Result::is_ok));
    if records.last().is_some_and(Result::is_err) {
        records.pop();
        return None;
    }
    records.into_iter().collect::<Result<Vec<T>>>().ok()
}
