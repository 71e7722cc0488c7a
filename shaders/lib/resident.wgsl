// A whole recording in one dispatch: the workgroup owns its problems and replays the commands
// `times` times, or until none of its problems runs.

var<workgroup> running: u32;

@compute @workgroup_size(WIDTH * LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let member = join_team(group, vec3<u32>(groups.x, 1u, groups.z), index);
    // Where a problem may end, idle teams are told anew before every replay.
    let seat = Team(member.slot, index / WIDTH, LANES);
    let times = jobs[0].times;
    let commands = jobs[0].commands;
    for (var time = 0u; time < times; time++) {
        let team = rest_if_ended(seat);
        workgroupBarrier();
        if (index == 0u) {
            running = 0u;
        }
        workgroupBarrier();
        if (team.lane < LANES) {
            running = 1u;
        }
        if (workgroupUniformLoad(&running) == 0u) {
            break;
        }
        for (var command = 0u; command < commands; command++) {
            current = command;
            call_kernel(jobs[command].kernel, team);
            team_barrier();
        }
        current = 0u;
    }
}
