//! The micro-kernel of the products at each position.
//!
//! It differs from those of [`gemm`](crate::kernels::gemm) in that scratch is padded to whole vectors and strips. So no vector is
//! partial, and all strips have one height.

use super::transforms::Vectors;

/// Products of strips, as many rows as a vector has lanes, with a matrix B of whole vectors.
pub(super) struct Product {
    /// The length of the sums.
    pub(super) k: usize,
    /// The steps of A from row to row and along k. After `run` elements along k, A goes on at `jump`.
    pub(super) a_row: usize,
    pub(super) a_step: usize,
    pub(super) run: usize,
    pub(super) jump: usize,
    /// The number of vectors in a row of B. They lie in panels of two, the last one alone if the number is odd.
    pub(super) vectors: usize,
    /// The steps of a panel of one and of two vectors along k, that from panel to panel, and that between the two vectors.
    pub(super) b_steps: [usize; 2],
    pub(super) b_panel: usize,
    pub(super) b_vector: usize,
    /// The steps of C from row to row and from vector to vector.
    pub(super) c_row: usize,
    pub(super) c_vector: usize,
}

impl Product {
    /// Writes the product of a strip to C, or adds it if `add`.
    ///
    /// # Safety
    ///
    /// The instructions are available, and the matrices are that large.
    #[inline(always)]
    pub(super) unsafe fn strip<V: Vectors>(&self, a: *const f32, b: *const f32, c: *mut f32, add: bool) {
        // As many rows for each number of vectors as make sixteen sums, which hide how long a multiply-add takes; AVX2's
        // registers hold eight, which just do.
        for panel in 0..self.vectors.div_ceil(2) {
            // SAFETY: the caller's promise.
            unsafe {
                let (b, c) = (b.add(panel * self.b_panel), c.add(2 * panel * self.c_vector));
                match (V::LANES, 2 * panel + 1 < self.vectors) {
                    (16, true) => {
                        self.tile::<V, 8, 2>(a, b, c, add);
                        self.tile::<V, 8, 2>(a.add(8 * self.a_row), b, c.add(8 * self.c_row), add);
                    }
                    (16, false) => self.tile::<V, 16, 1>(a, b, c, add),
                    (_, true) => {
                        self.tile::<V, 4, 2>(a, b, c, add);
                        self.tile::<V, 4, 2>(a.add(4 * self.a_row), b, c.add(4 * self.c_row), add);
                    }
                    (_, false) => self.tile::<V, 8, 1>(a, b, c, add),
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn tile<V: Vectors, const MR: usize, const NV: usize>(
        &self,
        mut a: *const f32,
        mut b: *const f32,
        c: *mut f32,
        add: bool,
    ) {
        // SAFETY: the caller's promise. Pointers beyond the last element are not followed.
        unsafe {
            let mut sums = [[V::zero(); NV]; MR];
            if add {
                for (r, sums) in sums.iter_mut().enumerate() {
                    (0..NV).for_each(|v| sums[v] = V::load(c.add(r * self.c_row + v * self.c_vector)));
                }
            }
            let mut rest = self.k;
            while rest > 0 {
                let count = rest.min(self.run);
                let mut column = a;
                for _ in 0..count {
                    let row: [_; NV] = std::array::from_fn(|v| V::load(b.add(v * self.b_vector)));
                    for (r, sums) in sums.iter_mut().enumerate() {
                        let x = V::splat(column.add(r * self.a_row));
                        (0..NV).for_each(|v| sums[v] = V::multiply_add(x, row[v], sums[v]));
                    }
                    column = column.wrapping_add(self.a_step);
                    b = b.wrapping_add(self.b_steps[NV - 1]);
                }
                a = a.wrapping_add(self.jump);
                rest -= count;
            }
            for (r, sums) in sums.into_iter().enumerate() {
                (0..NV).for_each(|v| V::store(c.add(r * self.c_row + v * self.c_vector), sums[v]));
            }
        }
    }
}
