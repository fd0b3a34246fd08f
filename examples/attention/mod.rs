//! The attention of a translation to its source, as an SVG file that any browser shows.

use std::path::Path;

use gradus::prelude::*;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const CELL: i32 = 36;
const LEFT: i32 = 150;
const TOP: i32 = 130;

/// Weights `[rows, columns]`: a row for each word of the translation, a column for each word of the source; the darker, the more
/// the word was looked at.
pub fn draw(file: &Path, weights: &Tensor, rows: &[String], columns: &[String]) -> Result<()> {
    let place = |row: usize, column: usize| (LEFT + CELL * column as i32, TOP + CELL * row as i32);
    let (right, bottom) = place(rows.len(), columns.len());
    let root = SVGBackend::new(file, ((right + 110) as u32, (bottom + 20) as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    let font = ("sans-serif", 15).into_font().color(&BLACK);
    for (column, word) in columns.iter().enumerate() {
        // From below upwards, so that long words have room.
        let style = ("sans-serif", 15).into_font().transform(FontTransform::Rotate270).color(&BLACK);
        let style = style.pos(Pos::new(HPos::Left, VPos::Center));
        let (x, _) = place(0, column);
        root.draw(&Text::new(word.clone(), (x + CELL / 2, TOP - 8), style))?;
    }
    for (row, word) in rows.iter().enumerate() {
        let style = font.pos(Pos::new(HPos::Right, VPos::Center));
        let (_, y) = place(row, 0);
        root.draw(&Text::new(word.clone(), (LEFT - 8, y + CELL / 2), style))?;
        for column in 0..columns.len() {
            let weight = f64::from(weights.get([row, column])).clamp(0.0, 1.0);
            // The root makes small weights visible.
            let fade = 1.0 - weight.sqrt();
            let colour = RGBColor((255.0 * fade) as u8, (95.0 + 160.0 * fade) as u8, 255);
            let (x, y) = place(row, column);
            root.draw(&Rectangle::new([(x, y), (x + CELL - 2, y + CELL - 2)], colour.filled()))?;
            if weight >= 0.1 {
                let ink = if weight > 0.4 { WHITE } else { BLACK };
                let style = ("sans-serif", 12).into_font().color(&ink).pos(Pos::new(HPos::Center, VPos::Center));
                let centre = (x + CELL / 2 - 1, y + CELL / 2 - 1);
                root.draw(&Text::new(format!("{:.0}%", 100.0 * weight), centre, style))?;
            }
        }
    }
    root.present()?;
    Ok(())
}
