//! A stream in random order: the next item is drawn from a buffer, whose place the stream fills again.

use gradus_tensor::Generator;

use crate::order::Shuffle;

/// Some items of a stream, of which the next is drawn: see [`StreamDataset`](crate::StreamDataset).
pub(crate) struct ShuffleBuffer<T> {
    held: Vec<T>,
    size: usize,
    generator: Generator,
}

impl<T> ShuffleBuffer<T> {
    pub fn new(shuffle: Shuffle) -> Self {
        ShuffleBuffer { held: Vec::new(), size: shuffle.buffer.max(1), generator: Generator::new(shuffle.seed) }
    }

    /// The next item, if there is one.
    ///
    /// # Errors
    /// The first error of the stream.
    pub fn next<E>(&mut self, mut stream: impl FnMut() -> Result<Option<T>, E>) -> Result<Option<T>, E> {
        while self.held.len() < self.size {
            let Some(item) = stream()? else { break };
            self.held.push(item);
        }
        let count = self.held.len() as u64;
        Ok((count > 0).then(|| self.held.swap_remove(self.generator.next_below(count) as usize)))
    }

    /// The items in the buffer.
    pub fn held(&self) -> &[T] {
        &self.held
    }

    /// The same buffer with other items in place of these.
    pub fn with_items<U>(self, item: impl FnMut(T) -> U) -> ShuffleBuffer<U> {
        let ShuffleBuffer { held, size, generator } = self;
        ShuffleBuffer { held: held.into_iter().map(item).collect(), size, generator }
    }
}
