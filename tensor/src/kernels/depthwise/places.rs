//! The places of lines of a depthwise convolution: sums over taps, in registers.

use std::ops::Range;

use super::{Depthwise, ResultLine, Sweep, TapSteps, multiply_add};
use crate::element::Float;
use crate::kernels::Shared;
use crate::kernels::gemm::VectorWork;
#[cfg(target_arch = "x86_64")]
use crate::kernels::gemm::lanes::Lanes;

/// A product of each element of a result: where its factors lie, the one of the input counted from where the line begins.
#[derive(Clone, Copy)]
struct Tap {
    x: usize,
    w: usize,
}

/// Places of a line of the result next to each other that meet the same taps.
struct Places {
    /// Where the first place lies, counted from where the line begins, and the input from which its taps are counted.
    result: usize,
    x: isize,
    /// The range of its taps in a list.
    taps: Range<usize>,
    /// The number of places, and the elements from one to the next.
    count: usize,
    result_step: usize,
    x_step: usize,
}

/// The numbers of places that are computed together: each weight is loaded once for them.
const MANY: usize = 8;
const SOME: usize = 4;

/// The vectors of channels that are computed together at a single place.
const FEW: usize = 4;

/// Some lines of the result of a convolution.
pub struct Lines<'a, T> {
    pub of: &'a Depthwise<'a>,
    pub lines: Range<usize>,
    pub x: &'a [T],
    pub w: &'a [T],
    pub bias: Option<&'a [T]>,
    pub relu: bool,
    pub out: Shared<T>,
}

impl<T> Lines<'_, T> {
    /// Calls `body` with all places of the lines, some of them twice: where the line begins in the result and in the input, the
    /// places, and their taps.
    #[inline(always)]
    fn for_each(&self, mut body: impl FnMut(usize, usize, &Places, &[Tap])) {
        let mut plan = LinePlan::default();
        for line in self.lines.clone() {
            let line = self.of.line(line);
            plan.set(self.of, &line);
            for places in &plan.places {
                body(line.result, line.x, places, &plan.taps[places.taps.clone()]);
            }
        }
    }
}

/// What the places of a line are made of. Most lines have the plan of the line before.
#[derive(Default)]
struct LinePlan {
    w: usize,
    outer: Option<[TapSteps; 2]>,
    places: Vec<Places>,
    taps: Vec<Tap>,
}

impl LinePlan {
    /// Makes this the plan of a line.
    fn set(&mut self, of: &Depthwise<'_>, line: &ResultLine) {
        if self.outer == Some(line.outer) && self.w == line.w {
            return;
        }
        (self.w, self.outer) = (line.w, Some(line.outer));
        self.places.clear();
        self.taps.clear();
        let (along, channels) = (of.along(), of.channels);
        for (i, sweep) in along.iter().enumerate() {
            let inside = sweep.inside();
            let all = self.add_taps(line, sweep, 0..sweep.taps, channels);
            let mut q = 0;
            while q < sweep.count {
                let left = inside.end.saturating_sub(q);
                let (first, count, taps) = match inside.len() {
                    MANY.. if inside.contains(&q) && left > SOME => (q.min(inside.end - MANY), MANY, all.clone()),
                    SOME.. if inside.contains(&q) => (q.min(inside.end - SOME), SOME, all.clone()),
                    _ => (q, 1, self.add_taps(line, sweep, sweep.taps(q), channels)),
                };
                self.places.push(Places {
                    result: (i + first * along.len()) * channels,
                    x: (sweep.start + (first * sweep.step) as isize) * channels as isize,
                    taps,
                    count,
                    result_step: along.len() * channels,
                    x_step: sweep.step * channels,
                });
                q = first + count;
            }
        }
    }

    /// Adds the taps of places of `line` that meet these `taps` along it.
    fn add_taps(&mut self, line: &ResultLine, along: &Sweep, taps: Range<usize>, channels: usize) -> Range<usize> {
        let start = self.taps.len();
        let [outer, inner] = line.outer;
        for (i, j) in (0..outer.count).flat_map(|i| (0..inner.count).map(move |j| (i, j))) {
            let x = i * outer.x + j * inner.x;
            let w = (line.w as isize + i as isize * outer.w + j as isize * inner.w) as usize;
            let steps = along.distance * channels;
            self.taps
                .extend(taps.clone().map(|tap| Tap { x: x + tap * steps, w: w + along.weight_of(tap) * channels }));
        }
        start..self.taps.len()
    }
}

