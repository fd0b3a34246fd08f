//! Sums into the elements of a slice or of a view.

use std::ops::AddAssign;

use super::nest::Nest;
use super::{CHUNK, Shared, View};
use crate::element::Number;
use crate::layout::Layout;
use crate::simd::vectorize;
use crate::team;

/// sums += others, element by element.
#[inline(always)]
pub(crate) fn add_to<T: Copy + AddAssign>(sums: &mut [T], others: &[T]) {
    sums.iter_mut().zip(others).for_each(|(sum, &other)| *sum += other);
}

/// Adds `a` to the elements of `out` that `layout` addresses. The layout has the shape of `a` and addresses no element twice.
pub(crate) fn accumulate<T: Number>(a: View<'_, T>, out: &mut [T], layout: &Layout) {
    let nest = Nest::new([a.layout, layout]);
    let out = Shared::new(out);
    team::split(layout.shape.size(), CHUNK, |range| {
        vectorize(
            #[inline(always)]
            || {
                nest.for_each_run(
                    range,
                    #[inline(always)]
                    |_, len, [from, to]| match nest.steps {
                        [1, 1] => {
                            // SAFETY: the layout addresses each place once, so the runs of all tasks are disjoint.
                            let out = unsafe { out.part(to, len) };
                            for (out, &x) in out.iter_mut().zip(&a.data[from..from + len]) {
                                *out = out.plus(x);
                            }
                        }
                        [step_from, step_to] => {
                            for i in 0..len as isize {
                                let x = a.data[from.wrapping_add_signed(i * step_from)];
                                // SAFETY: as above, for a run of one.
                                let out = unsafe { out.part(to.wrapping_add_signed(i * step_to), 1) };
                                out[0] = out[0].plus(x);
                            }
                        }
                    },
                );
            },
        );
    });
}
