// Z (rows·c) = X (rows × columns, row-major) · W (columns·c), on the rows of the page.
fn dense_product(team: Team) {
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
