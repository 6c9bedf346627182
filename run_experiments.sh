#!/usr/bin/env bash
# Run a suite of experiments: ./run_experiments.sh SUITE [--seeds N] [--jobs N] [--dry-run] ...; without arguments, list them.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${PYTHON:-$here/.venv/bin/python}
[ -x "$python" ] || python=$(command -v python3)
PYTHONPATH="$here${PYTHONPATH:+:$PYTHONPATH}" exec "$python" "$here/utils/sweeps/__main__.py" "$@"
