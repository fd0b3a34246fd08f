//! The kernel of optimisers: a parameter and its slots, of one shape, updated together in place.

use super::Shared;
use crate::simd::vectorize_choices;
use crate::team;

/// The elements of each tensor in one task: 16 KiB of f32, so that a parameter, its gradient and two slots fit into a core's first
/// two cache levels, and a matrix of the usual size makes enough tasks to share evenly.
const UPDATE_CHUNK: usize = 1 << 12;

/// Calls `body` with the same part of the parameter, the gradient and the slots, for all parts.
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
        vectorize_choices(
            #[inline(always)]
            || body(parameter, &gradient[range], slots),
        );
    });
}
