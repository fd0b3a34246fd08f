//! The measurements of a run as a picture.

use std::fmt::Write;
use std::path::Path;

use gradus_tensor::write_atomically;

use crate::error::{Error, Result};
use crate::history::{History, VALIDATION};

impl History {
    /// A picture of the run as the text of an SVG file: the loss and each metric over the epochs, training and validation in one
    /// frame each.
    ///
    /// Epochs count from 1. Where a value is NaN or infinite, its line has a gap. The picture is light or dark as the page or the
    /// system that shows it.
    pub fn to_svg(&self) -> String {
        let names = self.measurement_names();
        let columns = if names.len() > 1 { 2 } else { 1 };
        let rows = names.len().div_ceil(columns).max(1);
        let (width, height) = (columns as f64 * FRAME_WIDTH, LEGEND_HEIGHT + rows as f64 * FRAME_HEIGHT);
        let mut svg = Svg(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\" aria-label=\"Measurements over the epochs\" font-family=\"system-ui, \
             sans-serif\" font-size=\"12\">\n{STYLE}<rect class=\"ground\" width=\"100%\" height=\"100%\" \
             fill=\"#ffffff\"/>\n"
        ));
        let frames: Vec<Frame<'_>> = names.iter().map(|name| Frame::new(self, name)).collect();
        if frames.is_empty() {
            svg.text((width / 2.0, height / 2.0), "middle", "no epochs");
        }
        svg.legend(frames.iter().flat_map(|frame| &frame.curves));
        for (place, frame) in frames.iter().enumerate() {
            let (column, row) = (place % columns, place / columns);
            frame.draw(&mut svg, (column as f64 * FRAME_WIDTH, LEGEND_HEIGHT + row as f64 * FRAME_HEIGHT));
        }
        svg.0.push_str("</svg>\n");
        svg.0
    }

    /// Writes the picture of [`to_svg`](History::to_svg) into a file, which any browser shows.
    ///
    /// ```
    /// # use gradus_datasets::Dataset;
    /// # use gradus_nn::{Dense, Model, Sequential, losses::MeanSquaredError};
    /// # use gradus_optim::Sgd;
    /// # use gradus_tensor::Tensor;
    /// # use gradus_train::{Fit, Trainer};
    /// # let x = Tensor::linspace(-1.0, 1.0, 64).reshape([64, 1]);
    /// # let data = Dataset::new(x.clone(), &x * 3.0 + 1.0).unwrap();
    /// # let model = Model::build(Sequential::new().add(Dense::new(1)), [1], 0).unwrap();
    /// # let mut trainer = Trainer::new(model, MeanSquaredError, Sgd::default());
    /// # let file = std::env::temp_dir().join(format!("gradus_history_{}.svg", std::process::id()));
    /// let history = trainer.fit(&data, Fit { epochs: 3, validation_split: 0.25, verbose: false, ..Fit::default() })?;
    /// history.save_svg(&file)?; // Such as "history.svg".
    /// # std::fs::remove_file(file).unwrap();
    /// # Ok::<(), gradus_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save_svg(&self, path: impl AsRef<Path>) -> Result<()> {
        let (path, svg) = (path.as_ref(), self.to_svg());
        write_atomically(path, |file| std::io::Write::write_all(file, svg.as_bytes()))
            .map_err(|source| Error::file(path, source))
    }

    /// What was measured, by its name in training: the loss and the metrics, in the order in which they came.
    fn measurement_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in self.logs.iter().flat_map(|logs| logs.iter()) {
            let name = name.strip_prefix(VALIDATION).unwrap_or(name);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

const FRAME_WIDTH: f64 = 460.0;
const FRAME_HEIGHT: f64 = 290.0;
const LEGEND_HEIGHT: f64 = 36.0;

/// Runs of more epochs have no dots on their lines.
const DOTTED: usize = 60;

/// The colours of a dark page; those of a light one stand at the elements, for programs that read no style.
const STYLE: &str = "<style>
@media (prefers-color-scheme: dark) {
  .ground { fill: #0d1117 } text { fill: #e6edf3 } .grid { stroke: #2b3138 } .axis { stroke: #7d8590 }
  polyline.training { stroke: #58a6ff } circle.training { fill: #58a6ff }
  polyline.validation { stroke: #f0883e } circle.validation { fill: #f0883e }
}
</style>
";

/// One measurement over the epochs.
struct Frame<'a> {
    name: &'a str,
    curves: Vec<Curve>,
    /// The first and the last epoch, counted from 1.
    epochs: (f64, f64),
    /// The least and the greatest finite value, unless there is none.
    values: Option<(f64, f64)>,
}

struct Curve {
    kind: &'static str,
    colour: &'static str,
    /// Dashes tell the curves apart without colours, too.
    dashes: &'static str,
    /// The epoch, counted from 1, and the value: finite ones only. Where a point follows on a gap, it begins a line.
    lines: Vec<Vec<(f64, f64)>>,
}

impl Curve {
    fn new(history: &History, name: &str, kind: &'static str, colour: &'static str, dashes: &'static str) -> Self {
        let mut lines = vec![Vec::new()];
        for (&epoch, logs) in history.epochs.iter().zip(&history.logs) {
            match logs.get(name).filter(|value| value.is_finite()) {
                Some(value) => lines.last_mut().expect("there is a line").push((epoch as f64 + 1.0, value)),
                None => lines.push(Vec::new()),
            }
        }
        lines.retain(|line| !line.is_empty());
        Curve { kind, colour, dashes, lines }
    }

    fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        self.lines.iter().flatten().copied()
    }
}

impl<'a> Frame<'a> {
    fn new(history: &History, name: &'a str) -> Self {
        let has = |name: &str| history.logs.iter().any(|logs| logs.get(name).is_some());
        let validation = format!("{VALIDATION}{name}");
        let mut curves = Vec::new();
        if has(name) {
            curves.push(Curve::new(history, name, "training", "#2f6fde", "none"));
        }
        if has(&validation) {
            curves.push(Curve::new(history, &validation, "validation", "#d9580d", "7 3"));
        }
        let first = history.epochs.first().map_or(1.0, |&epoch| epoch as f64 + 1.0);
        let last = history.epochs.last().map_or(1.0, |&epoch| epoch as f64 + 1.0);
        let finite = || curves.iter().flat_map(Curve::points).map(|(_, value)| value);
        let values = finite().reduce(f64::min).zip(finite().reduce(f64::max));
        Frame { name, curves, epochs: (first, last), values }
    }

    /// Draws the frame with its upper left corner at this place.
    fn draw(&self, svg: &mut Svg, (left, top): (f64, f64)) {
        let Some(values) = self.values else {
            let middle = (left + FRAME_WIDTH / 2.0, top + FRAME_HEIGHT / 2.0);
            return svg.text(middle, "middle", &format!("{}: no finite value", self.name));
        };
        let (epochs, values) = (Axis::of_epochs(self.epochs), Axis::of_values(values));
        let longest = values.ticks.iter().map(|(_, label)| label.chars().count()).max().unwrap_or(0);
        let (x0, x1) = (left + 38.0 + 7.0 * longest as f64, left + FRAME_WIDTH - 26.0);
        let (y0, y1) = (top + FRAME_HEIGHT - 48.0, top + 8.0);
        let place =
            |(epoch, value): (f64, f64)| (x0 + (x1 - x0) * epochs.share(epoch), y0 + (y1 - y0) * values.share(value));
        for (value, label) in &values.ticks {
            let (_, y) = place((epochs.from, *value));
            svg.line("grid", "#e4e7eb", (x0, y), (x1, y));
            svg.text((x0 - 7.0, y + 4.0), "end", label);
        }
        for (epoch, label) in &epochs.ticks {
            let (x, _) = place((*epoch, values.from));
            svg.line("axis", "#8b949e", (x, y0), (x, y0 + 5.0));
            svg.text((x, y0 + 19.0), "middle", label);
        }
        svg.line("axis", "#8b949e", (x0, y0), (x1, y0));
        svg.line("axis", "#8b949e", (x0, y0), (x0, y1));
        svg.text((f64::midpoint(x0, x1), y0 + 38.0), "middle", "epoch");
        svg.turned_text((left + 16.0, f64::midpoint(y0, y1)), self.name);
        let has_dots = self.curves.iter().all(|curve| curve.points().count() <= DOTTED);
        for curve in &self.curves {
            for line in &curve.lines {
                let places: Vec<(f64, f64)> = line.iter().map(|&point| place(point)).collect();
                svg.path(curve, &thinned(&places));
                for (&(epoch, value), &place) in line.iter().zip(&places) {
                    if has_dots || line.len() == 1 {
                        svg.dot(curve, place, &format!("{} {} of epoch {epoch}: {value}", curve.kind, self.name));
                    }
                }
            }
        }
    }
}

/// The points of a line, of which there may be thousands: in each column of pixels the highest and the lowest, in order.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= FRAME_WIDTH as usize {
        return points.to_vec();
    }
    let columns = points.chunk_by(|a, b| a.0.floor() == b.0.floor());
    let kept = columns.flat_map(|column| {
        let by_height = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let ends = column.iter().min_by(by_height).into_iter().chain(column.iter().max_by(by_height));
        let mut ends: Vec<(f64, f64)> = ends.copied().collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        ends.dedup();
        ends
    });
    kept.collect()
}

