//! ITD of the points of a problem of data.

use crate::data::Matrix;
use crate::engine::accumulator::{Accumulator, Direction, directions};
use crate::engine::members::PreparedMembers;
use crate::engine::request::Request;
use crate::engine::settings::Settings;
use crate::error::Result;
use crate::exec::{Buf, Executor, Recording, Twinned, WordBuf};
use crate::kernel::trace::PIECES_PER_WORD;
use crate::kinds::{Method, Precision, Wrt};
use crate::map::ProxGrad;
use crate::model::loss::Loss;
use crate::model::penalty::Row;
use crate::problem::{Point, Problem};
use crate::real::Real;

use super::backwards::{Backwards, record_pieces};
use super::batch::{scales, workspace};
use super::unrolled::{Unrollable, Unrolled, Unrolling, adjoint_floor, forward, reverse};
use super::workspace::{DataCriterion, DataWorkspace};

/// Pairs of a point and a direction of forward ITD that run at once.
const FORWARD_PAIRS: usize = 2048;
/// Points of reverse ITD that run at once: their trajectories are held together.
const REVERSE_POINTS: usize = 64;

/// The tolerance from which on the Gram form, whose rounding is that of the squares, serves in f32.
const GRAM_TOLERANCE_F32: f64 = 1e-5;

/// True when the Gram form serves: n > p/2, no derivative that needs the rows, no row weights of a
/// point's own, and f64 or a tolerance that its rounding in f32 cannot spoil.
pub fn gram_serves<R: Real>(problem: &Problem, points: &[Point], settings: &Settings) -> bool {
    let wrt = &settings.wrt;
    let rows_needed = wrt
        .iter()
        .any(|w| w.weighs_rows() || *w == Wrt::Perturbation);
    let coarse = settings.tolerance.is_some_and(|t| t >= GRAM_TOLERANCE_F32);
    problem.loss == Loss::Squared
        && matches!(problem.train.design.matrix, Matrix::Dense(_))
        && problem.train.rows() > problem.coordinates() / 2
        && problem.coordinates() <= 4096
        && (R::PRECISION == Precision::F64 || coarse)
        && !rows_needed
        && !points.iter().any(Point::has_own_rows)
}

/// ITD of every point of a request; in reverse only the last `settings.truncate` steps where that is
/// set.
///
/// # Errors
/// When the executor fails.
pub(super) fn unroll<R: Twinned>(request: &Request<'_>) -> Result<Vec<Unrolled<Accumulator>>> {
    let settings = request.settings;
    let family = Points::new(request);
    // A tolerance or a number of steps says how far the derivative is to go.
    let is_open = settings.tolerance.is_none() && settings.truncate.is_none();
    let unrolling = Unrolling {
        rule: settings.rule(),
        truncate: settings.truncate,
        floor: is_open.then(adjoint_floor::<R>),
        pairs: FORWARD_PAIRS,
        members: REVERSE_POINTS,
        control: request.control,
    };
    let members = request.points.len();
    if settings.method == Some(Method::ItdForward) {
        forward::<R, _>(&family, members, &unrolling)
    } else {
        reverse::<R, _>(&family, members, &unrolling)
    }
}

/// The points of a problem as a family for ITD.
pub struct Points<'a> {
    problem: &'a Problem,
    members: &'a PreparedMembers<'a>,
    points: &'a [Point],
    settings: &'a Settings,
    directions: Vec<Direction>,
}

impl<'a> Points<'a> {
    fn new(request: &Request<'a>) -> Self {
        Self {
            problem: request.problem,
            members: request.members,
            points: request.points,
            settings: request.settings,
            directions: directions(request.problem, &request.settings.wrt),
        }
    }

    fn points(&self, members: &[usize]) -> Vec<Point> {
        members.iter().map(|&at| self.points[at].clone()).collect()
    }
}

