//! A table as text: read at once, as a stream and by index, it has the same samples, or all refuse it. Of columns of numbers and
//! texts, it is read by pieces as at once.
#![no_main]

use gradus_datasets::{ByteSource, Csv};
use gradus_fuzz::{FuzzFile, Read, lazy, same, same_stream};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let [how, delimiter, place, text @ ..] = bytes else { return };
    let file = FuzzFile::new("csv", text);
    let csv = || {
        let delimiter = [b',', b';', b'\t', b' '][usize::from(delimiter % 4)];
        // Without a word on the header, a stream looks at less of the file than what reads it at once.
        let csv = Csv::open(file.path()).unwrap().header(how & 1 == 0).delimiter(delimiter);
        match how >> 1 & 3 {
            0 => csv,
            1 => csv.inputs([0]).target(1),
            2 => csv.target(0).missing(["-1", "none"]),
            _ => csv.target(-1).class_names(["a", "0", "1"]),
        }
    };
    if how & 16 != 0 {
        let of_file = csv().table();
        let of_memory = Csv::new(ByteSource::new(text, file.path().display().to_string()).unwrap());
        let delimiter = [b',', b';', b'\t', b' '][usize::from(delimiter % 4)];
        let of_memory = of_memory.header(how & 1 == 0).delimiter(delimiter);
        if how >> 1 & 3 == 0 {
            assert_eq!(format!("{of_file:?}"), format!("{:?}", of_memory.table()));
        }
    } else if how & 8 == 0 {
        let at_once: Read = csv().classification().map(|data| data.to_columns());
        let by_index = csv().classification_by_index();
        if let (Ok(one), Ok(other)) = (&at_once, &by_index) {
            assert_eq!(one.class_names(), other.class_names());
        }
        same(&at_once, &by_index.and_then(|data| lazy(&data)));
        same_stream(&at_once, csv().classification_stream(), *place);
    } else {
        let at_once: Read = csv().regression().map(|data| data.to_columns());
        same(&at_once, &csv().regression_by_index().and_then(|data| lazy(&data)));
        same_stream(&at_once, csv().regression_stream(), *place);
    }
});
