#!/bin/bash
# Makes deploy/secrets for compose.yaml: `tokens` for the server, and one token each for the worker, the health check
# and you. Keeps what exists.
# usage: deploy/make_tokens.sh [PRINCIPAL]     your name in the registry, default: you
#
# The server refuses a token file that others than its owner may read, so what the containers mount belongs to their
# user, 10001: run this as root or have sudo.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/usage.sh"
[[ $# -le 1 && ${1:-} != -* ]] || refuse "expected one name at most, was given: $*"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
secrets=$here/secrets
if [[ -e $secrets/tokens ]]; then
  echo "$secrets/tokens exists and is kept"
  exit 0
fi
random_token() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
client=$(random_token) worker=$(random_token) health=$(random_token)

umask 077
mkdir -p "$secrets"
printf '%s\n' "$client" >"$secrets/client_token"
printf '%s\n' "$worker" >"$secrets/worker_token"
printf '%s\n' "$health" >"$secrets/health_token"
printf '%s %s\n%s worker worker\n%s health\n' "$client" "${1:-$(id -un)}" "$worker" "$health" >"$secrets/tokens.new"
as_root=()
[[ $(id -u) -eq 0 ]] || as_root=(sudo)
"${as_root[@]}" chown 10001:10001 "$secrets/worker_token" "$secrets/health_token" "$secrets/tokens.new"
mv -f "$secrets/tokens.new" "$secrets/tokens"
echo "wrote tokens, worker_token, health_token and client_token to $secrets"
