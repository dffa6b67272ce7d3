# shellcheck shell=bash
# Sourced by the scripts here: progress in one line a step, output in a log whose tail is shown on failure.
# Needs `logs`, a directory. Time is counted from when this was sourced.

SECONDS=0

say() { printf '[%4d s] %s\n' "$SECONDS" "$*"; }

# step NAME COMMAND...: runs it quietly; on failure shows the end of the log and returns the command's status.
step() {
  local name=$1 status=0
  shift
  mkdir -p "${logs:?}"
  local log=$logs/${name//[^a-zA-Z0-9]/-}.log
  say "$name"
  "$@" >"$log" 2>&1 </dev/null || status=$?
  if [[ $status -ne 0 ]]; then
    tail -60 "$log" >&2
    say "FAILED: $name (status $status); the whole log is $log" >&2
  fi
  return "$status"
}