/// The range of an axis, and its ticks with their labels.
struct Axis {
    from: f64,
    to: f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    fn of_epochs((first, last): (f64, f64)) -> Self {
        let step = round_step((last - first) / 8.0).max(1.0);
        let ticks = multiples(first, last, step).map(|epoch| (epoch, epoch.to_string()));
        let mut ticks: Vec<(f64, String)> = ticks.collect();
        // Multiples alone would leave out the first epoch of most runs.
        if ticks.first().is_none_or(|&(tick, _)| tick - first >= 0.5 * step) {
            ticks.insert(0, (first, first.to_string()));
        }
        let margin = if first == last { 0.5 } else { 0.0 };
        Axis { from: first - margin, to: last + margin, ticks }
    }

    fn of_values((least, greatest): (f64, f64)) -> Self {
        // Halves, since the distance of the greatest numbers is infinite.
        let half = 0.5 * greatest - 0.5 * least;
        let size = least.abs().max(greatest.abs());
        let margin = if half > 1e-12 * size {
            0.12 * half
        } else if size > 0.0 {
            0.05 * size
        } else {
            1.0
        };
        let (from, to) = ((least - margin).max(f64::MIN), (greatest + margin).min(f64::MAX));
        let (step, size) = (round_step((0.5 * to - 0.5 * from) / 2.5), from.abs().max(to.abs()));
        let ticks = multiples(from, to, step).map(|value| (value, label(value, step, size))).collect();
        Axis { from, to, ticks }
    }

