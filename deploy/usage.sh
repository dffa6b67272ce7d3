# shellcheck shell=bash
# Sourced first by the scripts here: -h and --help show the comment that opens the script, its usage included.

usage() { sed -n '1d; /^#/!q; s/^# \{0,1\}//p' "$0"; }

# refuse MESSAGE: ends the script, because it was called in a way that it does not know.
refuse() {
  printf '%s: %s\n\n' "$(basename "$0")" "$*" >&2
  usage >&2
  exit 2
}

for argument in "$@"; do
  if [[ $argument == -h || $argument == --help ]]; then usage; exit 0; fi
done
