//! The alignment of a string with its frames, as an SVG file that any browser shows.

use std::path::Path;

use gradus::prelude::*;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const CELL: i32 = 10;
const ROW: i32 = 24;
const LEFT: i32 = 60;
const TOP: i32 = 24;

/// Probabilities `[frames, classes]`, a row for each class and the darker, the more probable; the class of each frame in the best
/// alignment, framed in red; and lines where the clips begin.
pub fn draw(file: &Path, probabilities: &Tensor, path: &[usize], starts: &[usize], names: &[&str]) -> Result<()> {
    let [frames, classes] = probabilities.shape()[..] else {
        return Err(format!("probabilities have two axes, found {}", probabilities.shape()).into());
    };
    let (right, bottom) = (LEFT + CELL * frames as i32, TOP + ROW * classes as i32);
    let root = SVGBackend::new(file, ((right + 20) as u32, (bottom + 40) as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    let corner = |frame: usize, class: usize| (LEFT + CELL * frame as i32, TOP + ROW * class as i32);
    let label = |text: &str, place: (i32, i32), side: HPos| {
        let style = ("sans-serif", 14).into_font().color(&BLACK).pos(Pos::new(side, VPos::Center));
        root.draw(&Text::new(text.to_owned(), place, style))
    };
    for (class, name) in names.iter().enumerate().take(classes) {
        label(name, (LEFT - 8, corner(0, class).1 + ROW / 2), HPos::Right)?;
        for frame in 0..frames {
            // The root makes small probabilities visible.
            let fade = 1.0 - f64::from(probabilities.get([frame, class])).sqrt();
            let colour = RGBColor((255.0 * fade) as u8, (95.0 + 160.0 * fade) as u8, 255);
            let (x, y) = corner(frame, class);
            root.draw(&Rectangle::new([(x, y), (x + CELL - 1, y + ROW - 1)], colour.filled()))?;
        }
    }
    for (frame, &class) in path.iter().enumerate() {
        let (x, y) = corner(frame, class);
        root.draw(&Rectangle::new([(x, y), (x + CELL - 1, y + ROW - 1)], RED.stroke_width(2)))?;
    }
    for &start in starts {
        let x = corner(start, 0).0;
        root.draw(&PathElement::new([(x, TOP - 8), (x, bottom + 8)], BLACK.stroke_width(1)))?;
    }
    label("frames", (LEFT, bottom + 22), HPos::Left)?;
    root.present()?;
    Ok(())
}
