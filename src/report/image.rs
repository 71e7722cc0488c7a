//! Grids of small grey pictures, such as digits, as one PNG.

use resvg::tiny_skia::{ColorU8, Pixmap};

use crate::error::{Error, Result};

/// A rectangular grey picture: values from 0 (black) to 1 (white), row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Pixels per row.
    pub width: usize,
    /// width·height values; what lies outside 0 to 1 is clipped, NaN is black.
    pub values: Vec<f64>,
}

/// Draws pictures of one size as a grid of `columns`, every pixel `zoom` × `zoom`, as a PNG.
///
/// # Errors
/// [`Error::Shape`] when the pictures do not have the same size, [`Error::Value`] when there is
/// nothing to draw.
pub fn grid(pictures: &[Picture], columns: usize, zoom: usize) -> Result<Vec<u8>> {
    let nothing = || {
        Error::value(
            "picture grid",
            "nothing to draw",
            "give at least one picture",
        )
    };
    let first = pictures.first().ok_or_else(nothing)?;
    let (w, size) = (first.width, first.values.len());
    if w == 0 || size == 0 || columns == 0 || zoom == 0 {
        return Err(nothing());
    }
    if size % w != 0
        || pictures
            .iter()
            .any(|p| p.width != w || p.values.len() != size)
    {
        return Err(Error::shape(
            "picture grid",
            format!("pictures of {w} × {} pixels", size / w),
            "another size",
            "draw pictures of one size",
        ));
    }
    let gap = zoom.max(2);
    let (cell_w, cell_h) = (w * zoom + gap, size / w * zoom + gap);
    let rows = pictures.len().div_ceil(columns);
    let (width, height) = (columns * cell_w + gap, rows * cell_h + gap);
    let mut out = u32::try_from(width)
        .ok()
        .zip(u32::try_from(height).ok())
        .and_then(|(w, h)| Pixmap::new(w, h))
        .ok_or_else(nothing)?;
    let pixels = out.pixels_mut();
    pixels.fill(ColorU8::from_rgba(128, 128, 140, 255).premultiply());
    for (at, picture) in pictures.iter().enumerate() {
        let (left, top) = (at % columns * cell_w + gap, at / columns * cell_h + gap);
        for (i, &value) in picture.values.iter().enumerate() {
            let grey = (255.0 * value.clamp(0.0, 1.0)).round() as u8;
            let color = ColorU8::from_rgba(grey, grey, grey, 255).premultiply();
            let (x, y) = (left + i % w * zoom, top + i / w * zoom);
            for row in y..y + zoom {
                pixels[row * width + x..][..zoom].fill(color);
            }
        }
    }
    out.encode_png()
        .map_err(|error| Error::value("picture grid", error.to_string(), "draw fewer pictures"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_stand_where_they_belong() {
        let picture = |values: [f64; 4]| Picture {
            width: 2,
            values: values.to_vec(),
        };
        let png = grid(
            &[
                picture([0.0, 1.0, 0.5, f64::NAN]),
                picture([2.0, -1.0, 0.0, 0.0]),
            ],
            2,
            3,
        )
        .unwrap();
        let image = Pixmap::decode_png(&png).unwrap();
        assert_eq!((image.width(), image.height()), (2 * 9 + 3, 9 + 3));
        let grey = |x: u32, y: u32| image.pixel(x, y).unwrap().red();
        assert_eq!(
            (grey(3, 3), grey(6, 3), grey(3, 6), grey(8, 8)),
            (0, 255, 128, 0)
        );
        assert_eq!((grey(12, 3), grey(15, 3), grey(0, 0)), (255, 0, 128));
    }

    #[test]
    fn unequal_and_missing_pictures_are_errors() {
        assert!(grid(&[], 1, 1).is_err());
        let of = |n: usize| Picture {
            width: 2,
            values: vec![0.0; n],
        };
        assert!(grid(&[of(4), of(6)], 1, 1).is_err());
        assert!(grid(&[of(3)], 1, 1).is_err());
    }
}
