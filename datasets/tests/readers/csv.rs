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
        "table.csv, line 1, column 1: found \"x\\ny\" in column 0, expected a number; correct the value, choose `inputs` \
         and `target` without the column, or call `.header(true)` if the first line holds names"
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
        (csv("a;b\n1;2\n"), "table.csv: found no input column among 1, expected at least one; call `.delimiter(b';')`"),
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
    let refused = |text: &str| {
        let message = message(csv(text).classification());
        let expected = "above a column of numbers, expected the name of the column; call `.header(false)` if the first line \
                        is a row, or `.header(true)` if it holds names";
        assert!(message.contains(expected), "{text}: {message}");
        message
    };
    assert!(
        refused("1,2,a\n3,4,b\n5,6,a\n")
            .starts_with("table.csv, line 1, column 1: found the number \"1\" on the first")
    );
    assert!(refused("x,2,a\n3,4,b\n").starts_with("table.csv, line 1, column 2: found the number \"2\" on the first"));
    for text in [
        "1,2\n3,4\n",
        "1,2,a\n",
        "\"1\",2,a\r\n\"3\",4,b\r\n",
        "-1.5e3,+.5,a\n3,4,b\n",
        " 1 , 2 ,a\n3,4,b\n",
        "\u{feff}1,2,a\n3,4,b\n",
        // A value is missing, or no number that an f32 can hold.
        "1,2,a\n,NA,b\n3,4,c\n",
        "?,2,a\n3,inf,b\n",
    ] {
        refused(text);
    }
    // In a regression and in a tensor too, whichever columns are chosen.
    assert!(csv("a,1,2\n3,4,5\n").inputs([0]).regression().is_err());
    assert!(csv("1,2\n3,4\n").tensor().is_err());
    let kinds = csv("1,2,a\n3,4,b\n5,6,a\n").header(false).classification().unwrap();
    assert_eq!((kinds.len(), kinds.targets().to_vec()), (3, vec![0, 1, 0]));
    assert_eq!(csv("1,2\n3,4\n").header(false).tensor().unwrap().shape(), &[2, 2]);
    assert_eq!(csv("1,2\n3,4\n").header(true).tensor().unwrap(), Tensor::new([[3.0, 4.0]]));
    // Names with digits, names that f64 reads, and a number above a column of texts are names.
    let named = csv("x1,Na,inf,1990\n3,4,5,a\n").classification().unwrap();
    assert_eq!(*named.inputs(), Tensor::new([[3.0, 4.0, 5.0]]));
    assert_eq!(csv(",nan\n3,4\n").tensor().unwrap(), Tensor::new([[3.0, 4.0]]));
}

#[test]
fn a_first_line_of_names_is_noticed_where_a_row_is_said_to_be() {
    assert_eq!(
        message(csv("h,k\n1,2\n").header(false).regression()),
        "table.csv, line 1, column 1: found \"h\" in column 0, expected a number; correct the value, choose `inputs` and \
         `target` without the column, or call `.header(true)` if the first line holds names"
    );
}

#[test]
fn a_quote_that_is_left_open_is_noticed() {
    let hint = "close the quote where the field ends, or remove it; a quote within a quoted field is written twice";
    let cases = [
        ("h,k\n1,a\n2,\"b\n3,c\n4,d\n5,e", "line 3, column 2: found a quote that is never closed"),
        ("h,k\r\n1,a\r\n\r\n2,\"b\r\n3,c\r\n", "line 4, column 2: found a quote that is never closed"),
        ("h,\"k\n1,a\n2,b\n", "line 1, column 2: found a quote that is never closed"),
        ("h,k\n1,\"a\"\"\n2,b\n", "line 2, column 2: found a quote that is never closed"),
        // The next field that is quoted closes it.
        (
            "h,k\n1,a\n2,\"b\n3,\"c\"\n4,d\n",
            "line 3, column 2: found a quoted field with more text behind its closing quote, \"c\\\"\"",
        ),
        ("h,k\n1,\"a\" b\n", "line 2, column 2: found a quoted field with more text behind its closing quote, \" b\""),
        // A quote that is closed in another row.
        (
            "h,k\n1,a\n2,\"b\n3,c\n4,d\"\n5,e\n",
            "line 3, column 2: found a quote that is closed 2 lines further on, over lines that look like rows",
        ),
        ("h,note,k\r1,ok,a\r2,\"so\r3,x\",b\r4,z,c\r", ""),
        (
            "h,note,k\n1,ok,a\n2,\"so,b\n3,x,b\n4,z\",c\n",
            "line 3, column 2: found a quote that is closed 2 lines further on, over lines that look like rows",
        ),
    ];
    for (text, expected) in cases {
        let result = csv(text).inputs(["h"]).target("k").classification();
        if expected.is_empty() {
            assert!(result.is_ok(), "{text}");
            continue;
        }
        let expected = format!("table.csv, {expected}, expected a field whose quotes stand around it; {hint}");
        assert_eq!(message(csv(text).inputs([0]).target(-1).classification()), expected, "{text}");
    }
    // In a column that is not read, too.
    assert!(csv("h,note,k\n1,\"ok,2\n3,x,4\n").inputs(["h"]).target("k").regression().is_err());
}

