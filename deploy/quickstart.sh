#!/bin/bash
# From a clone to an answer: installs packages, builds, starts creamery-server with one local worker, and compares what
# DESI 2024 and SDSS say about (omegam, w0) of flat wCDM. Leaves the server running unless told otherwise.
# usage: deploy/quickstart.sh [--data=DIR] [--port=N] [--once]
#   --data=DIR   where everything is kept (default ~/.local/share/creamery)
#   --port=N     port on loopback (default 50051; 0 picks a free one)
#   --once       stop the server at the end
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/usage.sh"

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
data=${XDG_DATA_HOME:-$HOME/.local/share}/creamery port=50051 once=no
for argument in "$@"; do
  case $argument in
    --data=*) data=${argument#*=} ;;
    --port=*) port=${argument#*=} ;;
    --once) once=yes ;;
    *) refuse "unknown argument: $argument" ;;
  esac
done
mkdir -p "$data"
data=$(cd "$data" && pwd)
cd "$repository"
logs=$repository/build/quickstart-logs
. deploy/steps.sh
bin=$repository/build/release/bin pid_file=$data/server.pid port_file=$data/server.address

"$repository/deploy/install.sh" build
step 'configure' cmake --preset release
step 'build (two jobs, takes minutes)' cmake --build --preset release --target creamery-server creamery-worker creamery bao-posterior

stop_server() {
  say "stopping the server (pid $1)"
  kill -TERM "$1" 2>/dev/null || return 0
  for _ in $(seq 600); do kill -0 "$1" 2>/dev/null || return 0; sleep .1; done
  say "the server has not stopped after 60 s, see $data/server.log" >&2
  return 1
}

is_our_server() { [[ -n $1 && $(readlink "/proc/$1/exe" 2>/dev/null) == *creamery-server* ]]; }

pid=$(cat "$pid_file" 2>/dev/null || true)
if is_our_server "$pid"; then
  say "a server is already running on $data (pid $pid): using it"
else
  rm -f "$port_file"
  say 'start creamery-server'
  setsid "$bin/creamery-server" --data="$data" --listen="127.0.0.1:$port" --port_file="$port_file" \
    >>"$data/server.log" 2>&1 </dev/null &
  pid=$!
  echo "$pid" >"$pid_file"
  if [[ $once == yes ]]; then trap 'stop_server "$pid"; rm -f "$pid_file" "$port_file"' EXIT; fi
  for _ in $(seq 150); do
    [[ -s $port_file ]] && break
    if ! kill -0 "$pid" 2>/dev/null; then
      tail -20 "$data/server.log" >&2
      say "FAILED: the server did not start, see $data/server.log" >&2
      rm -f "$pid_file"
      exit 1
    fi
    sleep .1
  done
  [[ -s $port_file ]] || { say "FAILED: the server does not answer, see $data/server.log" >&2; exit 1; }
fi
address=$(cat "$port_file")
say "server at $address, data in $data"
creamery() { "$bin/creamery" --server="$address" "$@"; }

# SURVEY: draws, uploads, trains. Called under `||`, where `set -e` sleeps: hence the returns.
train_survey() {
  local survey=$1 rows=$data/quickstart-$1.csv evidence=$data/quickstart-$1.evidence
  "$bin/bao-posterior" --survey="$survey" --output="$rows" --evidence_file="$evidence" || return
  if ! creamery datasets show "bao/$survey" >/dev/null 2>&1; then
    creamery datasets upload "bao/$survey" "$rows" --columns=omegam,w0,h0rs --weights=weight \
      --prior 'omegam~uniform(0.05,0.95)' --prior 'w0~uniform(-3,0)' --prior 'h0rs~uniform(7000,14000)' \
      --log-evidence="$(cat "$evidence")" || return
  fi
  creamery train "bao/$survey" --dataset="bao/$survey" --family=maf --parameters=omegam,w0 --watch
}
for survey in desi sdss; do
  step "draw, upload and train: $survey" train_survey "$survey"
done

# estimate MODEL COMMAND FIELD: "value error" out of the reply in JSON.
estimate() {
  local reply value error
  reply=$(creamery "$2" "$1" --seed=1 --json | tr -d ' \n')
  value=$(sed -nE "s/.*\"$3\":\{[^}]*\"value\":\"?([-+0-9.eE]+).*/\1/p" <<<"$reply")
  error=$(sed -nE "s/.*\"$3\":\{[^}]*\"error\":\"?([-+0-9.eE]+).*/\1/p" <<<"$reply")
  [[ -n $value && -n $error ]] || { echo "no $3 in the reply: $reply" >&2; return 1; }
  echo "$value $error"
}
declare -A kl dimensionality
for survey in desi sdss; do
  kl[$survey]=$(estimate "bao/$survey" kl kl)
  dimensionality[$survey]=$(estimate "bao/$survey" dimensionality dimensionality)
done

echo
echo "What each survey says about (omegam, w0) of flat wCDM, the scale H0 r_s left free:"
printf '%-10s %22s %24s\n' survey 'marginal D_KL / nats' 'model dimensionality'
for survey in desi sdss; do
  # shellcheck disable=SC2086
  LC_ALL=C printf '%-10s %13.3f +- %-6.3f %15.3f +- %-6.3f\n' "$survey" ${kl[$survey]} ${dimensionality[$survey]}
done
# shellcheck disable=SC2086
LC_ALL=C awk -v d="${kl[desi]}" -v s="${kl[sdss]}" 'BEGIN {
  split(d, a, " "); split(s, b, " ")
  difference = a[1] - b[1]; error = sqrt(a[2]^2 + b[2]^2)
  size = difference < 0 ? -difference : difference
  printf "%s constrains (omegam, w0) more: by %.3f +- %.3f nats, %.1f sigma\n", \
    (difference > 0 ? "desi" : "sdss"), size, error, size / error }'
echo

if [[ $once == no ]]; then
  say "the server keeps running at $address"
  echo "ask:   $bin/creamery --server=$address models list bao"
  echo "stop:  kill \$(cat $pid_file)"
fi
