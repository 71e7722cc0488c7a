//! The page of influences: the ends, and estimates against refits.

use super::equal::{NamedPoint, Words, against_equal};
use super::of_rows;
use crate::cli::failure::Failure;
use crate::cli::numbers::{counted, significant};
use crate::cli::output::influence::InfluenceReport;
use crate::cli::output::pages::{Chart, ReportFolder, sentence};
use crate::report::{Bar, Section, SignedBars, Theme};

/// The most rows of a table in a page, half of them of either end.
const MOST_ROWS: usize = 1000;
/// The most bars of either end.
const MOST_BARS: usize = 20;

impl InfluenceReport<'_> {
    /// Writes the page.
    ///
    /// # Errors
    /// Those of [`ReportFolder::write`].
    pub fn write_page(&self, folder: &ReportFolder<'_>) -> Result<(), Failure> {
        let mut charts = vec![self.bars()];
        charts.extend(self.estimates_against_refits());
        let mut sections = vec![sentence(self.estimate_line())];
        sections.extend(self.remarks().into_iter().map(sentence));
        sections.extend(charts.iter().map(Chart::section));
        sections.push(Section::Heading(of_rows(self.is_grouped()).into()));
        sections.push(sentence(format!("Influence: {}", self.unit())));
        sections.extend(self.all_rows());
        let title = format!("Influence of the rows of {}", self.study.source());
        folder.write(&title, vec![self.study.basis()], sections, &charts)
    }

    /// Bars of those that help most and harm most.
    fn bars(&self) -> Chart {
        let order = self.order();
        let values = self.best_known();
        let count = self.top.min(MOST_BARS);
        let is_whole = order.len() <= 2 * count;
        let shown: Vec<usize> = if is_whole {
            order
        } else {
            let ends = order[..count].iter().chain(&order[order.len() - count..]);
            ends.copied().collect()
        };
        let bar = |&at: &usize| Bar {
            label: self.long_name(at),
            value: values[at],
            text: significant(values[at]),
        };
        let noun = if self.is_grouped() { "group" } else { "row" };
        let bars = SignedBars {
            title: "Most helpful and most harmful".into(),
            subtitle: if is_whole {
                format!("all {}", counted(shown.len(), noun))
            } else {
                format!("{count} {noun}s of either end, of {}", values.len())
            },
            bars: shown.iter().map(bar).collect(),
        };
        let kind = match self.found.exact {
            Some(_) => "by refits",
            None => "estimated",
        };
        Chart {
            name: "influence".into(),
            caption: format!("Influence, {kind}: {}.", self.unit()),
            svg: Box::new(move |theme: Theme| bars.svg(theme)),
        }
    }

    /// Every estimate against its refit.
    fn estimates_against_refits(&self) -> Option<Chart> {
        let exact = self.found.exact.as_ref()?;
        let estimates = &self.found.influence;
        let point = |at: usize| NamedPoint {
            x: estimates[at],
            y: exact.influence[at],
            name: self.long_name(at),
        };
        let correlation = match self.found.rank_correlation() {
            Some(correlation) => format!("{correlation:.4}"),
            None => "not defined".into(),
        };
        let words = Words {
            title: "Estimates against refits".into(),
            subtitle: format!("rank correlation {correlation}"),
            x: "estimate".into(),
            y: "exact, by a refit".into(),
            points: if self.is_grouped() { "groups" } else { "rows" }.into(),
            equal: "equal".into(),
        };
        let plot = against_equal(words, (0..estimates.len()).map(point).collect())?;
        Some(Chart {
            name: "estimates".into(),
            caption: format!(
                "The influence that is estimated, and that of a refit without the row. Rank correlation \
                 {correlation}."
            ),
            svg: Box::new(move |theme: Theme| plot.svg(theme)),
        })
    }

    /// A table of all, those that help most first.
    fn all_rows(&self) -> Vec<Section> {
        let order = self.order();
        let shown = ends(&order, MOST_ROWS);
        let (mut head, mut rows) = self.cells_of(&shown);
        if let (Some(names), false) = (self.row_names, self.is_grouped()) {
            // Bars say the names alone.
            head.insert(1, "name".into());
            for (cells, &at) in rows.iter_mut().zip(&shown) {
                cells.insert(1, names[self.prepared.row_in_data(at)].clone());
            }
        }
        let mut sections = vec![Section::Table { head, rows }];
        if order.len() > MOST_ROWS {
            sections.push(Section::Text(format!(
                "The table has the {0} that help most and the {0} that harm most, of {1}; --format csv writes all.",
                MOST_ROWS / 2,
                order.len()
            )));
        }
        sections
    }
}

/// All of an order where it has at most so many, else as many of either end.
fn ends(order: &[usize], most: usize) -> Vec<usize> {
    if order.len() <= most {
        return order.to_vec();
    }
    let half = most / 2;
    let (first, last) = (&order[..half], &order[order.len() - half..]);
    [first, last].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_order_keeps_both_of_its_ends() {
        let order: Vec<usize> = (0..MOST_ROWS + 1).rev().collect();
        let kept = ends(&order, MOST_ROWS);
        assert_eq!(kept.len(), MOST_ROWS);
        assert_eq!((kept[0], kept[MOST_ROWS - 1]), (MOST_ROWS, 0));
        assert_eq!(kept[MOST_ROWS / 2 - 1] - kept[MOST_ROWS / 2], 2);
        assert_eq!(ends(&order[1..], MOST_ROWS), order[1..]);
    }
}
