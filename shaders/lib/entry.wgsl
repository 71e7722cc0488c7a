// One command a dispatch.

@compute @workgroup_size(WIDTH * LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let team = join_team(group, groups, index);
    call_kernel(0u, team);
}
