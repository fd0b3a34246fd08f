//! Loop nests over operands with any layout (broadcast, transposed, flipped), in the row-major order of the result.
//!
//! Neighbouring axes that form one evenly spaced axis in every operand are merged first, so that the inner loop is as long as the
//! layouts allow.

use std::ops::Range;

use smallvec::SmallVec;

use crate::layout::Layout;

/// The loop nest over `N` operands of one shape: outer axes, then runs of `inner` elements.
pub(crate) struct Nest<const N: usize> {
    outer: SmallVec<[(usize, [isize; N]); 4]>,
    inner: usize,
    /// The step of each operand within a run.
    pub steps: [isize; N],
    starts: [usize; N],
}

impl<const N: usize> Nest<N> {
    pub fn new(layouts: [&Layout; N]) -> Self {
        let mut axes: SmallVec<[(usize, [isize; N]); 4]> = SmallVec::new();
        for (axis, &length) in layouts[0].shape.iter().enumerate() {
            if length == 1 {
                continue;
            }
            let strides = layouts.map(|layout| layout.strides[axis]);
            if let Some((merged, steps)) = axes.last_mut()
                && (0..N).all(|i| steps[i] == length as isize * strides[i])
            {
                *merged *= length;
                *steps = strides;
            } else {
                axes.push((length, strides));
            }
        }
        let (inner, steps) = axes.pop().unwrap_or((1, [1; N]));
        Nest { outer: axes, inner, steps, starts: layouts.map(|layout| layout.offset) }
    }

    /// Whether all elements form one run.
    pub fn is_one_run(&self) -> bool {
        self.outer.is_empty()
    }

    /// The merged axes, outermost first: the length of each and the step of each operand along it.
    pub fn axes(self) -> SmallVec<[(usize, [isize; N]); 4]> {
        let mut axes = self.outer;
        axes.push((self.inner, self.steps));
        axes
    }

    /// Calls `run(place, len, starts)` for the runs, or parts of runs, that make up `range` of the result: `len` elements from `place`
    /// on, where each operand begins at its start and advances by its step.
    #[inline(always)]
    pub fn for_each_run(&self, range: Range<usize>, mut run: impl FnMut(usize, usize, [usize; N])) {
        if range.is_empty() {
            return;
        }
        let mut index: SmallVec<[usize; 4]> = SmallVec::from_elem(0, self.outer.len());
        let mut starts = self.starts;
        let mut rest = range.start / self.inner.max(1);
        for (axis, &(length, strides)) in self.outer.iter().enumerate().rev() {
            index[axis] = rest % length;
            rest /= length;
            advance(&mut starts, &strides, index[axis] as isize);
        }
        let mut place = range.start;
        let mut column = range.start % self.inner.max(1);
        while place < range.end {
            let len = (self.inner - column).min(range.end - place);
            let mut here = starts;
            advance(&mut here, &self.steps, column as isize);
            run(place, len, here);
            place += len;
            column = 0;
            for (axis, &(length, strides)) in self.outer.iter().enumerate().rev() {
                index[axis] += 1;
                advance(&mut starts, &strides, 1);
                if index[axis] < length {
                    break;
                }
                index[axis] = 0;
                advance(&mut starts, &strides, -(length as isize));
            }
        }
    }
}

/// Advances the place of each operand by `count` of its steps.
#[inline(always)]
fn advance<const N: usize>(places: &mut [usize; N], steps: &[isize; N], count: isize) {
    for (place, &step) in places.iter_mut().zip(steps) {
        *place = place.wrapping_add_signed(count * step);
    }
}
