//! Metrics of predictions beside the criterion: what users compare with other software.

use crate::error::{Error, Result};
use crate::model::criterion;
use crate::model::loss::{Loss, multinomial};
use crate::sweep::record::{Number, Numbers};

/// Adds the metrics of one cell to its numbers.
///
/// `z` are the linear predictors in C order (rows × classes), `y` the targets as the loss takes them,
/// `weights` one per row, or none. A metric that is not defined there (R² of constant targets, AUC
/// without one of the classes) stays NaN.
pub fn measure(
    loss: Loss,
    classes: usize,
    z: &[f64],
    y: &[f64],
    weights: Option<&[f64]>,
    numbers: &mut Numbers,
) {
    let weight = |i: usize| weights.map_or(1.0, |w| w[i]);
    match loss {
        Loss::Quadratic => {}
        Loss::Squared | Loss::Huber { .. } => regression(z, y, &weight, numbers),
        Loss::Poisson | Loss::Gamma | Loss::Tweedie { .. } => {
            let means: Vec<f64> = z.iter().map(|&z| loss.mean(z)).collect();
            regression(&means, y, &weight, numbers);
            numbers[Number::R2] = explained_deviance(loss, z, y, &weight, None);
        }
        Loss::Multinomial => {
            let Labelled { predicted, truth } = Labelled::of(loss, classes, z, y);
            confusion(&predicted, &truth, classes, &weight, numbers);
            numbers[Number::Auc] = one_against_rest(z, &truth, classes, &weight);
        }
        Loss::Logistic | Loss::SquaredHinge => {
            let Labelled { predicted, truth } = Labelled::of(loss, classes, z, y);
            confusion(&predicted, &truth, 2, &weight, numbers);
            numbers[Number::Auc] = auc(z, |i| truth[i] == 1, &weight);
        }
    }
}

/// The rows that predictions are measured on.
#[derive(Debug, Clone, Copy)]
pub struct MeasuredRows<'a> {
    /// The targets as the loss takes them.
    pub y: &'a [f64],
    /// One weight per row, or none.
    pub weights: Option<&'a [f64]>,
    /// One offset per row, which the predictors have beside the coefficients, or none.
    pub offset: Option<&'a [f64]>,
}

impl MeasuredRows<'_> {
    /// As [`measure`], of predictors `z` without the offsets of the rows.
    pub fn measure(&self, loss: Loss, classes: usize, z: &[f64], numbers: &mut Numbers) {
        let Some(offset) = self.offset else {
            return measure(loss, classes, z, self.y, self.weights, numbers);
        };
        let with: Vec<f64> = z.iter().zip(offset).map(|(z, o)| z + o).collect();
        measure(loss, classes, &with, self.y, self.weights, numbers);
        let weight = |i: usize| self.weights.map_or(1.0, |w| w[i]);
        if loss.has_log_link() {
            numbers[Number::R2] = explained_deviance(loss, &with, self.y, &weight, Some(offset));
        } else if loss.predicts_numbers() {
            // The intercept alone predicts a mean beside the offsets.
            let rest: Vec<f64> = self.y.iter().zip(offset).map(|(y, o)| y - o).collect();
            regression(z, &rest, &weight, numbers);
        }
    }
}

/// Classes of rows by their numbers.
struct Labelled {
    predicted: Vec<usize>,
    truth: Vec<usize>,
}

impl Labelled {
    fn of(loss: Loss, classes: usize, z: &[f64], y: &[f64]) -> Self {
        if loss == Loss::Multinomial {
            let class = |row: &[f64]| {
                let best = (0..classes).max_by(|&a, &b| row[a].total_cmp(&row[b]).then(b.cmp(&a)));
                best.unwrap_or(0)
            };
            return Self {
                predicted: z.chunks_exact(classes).map(class).collect(),
                truth: y.iter().map(|&y| y as usize).collect(),
            };
        }
        Self {
            predicted: z.iter().map(|&z| usize::from(z > 0.0)).collect(),
            truth: y.iter().map(|&y| usize::from(y > 0.0)).collect(),
        }
    }
}

