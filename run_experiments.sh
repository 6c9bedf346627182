#!/bin/sh
# Run a suite of experiments: ./run_experiments.sh SUITE [--seeds N] [--jobs N] [--dry-run] ...; without arguments, list them.
set -eu
here=$(dirname -- "$(readlink -f -- "$0")")
python=${PYTHON:-$here/.venv/bin/python}
[ -x "$python" ] || python=$(command -v python3)
exec "$python" "$here/utils/sweeps/__main__.py" "$@"
