#!/bin/bash
# Makes deploy/secrets: `tokens` for the server, `worker_token` and `client_token` for who calls it. Keeps what exists.
# usage: deploy/make_tokens.sh [PRINCIPAL]     the client's name in the registry, default: you
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
secrets=$here/secrets
if [[ -e $secrets/tokens ]]; then
  echo "$secrets/tokens exists and is kept"
  exit 0
fi
random_token() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
client_token=$(random_token)
worker_token=$(random_token)

mkdir -p "$secrets"
chmod 700 "$secrets"
# Readable by the containers' uid 10001, to whom they are mounted; the folder keeps other people of this machine out.
umask 022
printf '%s\n' "$client_token" >"$secrets/client_token"
printf '%s\n' "$worker_token" >"$secrets/worker_token"
printf '%s %s\n%s worker worker\n' "$client_token" "${1:-$(id -un)}" "$worker_token" >"$secrets/tokens"
echo "wrote $secrets/tokens, client_token, worker_token"
