//! The picture of a run.

use std::fs;
use std::path::PathBuf;

use gradus_train::{History, Logs};

/// A history of these measurements, a list for each name.
fn history(measurements: &[(&str, &[f64])]) -> History {
    let epochs: Vec<usize> = (0..measurements[0].1.len()).collect();
    let logs = epochs.iter().map(|&epoch| {
        let mut logs = Logs::default();
        measurements.iter().for_each(|(name, values)| logs.insert(*name, values[epoch]));
        logs
    });
    History { logs: logs.collect(), epochs, ..History::default() }
}

/// The picture of a history, also as a file to look at. Each of its tags is closed, in order.
fn svg(name: &str, history: &History) -> String {
    let svg = history.to_svg();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("history-{name}.svg"));
    history.save_svg(&path).unwrap();
    assert_eq!(fs::read_to_string(path).unwrap(), svg);
    let mut open: Vec<&str> = Vec::new();
    for tag in svg.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap();
        match tag.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop(), Some(closed)),
            None if tag.ends_with('/') => {}
            None => open.push(tag.split_whitespace().next().unwrap()),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}: a place that is no number");
    svg
}

/// The texts of a picture in order.
fn texts(svg: &str) -> Vec<&str> {
    svg.split("<text ").skip(1).map(|part| part.split_once('>').unwrap().1.split_once('<').unwrap().0).collect()
}

/// The points of all lines of this class, but for that of the legend.
fn lines<'a>(svg: &'a str, class: &str) -> Vec<Vec<&'a str>> {
    let start = format!("<polyline class=\"{class}\" points=\"");
    let points = svg.split(&*start).skip(2).map(|part| part.split_once('"').unwrap().0.split(' ').collect());
    points.collect()
}

fn dots(svg: &str) -> usize {
    svg.matches("<circle ").count()
}

#[test]
fn loss_and_metrics_have_a_frame_each() {
    let history = history(&[
        ("loss", &[0.9, 0.5, 0.3]),
        ("accuracy", &[0.5, 0.75, 1.0]),
        ("val_loss", &[1.0, 0.6, 0.5]),
        ("val_accuracy", &[0.5, 0.5, 0.75]),
    ]);
    let svg = svg("usual", &history);
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 920 326\""));
    let texts = texts(&svg);
    assert_eq!(texts[..2], ["training", "validation"]);
    for name in ["loss", "accuracy"] {
        assert_eq!(texts.iter().filter(|&&text| text == name).count(), 1);
    }
    assert_eq!(texts.iter().filter(|&&text| text == "epoch").count(), 2);
    // By hand: values from 0.3 to 1.0, ticks a fifth apart; epochs count from 1.
    let ticks: Vec<&str> = texts[2..].iter().copied().take_while(|&text| text != "epoch").collect();
    assert_eq!(ticks, ["0.4", "0.6", "0.8", "1.0", "1", "2", "3"]);
    assert_eq!([lines(&svg, "training").len(), lines(&svg, "validation").len(), dots(&svg)], [2, 2, 12]);
    assert!(svg.contains("<title>validation accuracy of epoch 3: 0.75</title>"));
    // The second frame: the accuracies of the training lie on a line, the last of the validation at half its height.
    let [training, validation] = ["training", "validation"].map(|class| lines(&svg, class)[1].clone());
    let place = |point: &str| {
        let (x, y) = point.split_once(',').unwrap();
        [x.parse::<f64>().unwrap(), y.parse().unwrap()]
    };
    let [first, middle, last] = [0, 1, 2].map(|epoch| place(training[epoch]));
    for axis in [0, 1] {
        assert!((f64::midpoint(first[axis], last[axis]) - middle[axis]).abs() < 0.11);
    }
    assert!((place(validation[2])[1] - middle[1]).abs() < 0.11);
    assert!(last[1] < first[1], "more is higher");
}

#[test]
fn one_epoch_one_metric_and_none_are_fine() {
    let one = svg("one", &history(&[("loss", &[0.25])]));
    assert!(one.contains("viewBox=\"0 0 460 326\""));
    assert_eq!((dots(&one), lines(&one, "training").len()), (1, 1));
    assert_eq!(texts(&one)[0], "training");
    assert!(texts(&one).contains(&"1") && !texts(&one).contains(&"validation"));
    let none = svg("none", &History::default());
    assert_eq!(texts(&none), ["no epochs"]);
    // All the same, and zero.
    for (name, value) in [("same", 3.0), ("zero", 0.0), ("large", 1e300), ("small", -1e-300)] {
        let flat = svg(name, &history(&[("loss", &[value; 4])]));
        assert_eq!(lines(&flat, "training")[0].len(), 4);
        assert!(texts(&flat).len() < 20, "{:?}", texts(&flat));
    }
    let only = svg("validation", &history(&[("loss", &[1.0, 2.0]), ("val_f1", &[0.5, 0.25])]));
    assert_eq!(texts(&only).iter().filter(|&&text| text == "f1").count(), 1);
}

#[test]
fn lines_have_gaps_where_values_are_not_finite() {
    let (nan, infinite) = (f64::NAN, f64::INFINITY);
    let values = [1.0, 2.0, nan, 3.0, infinite, 2.0, 1.0];
    let gaps = svg("gaps", &history(&[("loss", &values), ("accuracy", &[nan; 7]), ("a<b>&c", &[0.5; 7])]));
    let lengths: Vec<usize> = lines(&gaps, "training").iter().map(Vec::len).collect();
    assert_eq!(lengths, [2, 1, 2, 7]);
    assert_eq!(dots(&gaps), 5 + 7);
    assert!(texts(&gaps).contains(&"accuracy: no finite value"));
    assert!(texts(&gaps).contains(&"a&lt;b&gt;&amp;c"));
    // A measurement that is missing in some epochs.
    let mut missing = history(&[("loss", &[1.0, 2.0, 3.0])]);
    missing.logs[1] = Logs::default();
    assert_eq!(lines(&svg("missing", &missing), "training").iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn long_runs_keep_their_peaks() {
    let mut values: Vec<f64> = (0..20_000).map(|epoch| 100.0 / (100.0 + f64::from(epoch))).collect();
    values[12_345] = 5.0;
    let long = svg("long", &history(&[("loss", &values), ("val_loss", &values)]));
    let line = &lines(&long, "training")[0];
    assert!((400..1000).contains(&line.len()), "{} points", line.len());
    let height = |point: &&str| point.split_once(',').unwrap().1.parse::<f64>().unwrap();
    let peaks: Vec<f64> = line.iter().map(height).filter(|&y| y < 80.0).collect();
    assert_eq!(peaks.len(), 1, "the peak is there once: {peaks:?}");
    assert_eq!(dots(&long), 0);
    assert!(texts(&long).contains(&"20000"));
    let wide = svg("wide", &history(&[("loss", &[f64::MAX, 0.0, f64::MIN])]));
    assert_eq!(lines(&wide, "training")[0].len(), 3);
    let far = svg("far", &history(&[("loss", &[2e9, 2.5e9]), ("rate", &[1e-5, 3e-5]), ("near", &[1.0, 1.000_001])]));
    let texts = texts(&far);
    assert!(texts.contains(&"2.2e9") && texts.contains(&"2.0e-5"), "{texts:?}");
}
