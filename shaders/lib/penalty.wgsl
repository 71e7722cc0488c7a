// The penalty as the kernels of its family bind it: u, strengths (one per penalised coordinate or
// group), l1, γ, the bounds of the box, and the groups as order and starts, in this order.

const PENALTY_SOFT: u32 = 0u;
const PENALTY_GROUP: u32 = 1u;
const PENALTY_NON_NEGATIVE: u32 = 2u;
const PENALTY_BOX: u32 = 3u;

const PENALTY_U: u32 = 0u;
const PENALTY_STRENGTHS: u32 = 1u;
const PENALTY_L1: u32 = 2u;
const PENALTY_GAMMA: u32 = 3u;
const PENALTY_BOUNDS: u32 = 4u;
const PENALTY_ORDER: u32 = 5u;
const PENALTY_STARTS: u32 = 6u;

// γ·(l1·strength) of entry j.
fn penalty_threshold(j: u32, slot: u32) -> f32 {
    let strength = real(PENALTY_L1, 0u, slot) * real(PENALTY_STRENGTHS, j, slot);
    return real(PENALTY_GAMMA, 0u, slot) * strength;
}

// D of a coordinate whose D is a mask: every penalty but groups, and free coordinates.
fn penalty_keeps(j: u32, penalized: u32, penalty: u32, slot: u32) -> bool {
    if (j >= penalized) {
        return true;
    }
    let u = real(PENALTY_U, j, slot);
    if (penalty == PENALTY_BOX) {
        return common_real(PENALTY_BOUNDS, 0u) < u && u < common_real(PENALTY_BOUNDS, 1u);
    }
    let threshold = penalty_threshold(j, slot);
    if (penalty == PENALTY_SOFT) {
        return abs(u) > threshold || threshold == 0.0;
    }
    return u > threshold;
}

// The first coordinate of this member whose D is a mask.
fn first_masked(penalty: u32, penalized: u32, team: Team) -> u32 {
    return select(0u, penalized, penalty == PENALTY_GROUP) + team.lane;
}

// ∂G_j/∂strength of a coordinate: −γ sign(u) where the strength acts, else 0.
fn strength_derivative(j: u32, penalty: u32, slot: u32) -> f32 {
    let u = real(PENALTY_U, j, slot);
    let threshold = penalty_threshold(j, slot);
    if (penalty == PENALTY_BOX) {
        return 0.0;
    }
    if (u > threshold) {
        return -real(PENALTY_GAMMA, 0u, slot);
    }
    if (penalty == PENALTY_SOFT && u < -threshold) {
        return real(PENALTY_GAMMA, 0u, slot);
    }
    return 0.0;
}

// How many groups there are: the table of their starts ends with one more entry.
fn penalty_groups() -> u32 {
    return jobs[current].last_table - 1u;
}

// One group of one problem: t = γl1_g/‖u_g‖, ‖u_g‖, and whether D is not zero.
struct PenaltyGroup {
    moves: bool,
    shrink: f32,
    norm: f32,
}

fn penalty_group(g: u32, slot: u32) -> PenaltyGroup {
    let end = common_word(PENALTY_STARTS, g + 1u);
    var squares = 0.0;
    for (var at = common_word(PENALTY_STARTS, g); at < end; at++) {
        let u = real(PENALTY_U, common_word(PENALTY_ORDER, at), slot);
        squares += u * u;
    }
    let norm = sqrt(squares);
    let threshold = penalty_threshold(g, slot);
    if (threshold == 0.0) {
        // An unpenalised group: G = id, with the right derivative −γû in the strength.
        return PenaltyGroup(true, 0.0, norm);
    }
    if (!is_nan(norm) && norm > threshold) {
        return PenaltyGroup(true, threshold / norm, norm);
    }
    // A group at rest: its t is of no use.
    return PenaltyGroup(false, 0.0, norm);
}

// x/‖u_g‖, zero for a group that is zero.
fn penalty_direction(group: PenaltyGroup, x: f32) -> f32 {
    if (group.norm == 0.0) {
        return 0.0;
    }
    return x / group.norm;
}

// û·V of group g, V being binding v.
fn penalty_along(g: u32, v: u32, group: PenaltyGroup, slot: u32) -> f32 {
    let end = common_word(PENALTY_STARTS, g + 1u);
    var sum = 0.0;
    for (var at = common_word(PENALTY_STARTS, g); at < end; at++) {
        let j = common_word(PENALTY_ORDER, at);
        sum += real(PENALTY_U, j, slot) * real(v, j, slot);
    }
    return penalty_direction(group, sum);
}
