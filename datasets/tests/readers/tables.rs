//! Tables and what features make of them, held against scikit-learn and Keras (`reference/tables.py`).

use std::path::Path;

use gradus_datasets::{
    ByteSource, Category, Csv, DatasetError, Date, Discretization, Feature, FeatureSpace, Hashing, Impute,
    IntegerLookup, Number, OutputMode, Preparation, StringLookup, Table, TableColumn, Target, TextVectorization,
    TimeSeries, balanced_class_weights,
};
use gradus_tensor::Tensor;
use serde_json::Value;

fn reference() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tables.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(values: &Value) -> Vec<Option<f64>> {
    values.as_array().unwrap().iter().map(Value::as_f64).collect()
}

fn whole(values: &Value) -> Vec<i64> {
    values.as_array().unwrap().iter().map(|value| value.as_i64().unwrap()).collect()
}

fn strings(values: &Value) -> Vec<&str> {
    values.as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect()
}

fn table(column: impl Into<TableColumn>) -> Table {
    Table::new([("x", column.into())]).unwrap()
}

fn adapted(feature: impl Into<Feature>, column: impl Into<TableColumn>) -> Preparation {
    FeatureSpace::new().feature("x", feature).adapt(&table(column)).unwrap()
}

fn features(preparation: &Preparation, column: impl Into<TableColumn>) -> Tensor {
    preparation.prepare(&table(column)).unwrap()[0].to()
}

fn message<T>(result: Result<T, DatasetError>) -> String {
    result.err().expect("it is refused").to_string()
}

#[test]
fn numbers_are_filled_and_scaled_as_by_scikit_learn() {
    let reference = reference();
    let (train, new) = (numbers(&reference["numbers"]), numbers(&reference["new"]));
    for (name, expected) in reference["scaled"].as_object().unwrap() {
        let (scale, strategy) = name.split_once(' ').unwrap();
        let number = match scale {
            "standard" => Number::standard(),
            "min_max" => Number::min_max(),
            _ => Number::robust(),
        };
        let impute = match strategy {
            "mean" => Impute::Mean,
            "median" => Impute::Median,
            "most_frequent" => Impute::MostFrequent,
            _ => Impute::Value(-7.5),
        };
        let preparation = adapted(number.impute(impute), train.clone());
        for (column, expected) in [(&train, &expected[0]), (&new, &expected[1])] {
            let expected: Tensor = numbers(expected).into_iter().map(|number| number.unwrap() as f32).collect();
            let found = features(&preparation, column.clone()).reshape([column.len()]);
            assert!(found.allclose(&expected, 1e-6, 1e-6), "{name}: {found} {expected}");
        }
    }
}

#[test]
fn numbers_that_never_change_become_0() {
    for number in [Number::standard(), Number::min_max(), Number::robust()] {
        assert_eq!(features(&adapted(number, [14.62; 3]), [14.62; 3]), Tensor::zeros([3, 1]));
    }
    assert_eq!(features(&adapted(Number::new(), [0.0]), [1e30, -2.0]), Tensor::new([[1e30], [-2.0]]));
}

#[test]
fn a_number_that_is_missing_needs_an_imputation() {
    let train = || table(vec![Some(1.0), None]);
    assert_eq!(
        message(FeatureSpace::new().feature("x", Number::standard()).adapt(&train())),
        "column \"x\", sample 1: found a number that is missing, expected a number in every row; say by `impute` what stands for \
         it, or leave the row out"
    );
    let preparation = adapted(Number::standard(), [1.0, 2.0]);
    let rows: Vec<Option<f64>> = (0..10_000).map(|row| Some(f64::from(row)).filter(|_| row < 9000)).collect();
    assert!(message(preparation.prepare(&table(rows))).starts_with("column \"x\", sample 9000: found a number"));
    let error = message(preparation.prepare(&table([f64::INFINITY])));
    assert!(error.contains("found inf, expected a finite number"), "{error}");
    let only_missing = table(vec![None::<f64>, None]);
    let error = message(FeatureSpace::new().feature("x", Number::new().impute(Impute::Median)).adapt(&only_missing));
    assert!(error.starts_with("column \"x\": found no number in the column"), "{error}");
    let error = message(FeatureSpace::new().feature("x", Number::new().indicator(true)).adapt(&train()));
    assert!(error.contains("an indicator, and nothing to fill in"), "{error}");
    let error = message(FeatureSpace::new().feature("x", Number::new()).adapt(&table(["1", "2", "few"])));
    assert_eq!(
        error,
        "column \"x\", sample 2: found \"few\", expected a number; correct the entry, or use the column as a category"
    );
}

