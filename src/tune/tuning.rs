//! A tuning that runs: the coarse stage, descents, and the outcome.

use std::collections::BTreeMap;

use super::chosen::Chosen;
use super::criterion::{Criterion, Evaluated};
use super::descent::{Value, Visit};
use super::lattice::{Candidate, Lattice, Node};
use super::objective::Objective;
use super::outcome::{Start, Tuned, TuningStatus, Visited};
use super::progress::TuningProgress;
use super::ridge_model::RidgeModel;
use super::search::Search;
use super::section::{self, Section};
use super::variables::Space;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::hypergrad::WarmStart;

/// Starts of one tuning.
const MOST_STARTS: usize = 24;
/// Evaluations from which there are many.
const MANY: usize = 200;
/// The relative distance above the best criterion up to which a predicted one is looked at.
const MARGIN: f64 = 0.03;
/// The relative distance above the best criterion up to which that at the lower ends of the coarse stage
/// lets descents begin beyond them.
const CORNER: f64 = 0.25;
/// The distance from a known minimum, in spacings of the lattice, within which nothing is looked at.
const TAKEN: f64 = 0.75;
/// Places of a refinement that are looked at together.
const REFINED: usize = 16;
/// Evaluations that are kept for the last steps.
const LAST_STEPS: usize = 20;
/// Sections that are looked at.
const SECTIONS: usize = 3;

/// The error of a model's promise, relative to the fall that it promises, up to which it is trusted.
const TRUSTED: f64 = 0.25;
/// The fall below the best value that a last model must promise for the other places to be worth a descent.
const AGREED: f64 = 1e-4;
/// The error of a model's promise that does not matter.
const SMALL: f64 = 1e-6;

/// Whether two places are the same but for rounding.
fn is_same(one: &[f64], other: &[f64]) -> bool {
    one.iter().zip(other).all(|(a, b)| (a - b).abs() <= 1e-9)
}

/// The effort with which the coarse stage is followed up.
struct Effort {
    /// The relative decrease that a descent must promise to go on before everything has been looked at.
    falls_fast: f64,
    /// The share of the fall to a zero slope within a node's spacing that makes it a start, if that is
    /// lower than the best.
    hope: f64,
    /// The distance from a known minimum, in spacings of the lattice, within which a node is no new start.
    same: f64,
}

impl Effort {
    fn of(budget: usize) -> Self {
        if budget >= MANY {
            Self {
                falls_fast: 1e-3,
                hope: 1.0,
                same: 0.3,
            }
        } else {
            Self {
                falls_fast: 3e-3,
                hope: 0.5,
                same: 0.5,
            }
        }
    }
}

/// The solutions near every start, on all folds.
type Warm = Vec<Vec<WarmStart>>;

/// A tuning that runs.
pub(super) struct Tuning<'a> {
    pub(super) space: &'a Space,
    pub(super) criterion: &'a Criterion<'a>,
    pub(super) objective: Objective,
    pub(super) budget: usize,
    /// Whether many evaluations end with a last look along sections.
    pub(super) looks_around: bool,
    pub(super) progress: Option<&'a TuningProgress>,
}

/// Descents that have been made, and the evaluations on the coarse lattice before them.
pub(super) struct Searched {
    pub(super) search: Search,
    pub(super) coarse_evaluations: usize,
    warm: Warm,
}

impl Searched {
    /// The best value φ of every start, the best start first.
    pub(super) fn values(&self) -> Vec<f64> {
        let starts = self.search.outcome().map(|found| found.starts);
        let starts = starts.unwrap_or_default();
        starts.iter().map(|start| start.criterion).collect()
    }
}

