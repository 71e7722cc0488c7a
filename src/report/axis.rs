//! An axis: its scale, its range and its ticks.

/// Layouts of values along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// Equal differences take equal lengths.
    #[default]
    Linear,
    /// Equal ratios take equal lengths; values that are not positive do not show.
    Log,
}

/// An axis of a plot.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Axis {
    /// Its title.
    pub label: String,
    /// Its layout.
    pub scale: Scale,
    /// From and to; `None` takes the range of the data.
    pub range: Option<(f64, f64)>,
}

impl Axis {
    /// A linear axis over the range of the data.
    #[must_use]
    pub fn linear(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            ..Self::default()
        }
    }

    /// A logarithmic axis over the range of the data.
    #[must_use]
    pub fn log(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            scale: Scale::Log,
            range: None,
        }
    }

    /// The same axis from `low` to `high`.
    #[must_use]
    pub fn between(mut self, low: f64, high: f64) -> Self {
        self.range = Some((low, high));
        self
    }

    /// True when a value can be shown.
    #[must_use]
    pub fn shows(&self, value: f64) -> bool {
        value.is_finite() && (self.scale == Scale::Linear || value > 0.0)
    }

    /// The axis fitted to the values that it can show.
    #[must_use]
    pub fn fit(&self, values: impl Iterator<Item = f64>) -> Frame {
        let (mut low, mut high) = self.range.unwrap_or((f64::INFINITY, f64::NEG_INFINITY));
        if self.range.is_none() {
            for value in values.filter(|&value| self.shows(value)) {
                low = low.min(value);
                high = high.max(value);
            }
        }
        if !(self.shows(low) && self.shows(high)) {
            // Nothing to show: a frame all the same.
            (low, high) = (1.0, 10.0);
        }
        match self.scale {
            Scale::Log => {
                let (mut from, mut to) = (low.log10(), high.log10());
                if self.range.is_none() {
                    (from, to) = (from - 0.05, to + 0.05);
                }
                if to - from < 0.2 {
                    (from, to) = (from - 0.1, to + 0.1);
                }
                Frame {
                    scale: Scale::Log,
                    from,
                    to,
                }
            }
            Scale::Linear => {
                if low >= high {
                    let room = if low == 0.0 { 1.0 } else { 0.1 * low.abs() };
                    (low, high) = (low - room, high + room);
                } else if self.range.is_none() {
                    let room = 0.03 * (high - low);
                    // Zero stays the edge where it is the edge of the data.
                    low = if low == 0.0 { 0.0 } else { low - room };
                    high += room;
                }
                Frame {
                    scale: Scale::Linear,
                    from: low,
                    to: high,
                }
            }
        }
    }
}

/// A fitted axis: from values to shares of its length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    scale: Scale,
    /// In the axis's own coordinate: the value, or its decimal logarithm.
    from: f64,
    to: f64,
}

/// A tick: where, with which label; without one it is minor.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// The value.
    pub value: f64,
    /// Its label.
    pub label: Option<Label>,
}

/// The label of a tick.
#[derive(Debug, Clone, PartialEq)]
pub enum Label {
    /// As it stands.
    Plain(String),
    /// Ten to this power.
    Power(i32),
}

impl Frame {
    /// The value's place: 0 at the start of the axis, 1 at its end; beyond for values outside.
    #[must_use]
    pub fn place(&self, value: f64) -> f64 {
        let at = match self.scale {
            Scale::Linear => value,
            Scale::Log => value.log10(),
        };
        (at - self.from) / (self.to - self.from)
    }

    /// At most about `wanted` labelled ticks.
    #[must_use]
    pub fn ticks(&self, wanted: usize) -> Vec<Tick> {
        match self.scale {
            Scale::Linear => self.linear_ticks(wanted),
            Scale::Log => self.log_ticks(wanted),
        }
    }

    fn linear_ticks(&self, wanted: usize) -> Vec<Tick> {
        let step = nice_step((self.to - self.from) / wanted.max(1) as f64);
        let largest = self.from.abs().max(self.to.abs());
        // Long numbers have a power of ten in common.
        let power = match largest.log10().floor() {
            power if (-4.0..6.0).contains(&power) || !power.is_finite() => 0,
            power => power as i32,
        };
        let decimals = (f64::from(power) - step.log10().floor()).max(0.0) as usize;
        let label = |value: f64| match power {
            0 => plain(value, decimals),
            _ if value == 0.0 => "0".into(),
            _ => format!("{}e{power}", plain(value / 10f64.powi(power), decimals)),
        };
        let first = (self.from / step - 1e-9).ceil() as i64;
        let last = (self.to / step + 1e-9).floor() as i64;
        (first..=last)
            .map(|at| {
                let value = at as f64 * step;
                Tick {
                    value,
                    label: Some(Label::Plain(label(value))),
                }
            })
            .collect()
    }

