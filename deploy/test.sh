#!/bin/bash
# Installs what the tests need, builds everything and runs every test: C++ by CTest, the Python client against a real
# server on loopback. Exits non-zero if anything failed.
# usage: deploy/test.sh
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/usage.sh"
[[ $# -eq 0 ]] || refuse "takes no arguments, was given: $*"

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$repository"
logs=$repository/build/test-logs
. deploy/steps.sh

"$repository/deploy/install.sh" test
step 'configure' cmake --preset release -DCREAMERY_TESTS=ON -DCREAMERY_TRAINING=ON
step 'build (two jobs, takes minutes)' cmake --build --preset release

failures=()
closing_lines() { grep -E '^[0-9]+% tests passed|^Total Test time|^[[:space:]]+[0-9]+ - .*\((Failed|Timeout|SEGFAULT|Not Run|Subprocess)' "$1" || true; }

# Slow tests measure times and kill processes: they have the machine for themselves.
step 'slow tests' ctest --preset release -L slow --no-tests=ignore || failures+=('slow tests')
closing_lines "$logs/slow-tests.log"
step 'quick tests' ctest --preset release -LE slow -j 2 --no-tests=error || failures+=('quick tests')
closing_lines "$logs/quick-tests.log"
step 'python client' tests/client/python/run.sh "$repository/build/release/bin" || failures+=('python client')
tail -1 "$logs/python-client.log"

if [[ ${#failures[@]} -gt 0 ]]; then
  say "FAILED: ${failures[*]}; logs are in $logs"
  exit 1
fi
say 'all tests passed'
