// to ← the number whose bits are the second parameter.
fn fill_rows(team: Team) {
    const to = 0u;
    let rows = parameter(0u);
    let value = bitcast<f32>(parameter(1u));
    for (var j = team.lane; j < rows; j += team.lanes) {
        put(to, j, team.slot, value);
    }
}
