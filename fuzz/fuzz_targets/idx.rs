//! Two IDX files: read at once, as a stream and by index, they have the same samples, or all refuse them.
#![no_main]

use gradus_datasets::{Dataset, DatasetError, idx};
use gradus_fuzz::{FuzzFile, Read, lazy, same, same_stream};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let [place, cut, both @ ..] = bytes else { return };
    let (inputs, targets) = both.split_at(usize::from(*cut).min(both.len()));
    let files = [FuzzFile::new("idx_x", inputs), FuzzFile::new("idx_y", targets)];
    let [x, y] = files.each_ref().map(FuzzFile::path);
    let read = || {
        let (inputs, targets) = (idx::read::<i16>(x)?, idx::read::<u8>(y)?);
        if inputs.size() == 0 || targets.size() == 0 {
            return Err(DatasetError::new("no element", "samples of some", "readers of samples refuse them"));
        }
        Ok(Dataset::new(inputs, targets)?.to_columns())
    };
    let at_once: Read = read();
    let by_index = idx::by_index::<i16, u8>(x, y);
    // Packed files have no places.
    let is_packed = [inputs, targets].iter().any(|bytes| bytes.starts_with(&[0x1f, 0x8b]));
    if is_packed {
        assert!(by_index.is_err());
    } else {
        same(&at_once, &by_index.and_then(|data| lazy(&data)));
    }
    same_stream(&at_once, idx::stream::<i16, u8>(x, y), *place);
});
