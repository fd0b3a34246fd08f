//! CSV: tables become tensors, and every mistake in one is named with its line and column.

use gradus_datasets::{ByteSource, Csv, DatasetError, Place};
use gradus_tensor::Tensor;
use proptest::prelude::*;

fn csv(text: &str) -> Csv<'_> {
    Csv::new(ByteSource::new(text.as_bytes(), "table.csv").unwrap())
}

fn message<T>(result: Result<T, DatasetError>) -> String {
    result.map(|_| ()).unwrap_err().to_string()
}

#[test]
fn the_last_column_is_the_target_unless_said_otherwise() {
    let text = "a,b,c\n1,2,3\n4,5,6\n";
    let last = csv(text).regression().unwrap();
    assert_eq!(*last.inputs(), Tensor::new([[1.0, 2.0], [4.0, 5.0]]));
    assert_eq!(*last.targets(), Tensor::new([[3.0], [6.0]]));
    let named = csv(text).inputs(["c", "a"]).target("b").regression().unwrap();
    assert_eq!(*named.inputs(), Tensor::new([[3.0, 1.0], [6.0, 4.0]]));
    assert_eq!(*named.targets(), Tensor::new([[2.0], [5.0]]));
    let several = csv(text).targets([0, -1]).regression().unwrap();
    assert_eq!(*several.inputs(), Tensor::new([[2.0], [5.0]]));
    assert_eq!(*several.targets(), Tensor::new([[1.0, 3.0], [4.0, 6.0]]));
}

#[test]
fn a_table_may_be_one_tensor() {
    assert_eq!(csv("a,b\n1,-2e3\n.5,+4\n").tensor().unwrap(), Tensor::new([[1.0, -2000.0], [0.5, 4.0]]));
    let table = csv("1;2;x\n3;4;y\n").header(false).delimiter(b';').inputs([1, 0]);
    assert_eq!(table.tensor().unwrap(), Tensor::new([[2.0, 1.0], [4.0, 3.0]]));
}

#[test]
fn quotes_spaces_windows_lines_and_byte_order_marks_are_read() {
    let text = "\u{feff}\"size, in cm\", kind\r\n\"1.5\",\"big, \"\"old\"\"\"\r\n 2 , small\r\n";
    let animals = csv(text).inputs(["size, in cm"]).classification().unwrap();
    assert_eq!(*animals.inputs(), Tensor::new([[1.5], [2.0]]));
    assert_eq!(animals.class_names().unwrap(), ["big, \"old\"", "small"]);
}

#[test]
fn packed_tables_are_unpacked() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, b"a,b\n1,2\n").unwrap();
    let packed = packed.finish().unwrap();
    let source = ByteSource::new(&packed[..], "table.csv.gz").unwrap();
    assert_eq!(Csv::new(source).tensor().unwrap(), Tensor::new([[1.0, 2.0]]));
}

#[test]
fn classes_keep_the_order_of_the_names_given() {
    let text = "x,answer\n1,yes\n2,no\n3,yes\n";
    assert_eq!(csv(text).classification().unwrap().targets().to_vec(), [1, 0, 1]);
    let named = csv(text).class_names(["yes", "no", "perhaps"]).classification().unwrap();
    assert_eq!(named.targets().to_vec(), [0, 1, 0]);
    assert_eq!(named.class_names().unwrap().len(), 3);
    assert_eq!(
        message(csv(text).class_names(["yes", "perhaps"]).classification()),
        "table.csv, line 3, column 2: found \"no\" in column \"answer\", expected one of the classes [\"yes\", \
         \"perhaps\"]; correct the label, or name its class"
    );
}

