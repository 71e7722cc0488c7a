// The team of a path is one subgroup.

fn team_top(own: Top) -> Top {
    let value = subgroupMax(own.value);
    let at = subgroupMin(select(0xffffffffu, own.at, own.value == value));
    return Top(value, select(at, 0u, at == 0xffffffffu));
}

// The number of the member that keeps coordinate `at`.
fn team_value(own: f32, at: u32) -> f32 {
    return subgroupShuffle(own, at % LANES);
}

fn team_sum(own: f32) -> f32 {
    return subgroupAdd(own);
}

fn team_most(own: f32) -> f32 {
    return subgroupMax(own);
}
