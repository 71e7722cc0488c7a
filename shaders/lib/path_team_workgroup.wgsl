// The team of a path is a workgroup, whatever its subgroups: it reduces through workgroup memory, always in
// the same order.

var<workgroup> team_values: array<f32, LANES>;
var<workgroup> team_places: array<u32, LANES>;

fn team_top(own: Top) -> Top {
    workgroupBarrier();
    team_values[member] = own.value;
    team_places[member] = own.at;
    for (var half = LANES / 2u; half > 0u; half >>= 1u) {
        workgroupBarrier();
        if (member < half) {
            let value = team_values[member + half];
            let at = team_places[member + half];
            let is_tie = value == team_values[member] && at < team_places[member];
            if (value > team_values[member] || is_tie) {
                team_values[member] = value;
                team_places[member] = at;
            }
        }
    }
    return Top(workgroupUniformLoad(&team_values[0]), workgroupUniformLoad(&team_places[0]));
}

// The number of the member that keeps coordinate `at`.
fn team_value(own: f32, at: u32) -> f32 {
    workgroupBarrier();
    if (member == at % LANES) {
        team_values[0] = own;
    }
    return workgroupUniformLoad(&team_values[0]);
}

fn team_sum(own: f32) -> f32 {
    workgroupBarrier();
    team_values[member] = own;
    for (var half = LANES / 2u; half > 0u; half >>= 1u) {
        workgroupBarrier();
        if (member < half) {
            team_values[member] += team_values[member + half];
        }
    }
    return workgroupUniformLoad(&team_values[0]);
}

fn team_most(own: f32) -> f32 {
    workgroupBarrier();
    team_values[member] = own;
    for (var half = LANES / 2u; half > 0u; half >>= 1u) {
        workgroupBarrier();
        if (member < half) {
            team_values[member] = max(team_values[member], team_values[member + half]);
        }
    }
    return workgroupUniformLoad(&team_values[0]);
}
