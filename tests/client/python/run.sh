#!/bin/bash
# Installs the Python client with what its tests use into build/python-venv and runs them against a real server, and
# then the tests of whole programs in tests/integration.
#   tests/client/python/run.sh [BIN_DIR] [pytest arguments...]
# BIN_DIR holds creamery-server and creamery-worker; default build/release/bin.
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
export CREAMERY_BIN_DIR=$(realpath "${1:-$repository/build/release/bin}")
shift $(($# > 0 ? 1 : 0))
venv=$repository/build/python-venv
if [ ! -x "$venv/bin/python" ]; then
  python3 -m venv "$venv"
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  "$repository/client/python[test,pandas]"
# Optional in the package and heavy: their tests are skipped, saying so, where they cannot be installed.
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  anesthetic getdist h5py pyyaml scipy dynesty emcee ||
  echo "anesthetic, getdist, dynesty or emcee could not be installed: tests that need them are skipped" >&2
cd "$repository/tests/client/python"
exec "$venv/bin/python" -m pytest -rs . ../../integration "$@"
