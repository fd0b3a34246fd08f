//! Pictures of a network's filters and confusions, as SVG files that any browser shows.

use std::path::Path;

use gradus::prelude::*;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::legend::{SCALE, blue, scale, text, turned_text};

/// The filters of a kernel `[height, width, channels, filters]`, one square each, first channel only: negative weights are
/// blue, positive ones red.
pub fn filters(file: &Path, kernel: &Tensor) -> Result<()> {
    let [height, width, _, count] = kernel.shape()[..] else {
        return Err(format!("a kernel has four axes, found {}", kernel.shape()).into());
    };
    let columns = count.min(8);
    let rows = count.div_ceil(columns);
    let (right, bottom) = (60 * columns as i32 + 20, 60 * rows as i32 + 20);
    let size = (right.max(SCALE.0 + 40) as u32, (bottom + SCALE.1 + 14) as u32);
    let root = SVGBackend::new(file, size).into_drawing_area();
    root.fill(&WHITE)?;
    let largest = kernel.abs().max(..).item().max(f32::MIN_POSITIVE);
    for filter in 0..count {
        let (left, top) = (20 + 60 * (filter % columns), 20 + 60 * (filter / columns));
        for place in 0..height * width {
            let (row, column) = (place / width, place % width);
            let colour = red_or_blue(f64::from(kernel.get([row, column, 0, filter]) / largest));
            let x = |column: usize| (left + 40 * column / width) as i32;
            let y = |row: usize| (top + 40 * row / height) as i32;
            root.draw(&Rectangle::new([(x(column), y(row)), (x(column + 1), y(row + 1))], colour.filled()))?;
        }
        let frame = [(left as i32, top as i32), (left as i32 + 40, top as i32 + 40)];
        root.draw(&Rectangle::new(frame, BLACK.stroke_width(1)))?;
    }
    let labels = [(0.0, &*format!("{:.2}", -largest)), (0.5, "0"), (1.0, &format!("{largest:.2}"))];
    scale(&root, (20, bottom), "weight: one square a filter, first channel", &labels, |share| {
        red_or_blue(2.0 * share - 1.0)
    })?;
    root.present()?;
    Ok(())
}

/// The colour of a weight from -1, blue, over 0, white, to 1, red.
fn red_or_blue(strength: f64) -> RGBColor {
    let fade = (255.0 * (1.0 - strength.abs())) as u8;
    if strength < 0.0 { RGBColor(fade, fade, 255) } else { RGBColor(255, fade, fade) }
}

/// A confusion matrix: a row for each true class, a column for each predicted one; the darker, the more often.
pub fn confusion(file: &Path, counts: &Tensor<f64>, names: &[&str]) -> Result<()> {
    const CELL: i32 = 56;
    const LEFT: i32 = 140;
    const TOP: i32 = 88;
    let classes = names.len();
    let corner = |row: usize, column: usize| (LEFT + CELL * column as i32, TOP + CELL * row as i32);
    let (right, bottom) = corner(classes, classes);
    let root = SVGBackend::new(file, ((right + 20) as u32, (bottom + SCALE.1 + 34) as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    text(&root, "predicted class", ((LEFT + right) / 2, 20), HPos::Center, BLACK)?;
    turned_text(&root, "true class", (20, (TOP + bottom) / 2), HPos::Center)?;
    for (row, name) in names.iter().enumerate() {
        let total: f64 = (0..classes).map(|column| counts.get([row, column])).sum();
        let (x, y) = corner(row, row);
        text(&root, name, (LEFT - 8, y + CELL / 2), HPos::Right, BLACK)?;
        // The columns' names stand on two levels, so that long ones have room.
        text(&root, name, (x + CELL / 2, TOP - 12 - 18 * (row % 2) as i32), HPos::Center, BLACK)?;
        for column in 0..classes {
            let count = counts.get([row, column]);
            let share = count / total.max(1.0);
            let (x, y) = corner(row, column);
            root.draw(&Rectangle::new([(x, y), (x + CELL - 1, y + CELL - 1)], blue(share).filled()))?;
            let ink = if share > 0.5 { WHITE } else { BLACK };
            text(&root, &count.to_string(), (x + CELL / 2, y + CELL / 2), HPos::Center, ink)?;
        }
    }
    let labels = [(0.0, "0 %"), (0.25, "25 %"), (0.5, "50 %"), (1.0, "100 %")];
    scale(&root, (LEFT, bottom + 20), "share of the samples of the true class", &labels, blue)?;
    root.present()?;
    Ok(())
}
