//! The penalised quadratic model of the objective around a point, on a set of coordinates.

use std::borrow::Cow;

use crate::model::penalty::BlockPenalty;
use crate::model::regularizer::Regularizer;
use crate::real::{Family, Real};

use super::quadratic::Quadratic;
use super::smooth::Smooth;

/// The penalised quadratic model of the objective around w on a set of coordinates.
pub(super) fn quadratic_model<'h, R: Real>(
    smooth: &Smooth<'_, R>,
    regularizer: &'h Regularizer<'_>,
    set: &[u32],
    hessian: &'h [R],
    w: &[f64],
    gradient: &[f64],
) -> Quadratic<'h, R> {
    let is_full = set.len() == smooth.p;
    let has_gram = smooth.parts.gram.is_some();
    let (members, starts, penalties, block_of) = if is_full {
        blocks_in_full(regularizer)
    } else {
        blocks_within(regularizer, set)
    };
    let position = |j: u32| {
        if is_full {
            Some(j as usize)
        } else {
            set.binary_search(&j).ok()
        }
    };
    let c = smooth.classes;
    let first = (smooth.p - c) as u32;
    let gauge = match (c > 1 && smooth.sample.design.intercept, position(first)) {
        (true, Some(at)) => at..at + c,
        _ => 0..0,
    };
    Quadratic {
        hessian,
        w: gathered(set, |j| w[j]),
        q: gathered(set, |j| gradient[j]),
        ridge: gathered(set, |j| regularizer.ridge(j)),
        center: gathered(set, |j| regularizer.center(j)),
        members,
        starts,
        penalties,
        inverse_rounding: Vec::new(),
        separable: regularizer.blocks.separable,
        block_of,
        hessian_bound: is_full
            .then_some(smooth.parts.gram_norm)
            .filter(|_| has_gram),
        rows: None,
        spare: Vec::new(),
        gauge,
    }
}

/// The values of the coordinates of a set.
fn gathered<R: Real>(set: &[u32], value: impl Fn(usize) -> f64) -> Vec<R> {
    set.iter().map(|&j| R::of(value(j as usize))).collect()
}

/// The family of lists of penalties.
struct Penalties<'a>(std::marker::PhantomData<&'a ()>);

impl<'a> Family for Penalties<'a> {
    type Of<R: Real> = &'a [BlockPenalty<R>];
}

/// Members, starts and penalties of the blocks of a model, and the block of every position.
type ModelBlocks<'b, R> = (
    Cow<'b, [u32]>,
    Cow<'b, [u32]>,
    Cow<'b, [BlockPenalty<R>]>,
    Cow<'b, [u32]>,
);

/// Those of a model on all coordinates.
fn blocks_in_full<'b, R: Real>(regularizer: &'b Regularizer<'_>) -> ModelBlocks<'b, R> {
    let blocks = regularizer.blocks;
    let penalties = match R::from_f64::<Penalties<'_>>(&regularizer.penalties) {
        Ok(same) => Cow::Borrowed(same),
        Err(penalties) => penalties.iter().map(BlockPenalty::to).collect(),
    };
    let borrowed = |values: &'b Vec<u32>| Cow::Borrowed(values.as_slice());
    (
        borrowed(&blocks.order),
        borrowed(&blocks.starts),
        penalties,
        borrowed(&blocks.of),
    )
}

/// Those of a model on a set of coordinates, by positions in the set.
fn blocks_within<'b, R: Real>(regularizer: &'b Regularizer<'_>, set: &[u32]) -> ModelBlocks<'b, R> {
    if regularizer.blocks.separable {
        let all: Vec<u32> = (0..set.len() as u32).collect();
        let starts = (0..=set.len() as u32).collect();
        let penalties = set.iter().map(|&j| regularizer.penalties[j as usize].to());
        return (all.clone().into(), starts, penalties.collect(), all.into());
    }
    let (mut members, mut starts, mut penalties) = (Vec::new(), vec![0], Vec::new());
    let mut block_of = vec![0; set.len()];
    for (b, penalty) in regularizer.penalties.iter().enumerate() {
        let before = members.len();
        let of_block = regularizer.blocks.members(b).iter();
        members.extend(of_block.filter_map(|j| set.binary_search(j).ok().map(|at| at as u32)));
        if members.len() > before {
            members[before..]
                .iter()
                .for_each(|&at| block_of[at as usize] = penalties.len() as u32);
            penalties.push(penalty.to::<R>());
            starts.push(members.len() as u32);
        }
    }
    (
        members.into(),
        starts.into(),
        penalties.into(),
        block_of.into(),
    )
}
