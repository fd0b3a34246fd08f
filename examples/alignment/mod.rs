//! The alignment of a string with its frames, as an SVG file that any browser shows.

use std::path::Path;

use gradus::prelude::*;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::legend::{SCALE, blue, scale, text, turned_text};

const CELL: i32 = 10;
const ROW: i32 = 24;
const LEFT: i32 = 90;
const TOP: i32 = 24;

/// Probabilities `[frames, classes]`, a row for each class and the darker, the more probable; the class of each frame in the best
/// alignment, framed in red; and lines where the clips begin.
pub fn draw(file: &Path, probabilities: &Tensor, path: &[usize], starts: &[usize], names: &[&str]) -> Result<()> {
    let [frames, classes] = probabilities.shape()[..] else {
        return Err(format!("probabilities have two axes, found {}", probabilities.shape()).into());
    };
    let (right, bottom) = (LEFT + CELL * frames as i32, TOP + ROW * classes as i32);
    let size = ((right.max(LEFT + 2 * SCALE.0 + 220) + 20) as u32, (bottom + SCALE.1 + 80) as u32);
    let root = SVGBackend::new(file, size).into_drawing_area();
    root.fill(&WHITE)?;
    let corner = |frame: usize, class: usize| (LEFT + CELL * frame as i32, TOP + ROW * class as i32);
    turned_text(&root, "digit", (18, (TOP + bottom) / 2), HPos::Center)?;
    for (class, name) in names.iter().enumerate().take(classes) {
        text(&root, name, (LEFT - 8, corner(0, class).1 + ROW / 2), HPos::Right, BLACK)?;
        for frame in 0..frames {
            let colour = blue(f64::from(probabilities.get([frame, class])));
            let (x, y) = corner(frame, class);
            root.draw(&Rectangle::new([(x, y), (x + CELL - 1, y + ROW - 1)], colour.filled()))?;
        }
    }
    let best = RED.stroke_width(2);
    for (frame, &class) in path.iter().enumerate() {
        let (x, y) = corner(frame, class);
        root.draw(&Rectangle::new([(x, y), (x + CELL - 1, y + ROW - 1)], best))?;
    }
    let begins = BLACK.stroke_width(1);
    for &start in starts {
        let x = corner(start, 0).0;
        root.draw(&PathElement::new([(x, TOP - 8), (x, bottom + 8)], begins))?;
    }
    for frame in (0..frames).step_by(10) {
        text(&root, &frame.to_string(), (corner(frame, 0).0 + CELL / 2, bottom + 18), HPos::Center, BLACK)?;
    }
    text(&root, "frame", ((LEFT + right) / 2, bottom + 40), HPos::Center, BLACK)?;
    let top = bottom + 64;
    let labels = [(0.0, "0 %"), (0.25, "25 %"), (0.5, "50 %"), (1.0, "100 %")];
    scale(&root, (LEFT, top), "probability", &labels, blue)?;
    let (x, y) = (LEFT + SCALE.0 + 50, top + 8);
    root.draw(&Rectangle::new([(x, y), (x + CELL - 1, y + ROW - 1)], best))?;
    text(&root, "best alignment", (x + CELL + 10, y + ROW / 2), HPos::Left, BLACK)?;
    let x = x + 160;
    root.draw(&PathElement::new([(x, y), (x, y + ROW)], begins))?;
    text(&root, "a spoken digit begins", (x + 12, y + ROW / 2), HPos::Left, BLACK)?;
    root.present()?;
    Ok(())
}
