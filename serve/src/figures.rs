//! What has happened so far, in Prometheus's text format.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The bounds of the buckets of latencies, in seconds.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
/// The bounds of the buckets of samples in a batch.
const SAMPLES: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// Counters and histograms of a server.
pub(crate) struct Figures {
    model: String,
    since: Instant,
    /// Requests by status code.
    requests: Mutex<BTreeMap<u16, u64>>,
    turned_away: AtomicU64,
    seconds: Histogram<14>,
    batches: Histogram<11>,
}

impl Figures {
    pub(crate) fn new(model: &str) -> Self {
        Figures {
            model: model.to_owned(),
            since: Instant::now(),
            requests: Mutex::default(),
            turned_away: AtomicU64::new(0),
            seconds: Histogram::new(SECONDS),
            batches: Histogram::new(SAMPLES),
        }
    }

    /// A request has been answered with this status, and after this time if it asked for a prediction.
    pub(crate) fn request(&self, status: u16, duration: Option<Duration>) {
        *self.requests.lock().unwrap_or_else(PoisonError::into_inner).entry(status).or_default() += 1;
        duration.into_iter().for_each(|duration| self.seconds.observe(duration.as_secs_f64()));
    }

    /// A connection found no place.
    pub(crate) fn turned_away(&self) {
        self.turned_away.fetch_add(1, Relaxed);
    }

    /// A batch of so many samples has been predicted.
    pub(crate) fn batch(&self, samples: usize) {
        self.batches.observe(samples as f64);
    }

    /// All figures as Prometheus reads them.
    pub(crate) fn text(&self, now: Now) -> String {
        let mut text = String::new();
        // A model's name needs no escapes.
        let model = format!("model=\"{}\"", self.model);
        let mut figure = |name: &str, kind: &str, about: &str, lines: String| {
            let _ = writeln!(text, "# HELP gradus_{name} {about}\n# TYPE gradus_{name} {kind}\n{lines}");
        };
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let of_status = |(code, count)| format!("gradus_requests_total{{{model},code=\"{code}\"}} {count}");
        let requests = requests.iter().map(of_status).collect::<Vec<_>>().join("\n");
        let about = "Requests to predict, and refused ones, by status code; 499 if the client did not wait.";
        figure("requests_total", "counter", about, requests);
        let turned_away = format!("gradus_connections_turned_away_total{{{model}}} {}", self.turned_away.load(Relaxed));
        figure("connections_turned_away_total", "counter", "Connections above the bound.", turned_away);
        let samples = format!("gradus_samples_total{{{model}}} {}", self.batches.sum());
        figure("samples_total", "counter", "Samples predicted.", samples);
        let gauge = |name: &str, value: usize| format!("gradus_{name}{{{model}}} {value}");
        figure("queue_length", "gauge", "Requests that wait.", gauge("queue_length", now.waiting));
        figure("connections", "gauge", "Open connections.", gauge("connections", now.connections));
        figure("request_bytes", "gauge", "Memory that requests take.", gauge("request_bytes", now.bytes));
        let batches = self.batches.lines("gradus_batch_samples", &model);
        figure("batch_samples", "histogram", "Samples in a batch.", batches);
        let seconds = self.seconds.lines("gradus_request_seconds", &model);
        figure("request_seconds", "histogram", "Seconds from the head of a request to its answer.", seconds);
        let uptime = format!("gradus_uptime_seconds{{{model}}} {}", self.since.elapsed().as_secs_f64());
        figure("uptime_seconds", "gauge", "Seconds since the start.", uptime);
        text
    }
}

/// What is counted elsewhere, as it is when the figures are asked for.
pub(crate) struct Now {
    pub(crate) waiting: usize,
    pub(crate) connections: usize,
    pub(crate) bytes: usize,
}

/// How many observations lie at most at each bound, and their sum.
struct Histogram<const N: usize> {
    bounds: [f64; N],
    counts: [AtomicU64; N],
    count: AtomicU64,
    /// In millionths, so that it can be added to atomically.
    sum: AtomicU64,
}

impl<const N: usize> Histogram<N> {
    fn new(bounds: [f64; N]) -> Self {
        Histogram {
            bounds,
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            count: AtomicU64::new(0),
            sum: AtomicU64::new(0),
        }
    }

    fn observe(&self, value: f64) {
        if let Some(place) = self.bounds.iter().position(|&bound| value <= bound) {
            self.counts[place].fetch_add(1, Relaxed);
        }
        self.count.fetch_add(1, Relaxed);
        self.sum.fetch_add((value * 1e6).round() as u64, Relaxed);
    }

    fn sum(&self) -> f64 {
        self.sum.load(Relaxed) as f64 / 1e6
    }

    fn lines(&self, name: &str, label: &str) -> String {
        let mut lines = String::new();
        let mut below = 0;
        for (bound, count) in self.bounds.iter().zip(&self.counts) {
            below += count.load(Relaxed);
            let _ = writeln!(lines, "{name}_bucket{{{label},le=\"{bound}\"}} {below}");
        }
        let (count, sum) = (self.count.load(Relaxed).max(below), self.sum());
        let _ = write!(
            lines,
            "{name}_bucket{{{label},le=\"+Inf\"}} {count}\n{name}_sum{{{label}}} {sum}\n{name}_count{{{label}}} {count}"
        );
        lines
    }
}
