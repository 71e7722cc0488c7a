#!/bin/sh
# A sweep as a job array under Slurm: every task does its part of the plan in a store of its own.
#
#   sbatch examples/cluster/slurm.sh
#   proxdiff runs merge part-*.db --out sweep.db     # when all have ended
#
# A task that was killed or preempted is submitted again (sbatch --array=3) and goes on where it
# stopped. Do not let several machines write one store: SQLite's write-ahead log needs shared memory.
#SBATCH --job-name=sweep
#SBATCH --array=0-7
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --signal=INT@60
set -eu

# SIGINT, a minute before the time is up, lets the running batches end and stores them.
exec proxdiff sweep --config "${CONFIG:-sweep.toml}" \
    --shard "${SLURM_ARRAY_TASK_ID}/${SLURM_ARRAY_TASK_COUNT}" \
    --store "part-${SLURM_ARRAY_TASK_ID}.db" \
    --threads "${SLURM_CPUS_PER_TASK}" --format json --out "part-${SLURM_ARRAY_TASK_ID}.json"
