//! Room for packed operands, kept for the next product so that none allocates after the first of its size.

use std::mem::MaybeUninit;
use std::sync::Mutex;

/// A cache line of nothing yet.
#[repr(align(64))]
struct Line {
    _bytes: [MaybeUninit<u8>; 64],
}

/// Room that nobody is using. There is never more than threads have used at a time.
static SPARE: Mutex<Vec<Vec<Line>>> = Mutex::new(Vec::new());

/// Calls `body` with room for `len` elements, aligned to cache lines and not initialised. No room takes no time.
pub(super) fn with_room<T, R>(len: usize, body: impl FnOnce(*mut T) -> R) -> R {
    const { assert!(align_of::<T>() <= align_of::<Line>()) };
    let lines = (len * size_of::<T>()).div_ceil(size_of::<Line>());
    if lines == 0 {
        return body(std::ptr::dangling_mut());
    }
    let mut room = take(lines);
    if room.capacity() < lines {
        room = Vec::with_capacity(lines);
    }
    let result = body(room.as_mut_ptr().cast());
    spare().push(room);
    result
}

/// The smallest spare room that is large enough, or else the largest: the one to be replaced by a larger.
fn take(lines: usize) -> Vec<Line> {
    let mut spare = spare();
    let best = (0..spare.len()).min_by_key(|&i| {
        let capacity = spare[i].capacity();
        if capacity >= lines { (0, capacity) } else { (1, usize::MAX - capacity) }
    });
    best.map_or_else(Vec::new, |i| spare.swap_remove(i))
}

fn spare() -> std::sync::MutexGuard<'static, Vec<Vec<Line>>> {
    // Nothing panics while it is locked but a failed allocation, which leaves the list whole.
    SPARE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
