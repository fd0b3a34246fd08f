//! Memory of tensors and of kernels' scratch: aligned, always initialised, recycled.
//!
//! A training step asks for the same sizes again and again, and fresh memory is slow: the system hands out pages that
//! fault on first touch. So a dropped [`Block`] waits, sorted by size class, for the next request of that class.
//!
//! Idle blocks lie on several shelves, each behind its own lock. Every thread has a shelf that it uses first, so threads
//! that compute side by side rarely meet at a lock. A thread that finds no block on its own shelf looks on the others: a
//! batch that one thread makes and another thread drops comes back in this way. Shelves outlive threads, so the memory of a
//! thread that has ended is found too.
//!
//! Idle memory is one of the crate's two globals; the other is the worker team. Neither can change a result: the elements
//! of a new block are unspecified, and its owner writes each before reading it.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cache::CachePadded;
use crate::huge_pages::{HUGE_PAGE, alloc_zeroed_in_huge_pages, dealloc_huge_pages, touch};

/// One cache line, and more than any vector register needs.
const ALIGNMENT: usize = 64;
/// The most bytes of a block: rounded up to its size class, it is still within the address range of one object.
pub(crate) const MOST_BYTES: usize = isize::MAX as usize / 2;
/// Up to this many bytes there is a size class for each multiple of the alignment.
const FINE_CLASSES: usize = 1024;
/// Idle memory is at most this many bytes; a block beyond that is given back to the system.
const MOST_IDLE: usize = 1 << 30;
/// Shelves; threads beyond this number share them.
const SHELVES: usize = 16;
/// Bytes by which a shelf's allowance grows and shrinks, so that it rarely touches the count that all shelves share.
const ALLOWANCE_STEP: usize = 1 << 20;

static IDLE: IdleMemory = IdleMemory::new(MOST_IDLE);

/// Threads that have a shelf; their numbers follow each other.
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The shelf that this thread uses first.
    static SHELF: usize = THREADS.fetch_add(1, Ordering::Relaxed) % SHELVES;
}

/// Some bytes of initialised memory with one owner, aligned to a cache line.
pub(crate) struct Block {
    start: NonNull<u8>,
    /// The bytes that it has: a size class, or 0.
    class: usize,
}

// SAFETY: a block owns its bytes.
unsafe impl Send for Block {}
// SAFETY: as above; a shared block gives away no more than its address.
unsafe impl Sync for Block {}

impl Block {
    /// A block of at least `bytes` bytes and whether it is recycled. A recycled block holds what its last owner left
    /// there, any other block zeros.
    pub fn new(bytes: usize) -> (Block, bool) {
        Block::try_new(bytes).unwrap_or_else(|| handle_alloc_error(block_layout(size_class(bytes))))
    }

    /// As [`new`](Block::new); `None` if the system has not so much memory.
    pub fn try_new(bytes: usize) -> Option<(Block, bool)> {
        if bytes == 0 {
            return Some((Block { start: NonNull::<Aligned>::dangling().cast(), class: 0 }, false));
        }
        let class = size_class(bytes);
        if let Some(start) = IDLE.take(class) {
            return Some((Block { start, class }, true));
        }
        let layout = block_layout(class);
        // SAFETY: the size is not zero.
        let start =
            unsafe { if class < HUGE_PAGE { alloc_zeroed(layout) } else { alloc_zeroed_in_huge_pages(layout) } };
        let start = NonNull::new(start)?;
        if class >= HUGE_PAGE {
            // SAFETY: the block is new, and has so many bytes, all zeros.
            touch(unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), bytes) });
        }
        Some((Block { start, class }, false))
    }

    /// The first byte.
    #[inline(always)]
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.class > 0 && !IDLE.keep(self.start, self.class) {
            // SAFETY: the block is of this class, and its one owner is giving it up.
            unsafe { give_back(self.start, self.class) };
        }
    }
}

/// The bytes of `len` elements.
///
/// # Panics
/// If no block holds so many.
#[track_caller]
pub(crate) fn bytes_of<T>(len: usize) -> usize {
    match len.checked_mul(size_of::<T>()) {
        Some(bytes) if bytes <= MOST_BYTES => bytes,
        _ => panic!("tensor size overflows: {len} elements of {} bytes", size_of::<T>()),
    }
}

