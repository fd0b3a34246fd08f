//! Metrics against other implementations: scikit-learn 1.9.1, and Keras 3.15.1 (on JAX 0.10.2, x64) for what only Keras
//! has. Where both give a number they agree, but for Keras's float32 state.

use gradus_tensor::Tensor;
use gradus_train::metrics::*;
use gradus_train::state::{NamedState, Tensors};

type AnyMetric = Box<dyn Metric<f64>>;

/// The measure of all samples, once it is found to be the same when they come in batches of three, the last one smaller,
/// and after a reset.
fn measure(
    mut metric: impl Metric<f64>,
    targets: &Tensor<f64>,
    outputs: &Tensor<f64>,
    weights: Option<&Tensor<f64>>,
) -> f64 {
    metric.update(targets, outputs, weights).unwrap();
    let at_once = metric.result();
    // Something else, of which a reset must leave nothing.
    metric.update(&targets.flip(0), outputs, None).unwrap();
    metric.reset();
    let samples = outputs.shape()[0];
    for start in (0..samples).step_by(3) {
        let batch = |x: &Tensor<f64>| x.slice(0, start..samples.min(start + 3));
        metric.update(&batch(targets), &batch(outputs), weights.map(batch).as_ref()).unwrap();
    }
    let streamed = metric.result();
    assert!((streamed - at_once).abs() < 1e-12, "{}: {streamed} in batches, not {at_once}", metric.name());
    at_once
}

#[track_caller]
fn assert_close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
}

/// Probabilities of three classes, class indices, and weights, for 8 samples.
fn three_classes() -> (Tensor<f64>, Tensor<f64>, Tensor<f64>) {
    let outputs = Tensor::from([
        [0.7, 0.2, 0.1],
        [0.1, 0.8, 0.1],
        [0.2, 0.3, 0.5],
        [0.4, 0.35, 0.25],
        [0.31, 0.09, 0.6],
        [0.5, 0.1, 0.4],
        [0.25, 0.45, 0.3],
        [0.05, 0.15, 0.8],
    ]);
    let targets = Tensor::from([0.0, 1.0, 2.0, 1.0, 1.0, 0.0, 2.0, 2.0]);
    let weights = Tensor::from([1.0, 2.0, 0.5, 1.0, 3.0, 1.0, 2.0, 0.25]);
    (outputs, targets, weights)
}

fn one_hot(targets: &Tensor<f64>) -> Tensor<f64> {
    targets.to::<i64>().one_hot(3)
}