/// The weights of the rows of each class by the class that is predicted, 1 a row without `weights`: entry
/// (truth, prediction).
///
/// `z` and `y` are those of [`measure`]; a loss of two classes has one predictor per row.
///
/// # Errors
/// [`Error::Unsupported`] for a loss without classes; [`Error::Shape`] for another number of classes or
/// predictors; [`Error::Value`] for a target that is no class.
pub fn confusion_weights(
    loss: Loss,
    classes: usize,
    z: &[f64],
    y: &[f64],
    weights: Option<&[f64]>,
) -> Result<Vec<Vec<f64>>> {
    let predictors = match loss {
        Loss::Multinomial => classes,
        Loss::Logistic | Loss::SquaredHinge => 1,
        Loss::Quadratic
        | Loss::Squared
        | Loss::Huber { .. }
        | Loss::Poisson
        | Loss::Gamma
        | Loss::Tweedie { .. } => {
            return Err(Error::unsupported(
                format!("classes of the {} loss", loss.name()),
                "predict by the loss logistic, multinomial or squared-hinge",
            ));
        }
    };
    if classes < 2 || (predictors == 1 && classes > 2) {
        return Err(Error::shape(
            "classes",
            "2, or more of the multinomial loss",
            classes.to_string(),
            "give the number of classes",
        ));
    }
    if z.len() != y.len() * predictors {
        return Err(Error::shape(
            "predictors",
            format!("{} × {predictors}", y.len()),
            z.len().to_string(),
            "give those of all classes for each target",
        ));
    }
    let is_class = |y: &f64| predictors == 1 || (0..classes).any(|class| class as f64 == *y);
    if let Some(at) = y.iter().position(|y| !is_class(y)) {
        return Err(Error::value(
            "targets",
            format!("target {} is {}, which is no class", at + 1, y[at]),
            format!("give numbers from 0 to {}", classes - 1),
        ));
    }
    let Labelled { predicted, truth } = Labelled::of(loss, classes, z, y);
    let mut sums = vec![vec![0.0; classes]; classes];
    for (i, (&p, &t)) in predicted.iter().zip(&truth).enumerate() {
        sums[t][p] += weights.map_or(1.0, |w| w[i]);
    }
    Ok(sums)
}

fn regression(z: &[f64], y: &[f64], weight: &dyn Fn(usize) -> f64, numbers: &mut Numbers) {
    let (mut squares, mut sizes) = (0.0, 0.0);
    for (i, (z, y)) in z.iter().zip(y).enumerate() {
        let (w, e) = (weight(i), z - y);
        squares += w * e * e;
        sizes += w * e.abs();
    }
    Spread::of(y, weight).measure(squares, sizes, numbers);
}

/// D²: the share of the deviance that is explained, of that which the best intercept leaves; NaN where the targets do
/// not vary. The best intercept predicts their mean, and beside offsets o that of the rates e^{−o}y, weighed by
/// the degree of the deviance.
fn explained_deviance(
    loss: Loss,
    z: &[f64],
    y: &[f64],
    weight: &dyn Fn(usize) -> f64,
    offset: Option<&[f64]>,
) -> f64 {
    let total: f64 = (0..y.len()).map(weight).sum();
    let sum: f64 = y.iter().enumerate().map(|(i, y)| weight(i) * y).sum();
    let mean = sum / total;
    let intercept = match offset {
        None => loss.predictor_of_mean(mean),
        Some(offset) => {
            let degree = loss.deviance_degree().unwrap_or(0.0);
            let own = |i: usize| weight(i) * (degree * offset[i]).exp();
            let whole: f64 = (0..y.len()).map(own).sum();
            let rates: f64 = (0..y.len())
                .map(|i| own(i) * y[i] * (-offset[i]).exp())
                .sum();
            loss.predictor_of_mean(rates / whole)
        }
    };
    let at_mean: Vec<f64> = match offset {
        None => vec![intercept; y.len()],
        Some(offset) => offset.iter().map(|o| o + intercept).collect(),
    };
    // The deviance of a relative spread of one, in the targets' units: the curvature at the mean.
    let mut unit = [loss.predictor_of_mean(mean)];
    criterion::curvatures_in_place(loss, &mut unit, &[mean]);
    let half_deviance = |z: &[f64]| criterion::value(loss, z, y, weight).unwrap_or(f64::NAN);
    let (left, whole) = (half_deviance(z), half_deviance(&at_mean));
    // Rounding of targets that do not vary is no deviance.
    if sum > 0.0 && whole > 1e-14 * total * unit[0] {
        1.0 - left / whole
    } else {
        f64::NAN
    }
}

/// The variation that the residuals of a regression are compared with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread {
    /// Σ s.
    total: f64,
    /// Σ s (y − ȳ)².
    squares: f64,
}

