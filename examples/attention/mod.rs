//! The attention of a translation to its source, as an SVG file that any browser shows.

use std::path::Path;

use gradus::prelude::*;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::legend::{SCALE, blue, scale, text, turned_text};

const CELL: i32 = 36;
const LEFT: i32 = 170;
const TOP: i32 = 150;

/// Weights `[rows, columns]`: a row for each word of the translation, a column for each word of the source; the darker, the more
/// the word was looked at.
pub fn draw(file: &Path, weights: &Tensor, rows: &[String], columns: &[String]) -> Result<()> {
    let place = |row: usize, column: usize| (LEFT + CELL * column as i32, TOP + CELL * row as i32);
    let (right, bottom) = place(rows.len(), columns.len());
    let size = ((right.max(LEFT + SCALE.0) + 20) as u32, (bottom + SCALE.1 + 34) as u32);
    let root = SVGBackend::new(file, size).into_drawing_area();
    root.fill(&WHITE)?;
    text(&root, "source: the words looked at", ((LEFT + right) / 2, 18), HPos::Center, BLACK)?;
    turned_text(&root, "translation: the words written", (18, (TOP + bottom) / 2), HPos::Center)?;
    for (column, word) in columns.iter().enumerate() {
        // From below upwards, so that long words have room.
        let (x, _) = place(0, column);
        turned_text(&root, word, (x + CELL / 2, TOP - 8), HPos::Left)?;
    }
    for (row, word) in rows.iter().enumerate() {
        let (_, y) = place(row, 0);
        text(&root, word, (LEFT - 8, y + CELL / 2), HPos::Right, BLACK)?;
        for column in 0..columns.len() {
            let weight = f64::from(weights.get([row, column]));
            let (x, y) = place(row, column);
            root.draw(&Rectangle::new([(x, y), (x + CELL - 2, y + CELL - 2)], blue(weight).filled()))?;
            if weight >= 0.1 {
                let ink = if weight > 0.4 { WHITE } else { BLACK };
                let style = ("sans-serif", 12).into_font().color(&ink).pos(Pos::new(HPos::Center, VPos::Center));
                let centre = (x + CELL / 2 - 1, y + CELL / 2 - 1);
                root.draw(&Text::new(format!("{:.0}%", 100.0 * weight), centre, style))?;
            }
        }
    }
    let labels = [(0.0, "0 %"), (0.25, "25 %"), (0.5, "50 %"), (1.0, "100 %")];
    scale(&root, (LEFT, bottom + 20), "share of a row's attention", &labels, blue)?;
    root.present()?;
    Ok(())
}