    fn log_ticks(&self, wanted: usize) -> Vec<Tick> {
        let (first, last) = (
            (self.from - 1e-9).ceil() as i32,
            (self.to + 1e-9).floor() as i32,
        );
        if last < first + 1 {
            return self.log_ticks_within_a_decade();
        }
        let every = ((last - first) as usize / wanted.max(1) + 1) as i32;
        (first..=last)
            .map(|power| Tick {
                value: 10f64.powi(power),
                label: (power.rem_euclid(every) == 0).then_some(Label::Power(power)),
            })
            .collect()
    }

    /// 1, 2, 5 of the decades that the axis touches.
    fn log_ticks_within_a_decade(&self) -> Vec<Tick> {
        let mut ticks = Vec::new();
        for power in self.from.floor() as i32..=self.to.floor() as i32 {
            for digit in [1.0, 2.0, 3.0, 5.0, 7.0] {
                let value = digit * 10f64.powi(power);
                if (self.from - 1e-9..=self.to + 1e-9).contains(&value.log10()) {
                    let text = if (-3..4).contains(&power) {
                        plain(value, usize::try_from(-power).unwrap_or(0))
                    } else {
                        format!("{digit}e{power}")
                    };
                    ticks.push(Tick {
                        value,
                        label: Some(Label::Plain(text)),
                    });
                }
            }
        }
        ticks
    }
}

/// 1, 2 or 5 times a power of ten, at least about `step`.
fn nice_step(step: f64) -> f64 {
    let unit = 10f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * unit)
        .find(|&candidate| candidate >= 0.75 * step)
        .unwrap_or(10.0 * unit)
}

/// A tick's number with thousands set apart by thin spaces and a true minus sign.
fn plain(value: f64, decimals: usize) -> String {
    let digits = format!("{:.decimals$}", value.abs());
    let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = String::new();
    if value < 0.0 && digits.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
        out.push('−');
    }
    for (at, digit) in whole.char_indices() {
        if at > 0 && (whole.len() - at) % 3 == 0 && whole.len() > 4 {
            out.push('\u{2009}');
        }
        out.push(digit);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, values: &[f64], wanted: usize) -> Vec<String> {
        axis.fit(values.iter().copied())
            .ticks(wanted)
            .into_iter()
            .filter_map(|tick| match tick.label? {
                Label::Plain(text) => Some(text),
                Label::Power(power) => Some(format!("1e{power}")),
            })
            .collect()
    }

    #[test]
    fn linear_ticks_are_round_numbers() {
        assert_eq!(
            labels(&Axis::linear(""), &[0.0, 500.0], 5),
            ["0", "100", "200", "300", "400", "500"]
        );
        assert_eq!(
            labels(&Axis::linear("").between(0.0, 5e9), &[], 5),
            ["0", "1e9", "2e9", "3e9", "4e9", "5e9"]
        );
        assert_eq!(
            labels(&Axis::linear("").between(-3e-6, 1e-6), &[], 4),
            ["−3e-6", "−2e-6", "−1e-6", "0", "1e-6"]
        );
        assert_eq!(
            labels(&Axis::linear("").between(2.8e6, 3.2e6), &[], 2),
            ["2.8e6", "3.0e6", "3.2e6"]
        );
        assert_eq!(
            labels(&Axis::linear("").between(-0.5, 0.5), &[], 4),
            ["−0.4", "−0.2", "0.0", "0.2", "0.4"]
        );
        assert_eq!(
            labels(&Axis::linear("").between(0.0, 20_000.0), &[], 2),
            ["0", "10\u{2009}000", "20\u{2009}000"]
        );
    }

    #[test]
    fn log_ticks_are_powers_of_ten() {
        assert_eq!(
            labels(&Axis::log(""), &[2e-7, 0.0, f64::NAN, 50.0], 4),
            ["1e-6", "1e-4", "1e-2", "1e0"]
        );
        assert_eq!(
            labels(&Axis::log("").between(1.5, 6.0), &[], 4),
            ["2", "3", "5"]
        );
    }

    #[test]
    fn places_follow_the_scale() {
        let frame = Axis::log("").between(1e-4, 1.0).fit(std::iter::empty());
        assert!((frame.place(1e-3) - 0.25).abs() < 1e-12);
        let frame = Axis::linear("").between(2.0, 4.0).fit(std::iter::empty());
        assert!((frame.place(3.5) - 0.75).abs() < 1e-12);
    }

    #[test]
    fn an_axis_without_values_is_a_frame_all_the_same() {
        for axis in [Axis::linear(""), Axis::log("")] {
            for values in [vec![], vec![f64::NAN], vec![3.0, 3.0], vec![0.0]] {
                let frame = axis.fit(values.iter().copied());
                assert!(frame.place(3.0).is_finite());
                assert!(!frame.ticks(5).is_empty(), "{axis:?} {values:?}");
            }
        }
    }
}
