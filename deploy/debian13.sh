#!/bin/bash
# Runs the Dockerfile's steps in Debian 13 roots made by debootstrap, then the tests in the build stage's root.
# For machines without a container engine. Needs root, debootstrap and about 6 GB.
# usage: deploy/debian13.sh [--until=STAGE] [--no-tests] DIR
#   DIR             cache: DIR/base and one root per stage; a second run reuses what is there
#   --until=STAGE   stop after that stage of the Dockerfile
#   --no-tests      do not run deploy/test.sh in DIR/build
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/usage.sh"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(dirname "$here")
until_stage='' tests=yes cache=''
for argument in "$@"; do
  case $argument in
    --until=*) until_stage=${argument#*=} ;;
    --no-tests) tests=no ;;
    -*) refuse "unknown argument: $argument" ;;
    *) [[ -z $cache ]] || refuse "expected one DIR, was given $cache and $argument"; cache=$argument ;;
  esac
done
[[ -n $cache ]] || refuse "DIR is missing"
[[ $(id -u) -eq 0 ]] || { echo "debian13.sh: needs root (chroot, mount)" >&2; exit 1; }

# In a mount namespace of our own, so that /proc and /dev of the roots go away with this script.
if [[ -z ${CREAMERY_DEBIAN13_UNSHARED:-} ]]; then
  CREAMERY_DEBIAN13_UNSHARED=1 exec unshare --mount --propagation private "${BASH_SOURCE[0]}" "$@"
fi

mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
say() { printf '\n== %s\n' "$*"; }

make_base() {
  [[ -e $cache/base/.complete ]] && return
  command -v debootstrap >/dev/null || apt-get -qy install --no-install-recommends debootstrap
  say "debootstrap trixie (log: $cache/debootstrap.log)"
  rm -rf "$cache/base"
  debootstrap --variant=minbase --include=ca-certificates trixie "$cache/base" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$cache/debootstrap.log" 2>&1 ||
    { tail -20 "$cache/debootstrap.log" >&2; exit 1; }
  touch "$cache/base/.complete"
}

# What the machine knows about reaching the network goes into the root, as a container engine would do.
enter_root() {
  cp -L /etc/resolv.conf "$1/etc/resolv.conf"
  cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"
  if [[ -e /etc/pip.conf ]]; then cp -L /etc/pip.conf "$1/etc/pip.conf"; fi
  mountpoint -q "$1/proc" || mount -t proc proc "$1/proc"
  mountpoint -q "$1/dev" || mount --rbind /dev "$1/dev"
}

run_in() {  # ROOT DIRECTORY COMMAND
  chroot "$1" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
    sh -c 'cd "$1" && shift && exec sh -c "$1"' sh "$2" "$3" </dev/null
}

root='' stage='' directory=/
begin_stage() {  # IMAGE AS NAME
  [[ ${2:-} == AS && -n ${3:-} ]] || { echo "debian13.sh: every FROM must say AS NAME: $*" >&2; exit 1; }
  local from=$cache/$1
  [[ $1 == debian:trixie-slim ]] && from=$cache/base
  stage=$3 root=$cache/$3 directory=/
  say "stage $stage"
  # A stage made from another one holds copies of what that one had: made anew when the steps have changed.
  local steps
  steps=$(cat "$here/Dockerfile" "$here/install.sh" | sha256sum)
  if [[ $from != "$cache/base" && $(cat "$root/.steps" 2>/dev/null) != "$steps" ]]; then rm -f "$root/.complete"; fi
  if [[ ! -e $root/.complete ]]; then
    rm -rf "$root" "$root.new"
    cp -a --one-file-system "$from" "$root.new"
    rm -f "$root.new/.complete"
    mv "$root.new" "$root"
  fi
  echo "$steps" >"$root/.steps"
  enter_root "$root"
}

copy() {  # [--from=STAGE] SOURCE... DESTINATION
  local from=''
  if [[ $1 == --from=* ]]; then from=$cache/${1#--from=}; shift; fi
  local destination=${*: -1}
  [[ $destination == /* ]] || destination=$directory/$destination
  if [[ -n $from ]]; then
    local source
    for source in "${@:1:$#-1}"; do cp -a "$from$source" "$root$destination"; done
  elif [[ $1 == . ]]; then
    # The checkout less what git ignores; what an earlier run copied and is gone now goes too.
    local list=$root/.copied
    (cd "$repository" && git -c safe.directory='*' ls-files -co --exclude-standard |
      while IFS= read -r file; do [[ -e $file ]] && printf '%s\n' "$file"; done) >"$list.new"
    if [[ -e $list ]]; then (cd "$root$directory" && comm -23 <(sort "$list") <(sort "$list.new") | xargs -r -d '\n' rm -f --); fi
    tar -C "$repository" -cf - -T "$list.new" | tar -C "$root$directory" -xf - --no-same-owner
    mv "$list.new" "$list"
  else
    mkdir -p "$(dirname "$root$destination")"
    cp -a "${@:1:$#-1}" "$root$destination"
  fi
}

make_base
while IFS= read -r line; do
  keyword=${line%% *} rest=${line#* }
  read -r -a words <<<"$rest"
  case $keyword in
    FROM)
      if [[ -n $root ]]; then touch "$root/.complete"; fi
      [[ -n $until_stage && $stage == "$until_stage" ]] && break
      begin_stage "${words[@]}"
      ;;
    WORKDIR) directory=${words[0]}; mkdir -p "$root$directory" ;;
    COPY) echo "COPY $rest"; (cd "$repository"; copy "${words[@]}") ;;
    RUN) echo "RUN $rest"; run_in "$root" "$directory" "$rest" ;;
    USER | VOLUME | EXPOSE | ENTRYPOINT | CMD | HEALTHCHECK | LABEL) ;;
    *) echo "debian13.sh: cannot run this step of the Dockerfile: $line" >&2; exit 1 ;;
  esac
done < <(sed -e '/^#/d' -e '/^[[:space:]]*$/d' "$here/Dockerfile" | sed -e ':a' -e '/\\$/{N;s/\\\n[[:space:]]*//;ba}')
touch "$root/.complete"
if [[ -n $until_stage ]]; then exit 0; fi

say "programs in their runtime roots"
run_in "$cache/server" / 'creamery-server --version && creamery --version'
run_in "$cache/worker" / 'creamery-worker --version'

if [[ $tests == yes ]]; then
  say "tests in $cache/build"
  if [[ -d $repository/../shared/data ]]; then
    mkdir -p "$cache/build/shared"
    cp -a "$repository/../shared/data" "$cache/build/shared/"
  fi
  run_in "$cache/build" /src 'deploy/test.sh'
fi
