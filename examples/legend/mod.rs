//! Texts and scales of colours, for the pictures that the examples draw.

use gradus::prelude::*;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// The picture that is drawn on.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A place on a picture, from the left and from above.
pub type Place = (i32, i32);

/// Writes a text whose left end, middle or right end is here.
pub fn text(root: &Area<'_>, text: &str, place: Place, side: HPos, ink: RGBColor) -> Result<()> {
    let style = ("sans-serif", 14).into_font().color(&ink).pos(Pos::new(side, VPos::Center));
    root.draw(&Text::new(text.to_owned(), place, style))?;
    Ok(())
}

/// Writes a text that is read from below upwards, and that begins here or has its middle here.
#[allow(dead_code)] // Not every example turns texts.
pub fn turned_text(root: &Area<'_>, text: &str, place: Place, side: HPos) -> Result<()> {
    let font = ("sans-serif", 14).into_font().transform(FontTransform::Rotate270);
    root.draw(&Text::new(text.to_owned(), place, font.color(&BLACK).pos(Pos::new(side, VPos::Center))))?;
    Ok(())
}

/// The width and the height of a scale with its texts.
pub const SCALE: (i32, i32) = (200, 56);

/// Draws a scale with its upper left corner here: what its colours say, the colours from 0 to 1, and some values below them.
pub fn scale(
    root: &Area<'_>,
    (left, top): Place,
    title: &str,
    labels: &[(f64, &str)],
    colour: impl Fn(f64) -> RGBColor,
) -> Result<()> {
    text(root, title, (left, top + 8), HPos::Left, BLACK)?;
    let (x, y) = (|share: f64| left + (f64::from(SCALE.0) * share) as i32, top + 20);
    for part in 0..50 {
        let (from, to) = (f64::from(part) / 50.0, f64::from(part + 1) / 50.0);
        root.draw(&Rectangle::new([(x(from), y), (x(to), y + 14)], colour((from + to) / 2.0).filled()))?;
    }
    root.draw(&Rectangle::new([(left, y), (x(1.0), y + 14)], BLACK.stroke_width(1)))?;
    for &(share, label) in labels {
        let side = if share <= 0.0 {
            HPos::Left
        } else if share >= 1.0 {
            HPos::Right
        } else {
            HPos::Center
        };
        text(root, label, (x(share), y + 26), side, BLACK)?;
    }
    Ok(())
}

/// The colour of a share from 0, white, to 1, blue. The root makes small shares visible.
#[allow(dead_code)] // Not every example draws shares.
pub fn blue(share: f64) -> RGBColor {
    let fade = 1.0 - share.clamp(0.0, 1.0).sqrt();
    RGBColor((255.0 * fade) as u8, (95.0 + 160.0 * fade) as u8, 255)
}
