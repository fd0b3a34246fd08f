//! Memory in pages of 2 MiB instead of 4 KiB. A pass over memory looks up the address of each page, and fresh memory faults on
//! each, so large blocks gain by large pages.
//!
//! On Linux such blocks come from the system itself, whose fresh pages are zeros: nothing writes these again, and what a block has
//! more than its owner uses takes no memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::team;

/// The bytes of a huge page. Blocks of at least one are aligned to it.
pub(crate) const HUGE_PAGE: usize = 1 << 21;

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
use linux::advise;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) use linux::{alloc_zeroed_in_huge_pages, dealloc_huge_pages};
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub(crate) use std::alloc::{alloc_zeroed as alloc_zeroed_in_huge_pages, dealloc as dealloc_huge_pages};

/// Has the system hand out the pages of fresh memory, by all threads: a zero is written to each. What writes memory by one thread, as a
/// reader of files does, would wait for one page after the other.
///
/// The system may have to move others' pages to make a huge one. If that takes longer than small pages do, small ones are taken from
/// there on, and the system may join them later.
pub(crate) fn touch(memory: &mut [u8]) {
    const SMALL_PAGE: usize = 1 << 12;
    /// Clearing a huge page takes 0.1 ms, touching its small pages 1.2 ms, making one up to 4 ms.
    const SLOW: Duration = Duration::from_micros(600);
    let are_rare = AtomicBool::new(false);
    let mut parts: Vec<&mut [u8]> = memory.chunks_mut(HUGE_PAGE).collect();
    team::for_each(&mut parts, |part| {
        let in_small_pages = are_rare.load(Ordering::Relaxed);
        if in_small_pages {
            advise(part, false);
        }
        let start = Instant::now();
        part.iter_mut().step_by(SMALL_PAGE).for_each(|byte| *byte = 0);
        if !in_small_pages && start.elapsed() > SLOW {
            are_rare.store(true, Ordering::Relaxed);
        }
    });
    if are_rare.into_inner() {
        advise(memory, true);
    }
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn advise(_memory: &[u8], _huge_pages: bool) {}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod linux {
    use std::alloc::Layout;
    use std::ffi::{c_int, c_void};
    use std::ptr;

    use super::HUGE_PAGE;

    /// As [`alloc_zeroed`](std::alloc::alloc_zeroed), in huge pages where the system has some.
    ///
    /// # Safety
    ///
    /// As for `alloc_zeroed`; the layout is aligned to [`HUGE_PAGE`].
    pub(crate) unsafe fn alloc_zeroed_in_huge_pages(layout: Layout) -> *mut u8 {
        let size = layout.size().next_multiple_of(HUGE_PAGE);
        // The system aligns to small pages: what lies before the first huge page and behind the last is given back.
        let Some(mapped) = size.checked_add(HUGE_PAGE) else { return ptr::null_mut() };
        // SAFETY: the mapping is new. What is given back lies in it, outside of the block. Advice may fail and changes no bytes.
        unsafe {
            let (access, kind) = (PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
            let first = mmap(ptr::null_mut(), mapped, access, kind, -1, 0);
            if first.addr() == MAP_FAILED {
                return ptr::null_mut();
            }
            let before = first.addr().next_multiple_of(HUGE_PAGE) - first.addr();
            let start = first.byte_add(before);
            if before > 0 {
                munmap(first, before);
            }
            munmap(start.byte_add(size), HUGE_PAGE - before);
            madvise(start, size, MADV_HUGEPAGE);
            start.cast()
        }
    }

    /// Gives back what [`alloc_zeroed_in_huge_pages`] gave for this layout.
    ///
    /// # Safety
    ///
    /// As for [`dealloc`](std::alloc::dealloc).
    pub(crate) unsafe fn dealloc_huge_pages(start: *mut u8, layout: Layout) {
        // SAFETY: the block is a mapping of this size, and its owner gives it up.
        unsafe { munmap(start.cast(), layout.size().next_multiple_of(HUGE_PAGE)) };
    }

    /// Says whether memory should be in huge pages. It need not be aligned to pages; then nothing is said.
    pub(super) fn advise(memory: &[u8], huge_pages: bool) {
        let advice = if huge_pages { MADV_HUGEPAGE } else { MADV_NOHUGEPAGE };
        // SAFETY: the memory is mapped; advice on the size of pages may fail, and changes no bytes.
        unsafe { madvise(memory.as_ptr().cast_mut().cast(), size_of_val(memory), advice) };
    }

    // Linux, include/uapi/asm-generic/mman-common.h and mman.h. Some other architectures have other numbers.
    const PROT_READ: c_int = 1;
    const PROT_WRITE: c_int = 2;
    const MAP_PRIVATE: c_int = 2;
    const MAP_ANONYMOUS: c_int = 0x20;
    const MADV_HUGEPAGE: c_int = 14;
    const MADV_NOHUGEPAGE: c_int = 15;
    /// The address by which `mmap` says that it failed.
    const MAP_FAILED: usize = usize::MAX;

    unsafe extern "C" {
        // Of the C library, which Rust's standard library is linked with.
        fn mmap(start: *mut c_void, bytes: usize, access: c_int, kind: c_int, file: c_int, from: isize) -> *mut c_void;
        fn munmap(start: *mut c_void, bytes: usize) -> c_int;
        fn madvise(start: *mut c_void, bytes: usize, advice: c_int) -> c_int;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_touched_can_be_written_and_read() {
        for len in [0, 1, 5000, HUGE_PAGE, 5 * HUGE_PAGE + 3] {
            let mut memory = vec![7_u8; len];
            touch(&mut memory);
            assert!(memory.iter().all(|&byte| byte == 0 || byte == 7));
            assert!(memory.first().is_none_or(|&first| first == 0));
        }
        advise(&[0; 3], false);
    }
}
