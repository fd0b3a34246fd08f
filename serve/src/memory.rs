//! The memory that requests take, counted and bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use hyper::StatusCode;

use crate::refusal::Refusal;

/// What all requests take together, and may take.
pub(crate) struct Memory {
    taken: AtomicUsize,
    most: usize,
}

impl Memory {
    pub(crate) fn new(most: usize) -> Self {
        Memory { taken: AtomicUsize::new(0), most }
    }

    /// The bytes that requests take now.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(SeqCst)
    }
}

/// What one request takes: its body, then its tensors, then its answer. It is given back when the last clone is dropped.
pub(crate) struct Share {
    memory: Arc<Memory>,
    bytes: AtomicUsize,
}

impl Share {
    pub(crate) fn new(memory: &Arc<Memory>) -> Self {
        Share { memory: Arc::clone(memory), bytes: AtomicUsize::new(0) }
    }

    /// Counts so many bytes in place of those so far. Fewer are always granted.
    pub(crate) fn set(&self, bytes: usize) -> Result<(), Refusal> {
        let most = self.memory.most;
        if bytes > most {
            let text = format!(
                "the request takes up to {bytes} bytes of memory, and all requests together may take {most}; send fewer \
                 samples at once"
            );
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text));
        }
        let so_far = self.bytes.load(SeqCst);
        if self.memory.taken.fetch_add(bytes, SeqCst) + bytes > most.saturating_add(so_far) {
            self.memory.taken.fetch_sub(bytes, SeqCst);
            return Err(Refusal::busy("other requests take the memory that requests may take; ask again later"));
        }
        self.memory.taken.fetch_sub(self.bytes.swap(bytes, SeqCst), SeqCst);
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.taken.fetch_sub(self.bytes.load(SeqCst), SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_granted_up_to_the_bound_and_given_back() {
        let memory = Arc::new(Memory::new(100));
        let (a, b) = (Share::new(&memory), Share::new(&memory));
        a.set(60).unwrap();
        assert_eq!(b.set(41).unwrap_err().status, StatusCode::SERVICE_UNAVAILABLE);
        b.set(40).unwrap();
        assert_eq!(a.set(61).unwrap_err().status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(a.set(101).unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(memory.taken(), 100);
        a.set(10).unwrap();
        b.set(90).unwrap();
        drop(b);
        assert_eq!(memory.taken(), 10);
        drop(a);
        assert_eq!(memory.taken(), 0);
    }
}
