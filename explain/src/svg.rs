//! SVG files: shapes and texts in order.

use gradus_tensor::Tensor;

use crate::base64::base64;
use crate::colors;

/// Pixels, `width` in a row, as `[height, width, 3]`.
pub(crate) fn picture(width: usize, pixels: &[[u8; 3]]) -> Tensor<u8> {
    let height = pixels.len().checked_div(width).unwrap_or(0);
    pixels.iter().flatten().copied().collect::<Tensor<u8>>().reshape([height, width, 3])
}

/// An SVG file being written.
pub(crate) struct Svg {
    text: String,
}

impl Svg {
    /// A white area of this size.
    pub fn new(width: f64, height: f64) -> Self {
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} \
             {height:.0}\" font-family=\"sans-serif\" fill=\"#222222\">\n<rect width=\"100%\" height=\"100%\" \
             fill=\"#ffffff\"/>\n"
        );
        Svg { text }
    }

    /// Elements that are SVG already.
    pub fn push(&mut self, element: &str) {
        self.text.push_str(element);
        self.text.push('\n');
    }

    /// A text at the baseline y; `anchor` is `"start"`, `"middle"` or `"end"`.
    pub fn text(&mut self, x: f64, y: f64, size: f64, anchor: &str, text: &str) {
        self.inked(x, y, size, anchor, "#222222", text);
    }

    /// A text in this colour.
    pub fn inked(&mut self, x: f64, y: f64, size: f64, anchor: &str, ink: &str, text: &str) {
        let text = escaped(text);
        self.push(&format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\" fill=\"{ink}\">{text}</text>"
        ));
    }

    /// A filled rectangle.
    pub fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, fill: &str) {
        self.push(&format!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fill}\"/>"
        ));
    }

    /// A picture of pixels, `width` in a row, enlarged without smoothing; nothing if there are none.
    pub fn picture(&mut self, [x, y, wide, high]: [f64; 4], width: usize, pixels: &[[u8; 3]]) {
        if pixels.is_empty() {
            return;
        }
        let data = base64(&picture(width, pixels).to_png());
        self.push(&format!(
            "<image x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{high:.1}\" preserveAspectRatio=\"none\" \
             image-rendering=\"pixelated\" style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{data}\"/>"
        ));
    }

    /// A bar of colours with words below: at its left end, its middle and its right end.
    pub fn legend(&mut self, x: f64, y: f64, colors: &[[u8; 3]], [left, middle, right]: [&str; 3]) {
        const WIDTH: f64 = 220.0;
        let step = WIDTH / colors.len() as f64;
        for (place, &color) in colors.iter().enumerate() {
            // A little wider, so that no line is seen between two.
            self.rect(x + step * place as f64, y, step + 0.5, 10.0, &colors::hex(color));
        }
        self.text(x, y + 24.0, 11.0, "start", left);
        self.text(x + WIDTH / 2.0, y + 24.0, 11.0, "middle", middle);
        self.text(x + WIDTH, y + 24.0, 11.0, "end", right);
    }

    /// The file.
    pub fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }
}

/// The width of a text in a usual font of this size, roughly: wide enough for most.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    0.58 * size * text.chars().count() as f64
}

/// A text as XML and HTML write it. Characters that XML cannot hold are left out.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => {}
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_no_elements() {
        assert_eq!(escaped("a<b> & \"c\"\u{1}\n"), "a&lt;b&gt; &amp; &quot;c&quot; ");
    }
}
