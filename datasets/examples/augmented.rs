//! A sheet of augmented pictures, to look at: each column is a digit of MNIST, each row one way to change it.
//!
//!     cargo run --release -p gradus-datasets --features images --example augmented -- sheet.png
//!
//! The first row shows the digits as they are; then come shifts, turns, zooms, all three, flips, crops, contrast and
//! brightness, noise, holes, and mixtures with other digits of the sheet.

use std::error::Error;

use gradus_datasets::{Augment, Fill, mnist};
use gradus_tensor::Tensor;
use image::GrayImage;

const COLUMNS: usize = 16;
const SIDE: usize = 28;
/// Pixels of the sheet for one of a picture.
const SCALE: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "augmented.png".into());
    let digits = mnist::load()?.train.take(COLUMNS).map_inputs(|x| (x.to::<f32>() / 255.0).unsqueeze(-1));
    let digits = digits.to_categorical(mnist::CLASSES)?;
    let rows = [
        Augment::new(),
        Augment::new().shift(0.2),
        Augment::new().rotate(30.0),
        Augment::new().zoom(0.4),
        Augment::new().shift(0.1).rotate(15.0).zoom(0.2),
        Augment::new().flip_horizontal().flip_vertical(),
        Augment::new().crop(8).fill(Fill::Reflect),
        Augment::new().contrast(0.7).brightness(0.3),
        Augment::new().noise(0.2),
        Augment::new().cut_out(0.4),
        Augment::new().mix_up(1.0),
    ];
    let count = rows.len();
    let mut sheet = Vec::new();
    for augment in rows {
        let batch = digits.clone().augment(augment)?.batches(COLUMNS).augmented(7)?.next();
        sheet.push(batch.ok_or("the data set has no batch")?.inputs);
    }
    // From [row, column, y, x] to lines of pixels, each repeated in both directions.
    let pixels = Tensor::concat(&sheet, 0).reshape([count, COLUMNS, SIDE, SIDE]).permute([0, 2, 1, 3]).contiguous();
    let [height, width] = [count * SIDE, COLUMNS * SIDE];
    let pixels = pixels.reshape([height, 1, width, 1]).broadcast_to([height, SCALE, width, SCALE]);
    let bytes = (pixels * 255.0).clamp(0.0, 255.0).to::<u8>().to_vec();
    let image = GrayImage::from_raw((width * SCALE) as u32, (height * SCALE) as u32, bytes);
    image.ok_or("the sheet has another size")?.save(&path)?;
    println!("{path} is written.");
    Ok(())
}
