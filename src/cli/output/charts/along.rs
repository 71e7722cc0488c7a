//! Charts along l1: of a path, or of all points where a search has no paths.

use std::collections::HashSet;

use crate::cli::numbers::short;
use crate::sweep::record::{Number, Study};
use crate::sweep::select::Choice;
use crate::sweep::summary::PointSummary;

/// The most points that a chart along l1 shows: more would lie on each other.
const MOST_POINTS: usize = 2000;

/// The points that are drawn along l1.
pub(super) enum Along<'a> {
    /// A path: its points, by increasing l1, share what the text says.
    Path(Vec<&'a PointSummary>, String),
    /// Points by increasing l1, which differ in what the text names: all, or of as many neighbours as the
    /// number says the best one.
    Points(Vec<&'a PointSummary>, &'static str, usize),
}

impl<'a> Along<'a> {
    /// The summaries on the path of the best point; or all, where the search has no paths along l1.
    pub(super) fn of(study: &Study, summaries: &'a [PointSummary], choice: &Choice) -> Self {
        let best = summaries[choice.best].point;
        let l1 = |summary: &PointSummary| study.points[summary.point].l1;
        let by_l1 = |a: &&PointSummary, b: &&PointSummary| l1(a).total_cmp(&l1(b));
        let path = study
            .paths
            .iter()
            .find(|path| path.contains(&(best as u32)));
        let path = path.map_or(&[][..], Vec::as_slice);
        // The points of a path share this while l1 changes.
        let other = |point: usize| {
            let point = &study.points[point];
            point.ratio.map_or(point.l2, |(_, ratio)| ratio)
        };
        let has_ratio = study.points[best].ratio.is_some();
        let name = if has_ratio { "l1 ratio" } else { "l2" };
        if path.iter().any(|&at| other(at as usize) != other(best)) {
            let of_target = |s: &&PointSummary| study.points[s.point].target == choice.target;
            let mut own: Vec<&PointSummary> = summaries.iter().filter(of_target).collect();
            own.sort_by(by_l1);
            let each = own.len().div_ceil(MOST_POINTS).max(1);
            let kept = if each > 1 {
                thinned(&own, each, summaries, choice)
            } else {
                own
            };
            return Self::Points(kept, name, each);
        }
        let on_path: HashSet<usize> = path.iter().map(|&at| at as usize).collect();
        let on_path = |summary: &&PointSummary| on_path.contains(&summary.point);
        let mut found: Vec<&PointSummary> = summaries.iter().filter(on_path).collect();
        found.sort_by(by_l1);
        Self::Path(found, format!("{name} {}", short(other(best))))
    }

    pub(super) fn points(&self) -> &[&'a PointSummary] {
        match self {
            Self::Path(points, _) | Self::Points(points, ..) => points,
        }
    }

    /// The values of the points; where these are on no path, a gap after each, so that no line
    /// joins them.
    pub(super) fn values(&self, value: impl Fn(&PointSummary) -> f64) -> Vec<f64> {
        let values = self.points().iter().map(|point| value(point));
        match self {
            Self::Path(..) => values.collect(),
            Self::Points(..) => values.flat_map(|value| [value, f64::NAN]).collect(),
        }
    }

    pub(super) fn has_markers(&self) -> bool {
        self.points().len() <= 40
    }
}

/// Of every so many neighbours the one with the smallest mean, and the two choices.
fn thinned<'a>(
    own: &[&'a PointSummary],
    each: usize,
    summaries: &[PointSummary],
    choice: &Choice,
) -> Vec<&'a PointSummary> {
    let mean = |summary: &PointSummary| {
        let mean = summary.means.finite(Number::Criterion);
        mean.unwrap_or(f64::INFINITY)
    };
    let chosen = [Some(choice.best), choice.one_standard_error];
    let chosen: Vec<usize> = chosen
        .into_iter()
        .flatten()
        .map(|at| summaries[at].point)
        .collect();
    let mut kept = Vec::with_capacity(MOST_POINTS + chosen.len());
    for neighbours in own.chunks(each) {
        let best = neighbours
            .iter()
            .min_by(|a, b| mean(a).total_cmp(&mean(b)))
            .map(|summary| summary.point);
        let is_kept = |s: &&&PointSummary| Some(s.point) == best || chosen.contains(&s.point);
        kept.extend(neighbours.iter().filter(is_kept));
    }
    kept
}