/// Calls `body` with scratch for `len` elements, aligned to a cache line. Their values are unspecified.
pub(crate) fn with_scratch<T: Copy, R>(len: usize, body: impl FnOnce(*mut T) -> R) -> R {
    const { assert!(align_of::<T>() <= ALIGNMENT) };
    let (block, _) = Block::new(bytes_of::<T>(len));
    body(block.start.as_ptr().cast())
}

/// Gives all idle memory back to the system.
///
/// Dropped tensors leave their memory to later ones of the same size, up to 1 GiB in all. A program that is done with
/// tensors for a while can hand that memory back.
///
/// ```
/// use gradus_tensor::{Tensor, release_memory};
/// drop(Tensor::<f32>::zeros([1000, 1000])); // Kept for the next tensor of this size.
/// release_memory();
/// ```
pub fn release_memory() {
    IDLE.release(|start, class| {
        // SAFETY: an idle block is of its stack's class and has no other owner.
        unsafe { give_back(start, class) };
    });
}

/// Gives a block back to the system.
///
/// # Safety
///
/// It was allocated for this class by [`Block::try_new`], and nobody uses it any more.
unsafe fn give_back(start: NonNull<u8>, class: usize) {
    let (start, layout) = (start.as_ptr(), block_layout(class));
    // SAFETY: the allocator is chosen as in `try_new`; the caller promises the rest.
    unsafe { if class < HUGE_PAGE { dealloc(start, layout) } else { dealloc_huge_pages(start, layout) } }
}

#[repr(align(64))]
struct Aligned;
const _: () = assert!(align_of::<Aligned>() == ALIGNMENT);

/// The bytes that a request is rounded up to: quarter steps between powers of two, so at most a fifth is wasted.
fn size_class(bytes: usize) -> usize {
    if bytes <= FINE_CLASSES {
        return bytes.next_multiple_of(ALIGNMENT);
    }
    let quarter = (bytes.next_power_of_two() / 8).max(ALIGNMENT);
    bytes.next_multiple_of(quarter)
}

/// The place of a size class among all of them, counted from 0.
fn place_of(class: usize) -> usize {
    if class <= FINE_CLASSES {
        return class / ALIGNMENT - 1;
    }
    // Between two powers of two there are four classes.
    let power = (class - 1).ilog2();
    let quarters = (class - (1 << power)) >> (power - 2);
    FINE_CLASSES / ALIGNMENT - 1 + 4 * (power - FINE_CLASSES.ilog2()) as usize + quarters
}

fn block_layout(class: usize) -> Layout {
    let alignment = if class < HUGE_PAGE { ALIGNMENT } else { HUGE_PAGE };
    Layout::from_size_align(class, alignment).expect("tensor size overflows")
}

/// Idle blocks of all threads.
///
/// Invariant: the allowances of all shelves and `unclaimed` add up to the limit, and no shelf holds more bytes than its
/// allowance.
struct IdleMemory {
    shelves: [CachePadded<Mutex<Shelf>>; SHELVES],
    /// Bytes of the limit that are in no shelf's allowance.
    unclaimed: AtomicUsize,
}

/// Idle blocks: the size class and a stack of its blocks at each [`place_of`] a class.
struct Shelf {
    stacks: Vec<(usize, Vec<IdleBlock>)>,
    /// Bytes of the blocks here.
    bytes: usize,
    /// Bytes that the blocks here may have.
    allowance: usize,
}

/// The first byte of an idle block.
struct IdleBlock(NonNull<u8>);

// SAFETY: an idle block belongs to its shelf alone.
unsafe impl Send for IdleBlock {}

impl IdleMemory {
    const fn new(limit: usize) -> Self {
        IdleMemory {
            shelves: [const { CachePadded(Mutex::new(Shelf { stacks: Vec::new(), bytes: 0, allowance: 0 })) }; SHELVES],
            unclaimed: AtomicUsize::new(limit),
        }
    }

    fn shelf(&self, number: usize) -> MutexGuard<'_, Shelf> {
        // Nothing panics while a shelf is locked but a failed allocation, which leaves the shelf whole.
        self.shelves[number].0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An idle block of this class: from the thread's own shelf, or else from another one.
    fn take(&self, class: usize) -> Option<NonNull<u8>> {
        let own = SHELF.with(|&shelf| shelf);
        let used = THREADS.load(Ordering::Relaxed).min(SHELVES);
        (0..used).find_map(|further| self.shelf((own + further) % used).take(class, &self.unclaimed))
    }

