// Warm-started segments of l1 paths of ½wᵀQw − bᵀw + ½λ₂‖w‖² + penalty, by coordinate descent; at every
// point the adjoint on the support, the hypergradient and the diagnostics. A workgroup is the team of one
// segment. Member `lane` keeps coordinates lane, LANES + lane, …: a line between `// each block` and
// `// end` stands once for each of these blocks, `#` being its number. ROW_f are the functions of the
// penalty's row; STRENGTH is l1, times the strength of the coordinate where these differ.
//
// The coordinate that moves next is the one farthest from optimal, in units of the root of its curvature. The twin, src/kernel/path_kernel.rs, has
// the formulas.

struct Settings {
    first: u32,
    tasks: u32,
    trips: u32,
    most: u32,
    features: u32,
    keep: u32,
    limit: f32,
    adjoint_limit: f32,
    bounds: vec2<f32>,
    loss: f32,
    criterion: f32,
}

@group(0) @binding(0) var<storage, read> gram: array<f32>;
@group(0) @binding(1) var<storage, read> held_out: array<f32>;
@group(0) @binding(2) var<storage, read> vectors: array<f32>;
@group(0) @binding(3) var<storage, read> points: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> segments: array<vec2<u32>>;
@group(0) @binding(5) var<storage, read_write> found: array<f32>;
@group(0) @binding(6) var<storage, read_write> kept: array<f32>;
@group(0) @binding(7) var<uniform> settings: Settings;

struct Top {
    value: f32,
    at: u32,
}

// The farther of two.
fn farther(top: Top, value: f32, at: u32) -> Top {
    let is_farther = value > top.value;
    return Top(select(top.value, value, is_farther), select(top.at, at, is_farther));
}

const ROUNDING: f32 = 1.1920929e-7;
// A curvature that is none.
const LEAST: f32 = 1e-30;

var<private> member: u32 = 0u;
var<workgroup> published: array<f32, SIZE>;

