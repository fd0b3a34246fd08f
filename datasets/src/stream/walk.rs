//! One pass over a stream, from any position of its order.

use std::collections::HashMap;

use super::{Opened, Stream};
use crate::error::{DatasetError, Result};
use crate::order::{Order, Shuffle};
use crate::shuffle_buffer::ShuffleBuffer;
use crate::stack::Sample;

/// The samples of a batch, one by one.
pub(super) struct Gathered {
    /// The position of the first in the order.
    pub start: usize,
    /// The samples' indices in the stream.
    pub indices: Vec<usize>,
    pub samples: Vec<Sample>,
}

/// The samples of a pass, gathered into batches. After an error no more come.
pub(super) struct Walk {
    reader: Reader,
    buffer: Option<ShuffleBuffer<(usize, Sample)>>,
    position: usize,
    size: usize,
}

impl Walk {
    /// A pass that goes on at the position of an order, in batches of `size`.
    pub fn new(stream: Stream, order: &Order, size: usize) -> Result<Self> {
        let position = order.position();
        let mut reader = Reader::new(stream, order.total())?;
        let buffer = match order.shuffle() {
            Some(shuffle) if position > 0 => Some(reader.refilled(shuffle, position)?),
            Some(shuffle) => Some(ShuffleBuffer::new(shuffle)),
            None => {
                reader.go_past(position)?;
                None
            }
        };
        Ok(Walk { reader, buffer, position, size })
    }

    fn next_sample(&mut self) -> Result<Option<(usize, Sample)>> {
        match &mut self.buffer {
            Some(buffer) => buffer.next(|| self.reader.next()),
            None => self.reader.next(),
        }
    }

    fn gathered(&mut self) -> Result<Option<Gathered>> {
        let mut gathered = Gathered { start: self.position, indices: Vec::new(), samples: Vec::new() };
        while gathered.samples.len() < self.size {
            let Some((index, sample)) = self.next_sample()? else { break };
            gathered.indices.push(index);
            gathered.samples.push(sample);
        }
        self.position += gathered.samples.len();
        Ok((!gathered.samples.is_empty()).then_some(gathered))
    }
}

impl Iterator for Walk {
    type Item = Result<Gathered>;

    fn next(&mut self) -> Option<Result<Gathered>> {
        let gathered = self.gathered();
        if gathered.is_err() {
            self.reader.opened = None;
            self.buffer = None;
        }
        gathered.transpose()
    }
}

/// A stream that is read, with the number of samples that have come.
struct Reader {
    stream: Stream,
    /// `None` behind the end.
    opened: Option<Opened>,
    /// The number of samples that have come; the index of the next.
    index: usize,
    /// The number of samples that a state which is gone on from says.
    expected: Option<usize>,
}

impl Reader {
    fn new(stream: Stream, expected: Option<usize>) -> Result<Self> {
        let opened = Some(stream.opened()?);
        Ok(Reader { stream, opened, index: 0, expected })
    }

    /// The next sample and its index; `None` at the end.
    fn next(&mut self) -> Result<Option<(usize, Sample)>> {
        let Some(opened) = &mut self.opened else { return Ok(None) };
        let is_taken = self.stream.take.is_some_and(|take| self.index >= take);
        match if is_taken { None } else { opened.next() } {
            Some(sample) => {
                self.index += 1;
                Ok(Some((self.index - 1, sample?)))
            }
            None => {
                self.opened = None;
                self.ended()
            }
        }
    }

    /// Checks that the end comes where it came before.
    fn ended<T>(&self) -> Result<Option<T>> {
        if self.index == 0 {
            return Err(self.stream.empty());
        }
        let known = self.expected.unwrap_or_else(|| *self.stream.count.get_or_init(|| self.index));
        if known == self.index {
            // What a state says of the length is true.
            self.stream.count.get_or_init(|| known);
            return Ok(None);
        }
        Err(DatasetError::new(
            format!("the end of the stream after {} samples", self.index),
            format!("the {known} samples of an earlier pass"),
            "a stream must give the same samples in each pass: check whether the file was changed or cut off",
        ))
    }