impl<R: Twinned> Unrollable<R> for Points<'_> {
    type Map = ProxGrad;
    type Criterion = DataCriterion;
    type Sums = Accumulator;

    fn directions(&self) -> usize {
        self.directions.len()
    }

    fn workspace(&self, members: &[usize]) -> Result<DataWorkspace<R>> {
        let gram = gram_serves::<R>(self.problem, self.points, self.settings);
        let (points, device) = (self.points(members), &self.settings.device);
        workspace(self.members, &points, gram, device)
    }

    fn scales(&self, workspace: &mut DataWorkspace<R>, members: &[usize]) -> Result<Vec<R>> {
        scales(workspace, self.problem, &self.points(members))
    }

    fn set_tangents(&self, workspace: &mut DataWorkspace<R>, directions: &[usize]) {
        let directions: Vec<Direction> = directions.iter().map(|&at| self.directions[at]).collect();
        set_tangents(workspace, self.problem, &self.settings.wrt, &directions);
    }

    fn of_directions(&self, derivatives: &[f64]) -> Accumulator {
        let mut sums = Accumulator::zeros(self.problem, &self.settings.wrt);
        for (&direction, &derivative) in self.directions.iter().zip(derivatives) {
            sums.set(self.problem, direction, derivative);
        }
        sums
    }

    fn allocate_sums(&self, workspace: &mut DataWorkspace<R>) {
        let wrt = &self.settings.wrt;
        workspace.map.allocate_sums(&mut workspace.executor, wrt);
    }

    fn sums(&self, workspace: &DataWorkspace<R>) -> Result<Vec<Accumulator>> {
        let problems = workspace.executor.problems();
        Accumulator::download(&workspace.executor, &workspace.map.sums, problems)
    }

    /// Two bits per coordinate and step suffice where the loss is quadratic and only strengths or
    /// bounds are differentiated.
    fn piece_words(&self, map: &ProxGrad) -> Option<usize> {
        let penalty = &self.problem.penalty;
        let suffice = self.problem.loss.is_quadratic()
            && penalty.groups().is_none()
            && self.settings.wrt.iter().all(|wrt| match wrt {
                Wrt::L1 => penalty.has_strength(),
                Wrt::BoxBounds => penalty.has_bounds(),
                _ => false,
            })
            // A slope and a bound have more pieces than two bits tell.
            && penalty.row() != Row::Bounded;
        suffice.then(|| map.penalized.div_ceil(PIECES_PER_WORD))
    }

    fn record_pieces(
        &self,
        recording: &mut Recording<R>,
        map: &ProxGrad,
        counter: WordBuf,
        ring: WordBuf,
    ) {
        record_pieces(recording, map, counter, ring);
    }

    fn record_pieces_back(
        &self,
        recording: &mut Recording<R>,
        map: &ProxGrad,
        backwards: &Backwards,
        alpha: Buf,
        ring: WordBuf,
    ) {
        backwards.record_pieces(recording, map, alpha, ring);
    }
}

/// Sets the tangents of a workspace, one direction for each of its problems.
pub fn set_tangents<R: Twinned>(
    workspace: &mut DataWorkspace<R>,
    problem: &Problem,
    wrt: &[Wrt],
    directions: &[Direction],
) {
    let executor = &mut workspace.executor;
    let tangents = workspace.map.allocate_tangents(executor, wrt);
    let mut fill = |buf: Buf, entries: &dyn Fn(Direction, &mut [R])| {
        let mut values = vec![R::zero(); buf.rows() * directions.len()];
        if buf.rows() > 0 {
            for (row, &direction) in values.chunks_exact_mut(buf.rows()).zip(directions) {
                entries(direction, row);
            }
        }
        executor.upload(buf, &values);
    };
    fill(tangents.strengths, &|direction, row| match direction {
        Direction::Strength => row.fill(R::one()),
        Direction::StrengthOf(at) => row[at] = R::one(),
        _ => {}
    });
    let entries = problem.ridge.as_ref().map_or(&[][..], |r| r.entries());
    fill(tangents.ridge, &|direction, row| match direction {
        Direction::Ridge => row.fill(R::one()),
        Direction::RidgeOf(entry) => {
            let of_entry = row.iter_mut().zip(entries);
            let of_entry = of_entry.filter(|(_, e)| **e as usize == entry);
            of_entry.for_each(|(tangent, _)| *tangent = R::one());
        }
        _ => {}
    });
    let mut one_at = |buf: Option<Buf>, place: &dyn Fn(Direction) -> Option<usize>| {
        let Some(buf) = buf else { return };
        fill(buf, &|direction, row| {
            if let Some(at) = place(direction) {
                row[at] = R::one();
            }
        });
    };
    one_at(Some(tangents.prior), &|direction| match direction {
        Direction::Prior(at) => Some(at),
        _ => None,
    });
    one_at(Some(tangents.bounds), &|direction| match direction {
        Direction::Bound(at) => Some(at),
        _ => None,
    });
    one_at(tangents.weights, &|direction| match direction {
        Direction::Weight(at) => Some(at),
        _ => None,
    });
    one_at(tangents.delta, &|direction| {
        (direction == Direction::Delta).then_some(0)
    });
    one_at(tangents.perturbation, &|direction| match direction {
        Direction::Perturbation(at) => Some(at),
        _ => None,
    });
}
