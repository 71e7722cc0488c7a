//! Pictures of digits: read from IDX files, or made at run time.

use std::path::Path;

use crate::data::random::Random;
use crate::data::readers;
use crate::data::{Dense, Format, Matrix, ReadOptions};
use crate::error::{Error, Result};

/// Square grey pictures with their classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Digits {
    /// One row per picture, pixels scaled to [−1, 1].
    pub pixels: Dense,
    /// The class of every picture.
    pub labels: Vec<f64>,
    /// Number of classes.
    pub classes: usize,
}

impl Digits {
    /// Reads pictures and labels in the format of MNIST.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Data`] of the readers, [`Error::Shape`] when there is not one
    /// label per picture, [`Error::Value`] for labels that are not classes 0, 1, ….
    pub fn read(images: &Path, labels: &Path) -> Result<Self> {
        let options = ReadOptions {
            format: Some(Format::Idx),
            ..ReadOptions::default()
        };
        let pixels = match readers::read_matrix(images, &options)? {
            Matrix::Dense(mut m) => {
                m.values.iter_mut().for_each(|x| *x = *x / 127.5 - 1.0);
                m
            }
            Matrix::Sparse(_) => {
                return Err(Error::unsupported("sparse pictures", "give an IDX file"));
            }
        };
        let labels = readers::read_vector(labels, &options)?;
        if labels.len() != pixels.rows {
            return Err(Error::shape(
                "labels",
                format!("{}, one per picture", pixels.rows),
                labels.len().to_string(),
                "give the label file that belongs to the pictures",
            ));
        }
        if let Some(bad) = labels
            .iter()
            .find(|y| y.fract() != 0.0 || !(0.0..=255.0).contains(*y))
        {
            return Err(Error::value(
                "labels",
                format!("{bad} is not a class"),
                "give class numbers from 0",
            ));
        }
        let classes = labels.iter().copied().fold(0.0, f64::max) as usize + 1;
        Ok(Self {
            pixels,
            labels,
            classes,
        })
    }

    /// The embedded digits: 1797 pictures of 8 × 8 pixels.
    ///
    /// # Errors
    /// None in practice: they are part of the program.
    pub fn embedded() -> Result<Self> {
        let (images, labels) = crate::data::embedded::digits()?;
        let mut values = vec![0.0; images.rows() * images.columns()];
        let columns = images.columns();
        images.for_each_entry(|i, j, x| values[i * columns + j] = x);
        values.iter_mut().for_each(|x| *x = *x / 8.0 - 1.0);
        Ok(Self {
            pixels: Dense::new(labels.len(), columns, values)?,
            labels,
            classes: 10,
        })
    }

    /// Digits of `side` × `side` pixels, drawn as seven segments with shifts, strokes of varying
    /// ink, and noise.
    #[must_use]
    pub fn draw(count: usize, side: usize, seed: u64) -> Self {
        let mut random = Random::new(seed, 7);
        let mut values = Vec::with_capacity(count * side * side);
        let mut labels = Vec::with_capacity(count);
        for _ in 0..count {
            let digit = (random.uniform() * 10.0) as usize % 10;
            labels.push(digit as f64);
            let (dx, dy) = (0.16 * random.uniform(), 0.1 * random.uniform());
            let ink = 0.6 + 0.4 * random.uniform();
            for i in 0..side * side {
                let (x, y) = (
                    (i % side) as f64 / side as f64 - dx,
                    (i / side) as f64 / side as f64 - dy,
                );
                let value = if is_inked(digit, x, y) { ink } else { 0.0 };
                let noisy = value + 0.35 * random.normal();
                values.push(2.0 * noisy.clamp(0.0, 1.0) - 1.0);
            }
        }
        Self {
            pixels: Dense {
                rows: count,
                columns: side * side,
                values,
            },
            labels,
            classes: 10,
        }
    }

    /// Number of pictures.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// True without any picture.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Some of the pictures, in the order of `rows`.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let values = rows
            .iter()
            .flat_map(|&i| self.pixels.row(i).iter().copied())
            .collect();
        Self {
            pixels: Dense {
                rows: rows.len(),
                columns: self.pixels.columns,
                values,
            },
            labels: rows.iter().map(|&i| self.labels[i]).collect(),
            classes: self.classes,
        }
    }
}

/// Whether a seven-segment digit has ink at (x, y) of the unit square.
fn is_inked(digit: usize, x: f64, y: f64) -> bool {
    // top, upper left, upper right, middle, lower left, lower right, bottom
    const SEGMENTS: [u8; 10] = [
        0b111_0111, 0b001_0010, 0b101_1101, 0b101_1011, 0b011_1010, 0b110_1011, 0b110_1111,
        0b101_0010, 0b111_1111, 0b111_1011,
    ];
    const PLACES: [(f64, f64, f64, f64); 7] = [
        (0.2, 0.7, 0.1, 0.25),
        (0.2, 0.32, 0.1, 0.5),
        (0.58, 0.7, 0.1, 0.5),
        (0.2, 0.7, 0.42, 0.56),
        (0.2, 0.32, 0.5, 0.85),
        (0.58, 0.7, 0.5, 0.85),
        (0.2, 0.7, 0.73, 0.87),
    ];
    PLACES
        .iter()
        .enumerate()
        .any(|(at, &(left, right, top, bottom))| {
            SEGMENTS[digit] >> (6 - at) & 1 == 1
                && (left..right).contains(&x)
                && (top..bottom).contains(&y)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_digits_are_repeatable_pictures_of_every_class() {
        let digits = Digits::draw(300, 12, 1);
        assert_eq!(digits, Digits::draw(300, 12, 1));
        assert_ne!(digits, Digits::draw(300, 12, 2));
        assert!(
            digits
                .pixels
                .values
                .iter()
                .all(|x| (-1.0..=1.0).contains(x))
        );
        for class in 0..10 {
            let count = digits
                .labels
                .iter()
                .filter(|&&y| y as usize == class)
                .count();
            assert!(count > 10, "{count} of class {class}");
        }
        // An 8 has more ink than a 1.
        let ink = |class: f64| {
            let of: Vec<usize> = (0..300).filter(|&i| digits.labels[i] == class).collect();
            let total: f64 = of.iter().flat_map(|&i| digits.pixels.row(i)).sum();
            total / of.len() as f64
        };
        assert!(ink(8.0) > ink(1.0) + 10.0);
        let some = digits.select(&[5, 2]);
        assert_eq!(some.pixels.row(1), digits.pixels.row(2));
        assert_eq!(some.labels, [digits.labels[5], digits.labels[2]]);
    }
}
