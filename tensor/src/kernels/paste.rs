//! Copies into a view: the reverse of [`copy`](super::copy).

use super::nest::Nest;
use super::{CHUNK, Shared, View};
use crate::layout::Layout;
use crate::team;

/// Writes `a` to the elements of `out` that `layout` addresses. The layout has the shape of `a` and addresses no element twice.
pub(crate) fn paste<T: Copy + Send + Sync>(a: View<'_, T>, out: &mut [T], layout: &Layout) {
    let nest = Nest::new([a.layout, layout]);
    let out = Shared::new(out);
    team::split(layout.shape.size(), CHUNK, |range| {
        nest.for_each_run(range, |_, len, [from, to]| match nest.steps {
            [1, 1] => {
                // SAFETY: the layout addresses each place once, so the runs of all tasks are disjoint.
                unsafe { out.part(to, len) }.copy_from_slice(&a.data[from..from + len]);
            }
            [step_from, step_to] => {
                for i in 0..len as isize {
                    let x = a.data[from.wrapping_add_signed(i * step_from)];
                    // SAFETY: as above, for a run of one.
                    let out = unsafe { out.part(to.wrapping_add_signed(i * step_to), 1) };
                    out[0] = x;
                }
            }
        });
    });
}
