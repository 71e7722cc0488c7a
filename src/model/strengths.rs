//! Strengths: one number that all have in common, or one each.

/// One number for a common strength, or one for each coordinate or group.
#[derive(Debug, Clone, PartialEq)]
pub enum Strengths {
    /// Of the strength that all have in common.
    Common(f64),
    /// Of each, in their order.
    Each(Vec<f64>),
}

impl Strengths {
    /// The number, where there is only one.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        match self.as_slice() {
            &[value] => Some(value),
            _ => None,
        }
    }

    /// All numbers.
    #[must_use]
    pub fn as_slice(&self) -> &[f64] {
        match self {
            Self::Common(value) => std::slice::from_ref(value),
            Self::Each(values) => values,
        }
    }

    /// The number at a place: that of all, or its own.
    #[inline(always)]
    #[must_use]
    pub fn at(&self, place: usize) -> f64 {
        match self {
            Self::Common(value) => *value,
            Self::Each(values) => values[place],
        }
    }

    /// All numbers in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, f64> {
        self.as_slice().iter()
    }
}

impl From<f64> for Strengths {
    fn from(value: f64) -> Self {
        Self::Common(value)
    }
}

impl From<Vec<f64>> for Strengths {
    fn from(values: Vec<f64>) -> Self {
        Self::Each(values)
    }
}

impl<'a> IntoIterator for &'a Strengths {
    type Item = &'a f64;
    type IntoIter = std::slice::Iter<'a, f64>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
