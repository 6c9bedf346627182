#!/usr/bin/env bash
# Measure on a GPU, then train the tables of the paper, for so many minutes: benchmarks/gpu_plan.sh --minutes N [--results_dir DIR]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-$here/.venv/bin/python}
[ -x "$python" ] || python=$(command -v python3)
exec "$python" "$here/benchmarks/gpu_plan.py" "$@"
