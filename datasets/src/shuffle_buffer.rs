//! A stream in random order: the next item is drawn from a buffer, whose place the stream fills again.

use gradus_tensor::Generator;

use crate::order::Shuffle;

/// Some items of a stream, of which the next is drawn.
///
/// Each draw first fills the buffer up from the stream, at its end, and then takes the item at a place that
/// `Generator::next_below` draws among those in the buffer; the last item moves to that place.
pub(crate) struct ShuffleBuffer<T> {
    held: Vec<T>,
    size: usize,
    generator: Generator,
}

impl<T> ShuffleBuffer<T> {
    pub fn new(shuffle: Shuffle) -> Self {
        ShuffleBuffer { held: Vec::new(), size: shuffle.buffer.max(1), generator: Generator::new(shuffle.seed) }
    }

    /// The next item, if there is one; the stream gives no more once it has given `None`.
    pub fn next(&mut self, mut stream: impl FnMut() -> Option<T>) -> Option<T> {
        while self.held.len() < self.size {
            let Some(item) = stream() else { break };
            self.held.push(item);
        }
        let count = self.held.len() as u64;
        (count > 0).then(|| self.held.swap_remove(self.generator.next_below(count) as usize))
    }
}
