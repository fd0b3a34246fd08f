//! CSV files that are read while they are used: the same rows, and the same errors, as of a file that is read at once.

use gradus_datasets::{Batch, ByteSource, Csv, DataSource, Dataset, DatasetError, Pass};
use gradus_tensor::Columns;
use proptest::prelude::*;

const PACKED: &str =
    "found a packed file, expected a plain one, whose samples have places; unpack it, or read it as a stream";

/// A file of this text.
fn written(name: &str, text: &[u8]) -> std::path::PathBuf {
    let path = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path
}

/// All samples of a source in order, as one data set; or the first error.
fn all(data: &dyn DataSource) -> Result<Dataset<Columns>, DatasetError> {
    let batches = data.batches_of(&Pass::new(1 << 20, data.order(None)))?.collect::<Result<Vec<_>, _>>()?;
    let [Batch { inputs, targets, .. }] = &batches[..] else { panic!("{} batches", batches.len()) };
    Dataset::new(inputs.clone(), targets.clone())
}

/// The error or the samples of a file that is read at once, row by row, and by index: the same of each.
fn classified(csv: &dyn Fn() -> Csv<'static>) -> Result<Dataset<f32, i64>, String> {
    let at_once = csv().classification();
    let streamed =
        csv().classification_stream().and_then(|data| Ok((all(&data)?, data.class_names().unwrap().to_vec())));
    let by_index =
        csv().classification_by_index().and_then(|data| Ok((all(&data)?, data.class_names().unwrap().to_vec())));
    for lazy in [streamed, by_index] {
        match (&at_once, lazy) {
            (Ok(a), Ok((b, names))) => {
                assert_eq!((a.to_columns().inputs(), a.to_columns().targets()), (b.inputs(), b.targets()));
                assert_eq!(a.class_names().unwrap(), names);
            }
            (Err(a), Err(b)) => assert_eq!(a.to_string(), b.to_string()),
            (a, b) => panic!("{a:?} or {:?}", b.map(|_| ())),
        }
    }
    at_once.map_err(|error| error.to_string())
}