// The next coordinate from j on whose published number is not zero.
fn next_published(j: u32) -> u32 {
    var at = j;
    loop {
        if (at >= settings.features || published[at] != 0.0) {
            break;
        }
        at++;
    }
    return at;
}

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(NUMBER_IN_TEAM) lane: u32,
) {
    member = lane;
    let task = group.x + group.y * groups.x;
    if (task >= settings.tasks) {
        return;
    }
    let segment = segments[settings.first + task];
    let bounds = settings.bounds;
    var trips = 0u;
    // each block
    let j# = lane + OFFSET#; let own# = j# < settings.features; let q# = vectors[CURVATURES + j#]; WEIGHTED
    var w# = ROW_feasible(0.0, bounds); w# = select(0.0, w#, own#); var z# = 0.0; var g# = 0.0; var v# = 0.0; var r# = 0.0; var m# = 0.0;
    // end
    for (var at = segment.x; at < segment.x + segment.y; at++) {
        if (trips + settings.trips > TRIPS) {
            break;
        }
        let point = points[at];
        let l1 = point.x;
        let l2 = point.y;
        let gamma = point.z;
        // The root of the curvature, by which distances are measured.
        // each block
        let i# = inverseSqrt(max(q# + l2, LEAST));
        // end
        var steps = 0u;
        var top = Top(0.0, 0u);
        for (var round = 0u; round < ROUNDS; round++) {
            // g = Qw − b, m the magnitudes of its terms, and the gradient of the criterion, from w.
            workgroupBarrier();
            // each block
            published[j#] = w#; g# = -vectors[LINEAR + j#]; m# = abs(g#); v# = -vectors[HELD_OUT_LINEAR + j#];
            // end
            workgroupBarrier();
            var j = next_published(0u);
            trips += settings.features;
            while (j < settings.features) {
                let x = published[j];
                let row = j * SIZE + lane;
                // each block
                { let term = x * gram[row + OFFSET#]; g# += term; m# += abs(term); } v# += x * held_out[row + OFFSET#];
                // end
                j = next_published(j + 1u);
                trips++;
            }
            top = Top(0.0, 0u);
            // each block
            top = farther(top, i# * abs(ROW_distance(w#, g# + l2 * w#, STRENGTH#, bounds)), j#);
            // end
            top = team_top(top);
            let wider = f32((round + 1u) * (round + 1u));
            if (top.value <= settings.limit * wider || steps >= settings.most || round + 1u == ROUNDS) {
                break;
            }
            var best = top.value;
            var idle = 0u;
            loop {
                // The coordinate goes to its minimiser.
                let chosen = top.at;
                var w = 0.0; var g = 0.0; var a = 1.0; var tau = 0.0;
                // each block
                { let is_it = j# == chosen; w = select(w, w#, is_it); g = select(g, g#, is_it); a = select(a, q# + l2, is_it); tau = select(tau, STRENGTH#, is_it); }
                // end
                let next = team_value(ROW_prox(w - (g + l2 * w) / a, tau / a, bounds), chosen);
                let delta = next - team_value(w, chosen);
                let row = chosen * SIZE + lane;
                top = Top(0.0, 0u);
                // each block
                w# = select(w#, next, j# == chosen); g# += delta * gram[row + OFFSET#]; top = farther(top, i# * abs(ROW_distance(w#, g# + l2 * w#, STRENGTH#, bounds)), j#);
                // end
                top = team_top(top);
                steps++;
                trips += COST;
                idle++;
                if (top.value < best) {
                    best = top.value;
                    idle = 0u;
                }
                if (top.value <= settings.limit || steps >= settings.most || idle > 2u * settings.features + 64u) {
                    break;
                }
            }
        }
        // u = T(w), and D there.
        var scale = 0.0;
        // each block
        let u# = w# - gamma * (g# + l2 * w#); let t# = gamma * STRENGTH#; let moves# = own# && ROW_keeps(u#, t#, bounds); scale = max(scale, select(0.0, i# * abs(v#), own#));
        // end
        scale = team_most(scale);
        var linear_steps = 0u;
        var residual_of_adjoint = 0.0;
        if (settings.adjoint_limit > 0.0) {
            // (Q + λ₂)z = ∂₁E on the range of D, by the same descent, from the last point's z.
            for (var round = 0u; round < ROUNDS; round++) {
                workgroupBarrier();
                // each block
                z# = select(0.0, z#, moves#); published[j#] = z#; r# = v# - l2 * z#;
                // end
                workgroupBarrier();
                var j = next_published(0u);
                trips += settings.features;
                while (j < settings.features) {
                    let x = published[j];
                    let row = j * SIZE + lane;
                    // each block
                    r# -= x * gram[row + OFFSET#];
                    // end
                    j = next_published(j + 1u);
                    trips++;
                }
                var next = Top(0.0, 0u);
                // each block
                next = farther(next, select(0.0, i# * abs(r#), moves#), j#);
                // end
                next = team_top(next);
                let limit = settings.adjoint_limit * scale;
                let wider = f32((round + 1u) * (round + 1u));
                if (next.value <= limit * wider || linear_steps >= settings.most || round + 1u == ROUNDS) {
                    break;
                }
                var best = next.value;
                var idle = 0u;
                loop {
                    let chosen = next.at;
                    var step = 0.0;
                    // each block
                    step = select(step, r# / (q# + l2), j# == chosen);
                    // end
                    let delta = team_value(step, chosen);
                    let row = chosen * SIZE + lane;
                    next = Top(0.0, 0u);
                    // each block
                    { let mine = select(0.0, delta, j# == chosen); z# += mine; r# -= delta * gram[row + OFFSET#] + l2 * mine; } next = farther(next, select(0.0, i# * abs(r#), moves#), j#);
                    // end
                    next = team_top(next);
                    linear_steps++;
                    trips += COST;
                    idle++;
                    if (next.value < best) {
                        best = next.value;
                        idle = 0u;
                    }
                    if (next.value <= limit || linear_steps >= settings.most || idle > 2u * settings.features + 64u) {
                        break;
                    }
                }
            }
            // each block
            residual_of_adjoint += select(0.0, r# * r#, moves#);
            // end
            residual_of_adjoint = team_sum(residual_of_adjoint);
        }
        // The diagnostics. The root of the curvature is the size of a column.
        var largest = 0.0; var excess = 0.0;
        // each block
        let size# = sqrt(q#); largest = max(largest, size# * abs(w#)); { let e = ROW_excess(g#, STRENGTH#); excess = max(excess, select(0.0, e / abs(g#), own# && e > 0.0)); }
        // end
        largest = team_most(largest);
        // Without ridge the dual point is 1 − excess times the gradient.
        excess = select(team_most(excess), 0.0, l2 > 0.0);
        var loss = 0.0; var penalty = 0.0; var criterion = 0.0; var d1 = 0.0; var d2 = 0.0; var squares = 0.0; var gap = 0.0;
        var gradient = 0.0; var support = 0.0; var terms = 0.0; var distance = 0.0; var moved = 0.0;
        var margin = infinity(); var prox_margin = infinity(); var solution_margin = infinity(); var solution_kink = infinity();
        // each block
        if (own#) { let tau = STRENGTH#; let pull = g# + l2 * w#; let d = ROW_distance(w#, pull, tau, bounds); distance = max(distance, i# * abs(d)); let image = ROW_prox(u#, t#, bounds); squares += (image - w#) * (image - w#);
            loss += 0.5 * (w# - vectors[REFERENCE + j#]) * (g# + vectors[REFERENCE_GRADIENT + j#]); penalty += ROW_value(w#, tau, bounds) + 0.5 * l2 * w# * w#;
            criterion += 0.5 * (w# - vectors[HELD_OUT_REFERENCE + j#]) * (v# + vectors[HELD_OUT_REFERENCE_GRADIENT + j#]); gradient += v# * v#;
            d1 += ROW_slope(u#, t#, bounds) * z#; d2 -= w# * z#; support += select(0.0, 1.0, ROW_in_support(w#, bounds));
            if (l2 > 0.0) { gap += d * d / (2.0 * l2); } else { gap += ROW_gap(w#, g#, d, tau, excess, bounds); }
            let term = abs(w#) / gamma + l2 * abs(w#) + m#; terms += term * term; let hidden = 8.0 * ROUNDING * term;
            let a = q# + l2; if (a > 0.0) { moved = max(moved, size# * abs(ROW_prox(w# - pull / a, tau / a, bounds) - w#)); }
            if (!ROW_is_free(tau)) { let kink = ROW_kink(u#, t#, bounds) / gamma; margin = min(margin, kink); prox_margin = min(prox_margin, kink - hidden); }
            else if (q# > 0.0) { let kink = abs(w#) / gamma; solution_kink = min(solution_kink, kink); solution_margin = min(solution_margin, kink - hidden); } }
        // end
        loss = team_sum(loss); penalty = team_sum(penalty); criterion = team_sum(criterion);
        d1 = team_sum(d1); d2 = team_sum(d2); squares = team_sum(squares); gap = team_sum(gap);
        gradient = team_sum(gradient); support = team_sum(support); terms = team_sum(terms);
        distance = team_most(distance); moved = team_most(moved);
        margin = -team_most(-margin); prox_margin = -team_most(-prox_margin);
        solution_margin = -team_most(-solution_margin); solution_kink = -team_most(-solution_kink);
        loss += settings.loss;
        if (lane == 0u) {
            let out = at * NUMBERS;
            found[out + 0u] = loss + penalty;
            found[out + 1u] = settings.criterion + criterion;
            found[out + 2u] = d1;
            found[out + 3u] = d2;
            found[out + 4u] = sqrt(squares) / gamma;
            found[out + 5u] = gap + excess * excess * loss;
            found[out + 6u] = sqrt(residual_of_adjoint);
            found[out + 7u] = sqrt(gradient);
            found[out + 8u] = margin;
            found[out + 9u] = prox_margin;
            found[out + 10u] = solution_kink;
            found[out + 11u] = solution_margin;
            found[out + 12u] = sqrt(terms);
            found[out + 13u] = distance;
            found[out + 14u] = moved;
            found[out + 15u] = largest;
            found[out + 16u] = support;
            found[out + 17u] = f32(steps);
            found[out + 18u] = f32(linear_steps);
            found[out + 19u] = 1.0;
        }
        if (settings.keep != 0u) {
            let out = at * 2u * SIZE + lane;
            // each block
            kept[out + OFFSET#] = w#; kept[out + SIZE + OFFSET#] = select(r#, z# / gamma, moves#);
            // end
        }
    }
}
