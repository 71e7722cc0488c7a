// Who does what. A workgroup holds WIDTH slots with LANES invocations for each: the team of a
// problem. A kernel is a function of its team: invocation `lane` of `lanes` takes the rows lane,
// lane + lanes, … and what is done once per problem falls to lane 0. A team whose problem has ended
// (or that has none) is idle: its lane is past every row, so that it walks through all barriers and
// touches nothing. A kernel that calls team_sum or team_barrier gets its team in one workgroup;
// the others may get lanes of several.

override WIDTH: u32 = 32u;
override LANES: u32 = 8u;

struct Team {
    slot: u32,
    lane: u32,
    lanes: u32,
}

const IDLE: u32 = 0xf0000000u;

var<workgroup> partial_sums: array<f32, WIDTH * LANES>;
var<private> local_index: u32 = 0u;

// The team of this invocation: slots along x (and z, where x does not reach), lanes along y.
fn join_team(group: vec3<u32>, groups: vec3<u32>, index: u32) -> Team {
    local_index = index;
    let slot = (group.x + group.z * groups.x) * WIDTH + index % WIDTH;
    let lane = group.y * LANES + index / WIDTH;
    return rest_if_ended(Team(slot, lane, groups.y * LANES));
}

// The team, idle where its slot holds no problem that still runs.
fn rest_if_ended(team: Team) -> Team {
    let job = &jobs[current];
    var ended = team.slot >= (*job).slots;
    if (!ended && (*job).active_ != NONE) {
        ended = words[(*job).active_ + team.slot] == 0u;
    }
    return Team(team.slot, select(team.lane, IDLE, ended), team.lanes);
}

// Everything that the team has written is seen by all of it.
fn team_barrier() {
    storageBarrier();
    workgroupBarrier();
}
