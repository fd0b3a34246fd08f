use gradus_tensor::{Tensor, update};
use proptest::prelude::*;

use super::naive::{Naive, assert_close, assert_same, broadcasting_pairs, pair};

proptest! {
    #[test]
    fn binary_ops_broadcast(((a, naive_a), (b, naive_b), shape) in broadcasting_pairs()) {
        let expect = |f: fn(f64, f64) -> f64| {
            Naive::build(&shape, |index| f(naive_a.at_broadcast(&index), naive_b.at_broadcast(&index)))
        };
        assert_same(&(&a + &b), &expect(|a, b| a + b));
        assert_same(&(a.clone() - &b), &expect(|a, b| a - b));
        assert_same(&(&a * b.clone()), &expect(|a, b| a * b));
        assert_same(&(a.contiguous() / b.contiguous()), &expect(|a, b| a / b));
        assert_same(&(&a % &b), &expect(|a, b| if b == 0.0 { f64::NAN } else { a - b * (a / b).floor() }));
        assert_same(&a.maximum(&b), &expect(f64::max));
        assert_same(&a.minimum(&b), &expect(f64::min));
        assert_same(&a.less(&b), &expect(|a, b| f64::from(a < b)));
        assert_same(&a.less_equal(&b), &expect(|a, b| f64::from(a <= b)));
        assert_same(&a.greater(&b), &expect(|a, b| f64::from(a > b)));
        assert_same(&a.greater_equal(&b), &expect(|a, b| f64::from(a >= b)));
        assert_same(&a.equal(&b), &expect(|a, b| f64::from(a == b)));
        assert_same(&a.not_equal(&b), &expect(|a, b| f64::from(a != b)));
        assert_same(&a.greater(0.0).where_(&a, &b), &expect(|a, b| if a > 0.0 { a } else { b }));
        assert_close(&a.abs().pow(b.abs()), &expect(|a, b| a.abs().powf(b.abs())), 1e-12);
        let (p, q) = (a.greater(0.0), b.greater(1.0));
        assert_same(&(&p & &q), &expect(|a, b| f64::from(a > 0.0 && b > 1.0)));
        assert_same(&(&p | &q), &expect(|a, b| f64::from(a > 0.0 || b > 1.0)));
        assert_same(&(&p ^ &q), &expect(|a, b| f64::from((a > 0.0) != (b > 1.0))));
        assert_same(&a, &naive_a);
        assert_same(&b, &naive_b);
    }

    #[test]
    fn assignments_broadcast_the_right_side((a, b, shape) in broadcasting_pairs()) {
        let ((a, naive_a), (b, naive_b)) = if a.1.shape[..] == shape[..] { (a, b) } else { (b, a) };
        let expect = |f: fn(f64, f64) -> f64| Naive::build(&shape, |index| f(naive_a.at(&index), naive_b.at_broadcast(&index)));
        let mut x = a.clone();
        x += &b;
        assert_same(&x, &expect(|a, b| a + b));
        x -= &b;
        x *= &b;
        assert_same(&x, &expect(|a, b| a * b));
        x.assign(&b);
        assert_same(&x, &expect(|_, b| b));
        assert_same(&a, &naive_a);
    }

    #[test]
    fn unary_ops_see_every_view((x, naive) in pair()) {
        let expect = |f: fn(f64) -> f64| Naive::build(&naive.shape, |index| f(naive.at(&index)));
        assert_same(&-&x, &expect(|x| -x));
        assert_same(&x.square(), &expect(|x| x * x));
        assert_same(&x.abs(), &expect(f64::abs));
        assert_same(&x.relu(), &expect(|x| x.max(0.0)));
        assert_same(&x.sign(), &expect(|x| if x == 0.0 { 0.0 } else { x.signum() }));
        assert_same(&x.clamp(-2.0, 3.0), &expect(|x| x.clamp(-2.0, 3.0)));
        assert_same(&(&x / 4.0).round(), &expect(|x| (x / 4.0).round_ties_even()));
        assert_same(&x.to::<i32>().to::<u8>(), &expect(|x| f64::from(x as i32 as u8)));
        assert_same(&x.to::<bool>().logical_not(), &expect(|x| f64::from(x == 0.0)));
        assert_close(&x.exp(), &expect(f64::exp), 1e-14);
        assert_close(&x.tanh(), &expect(f64::tanh), 1e-14);
        assert_close(&x.sigmoid(), &expect(|x| 1.0 / (1.0 + (-x).exp())), 1e-14);
        prop_assert!(x.allclose(&naive.tensor(), 0.0, 0.0));
        prop_assert!(x.is_empty() || !x.allclose(&(&x + 1e-3), 0.0, 1e-4));
    }

    #[test]
    fn updates_reach_every_element_once((gradient, naive) in pair()) {
        let mut parameter = Tensor::<f64>::full(gradient.shape(), 0.5);
        let mut slots = vec![Tensor::<f64>::ones(gradient.shape())];
        update(&mut parameter, &gradient, &mut slots, |parameter, gradient, [slot]| {
            for ((p, &g), s) in parameter.iter_mut().zip(gradient).zip(slot) {
                *s += g;
                *p -= *s;
            }
        });
        assert_same(&parameter, &Naive::build(&naive.shape, |index| -0.5 - naive.at(&index)));
        assert_same(&slots[0], &Naive::build(&naive.shape, |index| 1.0 + naive.at(&index)));
    }
}
