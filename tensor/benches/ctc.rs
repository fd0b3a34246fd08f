//! The loss of connectionist temporal classification: forward alone, with its gradient, and what reads strings.
//!
//! `cargo bench -p gradus-tensor --bench ctc`. For one thread and for all, it times a log-softmax of the same logits beside them,
//! in turn: the table has ms, and how many log-softmaxes each takes. `benchmarks/run.py --network ctc` times other libraries.

use std::hint::black_box;

use gradus_tensor::{Generator, Tensor};

#[path = "support/in_turn.rs"]
mod in_turn;

use in_turn::medians;

const SAMPLES: usize = 32;
const FRAMES: usize = 200;
const CLASSES: usize = 30;
const LABELS: usize = 40;

fn report(threads: usize) {
    let logits: Tensor = Generator::new(1).normal([SAMPLES, FRAMES, CLASSES], 0.0, 1.0);
    let mut generator = Generator::new(2);
    let targets: Vec<Vec<usize>> = (0..SAMPLES)
        .map(|_| generator.integers([LABELS], 1..CLASSES as i64).iter().map(|label: i64| label as usize).collect())
        .collect();
    let times = medians(
        60,
        [
            &mut || _ = black_box(logits.log_softmax(-1)),
            &mut || _ = black_box(logits.ctc_loss(None, &targets, 0)),
            &mut || _ = black_box(logits.ctc_loss_and_gradient(None, &targets, 0)),
            &mut || _ = black_box(logits.ctc_align(None, &targets, 0)),
            &mut || _ = black_box(logits.ctc_greedy_decode(None, 0)),
        ],
    );
    let names = ["log-softmax", "loss", "loss and gradient", "best alignment", "greedy decoding"];
    println!("\n[{SAMPLES}, {FRAMES}, {CLASSES}], {LABELS} labels, {threads} thread(s)");
    for (name, time) in names.iter().zip(times) {
        println!("{name:>20} {:8.3} ms {:6.1}", time * 1e3, time / times[0]);
    }
}

fn main() {
    for threads in [1, rayon_core::current_num_threads()] {
        let pool = rayon_core::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| report(threads));
    }
}
