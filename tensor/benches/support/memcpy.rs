//! The bandwidth of operations that memory limits, compared with a memcpy of as many bytes.

use std::hint::black_box;

use criterion::Criterion;
use rayon_core::ThreadPoolBuilder;

use crate::in_turn::medians;

/// An operation: its name, a closure that computes it, and the elements that it reads and writes.
pub type Work = (&'static str, usize, Box<dyn FnMut()>);

/// Criterion's report of the works of each case, then, for one thread and for all, a table of the bandwidth of each and its
/// fraction of that of a memcpy on one thread that moves as many bytes, measured in turn with it.
pub fn report<Case: Sync, const N: usize>(
    cases: &[Case],
    name: impl Fn(&Case) -> &'static str + Sync,
    works: impl Fn(&Case) -> [Work; N] + Sync,
) {
    let mut criterion = Criterion::default().configure_from_args();
    for case in cases {
        let mut group = criterion.benchmark_group(name(case));
        group.sample_size(10);
        for (work, _, mut call) in works(case) {
            group.bench_function(work, |b| b.iter(&mut call));
        }
        group.finish();
    }
    criterion.final_summary();
    let ratios = |threads: usize| {
        println!("\n{threads} threads, as a fraction of memcpy's bandwidth:");
        for case in cases {
            for (work, elements, mut call) in works(case) {
                compare(&format!("{} {work}", name(case)), elements * size_of::<f32>(), &mut call);
            }
        }
    };
    ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(|| ratios(1));
    ratios(rayon_core::current_num_threads());
}

fn compare(name: &str, bytes: usize, work: &mut dyn FnMut()) {
    let (source, mut target) = (vec![1_u8; bytes / 2], vec![0_u8; bytes / 2]);
    let [copy, this] = medians(15, [&mut || black_box(&mut target).copy_from_slice(black_box(&source)), work]);
    println!(
        "{name:48} {:8.3} ms {:6.1} GB/s  {:.2} of {:.1}",
        this * 1e3,
        bytes as f64 / this * 1e-9,
        copy / this,
        bytes as f64 / copy * 1e-9,
    );
}