impl Tuning<'_> {
    /// Descends from the start that is given, or from what a coarse stage finds.
    pub(super) fn run(&self) -> Result<Searched> {
        if let Some(place) = self.space.start() {
            return self.run_from(&[place]);
        }
        let mut search = Search::new(self.space.box_bounds().clone(), self.budget);
        let mut warm = Warm::new();
        let mut coarse_evaluations = 0;
        self.explore(&mut search, &mut warm, &mut coarse_evaluations)?;
        self.descend(&mut search, &mut warm, 0.0, 0)?;
        let mut searched = Searched {
            search,
            coarse_evaluations,
            warm,
        };
        if self.looks_around {
            self.take_last_look(&mut searched)?;
        }
        Ok(searched)
    }

    /// The last look, where there are evaluations for it.
    pub(super) fn take_last_look(&self, searched: &mut Searched) -> Result<()> {
        if self.budget < MANY || self.space.box_bounds().dimensions() == 0 {
            return Ok(());
        }
        let Searched {
            search,
            coarse_evaluations,
            warm,
        } = searched;
        self.look_around(search, warm, coarse_evaluations)
    }

    /// Goes on with so many more evaluations where there were too few.
    pub(super) fn go_on(&self, searched: &mut Searched, more: usize) -> Result<()> {
        searched.search.allow(more);
        self.descend(&mut searched.search, &mut searched.warm, 0.0, 0)
    }

    /// Looks for other valleys along sections through the best place, and descends from them, as long as
    /// that leads to a better place; `spent` counts the evaluations on the sections.
    fn look_around(&self, search: &mut Search, warm: &mut Warm, spent: &mut usize) -> Result<()> {
        let mut before = f64::INFINITY;
        for _ in 0..SECTIONS {
            let Some(best) = search.outcome() else { break };
            let has_room = search.left() >= section::PLACES + LAST_STEPS;
            if best.value >= before || !has_room || self.should_stop() {
                break;
            }
            before = best.value;
            let section = Section::through(&best.place, self.space.box_bounds());
            let points: Vec<Chosen> = section
                .places
                .iter()
                .map(|p| self.space.chosen(p))
                .collect();
            *spent += points.len();
            search.spend(points.len());
            let evaluated = self.evaluate(&points, None)?;
            let values: Vec<Option<Value>> = section
                .places
                .iter()
                .zip(&evaluated)
                .map(|(place, evaluated)| self.objective.value(place, evaluated))
                .collect();
            let known: Vec<&[f64]> = search.best_places().collect();
            let starts = section.starts(&values, before, &known);
            let room = MOST_STARTS.saturating_sub(warm.len()).max(1);
            for at in starts.into_iter().take(room) {
                let Some(Value { value, slope }) = values[at].clone() else {
                    continue;
                };
                let place = section.places[at].clone();
                let visit = Visit {
                    place,
                    value,
                    slope,
                    towards: None,
                };
                search.start_at(visit, Vec::new());
                warm.push(evaluated[at].warm.clone());
            }
            self.descend(search, warm, 0.0, 0)?;
        }
        Ok(())
    }

    /// Descends from these places.
    pub(super) fn run_from(&self, places: &[Vec<f64>]) -> Result<Searched> {
        let mut search = Search::new(self.space.box_bounds().clone(), self.budget);
        let mut warm = Warm::new();
        let rest = match places {
            // A model looks from all places at once; where it shows one valley they need no descents of their own.
            [first, rest @ ..] if self.has_models() => {
                search.add(first);
                let is_trusted = self.descend_by_models(&mut search, &mut warm, places)?;
                if is_trusted { &[] } else { rest }
            }
            all => all,
        };
        rest.iter().for_each(|place| search.add(place));
        self.descend(&mut search, &mut warm, 0.0, 0)?;
        Ok(Searched {
            search,
            coarse_evaluations: 0,
            warm,
        })
    }

    /// Whether descents are by models.
    pub(super) fn has_models(&self) -> bool {
        RidgeModel::serves(self.space, self.criterion)
            && RidgeModel::allowance(self.space, self.criterion, self.budget).is_some()
    }

    /// Descends from the only start by models around the places that it comes to, until one breaks its promise
    /// or the work that they may be is done; whether there is nothing to hope for from the other places.
    fn descend_by_models(
        &self,
        search: &mut Search,
        warm: &mut Warm,
        places: &[Vec<f64>],
    ) -> Result<bool> {
        let allowance = RidgeModel::allowance(self.space, self.criterion, self.budget);
        let mut allowed = allowance.unwrap_or_default();
        let is_exact = RidgeModel::is_exact(self.criterion);
        let mut is_whole = false;
        let mut last: Option<RidgeModel<'_>> = None;
        // The value here, and that which a model promises at its minimum.
        let mut promised: Option<(Vec<f64>, f64, f64)> = None;
        while !self.should_stop() {
            let asked = search.ask();
            let [asked] = asked.as_slice() else { break };
            let chosen = self.space.chosen(&asked.place);
            let points = std::slice::from_ref(&chosen);
            let starts: Option<[&[WarmStart]; 1]> = warm.first().map(|w| [w.as_slice()]);
            let starts = starts.as_ref().map(<[_; 1]>::as_slice);
            let evaluated = self.evaluate(points, starts)?.remove(0);
            let value = self.objective.value(&asked.place, &evaluated);
            let found = value.as_ref().map_or(f64::INFINITY, |value| value.value);
            let is_kept = promised.as_ref().is_none_or(|(place, before, after)| {
                let error = (found - after).abs();
                !is_same(place, &asked.place) || error <= TRUSTED * (before - after).abs() + SMALL
            });
            let mut towards = None;
            if is_kept && let Some(value) = &value {
                let model = RidgeModel::around(
                    self.space,
                    &self.objective,
                    self.criterion,
                    &chosen,
                    &evaluated,
                );
                let (starts, share): (Vec<Vec<f64>>, usize) = match &promised {
                    Some((place, ..)) => (vec![asked.place.clone(), place.clone()], allowed / 2),
                    None => {
                        let own = std::iter::once(&asked.place);
                        // The first of the places is the start itself.
                        let others = places.iter().skip(1);
                        (own.chain(others).cloned().collect(), allowed)
                    }
                };
                let is_first = promised.is_none();
                let minimum = model.as_ref().filter(|_| allowed > 0);
                let minimum = minimum.and_then(|m| m.minimum(&starts, is_first, share));
                if let Some(minimum) = minimum {
                    allowed = allowed.saturating_sub(minimum.spent);
                    is_whole |= is_first && minimum.is_whole;
                    promised = Some((minimum.place.clone(), value.value, minimum.value));
                    towards = Some(minimum.place);
                }
                last = model;
            }
            let has_model = towards.is_some();
            if evaluated.criterion.is_finite() || warm.is_empty() {
                *warm = vec![evaluated.warm];
            }
            search.tell_with(vec![(value, towards)])?;
            if !has_model {
                return Ok(is_exact && is_whole);
            }
        }
        if is_exact || self.should_stop() {
            return Ok(is_whole);
        }
        // The last model from everywhere: where it promises nothing lower there is nothing to hope for.
        let agreed = last.and_then(|model| model.minimum(places, true, allowed));
        Ok(agreed.is_some_and(|minimum| {
            minimum.is_whole && minimum.value >= search.best_value() - AGREED
        }))
    }

    fn should_stop(&self) -> bool {
        self.criterion.control.should_stop()
    }

    /// A coarse lattice, descents from its minima as long as they fall fast, and refinements of the
    /// lattice where it promises a better minimum; `spent` counts the evaluations on the lattice.
    fn explore(&self, search: &mut Search, warm: &mut Warm, spent: &mut usize) -> Result<()> {
        let effort = Effort::of(search.left());
        let mut lattice = Lattice::new(&self.space.coarse(search.left()));
        // For the last steps of the best descent.
        let reserve = (search.left() / 5).min(LAST_STEPS);
        let mut nodes = lattice.first();
        let mut corners = if search.left() >= MANY {
            self.space.corners()
        } else {
            Vec::new()
        };
        while !nodes.is_empty() && !self.should_stop() {
            let points: Vec<Chosen> = nodes
                .iter()
                .map(|n| self.space.chosen(&lattice.place(n)))
                .collect();
            *spent += points.len();
            search.spend(points.len());
            let evaluated = self.evaluate(&points, None)?;
            let mut solutions = BTreeMap::new();
            for (node, evaluated) in nodes.iter().zip(evaluated) {
                let value = self.objective.value(&lattice.place(node), &evaluated);
                lattice.insert(node.clone(), value);
                solutions.insert(node.clone(), evaluated.warm);
            }
            self.add_starts(&lattice, &mut solutions, search, warm, &effort);
            // The first node is that of both lower ends.
            let lowest = lattice.visit(&lattice.first()[0]);
            let limit = search.best_value() + CORNER;
            if lowest.is_none_or(|lowest| lowest.value > limit) {
                corners.clear();
            }
            for corner in corners.drain(..) {
                search.add(&corner);
                warm.push(Vec::new());
            }
            self.descend(search, warm, effort.falls_fast, reserve)?;
            let limit = search.best_value() + MARGIN;
            let is_new = |candidate: &Candidate| {
                let is_near = |place: &[f64]| lattice.distance(&candidate.node, place) < TAKEN;
                candidate.predicted <= limit && !search.best_places().any(is_near)
            };
            let most = search.left().saturating_sub(reserve).min(REFINED);
            let candidates = lattice.candidates().into_iter().filter(is_new);
            nodes = candidates
                .take(most)
                .map(|candidate| candidate.node)
                .collect();
        }
        Ok(())
    }

    /// Starts descents from the minima of the lattice that were found last.
    fn add_starts(
        &self,
        lattice: &Lattice,
        solutions: &mut BTreeMap<Node, Vec<WarmStart>>,
        search: &mut Search,
        warm: &mut Warm,
        effort: &Effort,
    ) {
        for node in lattice.minima() {
            let is_near = |place: &[f64]| lattice.distance(&node, place) < effort.same;
            if warm.len() >= MOST_STARTS || search.best_places().any(is_near) {
                continue;
            }
            if lattice.hope(&node, effort.hope) > search.best_value() {
                continue;
            }
            if let (Some(visit), Some(start)) = (lattice.visit(&node), solutions.remove(&node)) {
                search.start_at(visit, lattice.pairs(&node));
                warm.push(start);
            }
        }
    }

    /// Descends from the starts near the leader that promise to fall by more than `least`, until so many
    /// evaluations are left.
    fn descend(
        &self,
        search: &mut Search,
        warm: &mut Warm,
        least: f64,
        reserve: usize,
    ) -> Result<()> {
        while !self.should_stop() {
            let most = search.left().saturating_sub(reserve);
            let asked = search.ask_promising(least, most);
            if asked.is_empty() {
                break;
            }
            let points: Vec<Chosen> = asked.iter().map(|a| self.space.chosen(&a.place)).collect();
            let starts: Option<Vec<&[WarmStart]>> = asked
                .iter()
                .map(|a| {
                    warm.get(a.start)
                        .map(Vec::as_slice)
                        .filter(|w| !w.is_empty())
                })
                .collect();
            let evaluated = self.evaluate(&points, starts.as_deref())?;
            let starts = asked.iter().map(|a| a.start + 1).max().unwrap_or(0);
            if warm.len() < starts {
                warm.resize(starts, Vec::new());
            }
            let mut values = Vec::with_capacity(evaluated.len());
            for (asked, evaluated) in asked.iter().zip(evaluated) {
                values.push(self.objective.value(&asked.place, &evaluated));
                if evaluated.criterion.is_finite() || warm[asked.start].is_empty() {
                    warm[asked.start] = evaluated.warm;
                }
            }
            search.tell(values)?;
        }
        Ok(())
    }

    fn evaluate(&self, points: &[Chosen], warm: Option<&[&[WarmStart]]>) -> Result<Vec<Evaluated>> {
        let evaluated = self.criterion.evaluate(self.space, points, warm)?;
        if let Some(progress) = self.progress {
            progress.note(self.space, points, &evaluated);
        }
        Ok(evaluated)
    }

    /// The outcome, with the best point solved once more as if nothing had been known.
    pub(super) fn finish(&self, searched: &Searched) -> Result<Tuned> {
        let Searched {
            search,
            coarse_evaluations,
            ..
        } = searched;
        let space = self.space;
        let Some(found) = search.outcome() else {
            let stopped = self.should_stop();
            return Err(Error::value(
                "tuning",
                if stopped {
                    "it was stopped before any point had a criterion with its derivative"
                } else {
                    "no point has a criterion with its derivative"
                },
                if stopped {
                    "allow more time"
                } else {
                    "raise the lower bounds: without any ridge or l1 the solutions may not be unique"
                },
            ));
        };
        let chosen = space.chosen(&found.place);
        let control = self.criterion.control.of_a_part();
        let again = Criterion {
            folds: self.criterion.folds.clone(),
            combination: self.criterion.combination.clone(),
            settings: self.criterion.settings.clone(),
            control: if control.should_stop() {
                Control::new()
            } else {
                control
            },
            kept: None,
        };
        let evaluated = again
            .evaluate(space, std::slice::from_ref(&chosen), None)?
            .remove(0);
        let mut remarks = space.remarks.clone();
        let has_value = self.objective.value(&found.place, &evaluated);
        let (criterion, total) = match &has_value {
            Some(value) => (evaluated.criterion, value.slope.clone()),
            None => (
                self.objective.criterion(&found.place, found.value),
                found.slope.clone(),
            ),
        };
        if found.status != TuningStatus::Flat {
            remarks.extend(space.held(&found.place, &total));
        }
        if found.status == TuningStatus::BudgetSpent && search.left() == 0 {
            remarks
                .push("the evaluations were spent before the end: raise --max-evaluations".into());
        }
        remarks.extend(evaluated.not_unique.clone());
        if found.status == TuningStatus::Flat {
            remarks.push(format!(
                "the criterion does not change with {} here; give other --bounds, or a --start elsewhere",
                space.names().join(", ")
            ));
        }
        let in_values = |visited: &Visited| Visited {
            evaluation: visited.evaluation,
            variables: space.values(&visited.variables),
            criterion: self
                .objective
                .criterion(&visited.variables, visited.criterion),
        };
        let starts: Vec<Start> = found
            .starts
            .iter()
            .map(|start| Start {
                status: start.status,
                evaluations: start.evaluations,
                criterion: start.trajectory.last().map_or(f64::NAN, |best| {
                    self.objective.criterion(&best.variables, start.criterion)
                }),
                entries: space.entries(),
                best: start
                    .trajectory
                    .last()
                    .map(|best| space.chosen(&best.variables)),
                trajectory: start.trajectory.iter().map(in_values).collect(),
            })
            .collect();
        let projected = |slope: &[f64]| space.box_bounds().projected_slope(&found.place, slope);
        let of_objective = match found.status {
            TuningStatus::StationaryKink => found.projected_slope.min(projected(&total)),
            _ => projected(&total),
        };
        let slope = self.objective.criterion_slope(&found.place, &total);
        let (projected_slope, penalized_slope) = if self.objective.is_penalized() {
            (projected(&slope), Some(of_objective))
        } else {
            (of_objective, None)
        };
        Ok(Tuned {
            status: found.status,
            evaluations: search.spent(),
            coarse_evaluations: *coarse_evaluations,
            criterion,
            fold_criteria: evaluated.by_fold,
            projected_slope,
            penalized_slope,
            variables: space.tuned(&found.place, &slope),
            kink_margin: evaluated.kink_margin,
            point: chosen.point,
            huber_delta: chosen.huber_delta,
            noise: None,
            class_weights: chosen.class_weights.map(|weights| weights.to_vec()),
            starts,
            nested_criterion: None,
            scalar_criterion: None,
            guarded: None,
            remarks,
        })
    }
}
