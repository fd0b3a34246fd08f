//! Attributions over a picture.

use std::fs;
use std::io;
use std::path::Path;

use gradus_tensor::{Float, Tensor};

use crate::colors;
use crate::svg::{Svg, picture, text_width};

/// Attributions of the points of a picture, drawn over it: red raises the number that is explained, blue lowers it.
///
/// The strongest colour is that of the largest attribution in the map; a colour is as strong as the root of its share, so that small
/// ones are seen. What is not a number is green. Without a picture the map lies on grey.
///
/// ```
/// use gradus_explain::HeatMap;
/// use gradus_tensor::Tensor;
/// let map = HeatMap::new(&Tensor::new([[0.0, 2.0], [-1.0, 0.5]])).title("the logit of class 7");
/// assert!(map.to_svg().starts_with("<svg"));
/// assert_eq!(&map.to_png()[1..4], b"PNG");
/// println!("{}", map.to_ansi());
/// ```
#[derive(Clone, Debug)]
pub struct HeatMap {
    title: String,
    height: usize,
    width: usize,
    /// The attributions, line by line.
    values: Vec<f64>,
    /// The picture under it, line by line.
    picture: Option<Vec<[u8; 3]>>,
}

impl HeatMap {
    /// Of attributions `[height, width]`, or `[height, width, channels]`, of which the channels are summed.
    ///
    /// # Panics
    /// If there are other axes.
    #[track_caller]
    pub fn new<T: Float>(attributions: &Tensor<T>) -> Self {
        let points = match attributions.ndim() {
            2 => attributions.clone(),
            3 => attributions.sum(-1),
            _ => panic!(
                "HeatMap: attributions [height, width] of one picture are needed, found {}",
                attributions.shape()
            ),
        };
        let (height, width) = (points.shape()[0], points.shape()[1]);
        let values = points.iter().map(T::as_f64).collect();
        HeatMap { title: String::new(), height, width, values, picture: None }
    }

    /// Over this picture: `[height, width]`, `[height, width, 1]` or `[height, width, 3]`, in any range, of which the least number is
    /// black and the greatest white.
    ///
    /// # Panics
    /// If the picture has another size.
    #[track_caller]
    pub fn over<T: Float>(self, picture: &Tensor<T>) -> Self {
        let (height, width) = (self.height, self.width);
        let channels = match picture.shape()[..] {
            [h, w] if [h, w] == [height, width] => 1,
            [h, w, channels @ (1 | 3)] if [h, w] == [height, width] => channels,
            _ => panic!(
                "over: a picture [{height}, {width}], or with 1 or 3 channels, is needed, found {}",
                picture.shape()
            ),
        };
        let numbers: Vec<f64> = picture.iter().map(T::as_f64).collect();
        let finite = || numbers.iter().copied().filter(|number| number.is_finite());
        let (least, greatest) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
        let range = if greatest > least { greatest - least } else { 1.0 };
        let byte = |number: f64| (255.0 * ((number - least) / range).clamp(0.0, 1.0)).round() as u8;
        let pixel = |point: &[f64]| [byte(point[0]), byte(point[channels / 2]), byte(point[channels - 1])];
        HeatMap { picture: Some(numbers.chunks(channels).map(pixel).collect()), ..self }
    }

    /// What is explained, for the drawing; `Attributions::explained` says it.
    pub fn title(self, title: &str) -> Self {
        HeatMap { title: title.to_owned(), ..self }
    }

    /// An SVG file: the picture, the map over it, and what the colours say. Any browser shows it.
    pub fn to_svg(&self) -> String {
        HeatMaps::new(vec![self.clone()]).to_svg()
    }

    /// A PNG file of the map over the picture, a pixel for each point, without title and legend.
    ///
    /// # Panics
    /// If the map has no points.
    pub fn to_png(&self) -> Vec<u8> {
        picture(self.width, &self.pixels()).to_png()
    }

