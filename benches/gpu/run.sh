#!/usr/bin/env bash
# One call on a machine with a GPU and no toolchain: the benchmark, then the GPU suite.
#
#     benches/gpu/run.sh BENCH SUITE [BUILT [options of the benchmark]]
#
# BENCH and SUITE are the programs that `cargo bench --no-run --bench gpu` and
# `cargo test --release --no-run --test gpu` build (strip them before they travel). BUILT is the folder
# that they were built in, where the suite looks for the golden cases; it is linked to this checkout
# where it does not exist. A Vulkan loader is unpacked from .gl/*.deb where the machine has none.
# Results go to $OUT, or to the checkout: driver.txt, table.txt, gpu.json, suite.txt. SUITE_FILTER narrows
# the suite; BENCH_SECONDS and SUITE_SECONDS limit the time of each.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if [ $# -lt 2 ]; then
    sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
fi
bench=$(realpath "$1")
suite=$(realpath "$2")
built=${3:-}
out=${OUT:-$PWD}
shift $(($# < 3 ? $# : 3))
chmod +x "$bench" "$suite"

if ! ldconfig -p | grep -q libvulkan && ls .gl/*.deb >/dev/null 2>&1; then
    for package in .gl/*.deb; do
        dpkg -x "$package" /
    done
    ldconfig
fi
if [ -n "$built" ] && [ ! -e "$built" ]; then
    mkdir -p "$(dirname "$built")"
    ln -s "$PWD" "$built"
fi
# Drivers that are not where the loader looks.
for driver in /usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json; do
    if [ -z "${VK_DRIVER_FILES:-}" ] && [ -e "$driver" ]; then
        export VK_DRIVER_FILES=$driver
    fi
done
command -v nvidia-smi >/dev/null &&
    nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem \
        --format=csv | tee "$out/driver.txt"

status=0
# The benchmark first: it is what the time on the machine is for.
timeout "${BENCH_SECONDS:-360}" "$bench" --json "$out/gpu.json" "$@" 2>&1 | tee "$out/table.txt" ||
    status=1
PROXDIFF_REQUIRE_GPU=1 timeout "${SUITE_SECONDS:-180}" "$suite" ${SUITE_FILTER:+"$SUITE_FILTER"} 2>&1 | tee "$out/suite.txt" |
    grep -v '\.\.\. ok$' || true
grep -q '^test result: ok' "$out/suite.txt" || status=1
exit $status