#[test]
fn mistakes_in_fields_name_their_place() {
    let cases = [
        (
            "a,b\n1,2\n3,four\n",
            "table.csv, line 3, column 2: found \"four\" in column \"b\", expected a number; correct the value, or \
             choose `inputs` and `target` without the column",
        ),
        (
            "a,b\r\n1,2\r\n\r\n,5\r\n",
            "table.csv, line 4, column 1: found nothing in column \"a\", expected a number; fill in the missing value, \
             or drop the row or the column",
        ),
        (
            "a,b\n?,5\n",
            "table.csv, line 2, column 1: found \"?\" in column \"a\", expected a number; fill in the missing value, or \
             drop the row or the column",
        ),
        (
            "a,b\n1,NaN\n",
            "table.csv, line 2, column 2: found \"NaN\" in column \"b\", expected a number; fill in the missing value, \
             or drop the row or the column",
        ),
        (
            "a,b\n1,1e39\n",
            "table.csv, line 2, column 2: found \"1e39\" in column \"b\", expected a finite number that an f32 can hold; \
             correct the value, or drop the row",
        ),
        (
            "a,b\n1,inf\n",
            "table.csv, line 2, column 2: found \"inf\" in column \"b\", expected a finite number that an f32 can hold; \
             correct the value, or drop the row",
        ),
        (
            "a,b\n1,2\n3\n",
            "table.csv, line 3, column 2: found 1 fields, expected 2, as on the first line; complete the row, or quote \
             fields that hold a delimiter",
        ),
        (
            "a,b\n1,2\n3,4,5\n",
            "table.csv, line 3, column 3: found 3 fields, expected 2, as on the first line; complete the row, or quote \
             fields that hold a delimiter",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(message(csv(text).regression()), expected);
    }
    assert_eq!(
        message(csv("\"x\ny\",1\n").header(false).regression()),
        "table.csv, line 1, column 1: found \"x\\ny\" in column 0, expected a number; correct the value, or choose \
         `inputs` and `target` without the column"
    );
    let error = csv("\"a\nb\",c\r1,2\r\rx,2").regression().unwrap_err();
    assert_eq!(error.place(), Some(Place::Line { line: 5, column: 1 }));
    let error = csv("a,b\n1,2\n3,four\n").regression().unwrap_err();
    assert_eq!(error.place(), Some(Place::Line { line: 3, column: 2 }));
    let long = format!("a,b\n1,{}\n", "x".repeat(1000));
    assert!(message(csv(&long).regression()).contains(&format!("found \"{}...\" in", "x".repeat(40))));
    assert_eq!(
        message(csv("a,b\n1,\n").classification()),
        "table.csv, line 2, column 2: found nothing in column \"b\", expected a class label; fill in the missing label, \
         or drop the row"
    );
}

#[test]
fn text_in_another_encoding_is_named() {
    let source = ByteSource::new(&b"name,size\nK\xf6ln,1\n"[..], "table.csv").unwrap();
    assert_eq!(
        message(Csv::new(source).regression()),
        "table.csv, line 2, column 1: found bytes that are not UTF-8, expected text in UTF-8; save the file in that \
         encoding"
    );
}

#[test]
fn mistakes_in_columns_are_named() {
    let text = "a,b,b\n1,2,3\n";
    let cases = [
        (
            csv(text).target("z"),
            "table.csv: found column \"z\", expected one of the header's [\"a\", \"b\", \"b\"]; correct the name, or \
             check the delimiter",
        ),
        (
            csv(text).target(3),
            "table.csv: found column 3, expected an index among 3 columns; count columns from 0, or check the delimiter",
        ),
        (
            csv(text).target(-4),
            "table.csv: found column -4, expected an index among 3 columns; count columns from 0, or check the delimiter",
        ),
        (
            csv(text).target("b"),
            "table.csv: found column \"b\", expected a name that only one column has; choose it by index",
        ),
        (
            csv(text).inputs([0, 1]).target("a"),
            "table.csv: found column \"a\" as an input and a target, expected each column used once; choose the inputs \
             without the target",
        ),
        (
            csv("1,2\n").header(false).target("b"),
            "table.csv: found column \"b\", expected an index, as there is no header; choose columns by index, counted \
             from 0",
        ),
        (
            csv("a;b\n1;2\n"),
            "table.csv: found no input column among 1, expected at least one; choose inputs, or check the delimiter",
        ),
    ];
    for (csv, expected) in cases {
        assert_eq!(message(csv.regression()), expected);
    }
    assert_eq!(
        message(csv(text).targets([0; 0]).regression()),
        "table.csv: found no target column, expected at least one; choose one, or read a `tensor`"
    );
    assert_eq!(
        message(csv(text).targets([0, 1]).classification()),
        "table.csv: found 2 target columns, expected one column of class labels; choose one"
    );
}

#[test]
fn files_without_rows_are_named() {
    assert_eq!(
        message(csv("").tensor()),
        "table.csv: found an empty file, expected rows of fields; check that the file is complete"
    );
    assert_eq!(
        message(csv("a,b\n").tensor()),
        "table.csv: found no row, expected at least one row of data; check that the file is complete"
    );
    assert_eq!(
        message(Csv::open("no/such/table.csv")),
        "no/such/table.csv: found no such file, expected a file to read; check the path"
    );
}

#[test]
fn a_header_that_is_missing_is_noticed() {
    assert_eq!(
        message(csv("1,2\n3,4\n").tensor()),
        "table.csv, line 1, column 1: found a first line of numbers only, expected the names of the columns; call \
         `.header(false)`, or `.header(true)` if these are names"
    );
    assert_eq!(csv("1,2\n3,4\n").header(false).tensor().unwrap().shape(), &[2, 2]);
    assert_eq!(csv("1,2\n3,4\n").header(true).tensor().unwrap(), Tensor::new([[3.0, 4.0]]));
}

proptest! {
    #[test]
    fn numbers_come_back(
        rows in prop::collection::vec(prop::array::uniform3(any::<f32>().prop_filter("finite", |x| x.is_finite())), 1..20)
    ) {
        let mut text = "a,b,c\n".to_owned();
        for [a, b, c] in &rows {
            text += &format!("{a:?},{b},{c:e}\n");
        }
        let expected = Tensor::from(rows.concat()).reshape([rows.len(), 3]);
        prop_assert_eq!(csv(&text).tensor().unwrap(), expected);
    }

    #[test]
    fn random_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200), header in any::<bool>()) {
        let csv = || Csv::new(ByteSource::new(&bytes[..], "random").unwrap()).header(header);
        if bytes.starts_with(&[0x1f, 0x8b]) {
            return Ok(());
        }
        let _ = (csv().tensor(), csv().regression(), csv().classification());
    }

    /// Most random bytes fail at the first field; these get further.
    #[test]
    fn random_tables_do_no_harm(text in "([0-9a-c.,;\"\\-? \r\n]|NA|1,2\n){0,60}", header in any::<bool>()) {
        let _ = (csv(&text).header(header).tensor(), csv(&text).regression(), csv(&text).header(header).classification());
    }
}