#[test]
fn lookups_are_those_of_keras() {
    let reference = reference();
    for case in reference["lookups"].as_array().unwrap() {
        let mut lookup = StringLookup::new();
        if let Some(mask) = case["mask_token"].as_str() {
            lookup = lookup.mask_token(mask);
        }
        if let Some(count) = case["num_oov_indices"].as_u64() {
            lookup = lookup.num_oov_indices(count as usize);
        }
        if let Some(count) = case["max_tokens"].as_u64() {
            lookup = lookup.max_tokens(count as usize);
        }
        let lookup = lookup.adapt(strings(&case["tokens"])).unwrap();
        assert_eq!(lookup.ids(strings(&case["asked"])).unwrap().to_vec(), whole(&case["ids"]), "{case}");
        let written = serde_json::to_string(&lookup).unwrap();
        assert_eq!(serde_json::from_str::<StringLookup>(&written).unwrap(), lookup);
    }
    let integers = IntegerLookup::new().adapt([5, 5, 3, 3, 3, 1, 2]).unwrap();
    assert_eq!(integers.ids(whole(&reference["integers"][0])).unwrap().to_vec(), whole(&reference["integers"][1]));
    let bins = Discretization::at([0.0, 1.0, 2.0]).unwrap();
    let asked = numbers(&reference["bins"][0]).into_iter().flatten();
    assert_eq!(bins.ids(asked).unwrap().to_vec(), whole(&reference["bins"][1]));
}

#[test]
fn a_lookup_refuses_what_it_does_not_know() {
    let known = StringLookup::new().num_oov_indices(0).with_vocabulary(["a", "b"]).unwrap();
    assert_eq!(
        message(known.ids(["a", "c"])),
        "sample 1: found \"c\", expected a token of the vocabulary; correct it, or let an id stand for such tokens by \
         `num_oov_indices`"
    );
    assert_eq!((known.token(1), known.token(2), known.token(-1)), (Some(&"b".to_owned()), None, None));
    assert!(message(StringLookup::new().ids(["a"])).contains("no vocabulary"));
    assert!(message(StringLookup::new().adapt([""; 0])).contains("no token"));
    assert!(message(StringLookup::new().with_vocabulary(["a", "b", "a"])).contains("the token \"a\" of place 0 again"));
    assert!(message(StringLookup::new().mask_token("a").with_vocabulary(["a"])).contains("the mask token"));
    assert!(message(IntegerLookup::new().max_tokens(2).with_vocabulary([1_i64, 2])).contains("at most 2"));
    // Several ids for what is unknown are chosen by a hash.
    let several = IntegerLookup::new().num_oov_indices(3).with_vocabulary([7_i64]).unwrap();
    let ids = several.ids(0..100_i64).unwrap();
    assert_eq!((ids.get([7]), ids.iter().all(|id| (0..4).contains(&id))), (3, true));
    assert!((0..3).all(|id| ids.iter().any(|other| other == id)));
}

#[test]
fn bins_hold_like_numbers() {
    let bins = Discretization::new(4).adapt((1..=12).map(f64::from)).unwrap();
    // np.quantile(np.arange(1, 13), [0.25, 0.5, 0.75]) of NumPy 2.4.6.
    assert_eq!(bins.bin_boundaries(), [3.75, 6.5, 9.25]);
    assert_eq!(Discretization::new(3).adapt([1.0, 1.0, 1.0, f64::NAN, 5.0]).unwrap().bin_boundaries(), [1.0]);
    for wrong in [vec![], vec![1.0, 1.0], vec![2.0, 1.0], vec![f64::NAN], vec![f64::INFINITY]] {
        assert!(Discretization::at(wrong).is_err());
    }
    assert!(message(Discretization::new(2).adapt([1.0, f64::INFINITY])).contains("an infinite number"));
    assert!(message(Discretization::new(2).ids([1.0])).contains("no boundaries"));
    assert!(message(bins.ids([1.0, f64::NAN])).starts_with("sample 1: found NaN"));
    let preparation = adapted(Discretization::at([1.0]).unwrap(), [0.0]);
    assert_eq!(preparation.feature_names(), ["x < 1", "x >= 1"]);
    let rows = features(&preparation, vec![Some(0.5), None, Some(1.0)]);
    assert_eq!(rows, Tensor::new([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]));
}

