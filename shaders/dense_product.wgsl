// Z (rows·c) = X (rows × columns, row-major) · W (columns·c), on the rows of the page.
fn dense_product(team: Team) {
    const design = 0u;
    const w = 1u;
    const z = 2u;
    let columns = parameter(1u);
    let classes = parameter(2u);
    let slot = team.slot;
    let entries = jobs[current].page_rows * classes;
    let first = jobs[current].page_start * classes;
    for (var entry = team.lane; entry < entries; entry += team.lanes) {
        let start = entry / classes * columns;
        let k = entry % classes;
        var sum = 0.0;
        for (var j = 0u; j < columns; j++) {
            sum += design_entry(start + j) * own(w, j * classes + k, slot);
        }
        put(z, first + entry, slot, sum);
    }
}
