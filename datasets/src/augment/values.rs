//! The values of one picture: contrast, brightness, noise, a hole.

use gradus_tensor::Generator;

/// `mean + factor (x - mean) + offset` of every pixel, with the mean of its channel.
pub(super) fn stretch(picture: &mut [f32], channels: usize, factor: f32, offset: f32) {
    let pixels = picture.len() / channels.max(1);
    for channel in 0..channels {
        let values = || picture.iter().skip(channel).step_by(channels);
        let mean = values().map(|&x| f64::from(x)).sum::<f64>() / pixels.max(1) as f64;
        let constant = mean as f32 * (1.0 - factor) + offset;
        picture.iter_mut().skip(channel).step_by(channels).for_each(|x| *x = *x * factor + constant);
    }
}

/// Adds normal numbers to the pixels.
pub(super) fn add_noise(picture: &mut [f32], std: f32, generator: &mut Generator) {
    let noise = generator.normal([picture.len()], 0.0, std);
    picture.iter_mut().zip(noise.as_slice().unwrap_or_default()).for_each(|(x, noise)| *x += noise);
}

/// Sets a rectangle to 0, at a random place wholly within the picture; its sides are this part of height and width.
pub(super) fn cut_out(
    picture: &mut [f32],
    [height, width, channels]: [usize; 3],
    part: f64,
    generator: &mut Generator,
) {
    let sides = [height, width].map(|length| (length as f64 * part).round() as usize);
    let mut start = |axis: usize| generator.next_below(([height, width][axis] - sides[axis]) as u64 + 1) as usize;
    let (top, left) = (start(0), start(1));
    for line in picture.chunks_exact_mut((width * channels).max(1)).skip(top).take(sides[0]) {
        line[left * channels..][..sides[1] * channels].fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_keeps_the_mean_of_each_channel() {
        // By hand: channel means 2 and 20; doubled distances, then 1 more.
        let mut picture = [1.0, 10.0, 3.0, 30.0];
        stretch(&mut picture, 2, 2.0, 1.0);
        assert_eq!(picture, [1.0, 1.0, 5.0, 41.0]);
        stretch(&mut picture, 2, 0.0, 0.0);
        assert_eq!(picture, [3.0, 21.0, 3.0, 21.0]);
    }

    #[test]
    fn a_hole_has_its_size_and_lies_within() {
        let mut corners = [false; 2];
        for seed in 0..50 {
            let mut picture = vec![1.0; 6 * 4 * 2];
            cut_out(&mut picture, [6, 4, 2], 0.5, &mut Generator::new(seed));
            // Three rows of two pixels of two channels.
            assert_eq!(picture.iter().filter(|&&x| x == 0.0).count(), 3 * 2 * 2);
            let first = picture.iter().position(|&x| x == 0.0).unwrap();
            let hole = (0..3).flat_map(|row| (0..4).map(move |i| first + row * 8 + i));
            assert!(hole.map(|i| picture[i]).all(|x| x == 0.0), "{picture:?}");
            corners[0] |= first == 0;
            corners[1] |= first == 3 * 8 + 4;
        }
        assert_eq!(corners, [true; 2]);
        let mut picture = [1.0; 9];
        cut_out(&mut picture, [3, 3, 1], 1.0, &mut Generator::new(0));
        assert_eq!(picture, [0.0; 9]);
    }

    #[test]
    fn noise_has_its_deviation() {
        let mut picture = vec![0.5; 10_000];
        add_noise(&mut picture, 0.1, &mut Generator::new(1));
        let mean = picture.iter().sum::<f32>() / 1e4;
        let variance = picture.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 1e4;
        // Five standard errors.
        assert!((mean - 0.5).abs() < 0.005 && (variance.sqrt() - 0.1).abs() < 0.0036, "{mean} {variance}");
    }
}
