//! What Rust cannot check: that handles of MPI may be used on any thread, and a function that C calls at the end of the process.

#![allow(unsafe_code)] // The interface of a C library; each block says why it holds.

use mpi::request::{Request, StaticScope};
use mpi::topology::SimpleCommunicator;

/// A communicator of MPI. Open MPI's handle is a pointer, so it is neither `Send` nor `Sync` by itself.
pub(super) struct Link(pub SimpleCommunicator);

// SAFETY: `world` refuses an MPI library that does not give MPI_THREAD_MULTIPLE. With it, any thread may call MPI at any time, and
// handles belong to the process, not to a thread. That two threads don't call collectives of one communicator at once is a matter of
// results, not of memory; `MpiCommunicator::turn` sees to it.
unsafe impl Send for Link {}
// SAFETY: as above.
unsafe impl Sync for Link {}

/// A gathering that has been started and not waited for. Its buffers are never freed.
pub(super) struct Pending(pub Request<'static, [u64], StaticScope>);

// SAFETY: as above; a request may be completed by another thread than the one that started it, and the buffers are `Send`.
unsafe impl Send for Pending {}

unsafe extern "C" {
    /// Of the C library: has `function` called when the process ends by a return from `main` or by `exit`.
    fn atexit(function: extern "C" fn()) -> std::ffi::c_int;
}

/// Has `function` called at the end of the process. Returns whether the C library could take it in.
pub(super) fn call_at_exit(function: extern "C" fn()) -> bool {
    // SAFETY: the signature is that of C's standard; the function lives as long as the process, and cannot unwind, since
    // `extern "C"` functions end the process instead.
    unsafe { atexit(function) == 0 }
}
