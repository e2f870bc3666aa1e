#!/usr/bin/env bash
# Five nodes, one rank each: sbatch launch/slurm.sh train scene/mpmm.toml
#SBATCH --job-name=mpmm
#SBATCH --nodes=5
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --time=04:00:00
# SIGTERM a minute before the end of the time: the run writes a checkpoint, `mpmm train --resume` goes on
#SBATCH --signal=B:TERM@60
set -euo pipefail

# a batch script is copied before it runs: its folder is not launch/ any more
cd "${SLURM_SUBMIT_DIR:-.}"
hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | paste -sd,)
# Open MPI's --host; MPICH calls it -hosts
launch/mpmm-run -np "$SLURM_NNODES" --host "$hosts" "$@" &
run=$!
trap 'kill -TERM $run' TERM
# a signal ends the wait, not the run
code=1
while kill -0 $run 2>/dev/null; do
    wait $run && code=0 || code=$?
done
exit $code
