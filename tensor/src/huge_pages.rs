//! Memory in pages of 2 MiB instead of 4 KiB. A pass over memory looks up the address of each page, and fresh memory faults on
//! each, so large blocks gain by large pages.

use std::alloc::{Layout, alloc};

/// The bytes of a huge page. Blocks of at least one are aligned to it.
pub(crate) const HUGE_PAGE: usize = 1 << 21;

/// As [`alloc_zeroed`](std::alloc::alloc_zeroed), in huge pages where the system has some.
///
/// # Safety
///
/// As for `alloc_zeroed`.
pub(crate) unsafe fn alloc_zeroed_in_huge_pages(layout: Layout) -> *mut u8 {
    // SAFETY: the caller's promise; advice may fail and changes no bytes. All bytes of the new block are written.
    unsafe {
        let start = alloc(layout);
        if !start.is_null() {
            #[cfg(target_os = "linux")]
            madvise(start.cast(), layout.size(), MADV_HUGEPAGE);
            start.write_bytes(0, layout.size());
        }
        start
    }
}

/// Linux, `include/uapi/asm-generic/mman-common.h`.
#[cfg(target_os = "linux")]
const MADV_HUGEPAGE: std::ffi::c_int = 14;

#[cfg(target_os = "linux")]
unsafe extern "C" {
    // Of the C library, which Rust's standard library is linked with.
    fn madvise(start: *mut std::ffi::c_void, bytes: usize, advice: std::ffi::c_int) -> std::ffi::c_int;
}
