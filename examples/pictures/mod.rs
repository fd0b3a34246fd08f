//! Pictures of a network's filters and confusions, as SVG files that any browser shows.

use std::path::Path;

use gradus::prelude::*;
use plotters::coord::Shift;
use plotters::prelude::*;

use plotters::style::text_anchor::{HPos, Pos, VPos};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The filters of a kernel `[height, width, channels, filters]`, one square each, first channel only: negative weights are
/// blue, positive ones red.
pub fn filters(file: &Path, kernel: &Tensor) -> Result<()> {
    let [height, width, _, count] = kernel.shape()[..] else {
        return Err(format!("a kernel has four axes, found {}", kernel.shape()).into());
    };
    let columns = count.min(8);
    let rows = count.div_ceil(columns);
    let root = SVGBackend::new(file, (60 * columns as u32 + 20, 60 * rows as u32 + 20)).into_drawing_area();
    root.fill(&WHITE)?;
    let largest = kernel.abs().max(..).item().max(f32::MIN_POSITIVE);
    for filter in 0..count {
        let (left, top) = (20 + 60 * (filter % columns), 20 + 60 * (filter / columns));
        for place in 0..height * width {
            let (row, column) = (place / width, place % width);
            let strength = f64::from(kernel.get([row, column, 0, filter]) / largest);
            let fade = (255.0 * (1.0 - strength.abs())) as u8;
            let colour = if strength < 0.0 { RGBColor(fade, fade, 255) } else { RGBColor(255, fade, fade) };
            let x = |column: usize| (left + 40 * column / width) as i32;
            let y = |row: usize| (top + 40 * row / height) as i32;
            root.draw(&Rectangle::new([(x(column), y(row)), (x(column + 1), y(row + 1))], colour.filled()))?;
        }
        let frame = [(left as i32, top as i32), (left as i32 + 40, top as i32 + 40)];
        root.draw(&Rectangle::new(frame, BLACK.stroke_width(1)))?;
    }
    root.present()?;
    Ok(())
}

/// A confusion matrix: a row for each true class, a column for each predicted one; the darker, the more often.
pub fn confusion(file: &Path, counts: &Tensor<f64>, names: &[&str]) -> Result<()> {
    let (classes, cell, margin) = (names.len(), 56, 110);
    let side = (margin + cell * classes + 20) as u32;
    let root = SVGBackend::new(file, (side, side)).into_drawing_area();
    root.fill(&WHITE)?;
    for (row, name) in names.iter().enumerate() {
        let total: f64 = (0..classes).map(|column| counts.get([row, column])).sum();
        let middle = margin + cell * row + cell / 2;
        label(&root, name, (margin - 8, middle), HPos::Right, BLACK)?;
        // The columns' names stand on two levels, so that long ones have room.
        label(&root, name, (middle, margin - 12 - 18 * (row % 2)), HPos::Center, BLACK)?;
        for column in 0..classes {
            let count = counts.get([row, column]);
            // The root makes rare confusions visible beside what is right.
            let share = (count / total.max(1.0)).sqrt();
            let (x, y) = ((margin + cell * column) as i32, (margin + cell * row) as i32);
            let colour = RGBColor((255.0 * (1.0 - share)) as u8, (255.0 - 160.0 * share) as u8, 255);
            root.draw(&Rectangle::new([(x, y), (x + cell as i32 - 1, y + cell as i32 - 1)], colour.filled()))?;
            let ink = if share > 0.7 { WHITE } else { BLACK };
            let centre = (margin + cell * column + cell / 2, middle);
            label(&root, &count.to_string(), centre, HPos::Center, ink)?;
        }
    }
    root.present()?;
    Ok(())
}

fn label(root: &Area<'_>, text: &str, (x, y): (usize, usize), side: HPos, ink: RGBColor) -> Result<()> {
    let style = ("sans-serif", 14).into_font().color(&ink).pos(Pos::new(side, VPos::Center));
    root.draw(&Text::new(text.to_owned(), (x as i32, y as i32), style))?;
    Ok(())
}
