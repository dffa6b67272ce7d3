#!/bin/bash
# Builds with clang (warnings and thread-safety analysis are errors), then runs clang-tidy over our own files.
# usage: deploy/lint.sh
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/usage.sh"
[[ $# -eq 0 ]] || refuse "takes no arguments, was given: $*"

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$repository"
logs=$repository/build/lint-logs
. deploy/steps.sh

"$repository/deploy/install.sh" lint
step 'configure' cmake --preset clang
step 'build with clang' cmake --build --preset clang
# Generated code is under build/: not ours.
step 'clang-tidy' run-clang-tidy -quiet -j 2 -p build/clang "^$repository/(proto|models|storage|server|client|tests)/"
say 'clean'