    /// Goes past the next `count` samples, which are there.
    fn go_past(&mut self, count: usize) -> Result<()> {
        if self.past(count)? == count {
            return Ok(());
        }
        let hint = "give the stream of the run that was paused, in the same order";
        let found = format!("the end of the stream after {} samples", self.index);
        Err(DatasetError::new(found, format!("the {count} samples that have been used"), hint))
    }

    /// Goes past up to `count` samples, and returns how many there were.
    fn past(&mut self, count: usize) -> Result<usize> {
        let most = self.stream.take.map_or(count, |take| count.min(take.saturating_sub(self.index)));
        let Some(opened) = &mut self.opened else { return Ok(0) };
        if most == 0 {
            return Ok(0);
        }
        let before = self.index;
        match opened.nth(most - 1) {
            Some(sample) => {
                sample?;
                self.index += most;
                Ok(most)
            }
            // How many there were is not told: they are counted.
            None => {
                let mut opened = self.stream.opened()?;
                let counted =
                    opened.by_ref().take(before.saturating_add(most)).try_fold(0, |n, sample| sample.map(|_| n + 1))?;
                (self.index, self.opened) = (counted, None);
                Ok(counted - before)
            }
        }
    }

    /// The buffer as it was when `position` samples had been drawn from it. The reader then stands where it stood.
    ///
    /// First the samples are counted up to those that the buffer can have held, because the draws depend on where the stream
    /// ends. Then the draws are repeated with indices alone, and the samples that are left are read.
    fn refilled(&mut self, shuffle: Shuffle, position: usize) -> Result<ShuffleBuffer<(usize, Sample)>> {
        self.go_past(position)?;
        let reach = position.saturating_add(shuffle.buffer);
        self.past(shuffle.buffer)?;
        let samples = self.index;
        let mut buffer = ShuffleBuffer::new(shuffle);
        let mut next = 0;
        for _ in 0..position {
            let drawn: Result<Option<usize>> = buffer.next(|| {
                next += 1;
                Ok((next <= samples).then_some(next - 1))
            });
            drawn?;
        }
        debug_assert!(samples <= reach);

        let next = next.min(samples);
        *self = Reader::new(self.stream.clone(), self.expected)?;
        let mut indices = buffer.held().to_vec();
        indices.sort_unstable();
        let mut held = HashMap::new();
        for index in indices {
            self.go_past(index - self.index)?;
            held.extend(self.next()?);
        }
        self.go_past(next - self.index)?;
        let mut changed = None;
        let buffer = buffer.with_items(|index| match held.remove(&index) {
            Some(sample) => Some((index, sample)),
            None => {
                changed = Some(index);
                None
            }
        });
        match changed {
            None => Ok(buffer.with_items(|item| item.expect("every sample was found"))),
            Some(index) => Err(DatasetError::new(
                format!("no sample {index} in the stream"),
                "the samples that it has just had",
                "leave the file as it is while it is read",
            )),
        }
    }
}

impl Stream {
    /// The samples from the beginning, behind those that are left out.
    fn opened(&self) -> Result<Opened> {
        let mut opened = (self.open)()?;
        if self.skip > 0 {
            match opened.nth(self.skip - 1) {
                Some(sample) => drop(sample?),
                None => return Err(self.empty()),
            }
        }
        Ok(opened)
    }

    /// The error of a stream without samples.
    pub(super) fn empty(&self) -> DatasetError {
        let found = match self.skip {
            0 => "a stream without samples".to_owned(),
            skip => format!("a stream without samples behind the first {skip}"),
        };
        DatasetError::new(found, "at least one sample", "check where the stream comes from, and how it is filtered")
    }
}