    /// Puts a block on the thread's own shelf; returns whether the limit allowed it.
    fn keep(&self, start: NonNull<u8>, class: usize) -> bool {
        self.shelf(SHELF.with(|&shelf| shelf)).keep(start, class, &self.unclaimed)
    }

    /// Empties all shelves, calling `free` for each block and its class.
    fn release(&self, free: impl Fn(NonNull<u8>, usize)) {
        for number in 0..SHELVES {
            let stacks = self.shelf(number).clear(&self.unclaimed);
            for (class, stack) in stacks {
                stack.into_iter().for_each(|block| free(block.0, class));
            }
        }
    }
}

impl Shelf {
    fn take(&mut self, class: usize, unclaimed: &AtomicUsize) -> Option<NonNull<u8>> {
        let block = self.stacks.get_mut(place_of(class))?.1.pop()?;
        self.bytes -= class;
        if self.allowance - self.bytes > 2 * ALLOWANCE_STEP {
            let rest = self.allowance - self.bytes - ALLOWANCE_STEP;
            self.allowance -= rest;
            unclaimed.fetch_add(rest, Ordering::Relaxed);
        }
        Some(block.0)
    }

    fn keep(&mut self, start: NonNull<u8>, class: usize, unclaimed: &AtomicUsize) -> bool {
        let missing = (self.bytes + class).saturating_sub(self.allowance);
        if missing > 0 {
            let claim = |bytes: usize| {
                unclaimed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
            };
            let Some(claimed) = [missing + ALLOWANCE_STEP, missing].into_iter().find(|&bytes| claim(bytes)) else {
                return false;
            };
            self.allowance += claimed;
        }
        self.bytes += class;
        let place = place_of(class);
        if place >= self.stacks.len() {
            self.stacks.resize_with(place + 1, || (0, Vec::new()));
        }
        self.stacks[place].0 = class;
        self.stacks[place].1.push(IdleBlock(start));
        true
    }