/// Scores, classes 0 and 1, and weights, for 10 samples.
fn two_classes() -> (Tensor<f64>, Tensor<f64>, Tensor<f64>) {
    let scores = Tensor::from([0.1, 0.4, 0.35, 0.8, 0.65, 0.9, 0.2, 0.55, 0.5, 0.7]);
    let targets = Tensor::from([0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
    let weights = Tensor::from([1.0, 2.0, 1.0, 0.5, 1.0, 3.0, 1.0, 2.0, 1.0, 1.5]);
    (scores, targets, weights)
}

#[test]
fn accuracies_of_many_classes() {
    let (p, y, w) = three_classes();
    let c = one_hot(&y);
    // keras CategoricalAccuracy and SparseCategoricalAccuracy
    assert_close(measure(CategoricalAccuracy::default(), &c, &p, None), 0.625);
    assert_close(measure(SparseCategoricalAccuracy::default(), &y, &p, None), 0.625);
    assert_close(measure(SparseCategoricalAccuracy::default(), &y.unsqueeze(-1), &p, None), 0.625);
    for targets in [&c, &y] {
        assert_close(measure(Accuracy::default(), targets, &p, None), 0.625);
        // keras CategoricalAccuracy weighted: sum w hit / sum w
        assert_close(measure(Accuracy::default(), targets, &p, Some(&w)), 0.4418604651162791);
        // keras TopKCategoricalAccuracy and SparseTopKCategoricalAccuracy
        assert_close(measure(TopKAccuracy::new(1), targets, &p, None), 0.625);
        assert_close(measure(TopKAccuracy::new(2), targets, &p, None), 0.875);
        assert_close(measure(TopKAccuracy::new(3), targets, &p, None), 1.0);
    }
    // By hand: all but the fifth sample, of weight 3 among 10.75, are within the first two.
    assert_close(measure(TopKAccuracy::new(2), &y, &p, Some(&w)), 7.75 / 10.75);
}

#[test]
fn of_equal_outputs_the_first_is_the_largest_and_all_are_in_the_top() {
    let p = Tensor::from([[0.4, 0.4, 0.2], [0.25, 0.5, 0.25], [0.1, 0.1, 0.8]]);
    let y = Tensor::from([1.0, 2.0, 1.0]);
    // keras SparseCategoricalAccuracy and SparseTopKCategoricalAccuracy
    assert_close(measure(SparseCategoricalAccuracy::default(), &y, &p, None), 0.0);
    assert_close(measure(TopKAccuracy::new(1), &y, &p, None), 1.0 / 3.0);
    assert_close(measure(TopKAccuracy::new(2), &y, &p, None), 1.0);
    // A score that is infinite is in no top, though nothing is larger (tf.math.in_top_k).
    let p = Tensor::from([[0.1, f64::INFINITY, 0.2]]);
    assert_close(measure(TopKAccuracy::new(3), &Tensor::from([1.0]), &p, None), 0.0);
}

#[test]
fn accuracies_of_two_classes() {
    let (s, b, w) = two_classes();
    let (scores, targets) = (s.unsqueeze(-1), b.unsqueeze(-1));
    for (targets, outputs) in [(&b, &s), (&targets, &scores), (&b, &scores), (&targets, &s)] {
        // keras BinaryAccuracy: a score of 0.5 is no yes.
        assert_close(measure(BinaryAccuracy::default(), targets, outputs, None), 0.7);
        assert_close(measure(BinaryAccuracy::default().threshold(0.6), targets, outputs, None), 0.6);
        assert_close(measure(Accuracy::default(), targets, outputs, None), 0.7);
    }
    // By hand: samples 2, 4 and 9 are wrong, of weights 1, 1 and 1.5 among 14.
    assert_close(measure(BinaryAccuracy::default(), &b, &s, Some(&w)), 10.5 / 14.0);
    // Several yes or no questions for each sample: every one counts, by hand.
    let targets = Tensor::from([[1.0, 0.0], [1.0, 1.0]]);
    let outputs = Tensor::from([[0.9, 0.8], [0.6, 0.7]]);
    assert_close(measure(BinaryAccuracy::default(), &targets, &outputs, None), 0.75);
    assert_close(measure(BinaryAccuracy::default(), &targets, &outputs, Some(&Tensor::from([3.0, 1.0]))), 0.625);
}

#[test]
fn precision_recall_and_f1_of_many_classes() {
    let (p, y, w) = three_classes();
    let c = one_hot(&y);
    // sklearn precision_score, recall_score and f1_score, average=...
    let expected = [
        (ClassAverage::Macro, [0.611111111111111, 0.6666666666666666, 0.6222222222222222]),
        (ClassAverage::Micro, [0.625, 0.625, 0.625]),
        (ClassAverage::Weighted, [0.6041666666666666, 0.625, 0.6000000000000001]),
    ];
    for (average, [precision, recall, f1]) in expected {
        for targets in [&c, &y] {
            assert_close(measure(Precision::default().average(average), targets, &p, None), precision);
            assert_close(measure(Recall::default().average(average), targets, &p, None), recall);
            assert_close(measure(F1::default().average(average), targets, &p, None), f1);
        }
    }
    // From scikit-learn's weighted confusion matrix [[2, 0, 0], [1, 2, 3], [0, 2, 0.75]], by hand.
    assert_close(measure(Recall::default(), &y, &p, Some(&w)), (1.0 + 2.0 / 6.0 + 0.75 / 2.75) / 3.0);
    assert_close(measure(Precision::default(), &y, &p, Some(&w)), (2.0 / 3.0 + 2.0 / 4.0 + 0.75 / 3.75) / 3.0);
}

#[test]
fn precision_recall_and_f1_of_two_classes() {
    let (s, b, w) = two_classes();
    // keras Precision(thresholds=...) and Recall(thresholds=...)
    assert_close(measure(Precision::default(), &b, &s, None), 0.6);
    assert_close(measure(Recall::default(), &b, &s, None), 0.75);
    assert_close(measure(Precision::default().threshold(0.3), &b, &s, None), 0.5);
    assert_close(measure(Recall::default().threshold(0.3), &b, &s, None), 1.0);
    assert_close(measure(Precision::default(), &b, &s, Some(&w)), 0.6875);
    assert_close(measure(Recall::default(), &b, &s, Some(&w)), 0.8461538461538461);
    // sklearn f1_score
    assert_close(measure(F1::default(), &b, &s, None), 0.6666666666666666);
    // As two columns they are many classes, and averaged: sklearn average=macro.
    let columns = Tensor::stack(&[1.0 - &s, s], -1);
    assert_close(measure(Precision::default(), &b, &columns, None), 0.7);
    assert_close(measure(Recall::default(), &b, &columns, None), 0.7083333333333333);
    assert_close(measure(F1::default(), &b, &columns, None), 0.696969696969697);
}

#[test]
fn f_beta() {
    let ((p, y, w), (s, b, v)) = (three_classes(), two_classes());
    // sklearn fbeta_score
    assert_close(measure(FBeta::new(2.0), &y, &p, None), 0.6443001443001443);
    assert_close(measure(FBeta::new(2.0), &y, &p, Some(&w)), 0.5068236847897865);
    let weighted = || FBeta::new(0.5).average(ClassAverage::Weighted);
    assert_close(measure(weighted(), &one_hot(&y), &p, None), 0.599025974025974);
    assert_close(measure(weighted(), &y, &p, Some(&w)), 0.44063535547321986);
    assert_close(measure(FBeta::new(2.0), &b, &s, None), 0.7142857142857143);
    assert_close(measure(FBeta::new(2.0), &b, &s, Some(&v)), 0.8088235294117647);
    assert_close(measure(FBeta::new(1.0), &y, &p, Some(&w)), measure(F1::default(), &y, &p, Some(&w)));
}

#[test]
fn agreement() {
    let ((p, y, w), (s, b, v)) = (three_classes(), two_classes());
    // sklearn cohen_kappa_score, matthews_corrcoef and jaccard_score(average="macro")
    let kappa = |weights| CohenKappa::default().weights(weights);
    assert_close(measure(kappa(KappaWeights::None), &y, &p, None), 0.4418604651162791);
    assert_close(measure(kappa(KappaWeights::Linear), &one_hot(&y), &p, None), 0.5862068965517242);
    assert_close(measure(kappa(KappaWeights::Quadratic), &y, &p, None), 0.7272727272727273);
    assert_close(measure(kappa(KappaWeights::None), &y, &p, Some(&w)), 0.1428571428571429);
    assert_close(measure(kappa(KappaWeights::Linear), &y, &p, Some(&w)), 0.2912087912087913);
    assert_close(measure(kappa(KappaWeights::Quadratic), &y, &p, Some(&w)), 0.47346938775510194);
    assert_close(measure(CohenKappa::default(), &b, &s, None), 0.4);
    assert_close(measure(CohenKappa::default(), &b, &s, Some(&v)), 0.505050505050505);
    assert_close(measure(MatthewsCorrelation::default(), &y, &p, None), 0.4523809523809524);
    assert_close(measure(MatthewsCorrelation::default(), &y, &p, Some(&w)), 0.14904701760304678);
    assert_close(measure(MatthewsCorrelation::default(), &b, &s, None), 0.408248290463863);
    assert_close(measure(MatthewsCorrelation::default(), &b, &s, Some(&v)), 0.516811394121702);
    assert_close(measure(MeanIoU::default(), &y, &p, None), 0.47222222222222215);
    assert_close(measure(MeanIoU::default(), &y, &p, Some(&w)), 0.34903381642512077);
    assert_close(measure(MeanIoU::default(), &b, &s, None), 0.5357142857142857);
    assert_close(measure(MeanIoU::default(), &b, &s, Some(&v)), 0.5996732026143792);
    assert_close(measure(MeanIoU::default().threshold(0.95), &b, &s, None), 0.3);
    // Without the samples of class 2, sklearn with labels=[0, 1]: the matrix is [[2, 0], [1, 1]].
    assert_close(measure(CohenKappa::default().ignore_class(2), &y, &p, None), 0.5);
    // By hand: class 0 has 2 / 3, class 1 has 1 / 2.
    assert_close(measure(MeanIoU::default().ignore_class(2), &y, &p, None), 7.0 / 12.0);
    // A class that neither occurs nor is predicted does not count: by hand, 0 has 1 / 2 and 1 has 1 / 2.
    let outputs = Tensor::from([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.3, 0.6, 0.1]]);
    assert_close(measure(MeanIoU::default(), &Tensor::from([0.0, 0.0, 1.0]), &outputs, None), 0.5);
    // Places of pictures [n, height, width, classes], by hand: 3 of 4 right.
    let pictures = Tensor::from([[[[0.9, 0.1], [0.2, 0.8]], [[0.6, 0.4], [0.3, 0.7]]]]);
    let places = Tensor::from([[[0.0, 1.0], [1.0, 1.0]]]);
    assert_close(measure_once(MeanIoU::default(), &places, &pictures), (1.0 / 2.0 + 2.0 / 3.0) / 2.0);
}

#[test]
fn what_cannot_be_divided_is_0() {
    let (s, b, _) = two_classes();
    let nothing = s.zeros_like();
    // keras Precision and sklearn precision_score with zero_division=0, nothing predicted
    assert_close(measure(Precision::default(), &b, &nothing, None), 0.0);
    assert_close(measure(F1::default(), &b, &nothing, None), 0.0);
    assert_close(measure(Recall::default(), &nothing, &s, None), 0.0);
    assert_close(measure(Auc::default(), &nothing, &s, None), 0.0);
    assert_close(measure(Auc::default().curve(Curve::Pr), &nothing, &s, None), 0.0);
    assert_close(measure(FBeta::new(2.0), &b, &nothing, None), 0.0);
    assert_close(measure(CohenKappa::default(), &nothing, &nothing, None), 0.0);
    assert_close(measure(MatthewsCorrelation::default(), &b, &nothing, None), 0.0);
    assert_close(measure(PrecisionAtRecall::new(0.5), &nothing, &s, None), 0.0);
    // A class without samples counts as 0 in the macro average: of the classes 0, 1 and 2 only 0 is there and found.
    let p = Tensor::from([[0.8, 0.1, 0.1], [0.7, 0.2, 0.1]]);
    assert_close(measure(Recall::default(), &Tensor::from([0.0, 0.0]), &p, None), 1.0 / 3.0);
    // Before any batch.
    assert_eq!(Metric::<f64>::result(&Accuracy::default()), 0.0);
    assert_eq!(Metric::<f64>::result(&F1::default()), 0.0);
    assert_eq!(Metric::<f64>::result(&Auc::default()), 0.0);
    assert_eq!((MeanIoU::default().result(), CohenKappa::default().result()), (0.0, 0.0));
    assert_eq!(MatthewsCorrelation::default().result(), 0.0);
    assert_eq!(RecallAtPrecision::new(0.0).result(), 0.0);
    assert_eq!(Metric::<f64>::result(&R2::default()), 0.0);
    assert_eq!(ConfusionMatrix::default().counts().shape(), &[0, 0]);
}

#[test]
fn the_confusion_matrix() {
    let (p, y, w) = three_classes();
    let mut matrix = ConfusionMatrix::default();
    matrix.update(&y, &p, None).unwrap();
    // sklearn confusion_matrix
    assert_eq!(matrix.counts(), Tensor::from([[2.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 2.0]]));
    let mut matrix = ConfusionMatrix::default();
    matrix.update(&one_hot(&y), &p, Some(&w)).unwrap();
    assert_eq!(matrix.counts(), Tensor::from([[2.0, 0.0, 0.0], [1.0, 2.0, 3.0], [0.0, 2.0, 0.75]]));

    let (s, b, _) = two_classes();
    let mut matrix = ConfusionMatrix::default();
    matrix.update(&b.slice(0, ..4), &s.slice(0, ..4), None).unwrap();
    matrix.update(&b.slice(0, 4..), &s.slice(0, 4..), None).unwrap();
    assert_eq!(matrix.counts(), Tensor::from([[4.0, 2.0], [1.0, 3.0]]));
}

#[test]
fn the_area_under_the_curve() {
    let (s, b, w) = two_classes();
    // sklearn roc_auc_score
    assert_close(measure(Auc::default(), &b, &s, None), 0.75);
    assert_close(measure(Auc::default(), &b.unsqueeze(-1), &s, None), 0.75);
    assert_close(measure(Auc::default(), &b, &s, Some(&w)), 0.7846153846153846);
    let ties = Tensor::from([0.1, 0.4, 0.4, 0.4, 0.65, 0.9, 0.1, 0.65, 0.4, 0.9]);
    assert_close(measure(Auc::default(), &b, &ties, None), 0.6666666666666667);
    // sklearn average_precision_score
    assert_close(measure(Auc::default().curve(Curve::Pr), &b, &s, None), 0.775);
    assert_close(measure(Auc::default().curve(Curve::Pr), &b, &s, Some(&w)), 0.8333333333333333);
    assert_close(measure(Auc::default().curve(Curve::Pr), &b, &ties, None), 0.5);
    // A constant says nothing, whatever it is.
    assert_close(measure(Auc::default(), &b, &s.zeros_like(), None), 0.5);
}

#[test]
fn points_on_curves() {
    let (s, b, w) = two_classes();
    // The best points of sklearn's roc_curve and precision_recall_curve
    assert_close(measure(SensitivityAtSpecificity::new(0.6), &b, &s, None), 0.75);
    assert_close(measure(SensitivityAtSpecificity::new(0.6), &b, &s, Some(&w)), 0.8461538461538461);
    assert_close(measure(SpecificityAtSensitivity::new(0.9), &b, &s, None), 1.0 / 3.0);
    assert_close(measure(SpecificityAtSensitivity::new(0.9), &b, &s, Some(&w)), 0.2666666666666667);
    assert_close(measure(PrecisionAtRecall::new(0.7), &b, &s, None), 0.6);
    assert_close(measure(PrecisionAtRecall::new(0.7), &b, &s, Some(&w)), 0.6875);
    assert_close(measure(RecallAtPrecision::new(0.6), &b, &s, None), 0.75);
    assert_close(measure(RecallAtPrecision::new(0.6), &b, &s, Some(&w)), 0.8461538461538461);
    // At the ends, by hand: 0.9 and 0.8 are the highest scores, both of class 1.
    assert_close(measure(SensitivityAtSpecificity::new(1.0), &b, &s, None), 0.5);
    assert_close(measure(SensitivityAtSpecificity::new(0.0), &b, &s, None), 1.0);
    assert_close(measure(SpecificityAtSensitivity::new(0.0), &b, &s, None), 1.0);
    assert_close(measure(RecallAtPrecision::new(1.0), &b, &s, None), 0.5);
    // No threshold is so good: the highest score is of class 0.
    assert_close(measure(RecallAtPrecision::new(0.9), &(1.0 - &b), &s, None), 0.0);
}

#[test]
fn errors_of_numbers() {
    let t = Tensor::from([3.0, -0.5, 2.0, 7.0, 4.2, -1.1]);
    let r = Tensor::from([2.5, 0.0, 2.0, 8.0, 3.9, -0.6]);
    let w = Tensor::from([1.0, 2.0, 0.5, 1.0, 3.0, 1.0]);
    // sklearn mean_absolute_error, mean_squared_error, root_mean_squared_error and r2_score, each with sample_weight too
    assert_close(measure(MeanAbsoluteError::default(), &t, &r, None), 0.46666666666666673);
    assert_close(measure(MeanAbsoluteError::default(), &t, &r, Some(&w)), 0.4588235294117648);
    assert_close(measure(MeanSquaredError::default(), &t, &r, None), 0.3066666666666667);
    assert_close(measure(MeanSquaredError::default(), &t, &r, Some(&w)), 0.2670588235294118);
    assert_close(measure(RootMeanSquaredError::default(), &t, &r, None), 0.5537749241945383);
    assert_close(measure(RootMeanSquaredError::default(), &t, &r, Some(&w)), 0.5167773442493506);
    assert_close(measure(R2::default(), &t, &r, None), 0.9596255119953189);
    assert_close(measure(R2::default(), &t, &r, Some(&w)), 0.9623221800216752);
    // With a last axis of 1 on either side.
    assert_close(measure(MeanAbsoluteError::default(), &t.unsqueeze(-1), &r, None), 0.46666666666666673);
    assert_close(measure(R2::default(), &t, &r.unsqueeze(-1), None), 0.9596255119953189);
    assert_close(measure(R2::default(), &t.unsqueeze(-1), &r, Some(&w)), 0.9623221800216752);
}

#[test]
fn errors_of_several_columns() {
    let t = Tensor::from([[0.5, 1.0], [-1.0, 1.0], [7.0, -6.0]]);
    let r = Tensor::from([[0.0, 2.0], [-1.0, 2.0], [8.0, -5.0]]);
    // keras, and sklearn r2_score with multioutput=uniform_average
    assert_close(measure(MeanAbsoluteError::default(), &t, &r, None), 0.75);
    assert_close(measure(MeanSquaredError::default(), &t, &r, None), 0.7083333333333334);
    // Keras takes the root in float32 (0.841625411530173); this is sqrt(8.5 / 12).
    assert_close(measure(RootMeanSquaredError::default(), &t, &r, None), (8.5_f64 / 12.0).sqrt());
    assert_close(measure(R2::default(), &t, &r, None), 0.9368005266622779);
}

#[test]
fn r2_of_targets_that_do_not_vary_or_are_large() {
    let t = Tensor::from([2.0, 2.0, 2.0]);
    // sklearn r2_score
    assert_close(measure(R2::default(), &t, &Tensor::from([2.0, 2.0, 2.5]), None), 0.0);
    assert_close(measure(R2::default(), &t, &t, None), 1.0);
    // The score does not change when targets and outputs are shifted alike, here by a number that is added exactly.
    let (t, r) = (Tensor::from([3.0, -0.5, 2.0, 7.0]), Tensor::from([2.5, 0.0, 2.0, 8.0]));
    let shift = f64::from(1 << 30);
    let shifted = measure(R2::default(), &(&t + shift), &(&r + shift), None);
    assert_close(shifted, measure(R2::default(), &t, &r, None));
}

/// The message with which a metric refuses a batch of these shapes.
#[track_caller]
fn refusal(mut metric: impl Metric<f64>, targets: &[usize], outputs: &[usize], weights: Option<usize>) -> String {
    let weights = weights.map(Tensor::ones);
    let refused = metric.update(&Tensor::zeros(targets), &Tensor::zeros(outputs), weights.as_ref());
    refused.expect_err("the shapes do not fit").to_string()
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let unlike = "; use a metric that suits the targets, or reshape them";
    let no_rows = "; give one-hot targets in the outputs' shape, or one class index per row";
    let weights = "; give one weight for each sample";
    let rows = [
        (refusal(Accuracy::default(), &[4], &[5, 3], None), "accuracy: targets [4] do not fit outputs [5, 3]", no_rows),
        (
            refusal(Accuracy::default(), &[4, 2], &[4, 3], None),
            "accuracy: targets [4, 2] do not fit outputs [4, 3]",
            no_rows,
        ),
        (
            refusal(Accuracy::default(), &[4], &[5], None),
            "accuracy: targets [4] and outputs [5] must have the same shape",
            unlike,
        ),
        (
            refusal(CategoricalAccuracy::default(), &[4], &[4, 3], None),
            "categorical_accuracy: targets [4] and outputs [4, 3] must have the same shape",
            "; use SparseCategoricalAccuracy for class indices",
        ),
        (
            refusal(SparseCategoricalAccuracy::default(), &[4, 3], &[4, 3], None),
            "sparse_categorical_accuracy: targets must be class indices, found [4, 3] for outputs of that shape",
            "; use CategoricalAccuracy for one-hot targets",
        ),
        (
            refusal(BinaryAccuracy::default(), &[4], &[4, 3], None),
            "binary_accuracy: targets [4] and outputs [4, 3] must have the same shape",
            unlike,
        ),
        (
            refusal(Auc::default(), &[4], &[4, 2], None),
            "auc: targets [4] and outputs [4, 2] must have the same shape",
            unlike,
        ),
        (
            refusal(R2::default(), &[4, 2], &[4, 3], None),
            "r2: targets [4, 2] and outputs [4, 3] must have the same shape",
            unlike,
        ),
        (
            refusal(F1::default(), &[4], &[4, 3], Some(3)),
            "f1: sample weights must have the shape [4], found [3]",
            weights,
        ),
        // Half as many weights as samples: not to be taken for the weights of pairs.
        (
            refusal(Accuracy::default(), &[4], &[4, 3], Some(2)),
            "accuracy: sample weights must have the shape [4], found [2]",
            weights,
        ),
        (
            refusal(MeanSquaredError::default(), &[4, 3], &[4, 3], Some(12)),
            "mean_squared_error: sample weights must have the shape [4], found [12]",
            weights,
        ),
        (
            refusal(R2::default(), &[4, 3], &[4, 3], Some(0)),
            "r2: sample weights must have the shape [4], found [0]",
            weights,
        ),
    ];
    for (found, problem, hint) in rows {
        assert_eq!(found, format!("{problem}{hint}"));
    }
    // A dense layer on pictures has a row of outputs for each line of a picture.
    let flatten =
        "; put a Flatten or a global pooling before the last layer, whose outputs have more axes than the targets";
    for (targets, fits) in [(&[4][..], false), (&[4, 10], false), (&[4, 1], false), (&[4, 28], true)] {
        let mut accuracy = Accuracy::default();
        let refused = accuracy.update(&Tensor::zeros(targets), &Tensor::<f64>::zeros([4, 28, 10]), None).err();
        let problem = format!("accuracy: targets {:?} do not fit outputs [4, 28, 10]{flatten}", targets);
        assert_eq!(refused.map(|error| error.to_string()), (!fits).then_some(problem));
    }
    let distance = refusal(MeanAbsoluteError::default(), &[4, 10], &[4, 28, 10], None);
    let problem = "mean_absolute_error: targets [4, 10] and outputs [4, 28, 10] must have the same shape";
    assert_eq!(distance, format!("{problem}{flatten}"));
}

#[test]
fn classes_that_are_none_are_errors() {
    let outputs = Tensor::<f64>::zeros([3, 4]);
    for (class, place) in [(4.0, 1), (-1.0, 0), (1.5, 2)] {
        let mut targets = vec![0.0; 3];
        targets[place] = class;
        let refused = Accuracy::default().update(&Tensor::from(targets), &outputs, None);
        let hint = match class {
            4.0 => "number the classes from 0, or give the last layer more units",
            -1.0 => "leave out what has no label by ignore_class, or number the classes from 0",
            _ => "give class indices; numbers are measured by MeanAbsoluteError and the like",
        };
        let expected =
            format!("accuracy: targets must be class indices from 0 to 3, found {class} at row {place}; {hint}");
        assert_eq!(refused.unwrap_err().to_string(), expected);
    }
}

/// Every metric of classes, for a single output and for several.
fn of_classes() -> (Vec<AnyMetric>, Vec<AnyMetric>) {
    let both = || -> Vec<Box<dyn Metric<f64>>> {
        vec![
            Box::new(Accuracy::default()),
            Box::new(Precision::default()),
            Box::new(Recall::default()),
            Box::new(F1::default()),
            Box::new(F1::default().average(ClassAverage::Micro)),
            Box::new(F1::default().average(ClassAverage::Weighted)),
            Box::new(FBeta::new(2.0)),
            Box::new(CohenKappa::default()),
            Box::new(MatthewsCorrelation::default()),
            Box::new(MeanIoU::default()),
        ]
    };
    let single: [Box<dyn Metric<f64>>; 7] = [
        Box::new(BinaryAccuracy::default()),
        Box::new(Auc::default()),
        Box::new(Auc::default().curve(Curve::Pr)),
        Box::new(SensitivityAtSpecificity::new(0.5)),
        Box::new(SpecificityAtSensitivity::new(0.5)),
        Box::new(PrecisionAtRecall::new(0.5)),
        Box::new(RecallAtPrecision::new(0.5)),
    ];
    let several: [Box<dyn Metric<f64>>; 2] =
        [Box::new(SparseCategoricalAccuracy::default()), Box::new(TopKAccuracy::new(2))];
    (both().into_iter().chain(single).collect(), both().into_iter().chain(several).collect())
}

#[test]
fn an_output_that_is_nan_gives_no_score() {
    let (single, several) = of_classes();
    let nan = f64::NAN;
    for mut metric in single {
        let targets = Tensor::from([0.0, 0.0, 1.0, 1.0]);
        for outputs in [[nan; 4], [nan, 0.2, 0.7, 0.8], [0.1, 0.2, 0.7, nan]] {
            for targets in [&targets, &(1.0 - &targets)] {
                metric.update(targets, &Tensor::from(outputs), None).unwrap();
                assert!(metric.result().is_nan(), "{}: {} of {outputs:?}", metric.name(), metric.result());
                // Also after a batch that is in order, and from a state that was written.
                metric.update(targets, &Tensor::from([0.1, 0.2, 0.7, 0.8]), None).unwrap();
                assert!(metric.result().is_nan(), "{}: {} of {outputs:?}", metric.name(), metric.result());
                let (name, state, tensors) = (metric.name(), metric.state(), metric.tensors());
                let state = NamedState { name, state, tensors, only_watches: false };
                let state = serde_json::to_string(&state).unwrap();
                let state = serde_json::from_str(&state).unwrap();
                metric.reset();
                assert_eq!(metric.result(), 0.0);
                metric.restore(&state).unwrap();
                assert!(metric.result().is_nan(), "{}: {} of {outputs:?}", metric.name(), metric.result());
                metric.reset();
            }
        }
    }
    for mut metric in several.into_iter().chain([Box::new(CategoricalAccuracy::default()) as Box<dyn Metric<f64>>]) {
        let labels = Tensor::from([0.0, 2.0]);
        let targets = if metric.name() == "categorical_accuracy" { one_hot(&labels) } else { labels };
        for outputs in [[[nan; 3]; 2], [[nan, 0.1, 0.2], [0.1, 0.1, 0.8]], [[0.8, 0.1, 0.1], [0.1, nan, 0.8]]] {
            metric.update(&targets, &Tensor::from(outputs), None).unwrap();
            assert!(metric.result().is_nan(), "{}: {} of {outputs:?}", metric.name(), metric.result());
            metric.reset();
        }
    }
    let mut matrix = ConfusionMatrix::default();
    let refused = matrix.update(&Tensor::from([0.0, 1.0, 1.0]), &Tensor::from([0.1, nan, 0.8]), None).unwrap_err();
    let expected = "confusion_matrix: outputs must be numbers, found NaN at row 1; look for NaN in the data, or train at a \
                    lower learning rate";
    assert_eq!(refused.to_string(), expected);
    // Distances are NaN by themselves; a column of equal targets had a score.
    assert!(measure_once(R2::default(), &Tensor::from([2.0, 2.0]), &Tensor::from([nan, 2.0])).is_nan());
    assert!(measure_once(R2::default(), &Tensor::from([nan, 2.0]), &Tensor::from([1.0, 2.0])).is_nan());
    assert!(measure_once(MeanAbsoluteError::default(), &Tensor::from([2.0, 2.0]), &Tensor::from([nan, 2.0])).is_nan());
    // Nor has a weight of 0 one.
    let mut accuracy = Accuracy::default();
    accuracy.update(&Tensor::from([1.0]), &Tensor::from([nan]), Some(&Tensor::from([0.0]))).unwrap();
    assert!(Metric::<f64>::result(&accuracy).is_nan());
}

fn measure_once(mut metric: impl Metric<f64>, targets: &Tensor<f64>, outputs: &Tensor<f64>) -> f64 {
    metric.update(targets, outputs, None).unwrap();
    metric.result()
}

#[test]
fn labels_that_are_none_are_errors_of_every_metric() {
    let (single, several) = of_classes();
    for mut metric in single {
        for (labels, wrong, place) in [([1.0, 2.0], "2", 1), ([-1.0, 1.0], "-1", 0), ([0.0, f64::NAN], "NaN", 1)] {
            let refused = metric.update(&Tensor::from(labels), &Tensor::from([0.2, 0.9]), None).unwrap_err();
            let hint = if wrong == "-1" { ", or leave out what has no label by ignore_class" } else { "" };
            let expected = format!(
                "{}: targets must be in 0 to 1, found {wrong} at element {place} of [2]; give 0 for no and 1 for yes{hint}",
                metric.name()
            );
            assert_eq!(refused.to_string(), expected);
        }
        // Of mixed samples the nearer class counts.
        metric.update(&Tensor::from([0.2, 0.7]), &Tensor::from([0.2, 0.9]), None).unwrap();
        assert_eq!(metric.result(), 1.0, "{}", metric.name());
    }
    let outputs = Tensor::from([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]]);
    let one_hot = [
        (
            [[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]],
            "must be in 0 to 1, found 2 at row 1; make the targets one-hot by to_categorical",
        ),
        (
            [[1.0, -1.0, 0.0], [0.0, 1.0, 0.0]],
            "must be in 0 to 1, found -1 at row 0; make the targets one-hot by to_categorical",
        ),
        (
            [[f64::NAN, 1.0, 0.0], [0.0, 1.0, 0.0]],
            "must be in 0 to 1, found NaN at row 0; make the targets one-hot by to_categorical",
        ),
        (
            [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]],
            "must have one class in each row, found a sum of 2 at row 1; for several labels at once use BinaryAccuracy",
        ),
        (
            [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
            "must have one class in each row, found a sum of 0 at row 0; give each row its class, or class indices, of \
             which ignore_class leaves out one",
        ),
    ];
    for mut metric in several {
        for class in [3.0, -1.0, 255.0, 0.5, f64::NAN] {
            let refused = metric.update(&Tensor::from([1.0, class]), &outputs, None).unwrap_err().to_string();
            let hint = match class {
                -1.0 | 255.0 => "leave out what has no label by ignore_class, or number the classes from 0",
                3.0 => "number the classes from 0, or give the last layer more units",
                _ => "give class indices; numbers are measured by MeanAbsoluteError and the like",
            };
            let problem = format!("targets must be class indices from 0 to 2, found {class} at row 1; {hint}");
            assert_eq!(refused, format!("{}: {problem}", metric.name()));
        }
        if metric.name() == "sparse_categorical_accuracy" {
            continue;
        }
        for (targets, problem) in &one_hot {
            let refused = metric.update(&Tensor::from(*targets), &outputs, None).unwrap_err().to_string();
            assert_eq!(refused, format!("{}: one-hot targets {problem}", metric.name()));
        }
        // Smoothed and mixed.
        let soft = Tensor::from([[0.9, 0.05, 0.05], [0.4, 0.6, 0.0]]);
        metric.update(&soft, &outputs, None).unwrap();
    }
}

