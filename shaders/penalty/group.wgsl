// The penalty as the kernels of its family bind it: u, strengths, l1, γ, the bounds, and the groups as
// order and starts, in this order. With groups, s is the prox of what every coordinate pays by
// itself, and the norms of s are shrunk:
//
//     G = (1 − t)s ,  D = P((1 − t)I + tŝŝᵀ)P ,  t = γτ/‖s‖ on an active group, P the mask of s.
//
// The strengths of grouped coordinates that pay by themselves are one number, before the groups'.

const PENALTY_U: u32 = 0u;
const PENALTY_STRENGTHS: u32 = 1u;
const PENALTY_L1: u32 = 2u;
const PENALTY_GAMMA: u32 = 3u;
const PENALTY_BOUNDS: u32 = 4u;
const PENALTY_ORDER: u32 = 5u;
const PENALTY_STARTS: u32 = 6u;

fn is_grouped(penalty: u32) -> bool {
    return (penalty & PENALTY_GROUPED) != 0u;
}

fn row_of(penalty: u32) -> u32 {
    return penalty & ~PENALTY_GROUPED;
}

// The number of strengths that come before those of the groups.
fn own_strengths(penalty: u32) -> u32 {
    return select(1u, 0u, row_of(penalty) == ROW_FREE);
}

// γ·(l1·strength) of an entry.
fn threshold_of(entry: u32, slot: u32) -> f32 {
    let strength = real(PENALTY_L1, 0u, slot) * real(PENALTY_STRENGTHS, entry, slot);
    return real(PENALTY_GAMMA, 0u, slot) * strength;
}

// γ·(l1·strength) of what coordinate j pays by itself.
fn own_threshold(j: u32, penalty: u32, slot: u32) -> f32 {
    if (!is_grouped(penalty)) {
        return threshold_of(j, slot);
    }
    if (own_strengths(penalty) == 0u) {
        return 0.0;
    }
    return threshold_of(0u, slot);
}

// Lower and upper bound of coordinate j: one pair for all, or one pair for each.
fn penalty_bounds(j: u32, penalty: u32) -> vec2<f32> {
    let at = 2u * bound_pair(j, penalty);
    return vec2<f32>(common_real(PENALTY_BOUNDS, at), common_real(PENALTY_BOUNDS, at + 1u));
}

// The pair of bounds that coordinate j has.
fn bound_pair(j: u32, penalty: u32) -> u32 {
    return select(0u, j, row_of(penalty) == ROW_BOUNDED);
}

// The prox of what a penalised coordinate pays by itself.
fn own_prox(j: u32, penalty: u32, slot: u32) -> f32 {
    let u = real(PENALTY_U, j, slot);
    return row_prox(row_of(penalty), u, own_threshold(j, penalty, slot), penalty_bounds(j, penalty));
}

// Its derivative.
fn own_keeps(j: u32, penalty: u32, slot: u32) -> bool {
    let u = real(PENALTY_U, j, slot);
    return row_keeps(row_of(penalty), u, own_threshold(j, penalty, slot), penalty_bounds(j, penalty));
}

// ∂prox/∂strength of it.
fn own_slope(j: u32, penalty: u32, slot: u32) -> f32 {
    let u = real(PENALTY_U, j, slot);
    let slope = row_slope(row_of(penalty), u, own_threshold(j, penalty, slot), penalty_bounds(j, penalty));
    return real(PENALTY_GAMMA, 0u, slot) * slope;
}

// The bound that holds a penalised coordinate.
fn own_side(j: u32, penalty: u32, slot: u32) -> u32 {
    let u = real(PENALTY_U, j, slot);
    return row_side(row_of(penalty), u, own_threshold(j, penalty, slot), penalty_bounds(j, penalty));
}

// D of a coordinate that is in no group: a mask.
fn penalty_keeps(j: u32, penalized: u32, penalty: u32, slot: u32) -> bool {
    return j >= penalized || own_keeps(j, penalty, slot);
}

// The first coordinate of this member that is in no group.
fn first_masked(penalty: u32, penalized: u32, team: Team) -> u32 {
    return select(0u, penalized, is_grouped(penalty)) + team.lane;
}

// How many groups there are: the table of their starts ends with one more entry.
fn penalty_groups() -> u32 {
    return jobs[current].last_table - 1u;
}

// One group of one problem: t = γτ/‖s‖, ‖s‖, and whether D is not zero.
struct PenaltyGroup {
    moves: bool,
    shrink: f32,
    norm: f32,
}

fn penalty_group(g: u32, penalty: u32, slot: u32) -> PenaltyGroup {
    let end = common_word(PENALTY_STARTS, g + 1u);
    var squares = 0.0;
    for (var at = common_word(PENALTY_STARTS, g); at < end; at++) {
        let s = own_prox(common_word(PENALTY_ORDER, at), penalty, slot);
        squares += s * s;
    }
    let norm = sqrt(squares);
    let threshold = threshold_of(own_strengths(penalty) + g, slot);
    if (threshold == 0.0) {
        // No norm: the prox is s, with the right derivative −γŝ in the strength.
        return PenaltyGroup(true, 0.0, norm);
    }
    if (!is_nan(norm) && norm > threshold) {
        return PenaltyGroup(true, threshold / norm, norm);
    }
    // A group at rest: its t is of no use.
    return PenaltyGroup(false, 0.0, norm);
}

// ŝ_j, zero where D is, and for a group that is zero.
fn penalty_direction(group: PenaltyGroup, j: u32, penalty: u32, slot: u32) -> f32 {
    if (group.norm == 0.0 || !own_keeps(j, penalty, slot)) {
        return 0.0;
    }
    return own_prox(j, penalty, slot) / group.norm;
}

// ŝ·V of group g, V being binding v.
fn penalty_along(g: u32, v: u32, penalty: u32, group: PenaltyGroup, slot: u32) -> f32 {
    let end = common_word(PENALTY_STARTS, g + 1u);
    var sum = 0.0;
    for (var at = common_word(PENALTY_STARTS, g); at < end; at++) {
        let j = common_word(PENALTY_ORDER, at);
        if (own_keeps(j, penalty, slot)) {
            sum += own_prox(j, penalty, slot) * real(v, j, slot);
        }
    }
    if (group.norm == 0.0) {
        return 0.0;
    }
    return sum / group.norm;
}
