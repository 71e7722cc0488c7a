// to ← from, row by row.
fn copy_rows(team: Team) {
    const from_ = 0u;
    const to = 1u;
    let rows = parameter(0u);
    for (var j = team.lane; j < rows; j += team.lanes) {
        put(to, j, team.slot, real(from_, j, team.slot));
    }
}
