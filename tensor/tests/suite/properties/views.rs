use gradus_tensor::Tensor;
use proptest::prelude::*;

use super::naive::{Naive, assert_same, indices, pair, pair_and_axis, replaced};

proptest! {
    #[test]
    fn views_hold_what_their_definition_says((tensor, naive) in pair()) {
        assert_same(&tensor, &naive);
        prop_assert_eq!(tensor.to_vec(), &naive.data[..]);
        prop_assert_eq!(tensor.size(), naive.data.len());
        for index in indices(&naive.shape) {
            prop_assert_eq!(tensor.get(&index), naive.at(&index));
        }
        prop_assert_eq!(&tensor, &naive.tensor());
        if let Some(elements) = tensor.as_slice() {
            prop_assert_eq!(elements, &naive.data[..]);
        }
    }

    #[test]
    fn reshaping_keeps_the_order((tensor, naive) in pair(), cut in any::<usize>()) {
        let shape = &naive.shape;
        let cut = cut % (shape.len() + 1);
        let two = [shape[..cut].iter().product::<usize>(), shape[cut..].iter().product()];
        assert_same(&tensor.reshape(two), &Naive { shape: two.to_vec(), data: naive.data.clone() });
        let ones: Vec<usize> = shape.iter().flat_map(|&length| [1, length, 1]).collect();
        assert_same(&tensor.reshape(&ones[..]), &Naive { shape: ones, data: naive.data.clone() });
        prop_assert_eq!(tensor.flatten().to_vec(), naive.data);
        prop_assert!(tensor.try_reshape([tensor.size() + 1]).is_err());
    }

    #[test]
    fn writing_leaves_other_views_alone((tensor, naive) in pair()) {
        let mut changed = tensor.clone();
        changed.map_assign(|x| x + 100.0);
        let mut filled = tensor.clone();
        filled.fill(3.0);
        assert_same(&tensor, &naive);
        assert_same(&changed, &Naive::build(&naive.shape, |index| naive.at(&index) + 100.0));
        assert_same(&filled, &Naive::build(&naive.shape, |_| 3.0));
    }

    #[test]
    fn parts_make_the_whole((tensor, naive, axis) in pair_and_axis(), count in 1..5_usize) {
        let parts = tensor.chunk(axis as isize, count);
        prop_assert_eq!(parts.len(), count);
        prop_assert_eq!(parts.iter().map(|part| part.shape()[axis]).sum::<usize>(), naive.shape[axis]);
        assert_same(&Tensor::concat(&parts, axis as isize), &naive);
        let rows: Vec<usize> = parts.iter().map(|part| part.shape()[axis]).collect();
        prop_assert_eq!(tensor.split(axis as isize, &rows), parts);
        let wide = tensor.unsqueeze(axis as isize);
        prop_assert_eq!(wide.shape()[axis], 1);
        assert_same(&wide.squeeze(axis as isize), &naive);
    }

    #[test]
    fn text_and_files_hold_all_elements((tensor, naive) in pair()) {
        let text = serde_json::to_string(&tensor).unwrap();
        assert_same(&serde_json::from_str::<Tensor<f64>>(&text).unwrap(), &naive);
        let mut file = Vec::new();
        tensor.write_npy(&mut file).unwrap();
        assert_same(&Tensor::<f64>::read_npy(&file[..]).unwrap(), &naive);
        // All are shown: there are less than a thousand.
        let shown = tensor.to_string();
        let words = shown.split(|c: char| c.is_whitespace() || "[]".contains(c)).filter(|word| !word.is_empty());
        let numbers: Vec<f64> = words.map(|word| word.parse().unwrap()).collect();
        prop_assert_eq!(numbers, naive.data);
    }

    #[test]
    fn slices_clip_as_in_python((tensor, naive, axis) in pair_and_axis(), start in -7..7_isize, end in -7..7_isize) {
        // Python: list(range(length))[start:end]
        let length = naive.shape[axis] as isize;
        let place = |bound: isize| if bound < 0 { (bound + length).max(0) } else { bound.min(length) };
        let taken: Vec<usize> = (place(start)..place(end)).map(|i| i as usize).collect();
        let expected = Naive::build(&replaced(&naive.shape, axis, taken.len()), |index| {
            naive.at(&replaced(&index, axis, taken[index[axis]]))
        });
        assert_same(&tensor.slice(axis as isize, start..end), &expected);
    }
}