impl Spread {
    /// That of targets with the weight of every row.
    pub(super) fn of(y: &[f64], weight: &dyn Fn(usize) -> f64) -> Self {
        let total: f64 = (0..y.len()).map(weight).sum();
        let sum: f64 = y.iter().enumerate().map(|(i, y)| weight(i) * y).sum();
        let mean = sum / total;
        let from_mean = |(i, y): (usize, &f64)| weight(i) * (y - mean).powi(2);
        Self {
            total,
            squares: y.iter().enumerate().map(from_mean).sum(),
        }
    }

    /// MSE, MAE and R² from Σ s e² and Σ s |e|.
    pub(super) fn measure(&self, squares: f64, sizes: f64, numbers: &mut Numbers) {
        numbers[Number::Mse] = squares / self.total;
        numbers[Number::Mae] = sizes / self.total;
        if self.squares > 0.0 {
            numbers[Number::R2] = 1.0 - squares / self.squares;
        }
    }
}

/// Accuracy, balanced accuracy over the classes that occur, F1.
fn confusion(
    predicted: &[usize],
    truth: &[usize],
    classes: usize,
    weight: &dyn Fn(usize) -> f64,
    numbers: &mut Numbers,
) {
    let mut counts = vec![0.0; classes * classes];
    for (i, (&p, &t)) in predicted.iter().zip(truth).enumerate() {
        counts[t * classes + p] += weight(i);
    }
    let total: f64 = counts.iter().sum();
    let right = |k: usize| counts[k * classes + k];
    let of_class = |k: usize| counts[k * classes..(k + 1) * classes].iter().sum::<f64>();
    let named = |k: usize| (0..classes).map(|t| counts[t * classes + k]).sum::<f64>();
    numbers[Number::Accuracy] = (0..classes).map(right).sum::<f64>() / total;
    let present: Vec<usize> = (0..classes).filter(|&k| of_class(k) > 0.0).collect();
    numbers[Number::BalancedAccuracy] =
        present.iter().map(|&k| right(k) / of_class(k)).sum::<f64>() / present.len() as f64;
    let f1 = |k: usize| {
        let denominator = of_class(k) + named(k);
        if denominator > 0.0 {
            2.0 * right(k) / denominator
        } else {
            0.0
        }
    };
    numbers[Number::F1] = if classes == 2 {
        f1(1)
    } else {
        // Over the classes that occur among labels or predictions.
        let seen: Vec<usize> = (0..classes)
            .filter(|&k| of_class(k) + named(k) > 0.0)
            .collect();
        seen.iter().map(|&k| f1(k)).sum::<f64>() / seen.len() as f64
    };
}

/// The probability that a positive row scores higher than a negative one, ties counting half.
pub(crate) fn auc(
    scores: &[f64],
    positive: impl Fn(usize) -> bool,
    weight: &dyn Fn(usize) -> f64,
) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let (mut below, mut positives, mut pairs) = (0.0, 0.0, 0.0);
    let mut at = 0;
    while at < order.len() {
        let score = scores[order[at]];
        let (mut tied_positive, mut tied_negative) = (0.0, 0.0);
        while at < order.len() && scores[order[at]] == score {
            let i = order[at];
            if positive(i) {
                tied_positive += weight(i);
            } else {
                tied_negative += weight(i);
            }
            at += 1;
        }
        // NaN compares equal to nothing: no row was taken.
        if tied_positive + tied_negative == 0.0 && score.is_nan() {
            return f64::NAN;
        }
        pairs += tied_positive * (below + 0.5 * tied_negative);
        below += tied_negative;
        positives += tied_positive;
    }
    pairs / (positives * below)
}

/// A point of a ROC curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RocPoint {
    /// The share of the other rows that score at least as much as a threshold.
    pub false_positives: f64,
    /// The share of the positive rows that do.
    pub true_positives: f64,
}

/// The ROC curve of scores, from no row to all, by decreasing threshold; the area below its straight pieces is the
/// AUC. Empty where one kind of rows has no weight, or a score is no number.
#[must_use]
pub fn roc(
    scores: &[f64],
    positive: impl Fn(usize) -> bool,
    weights: Option<&[f64]>,
) -> Vec<RocPoint> {
    if scores.iter().any(|score| score.is_nan()) {
        return Vec::new();
    }
    let weight = |i: usize| weights.map_or(1.0, |weights| weights[i]);
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let (mut above, mut other) = (0.0, 0.0);
    let mut curve = vec![RocPoint {
        false_positives: 0.0,
        true_positives: 0.0,
    }];
    for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        for &i in tied {
            let sum = if positive(i) { &mut above } else { &mut other };
            *sum += weight(i);
        }
        curve.push(RocPoint {
            false_positives: other,
            true_positives: above,
        });
    }
    if !(above > 0.0 && other > 0.0) {
        return Vec::new();
    }
    // Divided by their own last sums, which sums in another order miss by rounding: every curve ends at (1, 1).
    for point in &mut curve {
        point.false_positives /= other;
        point.true_positives /= above;
    }
    curve
}