    /// The map over the picture in the colours of a terminal; a character shows two points, one above the other.
    pub fn to_ansi(&self) -> String {
        let pixels = self.pixels();
        let mut text = String::new();
        for row in (0..self.height).step_by(2) {
            for column in 0..self.width {
                let [r, g, b] = pixels[row * self.width + column];
                text.push_str(&format!("\x1b[38;2;{r};{g};{b}m"));
                if let Some([r, g, b]) = pixels.get((row + 1) * self.width + column) {
                    text.push_str(&format!("\x1b[48;2;{r};{g};{b}m"));
                }
                text.push('▀');
                text.push_str("\x1b[0m");
            }
            text.push('\n');
        }
        text
    }

    /// Writes the map as SVG or PNG, by the ending of the file's name.
    ///
    /// # Errors
    /// If the name ends in neither, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("svg") => fs::write(path, self.to_svg()),
            Some("png") => fs::write(path, self.to_png()),
            _ => {
                let problem = format!("{}: the name must end in .svg or .png", path.display());
                Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
            }
        }
    }

    /// The map over the picture, line by line.
    fn pixels(&self) -> Vec<[u8; 3]> {
        let largest = colors::largest(self.values.iter().copied());
        let color = |(place, &value): (usize, &f64)| {
            // The picture in greys that are neither dark nor white, so that both colours are seen on it.
            let light = self.picture.as_ref().map_or(0.55, |picture| luminance(picture[place]));
            let background = 110.0 + 140.0 * light;
            colors::signed(colors::share(colors::part(value, largest)), [background; 3])
        };
        self.values.iter().enumerate().map(color).collect()
    }

    fn least_and_greatest(&self) -> (f64, f64) {
        self.values
            .iter()
            .fold((0.0, 0.0), |(least, greatest), &value| (f64::min(least, value), f64::max(greatest, value)))
    }
}

/// How light a pixel is, from 0 to 1: ITU-R BT.601.
fn luminance([red, green, blue]: [u8; 3]) -> f64 {
    (0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue)) / 255.0
}

/// Several heat maps in one drawing, side by side.
///
/// ```
/// use gradus_explain::{HeatMap, HeatMaps};
/// use gradus_tensor::Tensor;
/// let maps = (0..6).map(|i| HeatMap::new(&Tensor::<f32>::eye(4)).title(&format!("class {i}"))).collect();
/// let drawing = HeatMaps::new(maps).title("Six classes").columns(3).to_svg();
/// assert!(drawing.contains("class 5"));
/// ```
#[derive(Clone, Debug)]
pub struct HeatMaps {
    title: String,
    maps: Vec<HeatMap>,
    columns: usize,
}

impl HeatMaps {
    /// Of these maps, four in a line.
    pub fn new(maps: Vec<HeatMap>) -> Self {
        HeatMaps { title: String::new(), maps, columns: 4 }
    }

    /// The heading.
    pub fn title(self, title: &str) -> Self {
        HeatMaps { title: title.to_owned(), ..self }
    }

    /// How many maps stand in a line; 4 by default.
    ///
    /// # Panics
    /// If there are none.
    #[track_caller]
    pub fn columns(self, columns: usize) -> Self {
        assert!(columns > 0, "columns: a line has at least one map, found 0");
        HeatMaps { columns, ..self }
    }

