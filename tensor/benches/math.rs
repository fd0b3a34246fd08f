//! The vectorised elementary functions against the scalar method: `f32`'s, or `libm`'s where f32 has none.
//!
//! `cargo bench -p gradus-tensor --bench math`. 16,384 elements lie in the cache and make one task, so both columns
//! are one thread's; the result's buffer is part of the vectorised time.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use gradus_tensor::Tensor;

const ELEMENTS: usize = 1 << 14;

fn main() {
    let everywhere = Tensor::linspace(-8.0, 8.0, ELEMENTS);
    let positive = Tensor::linspace(0.01, 100.0, ELEMENTS);
    let mut bench = Bench { criterion: Criterion::default().configure_from_args(), table: Vec::new() };

    bench.compare("exp", &everywhere, |x| x.exp(), f32::exp);
    bench.compare("expm1", &everywhere, |x| x.expm1(), f32::exp_m1);
    bench.compare("ln", &positive, |x| x.ln(), f32::ln);
    bench.compare("ln1p", &positive, |x| x.ln1p(), f32::ln_1p);
    bench.compare("tanh", &everywhere, |x| x.tanh(), f32::tanh);
    bench.compare("sigmoid", &everywhere, |x| x.sigmoid(), |x| 1.0 / (1.0 + (-x).exp()));
    bench.compare("softplus", &everywhere, |x| x.softplus(), |x| x.max(0.0) + (-x.abs()).exp().ln_1p());
    bench.compare("silu", &everywhere, |x| x.silu(), |x| x / (1.0 + (-x).exp()));
    bench.compare("erf", &everywhere, |x| x.erf(), libm::erff);
    bench.compare(
        "gelu",
        &everywhere,
        |x| x.gelu(),
        |x| 0.5 * x * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2)),
    );
    bench.compare(
        "gelu_tanh",
        &everywhere,
        |x| x.gelu_tanh(),
        |x| 0.5 * x * (1.0 + (0.797_884_6 * (x + 0.044_715 * x * x * x)).tanh()),
    );
    bench.compare("sin", &everywhere, |x| x.sin(), f32::sin);
    bench.compare("cos", &everywhere, |x| x.cos(), f32::cos);
    bench.compare("tan", &everywhere, |x| x.tan(), f32::tan);
    let exponent = black_box(1.7);
    bench.compare("pow", &positive, |x| x.pow(exponent), |x| x.powf(exponent));
    bench.report();
}

struct Bench {
    criterion: Criterion,
    /// Name, and nanoseconds an element vectorised and scalar.
    table: Vec<(&'static str, f64, f64)>,
}

impl Bench {
    fn compare(
        &mut self,
        name: &'static str,
        x: &Tensor,
        vectorised: impl Fn(&Tensor) -> Tensor,
        scalar: impl Fn(f32) -> f32,
    ) {
        let input = x.to_vec();
        let mut output = vec![0.0; ELEMENTS];
        let fast = self.measure(name, "vectorised", || drop(black_box(vectorised(black_box(x)))));
        let slow = self.measure(name, "scalar", || {
            for (out, &x) in black_box(&mut output).iter_mut().zip(black_box(&input)) {
                *out = scalar(x);
            }
        });
        if let (Some(fast), Some(slow)) = (fast, slow) {
            self.table.push((name, fast, slow));
        }
    }

    /// Nanoseconds an element, of the fastest sample; none if a filter on the command line left it out.
    fn measure(&mut self, name: &str, kind: &str, mut body: impl FnMut()) -> Option<f64> {
        let mut best = None;
        let mut group = self.criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(ELEMENTS as u64));
        group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1)).sample_size(20);
        group.bench_function(kind, |bencher| {
            bencher.iter_custom(|iterations| {
                let start = Instant::now();
                (0..iterations).for_each(|_| body());
                let time = start.elapsed();
                let each = time.as_secs_f64() * 1e9 / (iterations as f64 * ELEMENTS as f64);
                best = Some(best.map_or(each, |best: f64| best.min(each)));
                time
            });
        });
        group.finish();
        best
    }

    fn report(self) {
        println!("{:<10} {:>12} {:>12} {:>8}", "", "vectorised", "scalar", "ratio");
        for (name, fast, slow) in self.table {
            println!("{name:<10} {fast:>9.2} ns {slow:>9.2} ns {:>8.1}", slow / fast);
        }
        self.criterion.final_summary();
    }
}
