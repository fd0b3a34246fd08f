//! Data that are read in several ways, which must agree.

use gradus_datasets::{Batch, DataSource, Dataset, Pass, Result, StreamDataset};
use gradus_tensor::{Columns, SampleType};

/// All samples of a file, or the error of one.
pub type Read = Result<Dataset<Columns>>;

/// The samples of a pass as one data set.
fn all(data: &dyn DataSource, pass: &Pass) -> Read {
    let batches = data.batches_of(pass)?.collect::<Result<Vec<_>>>()?;
    let [Batch { inputs, targets, .. }] = &batches[..] else { panic!("{} batches of all samples", batches.len()) };
    Dataset::new(inputs.clone(), targets.clone())
}

/// The samples of data that are read while they are used, in their order.
pub fn lazy(data: &dyn DataSource) -> Read {
    all(data, &Pass::new(usize::MAX, data.order(None)))
}

/// Two ways to read a file give the same samples, or both refuse it.
pub fn same(one: &Read, other: &Read) {
    match (one, other) {
        (Ok(one), Ok(other)) => assert_eq!((one.inputs(), one.targets()), (other.inputs(), other.targets())),
        (Err(_), Err(_)) => {}
        (Ok(_), Err(error)) | (Err(error), Ok(_)) => panic!("only one way of reading says {error}"),
    }
}

/// A stream gives the samples of a file that is read at once; shuffled, it goes on where it was stopped; and its parts are those
/// of the samples. `place` chooses where.
pub fn same_stream<X: SampleType, Y: SampleType>(one: &Read, stream: Result<StreamDataset<X, Y>>, place: u8) {
    let stream = match stream {
        Ok(stream) => stream,
        Err(error) => return assert!(one.is_err(), "only the stream says {error}"),
    };
    same(one, &lazy(&stream));
    let Ok(one) = one else { return };
    let place = usize::from(place) % one.len();
    if place > 0 {
        same(&Ok(one.take(place)), &lazy(&stream.take(place)));
    }
    same(&Ok(one.slice(place..)), &lazy(&stream.skip(place)));
    for buffer in [1, 3, usize::MAX] {
        let shuffled = stream.clone().shuffle_buffer(buffer);
        let order = shuffled.order(Some(7));
        let whole = all(&shuffled, &Pass::new(usize::MAX, order.clone())).unwrap();
        same(&Ok(whole.slice(place..)), &all(&shuffled, &Pass::new(usize::MAX, order.starting_at(place))));
    }
}