    /// Takes all blocks, in stacks by their class.
    fn clear(&mut self, unclaimed: &AtomicUsize) -> Vec<(usize, Vec<IdleBlock>)> {
        unclaimed.fetch_add(self.allowance, Ordering::Relaxed);
        (self.bytes, self.allowance) = (0, 0);
        std::mem::take(&mut self.stacks)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::thread;

    use super::*;

    /// The address of a block that does not exist.
    fn block(number: usize) -> NonNull<u8> {
        NonNull::new(std::ptr::without_provenance_mut(number * ALIGNMENT)).unwrap()
    }

    /// The sum of what may be idle, by the invariant the limit.
    fn limit(memory: &IdleMemory) -> usize {
        let shelves = (0..SHELVES).map(|number| {
            let shelf = memory.shelf(number);
            let bytes = shelf.stacks.iter().map(|(class, stack)| class * stack.len()).sum::<usize>();
            assert!(bytes == shelf.bytes && bytes <= shelf.allowance);
            shelf.allowance
        });
        shelves.sum::<usize>() + memory.unclaimed.load(Ordering::Relaxed)
    }

    #[test]
    fn size_classes_hold_their_request_and_waste_little() {
        for bytes in (1..5000).chain([1 << 20, (1 << 20) + 1, 100_000_007]) {
            let class = size_class(bytes);
            assert!(class >= bytes && class.is_multiple_of(ALIGNMENT));
            assert!(bytes < FINE_CLASSES || class - bytes <= bytes / 4, "{bytes} takes {class}");
            assert_eq!(size_class(class), class);
        }
    }

    #[test]
    fn size_classes_follow_each_other() {
        let mut class = ALIGNMENT;
        for place in 0..150 {
            assert_eq!(place_of(class), place);
            class = size_class(class + 1);
        }
        assert!(place_of(size_class(MOST_BYTES)) < 250);
    }

    #[test]
    fn a_thread_gets_its_own_blocks_back_the_last_first() {
        let memory = IdleMemory::new(MOST_IDLE);
        assert!(memory.keep(block(1), 2048) && memory.keep(block(2), 2048) && memory.keep(block(3), 4096));
        thread::scope(|scope| {
            scope.spawn(|| {
                assert!(memory.keep(block(4), 2048) && memory.keep(block(5), 2048));
                assert_eq!(memory.take(2048), Some(block(5)));
            });
        });
        assert_eq!([2048, 4096, 4096].map(|class| memory.take(class)), [Some(block(2)), Some(block(3)), None]);
        assert_eq!([2048, 2048].map(|class| memory.take(class)), [Some(block(1)), Some(block(4))]);
        assert_eq!(limit(&memory), MOST_IDLE);
    }

    #[test]
    fn a_block_that_one_thread_drops_is_found_by_another() {
        // A block kept by a thread that has ended, as when one thread drops batches that another makes.
        let memory = IdleMemory::new(MOST_IDLE);
        for number in 1..=2 * SHELVES {
            let dropped = thread::scope(|scope| scope.spawn(|| memory.keep(block(number), 2048)).join().unwrap());
            assert!(dropped && memory.take(2048) == Some(block(number)) && memory.take(2048).is_none());
        }
    }

    #[test]
    fn idle_memory_is_bounded_over_all_threads() {
        for (limit_bytes, class) in [(10 << 20, 1 << 20), (10 << 20, 3 << 20), (100 * 2048, 2048), (1000, 2048)] {
            let memory = IdleMemory::new(limit_bytes);
            let kept: usize = thread::scope(|scope| {
                let threads: Vec<_> = (0..6)
                    .map(|t| {
                        let memory = &memory;
                        scope.spawn(move || (1..=40).filter(|i| memory.keep(block(100 * t + i), class)).count())
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).sum()
            });
            // A shelf may claim a little more than it fills.
            assert!(kept * class <= limit_bytes, "{kept} of {class}");
            assert!((kept + 1) * class + 6 * ALLOWANCE_STEP > limit_bytes, "{kept} of {class}");
            let found: BTreeSet<_> = std::iter::from_fn(|| memory.take(class)).collect();
            assert_eq!((found.len(), limit(&memory)), (kept, limit_bytes));
            // All that was claimed can be kept by another thread again, but for a step on each shelf.
            let again = (1..=240).filter(|&i| memory.keep(block(i), class)).count();
            assert!((again + 1) * class + SHELVES * 2 * ALLOWANCE_STEP > limit_bytes.min(240 * class), "{again}");
        }
    }

    #[test]
    fn released_memory_is_gone_and_its_allowance_free() {
        let memory = IdleMemory::new(MOST_IDLE);
        thread::scope(|scope| {
            (0..3)
                .for_each(|_| _ = scope.spawn(|| assert!(memory.keep(block(1), 2048) && memory.keep(block(2), 4096))));
        });
        let freed = Mutex::new(Vec::new());
        memory.release(|_, class| freed.lock().unwrap().push(class));
        let mut freed = freed.into_inner().unwrap();
        freed.sort();
        assert_eq!(freed, [2048, 2048, 2048, 4096, 4096, 4096]);
        assert_eq!((memory.take(2048), memory.take(4096)), (None, None));
        assert_eq!(memory.unclaimed.load(Ordering::Relaxed), MOST_IDLE);
    }

    #[test]
    fn blocks_around_a_huge_page_are_aligned_and_zero() {
        for bytes in [HUGE_PAGE / 2 + 1, HUGE_PAGE, HUGE_PAGE + 1, 3 * HUGE_PAGE - 5] {
            // Kept until the end, so that none is recycled by the next; another test's block may be.
            let blocks = [Block::new(bytes), Block::new(bytes)];
            for (block, recycled) in &blocks {
                assert!(block.start.addr().get().is_multiple_of(block_layout(block.class).align()));
                // SAFETY: the block has so many bytes, all of them initialised.
                let bytes = unsafe { std::slice::from_raw_parts(block.start.as_ptr(), block.class) };
                assert!(*recycled || bytes.iter().all(|&byte| byte == 0));
            }
        }
    }

    #[test]
    fn scratch_is_aligned_and_recycled() {
        // Sizes that no other test uses.
        for len in [0, 1, 200_003] {
            let at = with_scratch(len, |scratch: *mut f64| scratch.addr());
            assert!(at.is_multiple_of(ALIGNMENT));
        }
        assert_eq!(
            with_scratch(300_001, |scratch: *mut f32| scratch.addr()),
            with_scratch(300_001, |scratch: *mut f32| scratch.addr())
        );
    }
}