#[test]
fn a_file_is_read_alike_at_once_row_by_row_and_by_index() {
    // Texts with everything that a table may have: each is read in three ways, and each is also an error in the same ways.
    let texts = [
        "a,b,kind\n1,2,cat\n3,4,dog\n5,6,cat\n",
        "a,b,kind\r\n1,2,cat\r\n\r\n3,4,dog\r\n",
        "a,b,kind\r1,2,cat\r3,4,dog",
        "\u{feff}a,b,kind\n1,2,\"cat, big\"\n3,4,\"a \"\"dog\"\"\"\n",
        "a,b,kind\n1, 2 , \"cat\"\n3,4,\"two\nlines\"\n\n5,6,dog",
        "a,b,kind\n1,2,cat\n3,4\n",
        "a,b,kind\n1,2,cat\n3,x,dog\n",
        "a,b,kind\n1,2,cat\n3,,dog\n",
        "a,b,kind\n1,2,cat\n3,4,\n",
        "a,b,kind\n1,2,\"cat\n3,4,dog\n",
        "a,b,kind\n1,2,\"cat\" x\n3,4,dog\n",
        "a,b,kind\n1,2,\"cat\n3,4,\"dog\n",
        "a,b,kind\n",
        "",
        "1,2,cat\n3,4,dog\n",
        "a,b,kind\n1,2,1.0\n3,4,10\n5,6,01\n",
        // Byte order marks: that of the file, and one within it.
        "\u{feff}\n\na,b,kind\n1,2,\u{feff}\n",
        "kind,b,a\n\u{feff}cat,2,1\n\u{feff}\"dog\",2,1\n",
        "a,b,kind\n\u{feff}1,2,cat\n",
        // Lines of spaces, and a last line that ends with a delimiter.
        "a,b,kind\n1,2,cat\n  \n3,4,dog",
        "a,b,kind\n1,2,cat\n3,4,",
        "a,b,kind\n1,2, \"ca\"t\n3,4, \"",
        // A zero behind the first line.
        "a,b,kind\n1,2,c\0t\n",
    ];
    for (number, text) in texts.iter().enumerate() {
        let path = written(&format!("alike-{number}.csv"), text.as_bytes());
        let read = classified(&|| Csv::open(&path).unwrap());
        assert_eq!(read.is_ok(), matches!(number, 0..=4 | 15..=16 | 21), "{text:?}: {read:?}");
    }
    let path = written("alike-marks.csv", texts[17].as_bytes());
    assert_eq!(classified(&|| Csv::open(&path).unwrap().target(0)).unwrap().class_names().unwrap()[1], "\u{feff}cat");
    let path = written("alike-last.csv", b"a,kind,b\n1,cat,x\n3,dog,");
    assert_eq!(classified(&|| Csv::open(&path).unwrap().inputs(["a"]).target("kind")).unwrap().len(), 2);
    let path = written("alike-header.csv", b"1,2,cat\n3,4,dog\n5,6,cat\n");
    assert_eq!(classified(&|| Csv::open(&path).unwrap().header(false)).unwrap().len(), 3);
    let path = written("alike-options.csv", b"kind;x;y\nb;1;2\na;-9;3\nc;4;5\n");
    let csv = || Csv::open(&path).unwrap().delimiter(b';').target("kind").inputs(["y"]);
    assert_eq!(classified(&csv).unwrap().targets().to_vec(), [1, 0, 2]);
    let named = classified(&|| csv().class_names(["c", "b", "a"])).unwrap();
    assert_eq!(named.targets().to_vec(), [1, 2, 0]);
    assert!(classified(&|| csv().class_names(["c", "b"])).unwrap_err().contains("line 3, column 1: found \"a\""));
    assert!(classified(&|| csv().inputs(["x"]).missing(["-9"])).unwrap_err().contains("line 3, column 2"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn random_texts_are_read_alike(
        parts in prop::collection::vec(prop::sample::select(&PARTS[..]), 0..40),
        how in prop::sample::select(vec![(false, 0), (true, 0), (false, -1), (true, -1)]),
    ) {
        let path = written("random.csv", parts.concat().as_bytes());
        let (has_names, target) = how;
        // With names, as without them the labels of a stream are looked at before its numbers.
        let names = ["cat", "1", "2.5", "1,2"];
        let _ = classified(&|| Csv::open(&path).unwrap().header(has_names).target(target).class_names(names));
    }
}

/// What tables are made of, and what quotes and lines may be taken for.
const PARTS: [&str; 12] = ["1", "2.5", "cat", ",", ",", "\n", "\n", "\r", "\"", "\"1,2\"", " ", "\u{feff}"];

/// A table of several blocks: its rows differ in length, and some have quotes over two lines.
fn large(rows: usize, quoted: bool) -> String {
    let mut text = String::from("x,y,note,z\n");
    for row in 0..rows {
        let note =
            if quoted && row % 2 == 0 { format!("\"{row},\nand \"\"more\"\"\"") } else { "n".repeat(row % 13 + 1) };
        text += &format!("{row},{}.5,{note},{}\n", row * 7 % 1000, row % 5);
    }
    text
}

#[test]
fn blocks_end_between_rows() {
    const ROWS: usize = 60_000;
    for quoted in [false, true] {
        let path = written(&format!("blocks-{quoted}.csv"), large(ROWS, quoted).as_bytes());
        let csv = || Csv::open(&path).unwrap().inputs(["x", "y"]).target("z");
        let at_once = csv().regression().unwrap();
        let stream = csv().regression_stream().unwrap();
        let by_index = csv().regression_by_index().unwrap();
        for lazy in [all(&stream).unwrap(), all(&by_index).unwrap()] {
            assert_eq!((&lazy.inputs()[0].to::<f32>(), &lazy.targets()[0].to()), (at_once.inputs(), at_once.targets()));
        }
        let rows = [ROWS - 1, 0, 12_345];
        assert_eq!(by_index.read(&rows).unwrap(), gradus_datasets::IndexedSource::read(&at_once, &rows).unwrap());
        // Going on far behind the first block.
        let later = Pass::new(3, stream.order(None).starting_at(50_001));
        let batch = stream.batches(&later).unwrap().next().unwrap().unwrap();
        assert_eq!(batch.inputs.select(1, 0).to_vec(), [50_001.0, 50_002.0, 50_003.0]);
        assert_eq!(stream.skip(ROWS - 1).preview().unwrap().inputs[0].to::<f32>().get([0, 0]), (ROWS - 1) as f32);
    }
    // A block of empty lines is no table without a line.
    let path = written("blocks-empty.csv", &[&b"\xef\xbb\xbf"[..], &[b'\n'; 1 << 18], b"a,b\n1,2\n"].concat());
    assert_eq!(all(&Csv::open(&path).unwrap().regression_stream().unwrap()).unwrap().len(), 1);
    assert_eq!(Csv::open(&path).unwrap().regression_by_index().unwrap().read(&[0]).unwrap().targets.item(), 2.0);
    // Blocks that begin with a byte order mark, which is one of the file in the first alone.
    let path = written("blocks-marks.csv", format!("kind,b\n{}", "\u{feff}cat,12345\n".repeat(ROWS)).as_bytes());
    assert_eq!(classified(&|| Csv::open(&path).unwrap().target(0)).unwrap().class_names().unwrap(), ["\u{feff}cat"]);
    // A zero behind the first block.
    let path = written("blocks-zero.csv", large(ROWS, false).replace("\n50000,0.5,n", "\n50000,0.5,\0").as_bytes());
    let csv = || Csv::open(&path).unwrap().inputs(["x", "y"]).target("z");
    let error = csv().regression().unwrap_err().to_string();
    assert_eq!(error, csv().regression_by_index().unwrap_err().to_string());
    assert_eq!(error, all(&csv().regression_stream().unwrap()).unwrap_err().to_string());
    assert!(error.contains("found zero bytes"), "{error}");
    // An error far behind the first block has its line, and comes behind the rows before it.
    let broken = large(ROWS, true).replace("\n50000,", "\nfifty,");
    let line = 1 + broken.lines().position(|line| line.starts_with("fifty")).unwrap();
    let path = written("blocks-broken.csv", broken.as_bytes());
    let csv = || Csv::open(&path).unwrap().inputs(["x", "y"]).target("z");
    let stream = csv().regression_stream().unwrap();
    let mut batches = stream.batches(&Pass::new(1000, stream.order(None))).unwrap();
    assert!(batches.by_ref().take(50).all(|batch| batch.is_ok()));
    let error = batches.next().unwrap().unwrap_err().to_string();
    assert_eq!(error, csv().regression().unwrap_err().to_string());
    assert_eq!(error, csv().regression_by_index().unwrap_err().to_string());
    assert!(error.contains(&format!("line {line}, column 1: found \"fifty\"")), "{error}");
    assert!(batches.next().is_none());
}

#[test]
fn an_error_comes_behind_the_same_rows_wherever_reading_begins() {
    const ROWS: usize = 20_000;
    let torn = format!("\n{},", ROWS - 100);
    // Rows of another width, no number, and no text, in the midst of a block that is not the first.
    for broken in [&b"\nshort\n"[..], b"\nx", b"\n\xff"] {
        let text = large(ROWS, false).into_bytes();
        let at = text.windows(torn.len()).position(|bytes| bytes == torn.as_bytes()).unwrap();
        let text = [&text[..at], broken, &text[at + 1..]].concat();
        assert!(at > 1 << 18);
        let path = written("torn.csv", &text);
        let stream = Csv::open(&path).unwrap().inputs(["x", "y"]).target("z").regression_stream().unwrap();
        let error =
            stream.batches(&Pass::new(1000, stream.order(None))).unwrap().find_map(|batch| batch.err()).unwrap();
        for skipped in [0, 1, 9000, ROWS - 101, ROWS - 100, ROWS - 98, 3 * ROWS] {
            let rest = stream.skip(skipped);
            let mut read = 0;
            let mut batches =
                rest.batches(&Pass::new(1, rest.order(None))).map_err(|error| vec![Err(error)].into_iter());
            let batches: &mut dyn Iterator<Item = _> = match &mut batches {
                Ok(batches) => batches,
                Err(error) => error,
            };
            let found = batches.inspect(|batch| read += usize::from(batch.is_ok())).find_map(|batch| batch.err());
            if broken == b"\nx" && (ROWS - 98..ROWS).contains(&skipped) {
                // The numbers of rows that are left out are not looked at.
                assert!(found.is_none());
                continue;
            }
            let found = found.unwrap().to_string();
            if skipped < ROWS {
                assert_eq!(found, error.to_string());
            }
            assert_eq!(read, (ROWS - 100_usize).saturating_sub(skipped), "{broken:?} behind {skipped}");
        }
    }
}

#[test]
fn packed_files_are_streams_only() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, large(3000, false).as_bytes()).unwrap();
    let path = written("packed.csv.gz", &packed.finish().unwrap());
    let csv = || Csv::open(&path).unwrap().inputs(["x"]).target("z");
    let stream = csv().regression_stream().unwrap();
    assert_eq!(all(&stream).unwrap().inputs()[0].to::<f32>(), *csv().regression().unwrap().inputs());
    let error = csv().regression_by_index().unwrap_err().to_string();
    assert!(error.ends_with(PACKED), "{error}");
    let once = Csv::new(ByteSource::new(&b"a,b\n1,2\n"[..], "bytes").unwrap());
    assert_eq!(
        once.regression_stream().unwrap_err().to_string(),
        "bytes: found a stream of bytes that can be read once, expected a file; name the file by `Csv::open`"
    );
}

