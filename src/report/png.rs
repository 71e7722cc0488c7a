//! SVG text to PNG images. The font travels with the program, so that a picture is the same on
//! every machine.

use std::sync::{Arc, OnceLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use crate::error::{Error, Result};

/// The embedded font: DejaVu Sans, under the free licence of Bitstream Vera.
fn fonts() -> Arc<fontdb::Database> {
    static FONTS: OnceLock<Arc<fontdb::Database>> = OnceLock::new();
    let load = || {
        let mut fonts = fontdb::Database::new();
        fonts.load_font_data(dejavu::sans::regular().to_vec());
        fonts.set_sans_serif_family("DejaVu Sans");
        Arc::new(fonts)
    };
    Arc::clone(FONTS.get_or_init(load))
}

/// Largest width and height of an image: more is a slip.
const LARGEST: f32 = 16_384.0;

/// Draws an SVG as a PNG, `scale` pixels per unit of the SVG.
///
/// # Errors
/// [`Error::Value`] when the text is no SVG or the image would be empty or huge.
pub fn from_svg(svg: &str, scale: f32) -> Result<Vec<u8>> {
    let options = Options {
        fontdb: fonts(),
        font_family: "DejaVu Sans".into(),
        ..Options::default()
    };
    let bad = |what: String| Error::value("figure", what, "report this figure as a defect");
    let tree = Tree::from_str(svg, &options).map_err(|error| bad(error.to_string()))?;
    let size = tree.size();
    let (width, height) = (
        (size.width() * scale).ceil(),
        (size.height() * scale).ceil(),
    );
    let mut picture = Some((width, height))
        .filter(|&(w, h)| w >= 1.0 && h >= 1.0 && w <= LARGEST && h <= LARGEST)
        .and_then(|(w, h)| Pixmap::new(w as u32, h as u32))
        .ok_or_else(|| bad(format!("an image of {width} × {height} pixels")))?;
    resvg::render(
        &tree,
        Transform::from_scale(scale, scale),
        &mut picture.as_mut(),
    );
    picture.encode_png().map_err(|error| bad(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Plot, Series, Theme};

    /// Pixels of a PNG that differ from its first.
    fn inked(png: &[u8]) -> usize {
        let picture = Pixmap::decode_png(png).unwrap();
        let first = picture.pixels()[0];
        picture.pixels().iter().filter(|&&p| p != first).count()
    }

    #[test]
    fn a_plot_becomes_an_image_with_its_text() {
        let plot = |title: &str| Plot {
            title: title.into(),
            series: vec![Series {
                x: vec![0.0, 1.0],
                y: vec![0.0, 1.0],
                ..Series::default()
            }],
            ..Plot::default()
        };
        let image = |title: &str| from_svg(&plot(title).svg(Theme::Light), 1.0).unwrap();
        assert!(image("").starts_with(b"\x89PNG"));
        // Without a font the title would leave no ink.
        for title in ["normalised error", "λ₂ − ‖∇f‖ ℓ∞ 10⁻¹²"] {
            assert!(inked(&image(title)) > inked(&image("")) + 300, "{title}");
        }
    }

    #[test]
    fn what_is_no_svg_is_an_error() {
        assert!(from_svg("<svg", 1.0).is_err());
        assert!(from_svg(&Plot::default().svg(Theme::Light), 1e6).is_err());
    }
}
