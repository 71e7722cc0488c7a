//! Ridge strengths: λ₂ of coefficients that differ.

use std::sync::Arc;

use super::Strengths;
use crate::error::{Error, Result};

/// Ridge strengths at l2 = 1 in place of a common one, and which of them every penalised coordinate
/// has: λ₂ of coordinate j is l2·`strengths[entries[j]]`.
///
/// Coordinates may share an entry: those of a group, of a class, or any others.
#[derive(Debug, Clone, PartialEq)]
pub struct RidgeStrengths {
    strengths: Vec<f64>,
    entries: Arc<[u32]>,
}

impl RidgeStrengths {
    /// One strength for each penalised coordinate.
    #[must_use]
    pub fn each(strengths: Vec<f64>) -> Self {
        let entries = (0..strengths.len() as u32).collect();
        Self { strengths, entries }
    }

    /// Strengths that coordinates share: `entries` has the number of its strength, from 0, for each
    /// penalised coordinate.
    ///
    /// # Errors
    /// [`Error::Value`] for an entry without a strength, and for a strength that no coordinate has.
    pub fn shared(strengths: Vec<f64>, entries: impl Into<Arc<[u32]>>) -> Result<Self> {
        let entries = entries.into();
        let mut is_used = vec![false; strengths.len()];
        for (j, &entry) in entries.iter().enumerate() {
            match is_used.get_mut(entry as usize) {
                Some(used) => *used = true,
                None => {
                    return Err(Error::value(
                        "ridge strengths",
                        format!(
                            "coefficient {} has number {entry} of {}",
                            j + 1,
                            strengths.len()
                        ),
                        "count strengths from 0",
                    ));
                }
            }
        }
        match is_used.iter().position(|used| !used) {
            None => Ok(Self { strengths, entries }),
            Some(at) => Err(Error::value(
                "ridge strengths",
                format!("no coefficient has number {at}"),
                "leave it out",
            )),
        }
    }

    /// The strengths at l2 = 1.
    #[must_use]
    pub fn strengths(&self) -> &[f64] {
        &self.strengths
    }

    /// The number of its strength for each penalised coordinate.
    #[must_use]
    pub fn entries(&self) -> &[u32] {
        &self.entries
    }

    /// The same coordinates with other strengths at l2 = 1.
    ///
    /// # Errors
    /// [`Error::Shape`] and [`Error::Value`] for another number of them, and for what is no strength.
    pub fn with_strengths(&self, strengths: Vec<f64>) -> Result<Self> {
        self.check_strengths(&strengths)?;
        let entries = Arc::clone(&self.entries);
        Ok(Self { strengths, entries })
    }

    /// λ₂ of each penalised coordinate at l2, with these strengths or with others in their place.
    pub(super) fn ridges(&self, l2: f64, own: Option<&[f64]>) -> Strengths {
        let strengths = own.unwrap_or(&self.strengths);
        let of = |&entry: &u32| l2 * strengths[entry as usize];
        Strengths::Each(self.entries.iter().map(of).collect())
    }

    /// The sum over the coordinates of every entry.
    #[must_use]
    pub(crate) fn gathered(&self, of_coordinates: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.strengths.len()];
        for (&entry, value) in self.entries.iter().zip(of_coordinates) {
            sums[entry as usize] += value;
        }
        sums
    }

    /// Checks strengths that take the place of these.
    pub(super) fn check_strengths(&self, strengths: &[f64]) -> Result<()> {
        if strengths.len() != self.strengths.len() {
            return Err(Error::shape(
                "ridge strengths",
                self.strengths.len().to_string(),
                strengths.len().to_string(),
                "give a vector of that length",
            ));
        }
        let is_strength = |s: &f64| s.is_finite() && *s >= 0.0;
        match strengths.iter().position(|s| !is_strength(s)) {
            None => Ok(()),
            Some(at) => Err(Error::value(
                "ridge strengths",
                format!("entry {} is {}", at + 1, strengths[at]),
                "give finite numbers, zero or more",
            )),
        }
    }

    /// Checks these against the number of penalised coordinates.
    pub(super) fn check(&self, penalized: usize) -> Result<()> {
        if self.entries.len() != penalized {
            return Err(Error::shape(
                "ridge strengths",
                format!("{penalized}, one per penalised coordinate"),
                self.entries.len().to_string(),
                "give one for each coefficient, or say which coefficients share one",
            ));
        }
        self.check_strengths(&self.strengths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_checked() {
        assert!(RidgeStrengths::shared(vec![1.0, 2.0], vec![0, 1, 0]).is_ok());
        let missing = RidgeStrengths::shared(vec![1.0, 2.0], vec![0, 2]).unwrap_err();
        assert!(missing.to_string().contains("number 2 of 2"), "{missing}");
        let unused = RidgeStrengths::shared(vec![1.0, 2.0], vec![0, 0]).unwrap_err();
        assert!(unused.to_string().contains("number 1"), "{unused}");
        let negative = RidgeStrengths::each(vec![1.0, -1.0]).check(2).unwrap_err();
        assert!(negative.to_string().contains("entry 2 is -1"), "{negative}");
        assert!(RidgeStrengths::each(vec![1.0]).check(2).is_err());
    }

    #[test]
    fn coordinates_of_an_entry_share_it() {
        let ridge = RidgeStrengths::shared(vec![1.0, 3.0], vec![1, 0, 1]).unwrap();
        assert_eq!(
            ridge.ridges(2.0, None),
            Strengths::Each(vec![6.0, 2.0, 6.0])
        );
        let own = ridge.ridges(2.0, Some(&[0.5, 0.0]));
        assert_eq!(own, Strengths::Each(vec![0.0, 1.0, 0.0]));
        assert_eq!(ridge.gathered(&[1.0, 10.0, 100.0]), [10.0, 101.0]);
        assert!(ridge.with_strengths(vec![1.0]).is_err());
    }
}