#[test]
fn categories_become_numbers_or_ids() {
    let reference = reference();
    // scikit-learn sorts categories; here the most frequent comes first, which x is too.
    let one_hot: Tensor =
        reference["one_hot"].as_array().unwrap().iter().flat_map(numbers).map(|x| x.unwrap() as f32).collect();
    let preparation = adapted(Category::one_hot(), ["x", "y", "x"]);
    assert_eq!(features(&preparation, ["y", "z", "x"]), one_hot.reshape([3, 2]));

    let missing = adapted(Category::one_hot(), ["x", "", "x"]);
    assert_eq!(missing.feature_names(), ["x = x", "x is missing"]);
    assert_eq!(features(&missing, ["", "y"]), Tensor::new([[0.0, 1.0], [0.0, 0.0]]));
    let filled = adapted(Category::one_hot().impute_most_frequent(true), ["y", "", "x", "y"]);
    assert_eq!(features(&filled, ["", "x"]), Tensor::new([[1.0, 0.0], [0.0, 1.0]]));
    let few = adapted(Category::one_hot().max_tokens(1), ["y", "x", "y"]);
    assert_eq!(features(&few, ["x", "y"]), Tensor::new([[0.0], [1.0]]));

    let ids = adapted(Category::ids(), ["b", "a", "b"]);
    assert_eq!((ids.width(), ids.id_inputs().collect::<Vec<_>>()), (0, vec![("x".to_owned(), 3)]));
    let inputs = ids.prepare(&table(["a", "c", "b"])).unwrap();
    assert_eq!(inputs.named("x").unwrap().to::<i64>().to_vec(), [2, 0, 1]);

    let hashed = adapted(Category::hashed(5), ["a"]);
    let row = features(&hashed, ["Paris"]);
    assert_eq!((row.shape()[1], row.sum(..).item(), row.argmax(-1).item()), (5, 1.0, Hashing::new(5).id("Paris")));
}