#[test]
fn a_class_that_is_ignored_counts_nowhere() {
    let (p, y, w) = three_classes();
    // The third and the sixth sample have no label.
    let unlabelled = |class: f64| Tensor::from([0.0, 1.0, class, 1.0, 1.0, class, 2.0, 2.0]);
    let kept = [0, 1, 3, 4, 6, 7];
    let rows = |x: &Tensor<f64>| x.index_select(0, &Tensor::from(kept.map(|row| row as i64)));
    for class in [-1.0, 255.0] {
        let ignored = class as i64;
        let (targets, kept_targets) = (unlabelled(class), rows(&y));
        let rows_of: [(AnyMetric, AnyMetric); 6] = [
            (Box::new(Accuracy::default().ignore_class(ignored)), Box::new(Accuracy::default())),
            (Box::new(SparseCategoricalAccuracy::default().ignore_class(ignored)), Box::new(Accuracy::default())),
            (Box::new(TopKAccuracy::new(2).ignore_class(ignored)), Box::new(TopKAccuracy::new(2))),
            (Box::new(Precision::default().ignore_class(ignored)), Box::new(Precision::default())),
            (Box::new(Recall::default().ignore_class(ignored)), Box::new(Recall::default())),
            (Box::new(F1::default().ignore_class(ignored)), Box::new(F1::default())),
        ];
        for (mut with, mut without) in rows_of {
            with.update(&targets, &p, Some(&w)).unwrap();
            without.update(&kept_targets, &rows(&p), Some(&rows(&w))).unwrap();
            assert_eq!(with.result(), without.result(), "{}", with.name());
        }
        let (mut with, mut without) = (ConfusionMatrix::default().ignore_class(ignored), ConfusionMatrix::default());
        with.update(&targets, &p, None).unwrap();
        without.update(&kept_targets, &rows(&p), None).unwrap();
        assert_eq!(with.counts(), without.counts());
    }
    // A class that there is: scikit-learn's f1_score, precision_score and recall_score of the samples of classes 1 and 2,
    // labels=[1, 2]. By hand from the matrix [[1, 1, 1], [0, 1, 2]] of these classes against all three.
    let ignoring = |average| F1::default().average(average).ignore_class(0);
    let [one, two] = [2.0 / (2.0 + 3.0), 4.0 / (3.0 + 3.0)];
    assert_close(measure(ignoring(ClassAverage::Macro), &y, &p, None), (one + two) / 2.0);
    assert_close(measure(ignoring(ClassAverage::Weighted), &one_hot(&y), &p, None), (one + two) / 2.0);
    assert_close(measure(ignoring(ClassAverage::Micro), &y, &p, None), 2.0 * 3.0 / (5.0 + 6.0));
    // Of two classes, by hand: the first and the last of the six do not count.
    let targets = Tensor::from([-1.0, 0.0, 0.0, 1.0, 1.0, -1.0]);
    let scores = Tensor::from([f64::NAN, 0.6, 0.2, 0.4, 0.9, 0.0]);
    assert_close(measure(BinaryAccuracy::default().ignore_class(-1), &targets, &scores, None), 0.5);
    assert_close(measure(Accuracy::default().ignore_class(-1), &targets, &scores, None), 0.5);
    assert_close(measure(Auc::default().ignore_class(-1), &targets, &scores, None), 0.75);
    assert_close(measure(Precision::default().ignore_class(-1), &targets, &scores, None), 0.5);
    // Nothing that counts.
    let none = Tensor::from([-1.0, -1.0, -1.0]);
    assert_close(measure(BinaryAccuracy::default().ignore_class(-1), &none, &scores.slice(0, 1..4), None), 0.0);
}

#[test]
fn another_number_of_classes_is_not_another_beginning() {
    let (p, y, _) = three_classes();
    let mut f1 = F1::default();
    f1.update(&y, &p, None).unwrap();
    let refused = f1.update(&Tensor::from([0.0, 1.0]), &Tensor::from([0.2, 0.7]), None).unwrap_err();
    let expected = "f1: outputs have 2 classes, those before had 3; measure each model by a metric of its own";
    assert_eq!(refused.to_string(), expected);
    let mut r2 = R2::default();
    r2.update(&p, &p, None).unwrap();
    let refused = r2.update(&y, &y, None).unwrap_err();
    let expected = "r2: outputs have 1 columns, those before had 3; measure each model by a metric of its own";
    assert_eq!(refused.to_string(), expected);
    // A damaged state: one class of a single output.
    let state = serde_json::json!([{"classes": 1, "counts": [3.0]}, true, false]);
    let state = NamedState { name: "f1".to_owned(), state, tensors: Tensors::new(), only_watches: false };
    let refused = Metric::<f64>::restore(&mut F1::default(), &state).unwrap_err().to_string();
    assert!(refused.starts_with("restore: the state of f1 has 1 classes for a single output"), "{refused}");
}
