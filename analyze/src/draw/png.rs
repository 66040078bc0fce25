//! Pictures as pixels.

use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::{Database, Source};
use resvg::usvg::{Options, Tree};

/// The letters that our pictures are written in. They come with us: a machine without fonts, as those of continuous
/// integration are, draws the same picture as any other.
static LETTERS: &[u8] = include_bytes!("font/NotoSans-Regular.ttf");

/// Pixels for each of the picture's own units: a page's width of it is printed at 300 dots an inch.
const SCALE: f32 = 2.0;

/// A picture that could not be made into pixels.
#[derive(Debug, thiserror::Error)]
pub enum PngError {
    /// It is no SVG; ours always are.
    #[error("the picture is no SVG that can be drawn")]
    Svg {
        /// Why.
        source: resvg::usvg::Error,
    },
    /// It is empty, or too large for memory.
    #[error("a picture of {width} × {height} cannot be drawn")]
    Size {
        /// How wide, in units.
        width: f32,
        /// How high, in units.
        height: f32,
    },
    /// The pixels could not be packed.
    #[error("the pixels cannot be packed: {why}")]
    Packing {
        /// Why.
        why: String,
    },
}

/// One of our pictures as a PNG, at two pixels for each of its units. The same picture gives the same bytes on every
/// machine. Letters beyond Latin, Greek and Cyrillic are empty boxes: the SVG has them all.
pub fn png(svg: &str) -> Result<Vec<u8>, PngError> {
    let mut letters = Database::new();
    letters.load_font_source(Source::Binary(Arc::new(LETTERS)));
    let options = Options { fontdb: Arc::new(letters), font_family: "Noto Sans".to_owned(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|source| PngError::Svg { source })?;
    let (width, height) = (tree.size().width(), tree.size().height());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a size is positive, and a cast stops at the most"
    )]
    let [across, down] = [width, height].map(|side| (side * SCALE).ceil() as u32);
    let mut pixels = Pixmap::new(across, down).ok_or(PngError::Size { width, height })?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().map_err(|why| PngError::Packing { why: why.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Width, height, and how many pixels are not white.
    fn looked_at(svg: &str) -> (u32, u32, usize) {
        let pixels = Pixmap::decode_png(&png(svg).unwrap()).unwrap();
        let inked = pixels.pixels().iter().filter(|pixel| (pixel.red(), pixel.alpha()) != (255, 255)).count();
        (pixels.width(), pixels.height(), inked)
    }

    fn page(inside: &str) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"60\" height=\"20\" font-family=\"'Noto Sans', Arial\">\
             <rect width=\"60\" height=\"20\" fill=\"#FFFFFF\"/>{inside}</svg>"
        )
    }

    #[test]
    fn shapes_and_letters_leave_ink_without_any_font_of_the_system() {
        assert_eq!(looked_at(&page("")), (120, 40, 0));
        assert_eq!(looked_at(&page("<rect x=\"10\" y=\"5\" width=\"5\" height=\"5\"/>")), (120, 40, 100));
        let text = |text: &str| looked_at(&page(&format!("<text x=\"2\" y=\"15\" font-size=\"12\">{text}</text>"))).2;
        let (one, many) = (text("i"), text("Ωмéσ²…"));
        assert!(one > 10 && many > 4 * one, "{one} {many}");
        assert!(matches!(png("<svg"), Err(PngError::Svg { .. })));
    }
}