#[test]
fn a_file_that_is_changed_or_gone_while_it_is_used_is_named() {
    let path = written("changing.csv", b"a,b\n1,2\n3,4\n5,6\n");
    let (stream, by_index) = (
        Csv::open(&path).unwrap().regression_stream().unwrap(),
        Csv::open(&path).unwrap().regression_by_index().unwrap(),
    );
    assert_eq!((all(&stream).unwrap().len(), by_index.len()), (3, 3));
    std::fs::write(&path, b"a,b\n1,2\n3,x\n").unwrap();
    let changed = "the file was changed since its rows were found: make the data set again";
    let name = path.display();
    assert_eq!(
        by_index.read(&[0, 1]).unwrap_err().to_string(),
        format!("{name}, sample 1: found \"x\" in column \"b\", expected a number; {changed}")
    );
    assert_eq!(
        by_index.read(&[2, 0]).unwrap_err().to_string(),
        format!("{name}: found 1 rows, expected the 2 rows that were found before; {changed}")
    );
    assert!(all(&stream).unwrap_err().to_string().starts_with(&format!("{name}, line 3, column 2: found \"x\"")));
    std::fs::write(&path, b"a,b\n1,2\n").unwrap();
    assert!(
        all(&stream)
            .unwrap_err()
            .to_string()
            .starts_with("found the end of the stream after 1 samples, expected the 3")
    );
    std::fs::remove_file(&path).unwrap();
    assert_eq!(
        all(&stream).unwrap_err().to_string(),
        format!("{name}: found no such file, expected a file to read; check the path")
    );
}
