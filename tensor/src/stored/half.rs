//! Floats of two bytes: the conversion from f64 and to f32.
//!
//! They are of our own, because a test can try all 65,536 of them.

/// A format of floats of two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Half {
    /// The bits of the fraction. The sign has one bit, the exponent the rest.
    fraction: u32,
}

/// IEEE 754's binary16: 11 significant bits, up to 65,504.
pub(crate) const F16: Half = Half { fraction: 10 };
/// bfloat16, the upper half of an f32: 8 significant bits, up to 3.39e38.
pub(crate) const BF16: Half = Half { fraction: 7 };

impl Half {
    /// The largest exponent of a finite number; the smallest of a normal one is 1 less its negative.
    fn bias(self) -> i32 {
        (1 << (14 - self.fraction)) - 1
    }

    /// The bits of infinity, those of NaN without its fraction.
    fn infinity(self) -> u16 {
        (1 << 15) - (1 << self.fraction)
    }

    /// The bits of the nearest number, of two equally near ones the even one. Beyond the largest number it is infinity; NaN
    /// stays NaN.
    ///
    /// From f64, which holds every f32, so that no number is rounded twice.
    #[inline(always)]
    #[cfg_attr(not(feature = "safetensors"), allow(dead_code))] // Only safetensors files are written so.
    pub fn encode(self, x: f64) -> u16 {
        let sign = (x.to_bits() >> 63 << 15) as u16;
        if x.is_nan() {
            // The upper bits of the fraction, and the highest of them set, so that it is a NaN that raises no signal.
            let fraction = (x.to_bits() << 12 >> (64 - self.fraction)) as u16;
            return sign | self.infinity() | fraction | 1 << (self.fraction - 1);
        }
        let lowest = 1 - self.bias();
        let exponent = ((x.to_bits() >> 52 & 0x7FF) as i32 - 1023).clamp(lowest, self.bias() + 1);
        // x in units of the last bit, which is that of the exponent, or of the smallest numbers.
        let units = x.abs() * power_of_two(self.fraction as i32 - exponent);
        // The sum has no bits after the point, and rounds as wanted. Larger numbers become infinity below.
        const NO_FRACTION: f64 = (1_u64 << 52) as f64;
        let units = (units.min(NO_FRACTION) + NO_FRACTION - NO_FRACTION) as u64;
        // A normal number's highest unit adds 1 to the exponent's bits.
        let bits = ((exponent - lowest) as u64) << self.fraction;
        sign | (bits + units).min(self.infinity().into()) as u16
    }

    /// The value of these bits, exactly.
    #[inline(always)]
    pub fn decode(self, bits: u16) -> f32 {
        let sign = u32::from(bits >> 15) << 31;
        let size = u32::from(bits & 0x7FFF);
        // The bits in their places of an f32, whose exponent has another bias and perhaps more bits.
        let placed = f32::from_bits(size << (23 - self.fraction));
        let value = if size >= self.infinity().into() {
            f32::from_bits(0xFF << 23 | placed.to_bits())
        } else if self.fraction == 7 {
            placed
        } else {
            // A product by a power of two is exact, for the smallest numbers too: in f32 they are normal.
            (f64::from(placed) * power_of_two(127 - self.bias())) as f32
        };
        f32::from_bits(sign | value.to_bits())
    }
}

/// 2^exponent, for exponents of normal numbers.
#[inline(always)]
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FNV-1a over the values of all bits but NaN's.
    fn fingerprint(half: Half) -> u64 {
        let values = (0..=u16::MAX).map(|bits| half.decode(bits)).filter(|value| !value.is_nan());
        let bytes = values.flat_map(|value| value.to_bits().to_le_bytes());
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
    }

    #[test]
    fn all_values_are_those_of_numpy() {
        // NumPy 2.4.6 (float16) and ml_dtypes 0.6.0 (bfloat16), by tests/reference/half.py.
        assert_eq!((fingerprint(F16), fingerprint(BF16)), (FINGERPRINTS[0], FINGERPRINTS[1]));
    }

    const FINGERPRINTS: [u64; 2] = [0xa7a5_75fd_4882_f925, 0x6d9e_679a_27bc_81f5];

    #[test]
    fn each_value_comes_back_to_its_bits() {
        for half in [F16, BF16] {
            for bits in 0..=u16::MAX {
                let value = half.decode(bits);
                let quiet = if value.is_nan() { 1 << (half.fraction - 1) } else { 0 };
                assert_eq!(half.encode(value.into()), bits | quiet, "{half:?} {bits:#x}");
            }
        }
    }

    #[test]
    fn numbers_between_two_go_to_the_nearer_or_the_even_one() {
        for half in [F16, BF16] {
            for bits in 0..half.infinity() {
                let (low, next) = (f64::from(half.decode(bits)), f64::from(half.decode(bits + 1)));
                // Beyond the largest number it is as if one more followed.
                let high = if next.is_infinite() { 2.0_f64.powi(half.bias() + 1) } else { next };
                let middle = (low + high) / 2.0;
                let even = bits + bits % 2;
                for (x, expected) in [(middle, even), (middle.next_down(), bits), (middle.next_up(), bits + 1)] {
                    assert_eq!(half.encode(x), expected, "{half:?} {x:e}");
                    assert_eq!(half.encode(-x), expected | 1 << 15, "{half:?} -{x:e}");
                }
            }
            for x in [f64::MAX, f64::INFINITY, 2.0_f64.powi(half.bias() + 1)] {
                assert_eq!(half.encode(x), half.infinity());
            }
            for x in [0.0, f64::MIN_POSITIVE, 5e-324] {
                assert_eq!((half.encode(x), half.encode(-x)), (0, 1 << 15));
            }
        }
    }

    #[test]
    fn a_number_is_rounded_once() {
        // Just above the middle between 1 and the next number: by way of f32 it would be the middle, and go to 1.
        assert_eq!(F16.encode(1.0 + 2.0_f64.powi(-11) + 2.0_f64.powi(-40)), 0x3C01);
        assert_eq!(BF16.encode(1.0 + 2.0_f64.powi(-8) + 2.0_f64.powi(-40)), 0x3F81);
    }

    #[test]
    fn nan_keeps_the_upper_bits_of_its_fraction() {
        assert_eq!(F16.encode(f64::from(f32::from_bits(0xFFC1_2000))), 0xFE09);
        assert_eq!(BF16.encode(f64::from(f32::from_bits(0x7FD1_0000))), 0x7FD1);
        // The lower bits alone, which would leave infinity.
        assert_eq!(F16.encode(f64::from_bits(0x7FF0_0000_0000_0001)), 0x7E00);
    }
}
