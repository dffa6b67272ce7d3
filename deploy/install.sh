#!/bin/bash
# Installs Debian's packages for Creamery on Debian 12 or 13, as root or with sudo. Does nothing when all are there.
# usage: deploy/install.sh build    to compile everything, tests included
#        deploy/install.sh test     and to run the tests (Python client, walls)
#        deploy/install.sh lint     and to check with clang
#        deploy/install.sh run      to run creamery-server and creamery: no LibTorch
#        deploy/install.sh worker   and to run creamery-worker
set -euo pipefail

# The Dockerfile copies this file alone: no usage.sh beside it.
case $#:${1:-} in
  1:build | 1:test | 1:lint | 1:run | 1:worker) ;;
  *:-h | *:--help) sed -n '2,7s/^# //p' "$0"; exit 0 ;;
  *)
    echo "install.sh: expected one of build, test, lint, run, worker; was given: ${*:-nothing}" >&2
    sed -n '2,7s/^# //p' "$0" >&2
    exit 2
    ;;
esac

. /etc/os-release
version=${VERSION_ID:-unknown}

# The reference BLAS that LibTorch depends on trains four times slower than OpenBLAS; serial, since a worker has one thread.
build_packages=(build-essential cmake ninja-build libtorch-dev libopenblas0-serial libgrpc++-dev libprotobuf-dev protobuf-compiler
  protobuf-compiler-grpc libabsl-dev libsqlite3-dev libssl-dev nlohmann-json3-dev libcli11-dev libgtest-dev libgmock-dev
  libbenchmark-dev libhwy-dev)
test_packages=(python3 python3-venv python3-pip openssl)
case $version in
  12)
    test_packages+=(clang-format-14)
    run_packages=(ca-certificates libgrpc++1.51 libprotobuf32 libabsl20220623 libsqlite3-0 libssl3 libhwy1)
    worker_packages=(libtorch1.13 libopenblas0-serial)
    ;;
  13)
    run_packages=(ca-certificates libgrpc++1.51t64 libprotobuf32t64 libabsl20240722 libsqlite3-0 libssl3t64 libhwy1t64)
    worker_packages=(libtorch2.6 libopenblas0-serial)
    ;;
  *)
    echo "install.sh: this is ${PRETTY_NAME:-an unknown system}; Debian 12 and 13 are supported" >&2
    exit 1
    ;;
esac

case $1 in
  build) packages=("${build_packages[@]}") ;;
  lint) packages=("${build_packages[@]}" clang clang-tidy) ;;
  test) packages=("${build_packages[@]}" "${test_packages[@]}") ;;
  run) packages=("${run_packages[@]}") ;;
  worker) packages=("${run_packages[@]}" "${worker_packages[@]}") ;;
esac

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done
if [[ ${#missing[@]} -eq 0 ]]; then
  echo "packages: all ${#packages[@]} installed"
  exit 0
fi

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  command -v sudo >/dev/null || { echo "install.sh: needs root or sudo to install: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
log=$(mktemp /tmp/creamery-install.XXXXXX.log)
echo "packages: installing ${missing[*]} (log: $log)"
if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive sh -c '
    apt-get -q update && apt-get -qy -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"' \
  sh "${missing[@]}" >"$log" 2>&1 </dev/null; then
  tail -30 "$log" >&2
  echo "install.sh: apt-get failed, see $log" >&2
  exit 1
fi
rm -f "$log"
echo "packages: done"