#[test]
fn quoted_fields_may_be_of_several_lines() {
    let text = "h,note,k\n1,\"Dear Sir,\n\nwell, no\r\n\"\"so\"\", I am, yours\",a\n2,,\"b\nor c\"\n3,12\" disk,\"\"\n";
    let kinds = csv(text).inputs(["h"]).class_names(["a", "b\nor c", ""]).classification().unwrap();
    assert_eq!(kinds.targets().to_vec(), [0, 1, 2]);
    // Lines with as many fields as a row, without numbers in the column of numbers.
    let text = "h,k\n1,\"nice, so\nwell, yes\"\n2,\"b\"\n";
    assert_eq!(csv(text).classification().unwrap().class_names().unwrap(), ["b", "nice, so\nwell, yes"]);
}

#[test]
fn a_quote_may_stand_behind_a_space() {
    // pandas.read_csv(.., skipinitialspace=True) gives 1, "a, b" and 2, "c"; behind the field, text is a letter as any other.
    let text = "h, k\n\"1\", \"a, b\"\n 2,\t\"c\" \n3, \"d\" or e\n4, \"f\n";
    let kinds = csv(text).classification().unwrap();
    assert_eq!(kinds.class_names().unwrap(), ["\"d\" or e", "\"f", "a, b", "c"]);
    let place = csv("h, k\n1, \"a\nb\"\n2, \"c\"\nx, \"d\"\n").classification().unwrap_err().place();
    assert_eq!(place, Some(Place::Line { line: 5, column: 1 }));
}

#[test]
fn classes_of_numbers_are_ordered_by_value() {
    // As pandas writes whole numbers when one was missing.
    let rows: String = (0..12).rev().map(|class| format!("1,{class}.0\n")).collect();
    let kinds = csv(&format!("x,k\n{rows}")).classification().unwrap();
    assert_eq!(kinds.targets().to_vec(), (0..12).rev().collect::<Vec<_>>());
    assert_eq!(kinds.class_names().unwrap()[..3], ["0.0", "1.0", "2.0"]);
    let kinds = csv("x,k\n1,1.0\n1,unknown\n1,10\n1,2\n1,1\n").classification().unwrap();
    assert_eq!(kinds.targets().to_vec(), [0, 3, 2, 1, 0]);
    assert_eq!(kinds.class_names().unwrap(), ["1", "2", "10", "unknown"]);
    // A test set of the same classes, written otherwise.
    let test = csv("x,k\n1,10.0\n1,2.0\n").class_names(["1", "2", "10"]).classification().unwrap();
    assert_eq!(test.targets().to_vec(), [2, 1]);
    assert_eq!(
        message(csv("x,k\n1,a\n").class_names(["a", "b", "a"]).classification()),
        "table.csv: found the class name \"a\" twice, for the classes 0 and 2, expected a name of its own for each class; \
         correct the names"
    );
}

#[test]
fn a_program_says_what_is_missing() {
    let text = "x,damage\n1,None\n2,Mild\n3,NA\n";
    let named = csv(text).class_names(["None", "Mild", "NA"]).classification().unwrap();
    assert_eq!(named.targets().to_vec(), [0, 1, 2]);
    let found = csv(text).missing(["?", "-"]).classification().unwrap();
    assert_eq!(found.class_names().unwrap(), ["Mild", "NA", "None"]);
    assert_eq!(
        message(csv(text).classification()),
        "table.csv, line 2, column 2: found \"None\" in column \"damage\", expected a class label; fill in the missing \
         label, or drop the row; if it is a class, name all classes by `.class_names(..)`, or the missing texts by \
         `.missing(..)`"
    );
    // pandas's names for missing values.
    for text in ["<NA>", "#N/A", "-nan", "NULL", "n/a"] {
        assert!(message(csv(&format!("x,k\n1,{text}\n")).classification()).contains("fill in the missing label"));
        assert!(message(csv(&format!("x,k\n{text},a\n")).classification()).contains("fill in the missing value"));
    }
    assert_eq!(
        message(csv("x,y\n1,2\n-999.0,3\n").missing(["-999", "unknown"]).regression()),
        "table.csv, line 3, column 1: found \"-999.0\" in column \"x\", expected a number that does not mean \"missing\"; \
         fill in the missing value, or drop the row or the column"
    );
    assert!(message(csv("x,y\nUnknown,3\n").missing(["unknown"]).regression()).contains("fill in the missing value"));
    assert!(message(csv("x,k\n1,\n").missing(["-"]).classification()).contains("found nothing"));
}