#[test]
fn categories_of_numbers_are_one_however_they_are_written() {
    let preparation = adapted(Category::one_hot(), [1.0, 2.5, 1.0, -0.0]);
    assert_eq!(preparation.feature_names(), ["x = 1", "x = 2.5", "x = 0"]);
    let expected = Tensor::new([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
    assert_eq!(features(&preparation, [1.0, 2.5, 0.0]), expected);
    assert_eq!(features(&preparation, ["1.0", "2.50", "-0"]), expected);
    // A text that looks like a number stays one.
    let texts = adapted(Category::one_hot(), ["01", "1"]);
    assert_eq!(features(&texts, ["1", "01"]), Tensor::new([[1.0, 0.0], [0.0, 1.0]]));
    assert_eq!(features(&texts, [1.0]), Tensor::new([[1.0, 0.0]]));
}

#[test]
fn dates_have_a_place_in_the_year_and_in_the_week() {
    // The first of January 1970 was a Thursday; a week later it is one again.
    let preparation = adapted(Date::new(), ["1970-01-01", "1970-01-15"]);
    let rows = features(&preparation, ["1970-01-08 13:00", "1970-01-15"]);
    assert!(rows.select(1, 0).allclose(&Tensor::new([13.0 / 24.0 / 7.0, 1.0]), 1e-6, 1e-6));
    let angle = std::f64::consts::TAU * 3.0 / 7.0;
    for (place, expected) in [(3, angle.sin()), (4, angle.cos())] {
        assert!((rows.select(1, place) - expected as f32).abs().max(..).item() < 1e-6);
    }
    let year = std::f64::consts::TAU * 14.0 / 365.2425;
    assert!((rows.get([1, 1]) - year.sin() as f32).abs() < 1e-6 && (rows.get([1, 2]) - year.cos() as f32).abs() < 1e-6);
    let hours = adapted(Date::new().hour(true), ["1970-01-01 06:00"]);
    assert_eq!(hours.feature_names().len(), 7);
    assert!((features(&hours, ["1970-01-01 06:00"]).get([0, 5]) - 1.0).abs() < 1e-6);
    let error = message(preparation.prepare(&table(["1970-01-01", "soon"])));
    assert_eq!(
        error,
        "column \"x\", sample 1: found \"soon\", expected a date such as 2024-02-29 or 2024-02-29 18:30; correct it, or say by \
         `format` how dates are written"
    );
    let error = message(preparation.prepare(&table(["", "1970-01-01"])));
    assert!(error.starts_with("column \"x\", sample 0: found a date that is missing"), "{error}");
    let filled = adapted(Date::new().impute(Impute::Mean), ["1970-01-01", "", "1970-01-15"]);
    let row = features(&filled, [""]);
    // The eighth of January.
    assert!((row.get([0, 0])).abs() < 1e-6 && (row.get([0, 3]) - angle.sin() as f32).abs() < 1e-6);
}

#[test]
fn words_are_features_or_an_input_of_ids() {
    let counts = TextVectorization::new().output_mode(OutputMode::Count);
    let preparation = adapted(counts, ["the cat", "the dog"]);
    assert_eq!(preparation.feature_names(), ["\"[UNK]\" in x", "\"the\" in x", "\"dog\" in x", "\"cat\" in x"]);
    assert_eq!(features(&preparation, ["the the bird"]), Tensor::new([[1.0, 2.0, 0.0, 0.0]]));
    let padded = TextVectorization::new().output_mode(OutputMode::MultiHot).max_tokens(6).pad_to_max_tokens(true);
    let padded = adapted(padded, ["the cat"]);
    assert_eq!((padded.width(), features(&padded, ["cat"])), (6, Tensor::new([[0.0, 0.0, 1.0, 0.0, 0.0, 0.0]])));
    assert_eq!(padded.feature_names()[3..], ["no word in x"; 3]);
    let ids = adapted(TextVectorization::new().output_sequence_length(3), ["the cat", "the dog"]);
    let inputs = ids.prepare(&table(["dog", ""])).unwrap();
    assert_eq!(inputs.named("x").unwrap().to::<i64>(), Tensor::from([[3_i64, 0, 0], [0, 0, 0]]));
}

#[test]
fn a_preparation_is_written_and_read() {
    let columns = [
        ("age", TableColumn::from(vec![Some(20.0), None, Some(40.0)])),
        ("city", TableColumn::from(["Rome", "Paris", "Rome"])),
        ("code", TableColumn::from([7.0, 8.0, 7.0])),
        ("day", TableColumn::from(["2024-01-01", "2024-02-01", "2024-03-01"])),
        ("words", TableColumn::from(["a b", "b", "c"])),
        ("class", TableColumn::from(["low", "high", "low"])),
    ];
    let table = Table::new(columns).unwrap();
    let preparation = FeatureSpace::new()
        .feature("age", Number::standard().impute(Impute::Median).indicator(true))
        .feature("age", Discretization::new(2))
        .feature("city", Category::one_hot())
        .feature("code", Category::ids())
        .cross(["city", "code"], Category::hashed(4))
        .feature("day", Date::new())
        .feature("words", TextVectorization::new().output_mode(OutputMode::MultiHot))
        .target("class", Target::classes())
        .adapt(&table)
        .unwrap();
    let written = serde_json::to_string(&preparation).unwrap();
    let read: Preparation = serde_json::from_str(&written).unwrap();
    assert_eq!(read, preparation);
    assert_eq!(read.prepare(&table).unwrap(), preparation.prepare(&table).unwrap());
    assert_eq!(preparation.feature_names().len(), preparation.width());
    assert_eq!(
        preparation.columns(),
        [("age", true), ("city", false), ("code", false), ("day", false), ("words", false)]
    );
    let data = preparation.dataset(&table).unwrap();
    assert_eq!(data.class_names().unwrap(), ["high", "low"]);
    assert_eq!(data.targets()[0].to::<i64>().to_vec(), [1, 0, 1]);
    assert_eq!(balanced_class_weights(&data, 2).unwrap(), [1.5, 0.75]);
    assert_eq!(data.len(), 3);

    // A new table is read as that one was, whatever it looks like.
    let text = "code,city,age,day,words,more\n07,Oslo,,2024-05-01,b,1\n";
    let new = read.read(Csv::new(ByteSource::new(text.as_bytes(), "new").unwrap())).unwrap();
    assert_eq!(new.names().collect::<Vec<_>>(), ["age", "city", "code", "day", "words"]);
    assert_eq!(read.prepare(&new).unwrap().len(), 2);
    let error = message(read.read(Csv::new(ByteSource::new(&b"age\n1\n"[..], "new").unwrap())));
    assert!(error.starts_with("new: found column \"city\""), "{error}");
}

#[test]
fn a_file_may_claim_any_width() {
    let preparation = adapted(Category::hashed(7), ["a"]);
    let written = serde_json::to_string(&preparation).unwrap();
    for bins in ["18446744073709551615", "4611686018427387904"] {
        let claimed: Preparation =
            serde_json::from_str(&written.replace("\"num_bins\":7", &format!("\"num_bins\":{bins}"))).unwrap();
        assert!(message(claimed.prepare(&table(["a", "b"]))).contains("memory"));
    }
}

#[test]
fn targets_are_numbers_or_classes() {
    let target = |target: Target, column: TableColumn| {
        let table = Table::new([("x", TableColumn::from(vec![1.0; column.len()])), ("y", column)]).unwrap();
        FeatureSpace::new().feature("x", Number::new()).target("y", target).adapt(&table)?.dataset(&table)
    };
    let values = |of: Target, column: TableColumn| target(of, column).unwrap().targets()[0].to::<f32>();
    assert_eq!(values(Target::number(), [1.5, 2.5].into()), Tensor::new([[1.5], [2.5]]));
    assert_eq!(values(Target::binary(), ["yes", "no", "yes"].into()), Tensor::new([[1.0], [0.0], [1.0]]));
    assert_eq!(values(Target::positive("no"), ["yes", "no"].into()), Tensor::new([[0.0], [1.0]]));
    assert_eq!(values(Target::binary(), [0.0, 1.0].into()), Tensor::new([[0.0], [1.0]]));
    assert_eq!(values(Target::classes(), [10.0, 9.0, 10.0].into()), Tensor::new([1.0, 0.0, 1.0]));
    assert_eq!(values(Target::classes_named(["c", "a"]), ["a", "c"].into()), Tensor::new([1.0, 0.0]));
    for (of, column, error) in [
        (
            Target::number(),
            TableColumn::from(vec![Some(1.0), None]),
            "column \"y\", sample 1: found a target that is missing",
        ),
        (
            Target::binary(),
            ["a", "b", "c"].into(),
            "column \"y\": found 3 labels: [\"a\", \"b\", \"c\"], expected two labels",
        ),
        (
            Target::positive("c"),
            ["a", "b"].into(),
            "column \"y\": found the labels [\"a\", \"b\"], expected \"c\" among them",
        ),
        (Target::classes(), ["a", ""].into(), "column \"y\", sample 1: found a target that is missing"),
        (
            Target::classes_named(["a"]),
            ["a", "b"].into(),
            "column \"y\", sample 1: found \"b\", expected one of the labels",
        ),
        (Target::number(), ["1", "b"].into(), "column \"y\", sample 1: found \"b\", expected a number"),
    ] {
        let found = message(target(of, column));
        assert!(found.starts_with(error), "{found}");
    }
    let table = Table::new([("x", TableColumn::from([1.0]))]).unwrap();
    assert!(message(adapted(Number::new(), [1.0]).dataset(&table)).contains("a preparation without a target"));
    assert!(message(FeatureSpace::new().adapt(&table)).contains("without features"));
    let twice = FeatureSpace::new().feature("x", Number::new()).target("x", Target::number());
    assert!(message(twice.adapt(&table)).contains("as a feature and as the target"));
    let ids = FeatureSpace::new().feature("x", Category::ids()).feature("x", Category::ids());
    assert!(message(ids.adapt(&table)).contains("two inputs of the name \"x\""));
}

#[test]
fn rows_are_chosen() {
    let table = Table::new([
        ("a", TableColumn::from(vec![Some(1.0), None, Some(3.0), Some(4.0)])),
        ("b", TableColumn::from(["w", "x", "", "z"])),
    ])
    .unwrap();
    assert_eq!(table.with_values("a").unwrap().numbers("a").unwrap().to_vec(), [1.0, 3.0, 4.0]);
    assert_eq!(table.with_values("b").unwrap().len(), 3);
    assert_eq!(table.slice(1..3).texts("b").unwrap().iter().collect::<Vec<_>>(), ["x", ""]);
    assert_eq!((table.take(9).len(), table.take(1).len()), (4, 1));
    assert_eq!(table.shuffle(1).texts("b").unwrap(), table.shuffle(1).texts("b").unwrap());
    let (train, test) = table.validation_split(0.25).unwrap();
    assert_eq!((train.len(), test.texts("b").unwrap().get(0)), (3, "z"));
    let folds = table.k_folds(2, 7).unwrap();
    assert_eq!(
        folds.iter().map(|(train, validation)| (train.len(), validation.len())).collect::<Vec<_>>(),
        [(2, 2); 2]
    );
    assert_eq!(table.select(["b"]).unwrap().names().collect::<Vec<_>>(), ["b"]);
    assert_eq!(table.without(["b"]).unwrap().names().collect::<Vec<_>>(), ["a"]);
    assert!(message(table.select(["c"])).starts_with("found the column \"c\", expected one of the columns"));
    assert!(message(table.without(["a", "b"])).contains("a table without columns"));
    assert!(
        message(Table::new([("a", TableColumn::from([1.0])), ("b", TableColumn::from(["x", "y"]))])).contains("1 rows")
    );
    assert_eq!((table.skip(3).len(), table.split_at(1).1.len()), (1, 3));
    let error = message(adapted(Number::new(), [1.0]).prepare(&table.select(["b"]).unwrap()));
    assert!(error.starts_with("found a table without the column \"x\", with [\"b\"]"), "{error}");
    // Of strided numbers too.
    let column = Tensor::<f64>::from([[1.0, 2.0], [3.0, 4.0]]).select(1, 1);
    assert_eq!(features(&adapted(Number::new(), column.clone()), column), Tensor::new([[2.0], [4.0]]));
}

#[test]
fn a_table_is_described() {
    let table = Table::new([
        ("age", TableColumn::from(vec![Some(1.0), None, Some(3.0)])),
        ("city", TableColumn::from(["Rome", "Rome", "Paris"])),
        ("none", TableColumn::from(vec![None::<f64>, None, None])),
    ])
    .unwrap();
    assert_eq!(
        table.to_string(),
        "3 rows, 3 columns\n\
         age   numbers  1 missing, 1 to 3, mean 2.000000\n\
         city  texts    none missing, 2 different, \"Rome\" 2 times\n\
         none  numbers  3 missing, no number"
    );
}

#[test]
fn windows_are_those_of_keras() {
    let reference = reference();
    let steps: Tensor<i64> = (0..12_i64).collect();
    let targets: Tensor<i64> = (0..12_i64).map(|step| 10 * step).collect();
    let data = TimeSeries::new(3).sequence_stride(2).sampling_rate(2).dataset(&steps, &targets).unwrap();
    let batch = data.read(&[0, 1, 2, 3]).unwrap();
    let expected: Vec<i64> = reference["windows"][0].as_array().unwrap().iter().flat_map(whole).collect();
    assert_eq!((data.len(), batch.inputs.to_vec(), batch.inputs.shape()[1]), (4, expected, 3));
    assert_eq!(batch.targets.to_vec(), whole(&reference["windows"][1]));

    // A series of two numbers a step, backwards.
    let series = Tensor::new([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]]).flip(0);
    let data = TimeSeries::new(2).forecast(&series, 2).unwrap();
    let batch = data.read(&[0]).unwrap();
    assert_eq!((data.len(), batch.inputs), (1, Tensor::new([[[6.0, 7.0], [4.0, 5.0]]])));
    assert_eq!(batch.targets, Tensor::new([[0.0, 1.0]]));

    let series = Tensor::new([0.0, 1.0]);
    assert_eq!(
        message(TimeSeries::new(2).forecast(&series, 1)),
        "found a series of shape [2], expected at least 3 steps; give a longer series, or shorten the windows"
    );
    assert!(message(TimeSeries::new(3).dataset(&series, &series)).contains("at least 3 steps, and a target"));
    assert!(TimeSeries::new(2).sampling_rate(usize::MAX).dataset(&series, &series).is_err());
}