impl<T: Float> VectorWork<T> for Lines<'_, T> {
    #[cfg(target_arch = "x86_64")]
    unsafe fn compute_in<L: Lanes<Element = T>>(self) {
        // SAFETY: the caller's promise; `Depthwise::check` has made sure that all places lie within the slices.
        unsafe {
            L::with(
                #[inline(always)]
                || {
                    self.for_each(
                        #[inline(always)]
                        |result, x, places, taps| {
                            let x = self.x.as_ptr().wrapping_add(x).wrapping_offset(places.x);
                            match places.count {
                                MANY => self.places::<L, MANY>(result, x, places, taps),
                                SOME => self.places::<L, SOME>(result, x, places, taps),
                                _ => self.places::<L, 1>(result, x, places, taps),
                            }
                        },
                    );
                },
            );
        }
    }

    fn compute_portably(self) {
        let channels = self.of.channels;
        self.for_each(|result, x, places, taps| {
            for place in 0..places.count {
                // SAFETY: each line of the result belongs to one task, and its places lie within the result.
                let sums = unsafe { self.out.part(result + places.result + place * places.result_step, channels) };
                match self.bias {
                    Some(bias) => sums.copy_from_slice(bias),
                    None => sums.fill(T::ZERO),
                }
                let x = x as isize + places.x + (place * places.x_step) as isize;
                for tap in taps {
                    multiply_add(&self.x[(x + tap.x as isize) as usize..], &self.w[tap.w..], sums);
                }
                if self.relu {
                    sums.iter_mut().filter(|sum| **sum < T::ZERO).for_each(|sum| *sum = T::ZERO);
                }
            }
        });
    }
}

#[cfg(target_arch = "x86_64")]
impl<T> Lines<'_, T> {
    /// Computes all channels of `P` places of the line that begins at `result`; their taps are counted from `x`.
    #[inline(always)]
    unsafe fn places<L: Lanes<Element = T>, const P: usize>(
        &self,
        result: usize,
        x: *const T,
        places: &Places,
        taps: &[Tap],
    ) {
        let (mut first, end) = (0, self.of.channels);
        // SAFETY: the caller's promise.
        unsafe {
            while P == 1 && first + FEW * L::LANES <= end {
                self.block::<L, P, FEW, true>(result, x, places, taps, first);
                first += FEW * L::LANES;
            }
            while first + L::LANES <= end {
                self.block::<L, P, 1, true>(result, x, places, taps, first);
                first += L::LANES;
            }
            if first < end {
                self.block::<L, P, 1, false>(result, x, places, taps, first);
            }
        }
    }

    /// Computes the channels from `first` on of `P` places: `V` vectors of them if `WHOLE`, else the last ones.
    #[inline(always)]
    unsafe fn block<L: Lanes<Element = T>, const P: usize, const V: usize, const WHOLE: bool>(
        &self,
        result: usize,
        x: *const T,
        places: &Places,
        taps: &[Tap],
        first: usize,
    ) {
        let count = if WHOLE { L::LANES } else { self.of.channels - first };
        // SAFETY: the caller's promise.
        unsafe {
            let mask = L::mask(if WHOLE { 0 } else { count });
            let load = |source| if WHOLE { L::load(source) } else { L::load_masked(source, mask) };
            let start =
                |i: usize| self.bias.map_or_else(|| L::zero(), |bias| load(bias.as_ptr().add(first + i * L::LANES)));
            let mut sums: [[L::Vector; V]; P] = [std::array::from_fn(start); P];
            let (x, w) = (x.wrapping_add(first), self.w.as_ptr().add(first));
            for tap in taps {
                let (x, w) = (x.wrapping_add(tap.x), w.add(tap.w));
                for i in 0..V {
                    let w = load(w.add(i * L::LANES));
                    for (place, sums) in sums.iter_mut().enumerate() {
                        sums[i] = L::multiply_add(load(x.add(place * places.x_step + i * L::LANES)), w, sums[i]);
                    }
                }
            }
            for (place, sums) in sums.iter().enumerate() {
                let target = result + places.result + place * places.result_step + first;
                for (i, &sum) in sums.iter().enumerate() {
                    let target = self.out.part(target + i * L::LANES, count).as_mut_ptr();
                    let sum = if self.relu { L::relu(sum) } else { sum };
                    if WHOLE {
                        L::store(target, sum);
                    } else {
                        L::store_first(target, sum, count);
                    }
                }
            }
        }
    }
}
