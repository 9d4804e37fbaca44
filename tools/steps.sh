# Sourced by every script in this folder: where the project is, how progress is told, how missing packages are installed.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
# What is costly to make and the same for every clone (tools, never data) is kept here.
cache=${PERENNIAL_CACHE:-${XDG_CACHE_HOME:-${HOME:-$root/.tools}/.cache}/perennial}
setup_log=$root/.tools/setup.log
export CARGO_TARGET_DIR=$root/target
mkdir -p "$root/.tools/bin"

# `setup.sh` writes here which Rust, Node and browser were chosen, so that every step uses the same ones.
load_env() { if [ -f "$root/.tools/env" ]; then . "$root/.tools/env"; fi; }
load_env

say() { printf '%s\n' "$*"; }
note() { printf '      %s\n' "$*"; }
fail() { printf '\n%s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

duration() {
    if [ "$1" -lt 60 ]; then printf '%s s' "$1"; else printf '%s min %s s' $(($1 / 60)) $(($1 % 60)); fi
}

# plan COUNT, then step TEXT COMMAND...: says which step of how many begins, and how long it took.
step_count=0
step_number=0
plan() { step_count=$1; step_number=0; }
step() {
    local text=$1 began=$SECONDS code=0
    shift
    step_number=$((step_number + 1))
    say "[$step_number/$step_count] $text…"
    "$@" || code=$?
    if [ $code -ne 0 ]; then note "failed after $(duration $((SECONDS - began)))"; return $code; fi
    if [ $((SECONDS - began)) -ge 2 ]; then note "done in $(duration $((SECONDS - began)))"; fi
}

# quietly COMMAND...: keeps the output in the set-up log and shows its end only when the command fails.
quietly() {
    if ! "$@" >>"$setup_log" 2>&1 </dev/null; then
        tail -n 20 "$setup_log" >&2
        return 1
    fi
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    elif have sudo && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; then sudo "$@"
    else return 1
    fi
}

# packages WHY NAME...: installs the Debian packages that are missing.
packages() {
    local why=$1 name missing=()
    shift
    for name in "$@"; do
        dpkg-query -W -f='${Status}\n' "$name" 2>/dev/null | grep -q '^install ok installed' || missing+=("$name")
    done
    if [ ${#missing[@]} -eq 0 ]; then return 0; fi
    have apt-get || return 1
    as_root true || fail "$why needs these packages; as root: apt-get install ${missing[*]}"
    note "installing ${missing[*]} ($why)"
    if [ -z "${packages_updated:-}" ]; then
        as_root apt-get update >>"$setup_log" 2>&1 </dev/null || note "the package lists could not be refreshed; trying with the old ones"
        packages_updated=yes
    fi
    quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
        install -y --no-install-recommends "${missing[@]}"
}
