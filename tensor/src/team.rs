//! The worker team: indexed tasks shared among threads.

/// Calls `body` once for each index in `0..tasks`, in any order and possibly on several threads, and returns when all
/// are done.
pub fn run(tasks: usize, body: impl Fn(usize) + Sync) {
    for task in 0..tasks {
        body(task);
    }
}