#[test]
fn numbers_that_are_written_otherwise_are_named() {
    let plain = "write it as a plain number such as 1234.5, or choose `inputs` and `target` without the column";
    for field in ["\"1,234\"", "\"1,5\"", "12%", "$5", "€ 5", "1 000", "5 kg", "1_000", "2020-01-31", "-3,5"] {
        let delimiter = if field == "-3,5" { b';' } else { b',' };
        let text = format!("a{0}b\n1{0}{field}\n", char::from(delimiter));
        assert_eq!(csv(&text).delimiter(delimiter).regression().unwrap_err().hint(), plain, "{field}");
    }
    let error = csv("a,b\n1,True\n").regression().unwrap_err();
    assert_eq!(error.hint(), "write 1 for true and 0 for false, or choose `inputs` and `target` without the column");
}

#[test]
fn another_delimiter_is_noticed() {
    let hint = |text: &str| csv(text).tensor().unwrap_err().hint().to_owned();
    assert_eq!(hint("a;b\n1;2\n"), "call `.delimiter(b';')`");
    assert_eq!(hint("a;b\n1,5;2\n"), "call `.delimiter(b';')`");
    assert_eq!(hint("a\tb\n1\t2\n"), "call `.delimiter(b'\\t')`");
    assert_eq!(hint("a|b\n1|2\n"), "call `.delimiter(b'|')`");
    assert_eq!(csv("a,b\n1,2\n").delimiter(b';').tensor().unwrap_err().hint(), "call `.delimiter(b',')`");
}

#[test]
fn files_of_other_formats_are_named() {
    let zip = |name: &str| [b"PK\x03\x04\x14\0\0\0\x08\0", &[0; 20][..], name.as_bytes()].concat();
    let utf16: Vec<u8> = "h,k\n1,a\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases: [(Vec<u8>, &str, &str); 14] = [
        (zip("table.csv"), "a ZIP archive", "unzip"),
        (zip("[Content_Types].xml"), "an Excel workbook (.xlsx)", "save the sheet as CSV"),
        (zip("x.npy"), "an archive of NumPy arrays (.npz)", "Tensor::load_npy"),
        (b"\x93NUMPY\x01\0v\0{'descr': '<f4'".to_vec(), "a NumPy array", "Tensor::load_npy"),
        (b"PAR1\x15\x04".to_vec(), "a Parquet file", "read_parquet"),
        ([&b"\xff\xfe"[..], &utf16].concat(), "text in UTF-16", "iconv"),
        (utf16, "text in UTF-16", "iconv"),
        (b"h,k\n1,\0\n".to_vec(), "zero bytes, which no text has", "UTF-8"),
        (b"\x28\xb5\x2f\xfd\x04".to_vec(), "bytes that zstd packed", "unzstd"),
        (b"\n<!DOCTYPE html><html>".to_vec(), "a web page", "download the file itself"),
        (b"[{\"h\": 1}]".to_vec(), "JSON", "read_json"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n".to_vec(),
            "a pointer to a file in Git LFS",
            "pull",
        ),
        (vec![0, 0, 8, 1, 0, 0, 0, 1, 7], "an IDX file", "idx::read"),
        (b"RIFF\0\0\0\0WEBPVP8 ".to_vec(), "a WebP picture", "PNG"),
    ];
    for (bytes, found, hint) in cases {
        let error = Csv::new(ByteSource::new(&bytes[..], "table.csv").unwrap()).regression().unwrap_err();
        assert_eq!(error.found(), found);
        assert!(error.hint().contains(hint), "{error}");
    }
    // Packed twice, and packed without the ending .gz.
    let pack = |bytes: &[u8]| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, bytes).unwrap();
        packed.finish().unwrap()
    };
    let twice = pack(&pack(b"a,b\n1,2\n"));
    let error = Csv::new(ByteSource::new(&twice[..], "table.csv").unwrap()).tensor().unwrap_err();
    assert_eq!(error.found(), "bytes that gzip packed, more than once");
    // Texts that begin like other formats.
    for text in ["GIF,b\n1,2\n", "BMI,b\n1,2\n", "[x],b\n1,2\n", "PK,b\n1,2\n", "{a},b\n1,2\n", "MM,b\n1,2\n"] {
        assert!(csv(text).tensor().is_ok(), "{text}");
    }
}

#[test]
fn a_column_is_chosen_once() {
    assert_eq!(
        message(csv("a,b,c\n1,2,3\n").inputs(["a", "b", "a"]).target("c").regression()),
        "table.csv: found column \"a\" twice among the inputs, expected each column used once; choose it once"
    );
    assert!(csv("a,b,c\n1,2,3\n").targets([1, -2]).regression().is_err());
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
