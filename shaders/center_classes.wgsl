// The last c entries of X lose their mean: the common shift of multinomial intercepts, which
// changes nothing, is fixed at zero.
fn center_classes(team: Team) {
    let slot = team.slot;
    let first = coordinates - classes;
    var sum = 0.0;
    for (var k = team.lane; k < classes; k += team.lanes) {
        sum += own(x, first + k, slot);
    }
    let mean = team_sum(sum) / f32(classes);
    for (var k = team.lane; k < classes; k += team.lanes) {
        put(x, first + k, slot, own(x, first + k, slot) - mean);
    }
}
