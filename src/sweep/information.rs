//! Criteria from the training rows alone at every point of a sweep, of fits to all rows.
//!
//! A fold's own fit has them too, but they need no rows that are held out: with all rows they are about the
//! model that is fitted in the end.

use rayon::prelude::*;

use super::record;
use super::study::Study;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::exec::Device;
use crate::hypergrad::{Evaluator, Information, Outcome, Settings};
use crate::problem::Point;

/// Bytes of the solutions that are held at once.
const MEMORY: usize = 1 << 28;

/// The criteria of fits to all rows of a study at its points, in their order; points that a stop leaves out
/// say that they are not solved.
///
/// # Errors
/// [`Error::Unsupported`] for adaptive and relaxed fits and for resamples, whose models are not one fit to all
/// rows, and for compressed studies, which have lost their rows; those of [`Study::whole`].
pub fn information(
    study: &Study,
    record: &record::Study,
    control: &Control,
) -> Result<Vec<Information>> {
    if record.is_adaptive() || record.relax().is_some() || record.is_resampled() {
        return Err(Error::unsupported(
            "information criteria of fits in stages and of resamples",
            "leave out --information, or --adaptive, --relax, --bootstrap and --subsamples",
        ));
    }
    if study.is_compressed {
        return Err(Error::unsupported(
            "information criteria of sums of squares, which have lost the rows",
            "leave out --information, or sweep the rows themselves",
        ));
    }
    let problem = study.whole()?;
    let settings = Settings {
        method: None,
        device: Device::Cpu,
        precision: study.precision,
        threads: 0,
        ..study.settings.clone()
    };
    let evaluator = Evaluator::new(&problem)
        .settings(&settings)
        .control(control);
    let numbers = problem.coordinates() + problem.train().targets[0].len();
    let most = (MEMORY / (8 * numbers.max(1))).max(1);
    let mut found = vec![Information::default(); record.points.len()];
    for paths in batches(&record.paths, most) {
        let points: Vec<u32> = paths.iter().flatten().copied().collect();
        let outcomes = solved(&evaluator, record, paths, &points)?;
        let own: Vec<Information> = outcomes
            .par_iter()
            .map(|outcome| Information::of(&problem, outcome))
            .collect();
        for (&point, own) in points.iter().zip(own) {
            found[point as usize] = own;
        }
    }
    Ok(found)
}

/// The outcomes of the points of some paths.
fn solved(
    evaluator: &Evaluator<'_>,
    record: &record::Study,
    paths: &[Vec<u32>],
    points: &[u32],
) -> Result<Vec<Outcome>> {
    let points: Vec<Point> = points
        .iter()
        .map(|&point| {
            let point = &record.points[point as usize];
            Point::new(point.l1, point.l2).of_target(point.target)
        })
        .collect();
    let mut first = 0;
    let places = paths.iter().map(|path| {
        let places = (first..first + path.len()).collect();
        first += path.len();
        places
    });
    evaluator
        .clone()
        .paths(places.collect::<Vec<_>>())
        .run(&points)
}

/// Paths in their order, as many together as have at most so many points, and at least one.
fn batches(paths: &[Vec<u32>], most: usize) -> Vec<&[Vec<u32>]> {
    let mut batches = Vec::new();
    let mut begin = 0;
    while begin < paths.len() {
        let mut count = paths[begin].len();
        let mut end = begin + 1;
        while end < paths.len() && count + paths[end].len() <= most {
            count += paths[end].len();
            end += 1;
        }
        batches.push(&paths[begin..end]);
        begin = end;
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_every_path_once() {
        let paths: Vec<Vec<u32>> = vec![vec![0, 1], vec![2], vec![3, 4, 5, 6], vec![7]];
        let lengths = |most: usize| -> Vec<usize> {
            batches(&paths, most)
                .iter()
                .map(|batch| batch.len())
                .collect()
        };
        assert_eq!(lengths(3), [2, 1, 1]);
        assert_eq!(lengths(100), [4]);
        assert_eq!(lengths(1), [1, 1, 1, 1]);
        assert!(batches(&[], 3).is_empty());
    }
}