    /// Where a value is between the ends, 0 to 1.
    fn share(&self, value: f64) -> f64 {
        (0.5 * value - 0.5 * self.from) / (0.5 * self.to - 0.5 * self.from)
    }
}

/// The least of 1, 2 and 5, times a power of ten, that is not less than this.
fn round_step(least: f64) -> f64 {
    if least <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(least.log10().floor());
    // A millionth more, so that rounding of the power makes no step too large.
    let times = [1.0, 2.0, 5.0].into_iter().find(|times| times * power * 1.000_001 >= least).unwrap_or(10.0);
    times * power
}

/// The multiples of a step within a range, at most 20.
fn multiples(from: f64, to: f64, step: f64) -> impl Iterator<Item = f64> {
    let first = (from / step).ceil();
    // Zero has no sign.
    (0..20).map(move |i| (first + f64::from(i)) * step + 0.0).take_while(move |&value| value <= to)
}

/// A tick's label: as many digits as tell it from the next tick; with a power of ten if the values are far from 1.
fn label(value: f64, step: f64, size: f64) -> String {
    let place = |number: f64| number.log10().floor();
    let is_far = !(1e-3..1e6).contains(&size);
    if is_far && value == 0.0 {
        return "0".to_owned();
    }
    if is_far {
        let digits = (place(value.abs()) - place(step)).clamp(0.0, 15.0) as usize;
        return format!("{value:.digits$e}");
    }
    let digits = (-place(step)).clamp(0.0, 17.0) as usize;
    format!("{value:.digits$}")
}

/// The text of an SVG file.
struct Svg(String);

impl Svg {
    fn line(&mut self, class: &str, colour: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.write(format_args!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\"/>\n"
        ));
    }

    fn text(&mut self, (x, y): (f64, f64), anchor: &str, text: &str) {
        let text = escaped(text);
        self.write(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#1f2328\">{text}</text>\n"
        ));
    }

    /// A text that is read from below upwards, with its middle here.
    fn turned_text(&mut self, (x, y): (f64, f64), text: &str) {
        let text = escaped(text);
        self.write(format_args!(
            "<text transform=\"translate({x:.1} {y:.1}) rotate(-90)\" text-anchor=\"middle\" \
             fill=\"#1f2328\">{text}</text>\n"
        ));
    }

    fn path(&mut self, curve: &Curve, places: &[(f64, f64)]) {
        let Curve { kind, colour, dashes, .. } = curve;
        let places: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let places = places.join(" ");
        self.write(format_args!(
            "<polyline class=\"{kind}\" points=\"{places}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" \
             stroke-linejoin=\"round\" stroke-dasharray=\"{dashes}\"/>\n"
        ));
    }

    /// A dot that tells its value where the mouse is on it.
    fn dot(&mut self, curve: &Curve, (x, y): (f64, f64), title: &str) {
        let (Curve { kind, colour, .. }, title) = (curve, escaped(title));
        self.write(format_args!(
            "<circle class=\"{kind}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"><title>{title}</title></circle>\n"
        ));
    }

    /// Says which curve is which, once for all frames.
    fn legend<'a>(&mut self, curves: impl Iterator<Item = &'a Curve> + Clone) {
        let mut x = 54.0;
        for kind in ["training", "validation"] {
            let Some(curve) = curves.clone().find(|curve| curve.kind == kind) else { continue };
            self.path(curve, &[(x, 20.0), (x + 28.0, 20.0)]);
            self.text((x + 35.0, 24.0), "start", kind);
            x += 120.0;
        }
    }

    fn write(&mut self, arguments: std::fmt::Arguments<'_>) {
        self.0.write_fmt(arguments).expect("a text takes what is written");
    }
}

/// A text as it stands between tags.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
