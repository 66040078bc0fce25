//! SVG by hand: the few elements that our pictures are made of.

use std::fmt;

use super::palette::INK;

/// The letters: Noto Sans is what PNG is drawn with, the others look alike.
const FONT: &str = "'Noto Sans', 'DejaVu Sans', Helvetica, Arial, sans-serif";

/// A picture on its way.
#[derive(Debug, Clone)]
pub(super) struct Svg {
    width: f64,
    height: f64,
    body: String,
}

/// Where a text stands relative to its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style<'a> {
    pub(super) size: f64,
    pub(super) anchor: Anchor,
    pub(super) colour: &'a str,
    /// A white seam, for text over lines.
    pub(super) seam: bool,
    /// Degrees, clockwise.
    pub(super) turned: f64,
}

impl Style<'_> {
    pub(super) fn new(size: f64) -> Self {
        Self { size, anchor: Anchor::Start, colour: INK, seam: false, turned: 0.0 }
    }

    pub(super) fn at(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }
}

impl Svg {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    /// Makes the picture no lower than this.
    pub(super) fn at_least_high(&mut self, height: f64) {
        self.height = self.height.max(height);
    }

    /// Adds markup as it stands.
    pub(super) fn add(&mut self, markup: fmt::Arguments<'_>) {
        self.body.push_str(&markup.to_string());
        self.body.push('\n');
    }

    pub(super) fn text(&mut self, x: f64, y: f64, text: &str, style: Style<'_>) {
        let anchor = match style.anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let seam = if style.seam {
            " stroke=\"#FFFFFF\" stroke-width=\"3\" stroke-linejoin=\"round\" paint-order=\"stroke\""
        } else {
            ""
        };
        let turned = if style.turned == 0.0 {
            String::new()
        } else {
            format!(" transform=\"rotate({} {} {})\"", N(style.turned), N(x), N(y))
        };
        self.add(format_args!(
            "<text x=\"{}\" y=\"{}\" font-size=\"{}\" fill=\"{}\"{anchor}{seam}{turned}>{}</text>",
            N(x),
            N(y),
            N(style.size),
            style.colour,
            escape(text),
        ));
    }

    pub(super) fn rect(&mut self, [x, y, width, height]: [f64; 4], fill: &str) {
        let (x, y, width, height) = (N(x), N(y), N(width), N(height));
        self.add(format_args!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{fill}\"/>"));
    }

    pub(super) fn line(&mut self, [x1, y1, x2, y2]: [f64; 4], colour: &str, width: f64) {
        let (x1, y1, x2, y2, width) = (N(x1), N(y1), N(x2), N(y2), N(width));
        self.add(format_args!(
            "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>"
        ));
    }

    /// The whole picture on white.
    pub(super) fn finish(self, title: &str) -> String {
        let (width, height) = (N(self.width), N(self.height));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"{FONT}\">\n<title>{}</title>\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#FFFFFF\"/>\n{}</svg>\n",
            escape(title),
            self.body
        )
    }
}

/// A number with at most two decimals, and no more of them than it needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct N(pub(super) f64);

impl fmt::Display for N {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = (self.0 * 100.0).round() / 100.0;
        // No minus before a zero.
        write!(f, "{}", if rounded == 0.0 { 0.0 } else { rounded })
    }
}

/// About how wide a text is: good enough to keep legends apart.
pub(super) fn width_of(text: &str, size: f64) -> f64 {
    let narrow = |c: char| if "iljtfrI.,:;|!'()[] ".contains(c) { 0.32 } else { 0.6 };
    let wide = |c: char| if c.is_uppercase() || c == 'm' || c == 'w' || !c.is_ascii() { 0.12 } else { 0.0 };
    text.chars().map(|c| narrow(c) + wide(c)).sum::<f64>() * size
}

/// A text that is not wider than this, its end cut off if need be.
pub(super) fn cut(text: &str, size: f64, width: f64) -> String {
    if width_of(text, size) <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        short.push(c);
        if width_of(&short, size) + size > width {
            break;
        }
    }
    short.push('…');
    short
}

/// Text between tags or in an attribute; characters that XML cannot hold become the replacement character.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // A reader would make a space of them in an attribute.
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_text() {
        assert_eq!(escape("<a href='&'>\u{0}\n\u{fffe}"), "&lt;a href=&#39;&amp;&#39;&gt;\u{fffd}&#10;\u{fffd}");
        let mut svg = Svg::new(10.0, 10.0);
        svg.text(1.0, 2.0, "</text><script>", Style::new(9.0));
        assert!(
            svg.finish("\"")
                .contains("<text x=\"1\" y=\"2\" font-size=\"9\" fill=\"#222222\">&lt;/text&gt;&lt;script&gt;</text>")
        );
    }

    #[test]
    fn numbers_are_short_and_texts_fit() {
        assert_eq!([1.0, 0.125, -0.001, 2.0 / 3.0].map(|n| N(n).to_string()), ["1", "0.13", "0", "0.67"]);
        assert_eq!(cut("short", 10.0, 100.0), "short");
        let long = cut(&"x".repeat(100), 10.0, 60.0);
        assert!(long.ends_with('…') && width_of(&long, 10.0) < 66.0, "{long}");
    }
}