/// The probabilities of every class by linear predictors (rows × classes in C order), class by class.
#[must_use]
pub fn class_scores(z: &[f64], classes: usize) -> Vec<Vec<f64>> {
    let mut probabilities = z.to_vec();
    for row in probabilities.chunks_exact_mut(classes) {
        multinomial::softmax_in_place(row);
    }
    let of_class = |k: usize| probabilities.iter().skip(k).step_by(classes).copied();
    (0..classes).map(|k| of_class(k).collect()).collect()
}

/// The mean over classes of the AUC of a class's probability against the rest.
fn one_against_rest(
    z: &[f64],
    truth: &[usize],
    classes: usize,
    weight: &dyn Fn(usize) -> f64,
) -> f64 {
    let scores = class_scores(z, classes);
    let of_class = |k: usize| auc(&scores[k], |i| truth[i] == k, weight);
    (0..classes).map(of_class).sum::<f64>() / classes as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores with ties, with and without weights.
    #[test]
    fn the_area_below_a_roc_curve_is_the_auc() {
        let scores = [0.1, 0.4, 0.4, 0.8, 0.3, 0.4, 0.9, 0.2];
        let truth = [false, true, false, true, false, true, true, true];
        let weights = [1.0, 2.0, 0.5, 1.0, 3.0, 1.5, 0.25, 1.0];
        for weights in [None, Some(&weights[..])] {
            let curve = roc(&scores, |i| truth[i], weights);
            let area: f64 = curve
                .windows(2)
                .map(|pair| {
                    let width = pair[1].false_positives - pair[0].false_positives;
                    0.5 * width * (pair[0].true_positives + pair[1].true_positives)
                })
                .sum();
            let weight = |i: usize| weights.map_or(1.0, |weights| weights[i]);
            assert!((area - auc(&scores, |i| truth[i], &weight)).abs() < 1e-15);
            let end = curve.last().unwrap();
            assert_eq!((end.false_positives, end.true_positives), (1.0, 1.0));
            assert_eq!(curve.len(), 7);
        }
        assert!(roc(&scores, |_| true, None).is_empty());
        assert!(roc(&[0.0, f64::NAN], |i| i == 0, None).is_empty());
    }

    /// Values of scikit-learn 1.9.1 (`mean_squared_error`, `mean_absolute_error`, `r2_score`).
    #[test]
    fn a_share_of_the_deviance_has_no_units() {
        let (z, y) = ([0.1, 0.9, 0.4], [1.0, 3.0, 2.0]);
        for loss in [Loss::Poisson, Loss::Gamma, Loss::Tweedie { power: 1.5 }] {
            let share = |unit: f64, y: &[f64]| {
                let z: Vec<f64> = z.iter().map(|z| z + unit.ln()).collect();
                let y: Vec<f64> = y.iter().map(|y| unit * y).collect();
                explained_deviance(loss, &z, &y, &|_| 1.0, None)
            };
            let expected = share(1.0, &y);
            assert!(expected > 0.5 && expected < 1.0, "{expected}");
            for unit in [1e-20, 1e15] {
                assert!((share(unit, &y) - expected).abs() < 1e-9);
                assert!(share(unit, &[2.0; 3]).is_nan());
            }
        }
    }

    #[test]
    fn regression_by_hand() {
        let mut numbers = Numbers::default();
        measure(
            Loss::Squared,
            1,
            &[1.0, 2.0, 4.0],
            &[1.5, 2.0, 3.0],
            None,
            &mut numbers,
        );
        assert!((numbers[Number::Mse] - 1.25 / 3.0).abs() < 1e-15);
        assert_eq!(numbers[Number::Mae], 0.5);
        // Σ(y − 13/6)² = 7/6.
        assert!((numbers[Number::R2] - (1.0 - 1.25 / (7.0 / 6.0))).abs() < 1e-14);
    }

    #[test]
    fn classes_by_hand() {
        let mut numbers = Numbers::default();
        let z = [0.9, -0.2, 0.3, -1.0, 0.3];
        let y = [1.0, 1.0, -1.0, -1.0, 1.0];
        measure(Loss::Logistic, 1, &z, &y, None, &mut numbers);
        assert_eq!(numbers[Number::Accuracy], 0.6);
        assert!((numbers[Number::BalancedAccuracy] - 0.5 * (2.0 / 3.0 + 0.5)).abs() < 1e-15);
        assert!((numbers[Number::F1] - 2.0 / 3.0).abs() < 1e-15);
        // Pairs: 0.9 beats both, −0.2 beats one, 0.3 beats one and ties one: 4.5 of 6.
        assert!((numbers[Number::Auc] - 0.75).abs() < 1e-15);
        assert!(numbers[Number::Mse].is_nan());
    }

    #[test]
    fn weights_repeat_rows() {
        let (mut once, mut thrice) = (Numbers::default(), Numbers::default());
        let (z, y) = ([0.5, -0.5, 0.1], [1.0, 1.0, -1.0]);
        measure(Loss::Logistic, 1, &z, &y, Some(&[1.0, 3.0, 1.0]), &mut once);
        let (z, y) = ([0.5, -0.5, -0.5, -0.5, 0.1], [1.0, 1.0, 1.0, 1.0, -1.0]);
        measure(Loss::Logistic, 1, &z, &y, None, &mut thrice);
        for number in [
            Number::Accuracy,
            Number::BalancedAccuracy,
            Number::F1,
            Number::Auc,
        ] {
            assert!((once[number] - thrice[number]).abs() < 1e-15, "{number:?}");
        }
    }

    #[test]
    fn a_class_that_does_not_occur_has_no_auc() {
        let mut numbers = Numbers::default();
        let z = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
        measure(Loss::Multinomial, 3, &z, &[0.0, 1.0], None, &mut numbers);
        assert_eq!(numbers[Number::Accuracy], 1.0);
        assert_eq!(numbers[Number::BalancedAccuracy], 1.0);
        assert_eq!(numbers[Number::F1], 1.0);
        assert!(numbers[Number::Auc].is_nan());
        let one_class = [1.0, 1.0];
        measure(
            Loss::Logistic,
            1,
            &[0.1, 0.2],
            &one_class,
            None,
            &mut numbers,
        );
        assert!(numbers[Number::Auc].is_nan());
    }

    #[test]
    fn rows_are_counted_by_class_or_refused() {
        let logistic = |z: &[f64], y: &[f64]| confusion_weights(Loss::Logistic, 2, z, y, None);
        let z = [0.9, -0.2, 0.3];
        assert_eq!(
            logistic(&z, &[1.0, 1.0, -1.0]).unwrap(),
            [vec![0.0, 1.0], vec![1.0, 1.0]]
        );
        let multinomial = |classes, z: &[f64], y: &[f64]| {
            confusion_weights(Loss::Multinomial, classes, z, y, None)
        };
        let two = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0];
        assert_eq!(
            multinomial(3, &two, &[0.0, 1.0]).unwrap(),
            [vec![1.0, 0.0, 0.0], vec![0.0, 0.0, 1.0], vec![0.0; 3]]
        );
        let weighted = confusion_weights(
            Loss::Logistic,
            2,
            &z,
            &[1.0, 1.0, -1.0],
            Some(&[0.5, 2.0, 3.0]),
        );
        assert_eq!(weighted.unwrap(), [vec![0.0, 3.0], vec![2.0, 0.5]]);
        for (refused, message) in [
            (logistic(&z, &[1.0, 1.0]), "2 × 1"),
            (multinomial(3, &two, &[0.0]), "1 × 3"),
            (multinomial(0, &[], &[]), "or more of the multinomial loss"),
            (multinomial(3, &two, &[0.0, 3.0]), "target 2 is 3"),
            (multinomial(3, &two, &[f64::NAN, 1.0]), "target 1 is NaN"),
            (
                confusion_weights(Loss::Logistic, 3, &z, &[1.0; 3], None),
                "or more of the multinomial loss",
            ),
            (
                confusion_weights(Loss::Squared, 2, &z, &[1.0; 3], None),
                "squared loss",
            ),
        ] {
            let error = refused.unwrap_err().to_string();
            assert!(error.contains(message), "{message}: {error}");
        }
    }
}
