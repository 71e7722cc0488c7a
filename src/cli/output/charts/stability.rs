//! Stability paths: how often features are chosen along l1.

use super::{Along, Chart, MOST_PATHS, View};
use crate::cli::failure::Failure;
use crate::report::{Axis, COLOURS, Plot, Series};
use crate::sweep::stability::Stability;

impl View<'_> {
    /// The shares of resamples on which features are chosen along l1, of those that are chosen most often.
    pub(super) fn stability_paths(&self) -> Result<Option<Chart>, Failure> {
        let along = &self.along;
        let subject = &self.subject;
        let (Along::Path(path, _), Some(resampling)) = (along, subject.study.resampling()) else {
            return Ok(None);
        };
        let found = Stability::of(subject.store, subject.number, subject.study, subject.target)?;
        let Some(stability) = found else {
            return Ok(None);
        };
        let share = |point: usize, j: usize| {
            let mut points = stability.points.iter();
            points
                .find(|own| own.point == point)
                .map_or(f64::NAN, |own| own.shares[j])
        };
        let largest = |j: usize| {
            path.iter()
                .map(|summary| share(summary.point, j))
                .fold(0.0, f64::max)
        };
        let mut order: Vec<usize> = (0..resampling.features.len()).collect();
        order.sort_by(|&a, &b| largest(b).total_cmp(&largest(a)));
        order.retain(|&j| largest(j) > 0.0);
        order.truncate(MOST_PATHS);
        if path.len() < 2 || order.is_empty() {
            return Ok(None);
        }
        let series = order.iter().enumerate().map(|(at, &j)| Series {
            label: resampling.features[j].clone(),
            x: path.iter().map(|summary| self.l1(summary)).collect(),
            y: path.iter().map(|summary| share(summary.point, j)).collect(),
            // The colours are used up.
            dashed: at >= COLOURS,
            ..Series::default()
        });
        let plot = Plot {
            title: "Stability paths".into(),
            subtitle: format!(
                "the {} chosen most often, {}",
                order.len(),
                self.place(along)
            ),
            x: self.axis_l1(along),
            y: Axis::linear("share of resamples"),
            series: series.collect(),
            marks: self.marks(along),
            ..Plot::default()
        };
        Ok(Some(self.chart(
            "stability",
            "How often features are chosen on resamples of the rows.",
            plot,
        )))
    }
}
