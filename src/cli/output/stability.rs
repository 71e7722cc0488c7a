//! How often features are chosen on resamples, as text and JSON.

use serde_json::{Value, json};

use super::subject::subject;
use super::table::{plain, titled};
use crate::cli::numbers::{counted, short};
use crate::cli::printable::printable;
use crate::sweep::record::Study;
use crate::sweep::resamples::Resampling;
use crate::sweep::stability::Stability;

/// The most features that a table shows.
const MOST_ROWS: usize = 20;

/// The features of a target with the shares of resamples on which they are chosen.
pub(super) struct Chosen<'a> {
    /// The study.
    pub study: &'a Study,
    /// The number of the target.
    pub target: usize,
    /// The way in which rows are drawn, and the names.
    pub resampling: Resampling,
    /// The shares.
    pub stability: Stability,
}

impl Chosen<'_> {
    /// The numbers of features that are chosen at all, those with the largest shares first.
    pub fn order(&self) -> Vec<usize> {
        let largest = self.stability.largest();
        let mut order: Vec<usize> = (0..largest.len())
            .filter(|&j| largest[j].share > 0.0)
            .collect();
        order.sort_by(|&a, &b| largest[b].share.total_cmp(&largest[a].share));
        order
    }

    /// The features that are chosen most often; `best` is the point with the smallest mean criterion.
    pub fn table(&self, best: Option<usize>) -> String {
        let (order, largest) = (self.order(), self.stability.largest());
        let at_best = self
            .stability
            .points
            .iter()
            .find(|point| Some(point.point) == best);
        let mut header = vec!["feature", "largest share", "l1", "l2"];
        if at_best.is_some() {
            header.push("at the best point");
        }
        let mut table = plain(&header);
        for &j in order.iter().take(MOST_ROWS) {
            let point = &self.study.points[largest[j].point];
            let mut row = vec![
                printable(&self.resampling.features[j]).into_owned(),
                percent(largest[j].share),
                short(point.l1),
                short(point.l2),
            ];
            row.extend(at_best.map(|point| percent(point.shares[j])));
            table.add_row(row);
        }
        let most = self.stability.points.iter().map(|point| point.resamples);
        let title = format!(
            "{}: how often features are chosen on {} ({}), the largest share of all points; {} of {}",
            printable(&subject(self.study, self.target)),
            counted(most.max().unwrap_or(0), "resample"),
            self.resampling.drawing,
            order.len().min(MOST_ROWS),
            counted(self.resampling.features.len(), "feature"),
        );
        titled(&title, table, &[0])
    }

    /// All shares.
    pub fn record(&self) -> Value {
        let point = |at: usize| {
            let point = &self.study.points[at];
            json!({"point": at, "l1": point.l1, "l2": point.l2})
        };
        let largest = self.stability.largest();
        let features = self.resampling.features.iter().zip(&largest);
        json!({
            "study": self.study.name,
            "target": self.study.targets[self.target],
            "drawing": self.resampling.drawing.name(),
            "features": features.map(|(name, largest)| json!({
                "name": name,
                "largest_share": largest.share,
                "point": largest.point,
            })).collect::<Vec<Value>>(),
            "points": self.stability.points.iter().map(|own| {
                let mut record = point(own.point);
                record["resamples"] = json!(own.resamples);
                record["shares"] = json!(own.shares);
                record
            }).collect::<Vec<Value>>(),
        })
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}