    /// An SVG file: each map beside its picture, with its title and its least and greatest attribution, and what the colours say.
    pub fn to_svg(&self) -> String {
        const SIDE: f64 = 150.0;
        const GAP: f64 = 16.0;
        const NUMBERS: f64 = 44.0;
        let has_pictures = self.maps.iter().any(|map| map.picture.is_some());
        let panels = if has_pictures { 2.0 } else { 1.0 };
        let titles = self.maps.iter().map(|map| text_width(&map.title, 13.0)).fold(0.0, f64::max);
        let has_titles = titles > 0.0;
        let cell_width = (panels * (SIDE + 6.0)).max(titles) + GAP;
        let cell_height = SIDE + NUMBERS + if has_titles { 18.0 } else { 0.0 };
        let columns = self.columns.min(self.maps.len()).max(1);
        let lines = self.maps.len().div_ceil(columns);
        let top = if self.title.is_empty() { GAP } else { 48.0 };
        let legend = top + cell_height * lines as f64;
        let width = (GAP + cell_width * columns as f64).max(text_width(&self.title, 17.0) + 2.0 * GAP).max(300.0);
        let mut svg = Svg::new(width, legend + 58.0);
        if !self.title.is_empty() {
            svg.text(GAP, 30.0, 17.0, "start", &self.title);
        }
        for (place, map) in self.maps.iter().enumerate() {
            let left = GAP + cell_width * (place % columns) as f64;
            let mut y = top + cell_height * (place / columns) as f64;
            if has_titles {
                svg.text(left, y + 12.0, 13.0, "start", &map.title);
                y += 18.0;
            }
            let longest = map.height.max(map.width).max(1) as f64;
            let (width, height) = (SIDE * map.width as f64 / longest, SIDE * map.height as f64 / longest);
            let mut x = left;
            if let Some(picture) = &map.picture {
                svg.picture([x, y, width, height], map.width, picture);
                x += width + 6.0;
            }
            svg.picture([x, y, width, height], map.width, &map.pixels());
            let (least, greatest) = map.least_and_greatest();
            svg.inked(
                x,
                y + height + 14.0,
                11.0,
                "start",
                "#555555",
                &format!("{} to {}", short(least), short(greatest)),
            );
        }
        let steps: Vec<[u8; 3]> =
            (-20..=20).map(|step| colors::signed(colors::share(f64::from(step) / 20.0), [187.0; 3])).collect();
        svg.legend(GAP, legend, &steps, ["lowers it", "0", "raises it"]);
        svg.inked(GAP, legend + 44.0, 11.0, "start", "#555555", "Each map has its own scale.");
        svg.finish()
    }

    /// Writes the drawing as SVG.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> io::Result<()> {
        fs::write(path, self.to_svg())
    }
}

/// A number in few digits.
fn short(number: f64) -> String {
    match number.abs() {
        0.0 => "0".to_owned(),
        size if !(0.001..10_000.0).contains(&size) => format!("{number:.1e}"),
        size if size < 1.0 => format!("{number:.3}"),
        size if size < 100.0 => format!("{number:.2}"),
        _ => format!("{number:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_follow_the_signs() {
        let map = HeatMap::new(&Tensor::new([[2.0, 0.0, -2.0, f32::NAN]]));
        let [red, none, blue, nan] = map.pixels()[..] else { panic!("four pixels") };
        assert!(red[0] > red[2] && blue[2] > blue[0] && nan[1] > nan[0] && nan[1] > nan[2]);
        // 110 + 140 * 0.55: the grey that stands for no picture.
        assert_eq!(none, [187; 3]);
    }

    #[test]
    fn the_picture_is_seen_where_nothing_is_attributed() {
        let picture = Tensor::new([[-1.0, 0.0], [0.5, 1.0]]);
        let map = HeatMap::new(&Tensor::<f32>::zeros([2, 2])).over(&picture);
        // -1 is black, 1 white; in greys from 110 to 250.
        assert_eq!(map.pixels(), [[110; 3], [180; 3], [215; 3], [250; 3]]);
        let colours = Tensor::new([[[0.0, 0.5, 1.0]]]);
        assert_eq!(HeatMap::new(&Tensor::new([[0.0]])).over(&colours).picture, Some(vec![[0, 128, 255]]));
    }

    #[test]
    fn maps_may_be_empty_and_views() {
        let map = HeatMap::new(&Tensor::<f32>::zeros([0, 3]));
        assert!(map.to_svg().ends_with("</svg>\n") && map.to_ansi().is_empty());
        let values = Tensor::new([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        assert_eq!(HeatMap::new(&values.t().flip(0)).values, [3.0, 6.0, 2.0, 5.0, 1.0, 4.0]);
    }

    #[test]
    fn numbers_are_short() {
        let numbers = [0.0, 1e-7, -0.0123, 0.5, 12.345, -345.6, 1e6].map(short);
        assert_eq!(numbers, ["0", "1.0e-7", "-0.012", "0.500", "12.35", "-346", "1.0e6"]);
    }

    #[test]
    #[should_panic(expected = "over: a picture [2, 2], or with 1 or 3 channels, is needed, found [2, 3]")]
    fn a_picture_of_another_size_panics() {
        _ = HeatMap::new(&Tensor::<f32>::zeros([2, 2])).over(&Tensor::<f32>::zeros([2, 3]));
    }
}
