//! The kernel of optimisers: several tensors of one shape changed together, in place.

use super::Shared;
use crate::simd::vectorize;
use crate::team;

/// Elements of each tensor that one task handles: 16 KiB of f32, so that a parameter, its gradient and two slots stay
/// within a core's first cache levels and a matrix of the usual size makes enough tasks to share evenly.
const UPDATE_CHUNK: usize = 1 << 12;

/// Calls `body` with like parts of the parameter, the gradient and the slots until all is covered.
#[inline(always)]
pub(crate) fn update<T: Copy + Send + Sync, const N: usize>(
    parameter: &mut [T],
    gradient: &[T],
    slots: [&mut [T]; N],
    body: impl Fn(&mut [T], &[T], [&mut [T]; N]) + Sync,
) {
    let len = parameter.len();
    debug_assert!(gradient.len() == len && slots.iter().all(|slot| slot.len() == len));
    let parameter = Shared::new(parameter);
    let slots = slots.map(Shared::new);
    team::split(len, UPDATE_CHUNK, |range| {
        let (start, len) = (range.start, range.len());
        // SAFETY: the ranges of all tasks are disjoint, and lie within the slices, which are of one length.
        let (parameter, slots) = unsafe { (parameter.part(start, len), slots.map(|slot| slot.part(start, len))) };
        vectorize(
            #[inline(always)]
            || body(parameter, &gradient[range], slots),
        );
    });
}
