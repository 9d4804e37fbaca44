#!/usr/bin/env bash
# Builds what the browser downloads into target/site/: `site.sh release` (small) or `site.sh dev` (quick to build).
# `site.sh release within-budget` fails when the download has grown beyond what it may be.
. "$(dirname "$0")/steps.sh"

profile=${1:-release}
# A tenth above what was reached on 22 November 2026. Raise it only for something worth the wait.
brotli_bytes_max=375000
case $profile in
    release) cargo_profile=wasm-release ;;
    dev) cargo_profile=wasm-dev ;;
    *) fail "usage: tools/site.sh [dev|release]" ;;
esac
if [ ! -x "$root/.tools/bin/site" ]; then tools/setup.sh run; load_env; fi

cargo build --package app --lib --target wasm32-unknown-unknown --features hydrate --profile $cargo_profile
arguments=(--wasm "target/wasm32-unknown-unknown/$cargo_profile/app.wasm" --public public --out target/site)
if [ $profile = release ]; then
    arguments+=(--compress)
    if [ -e "$root/.tools/bin/wasm-opt" ]; then arguments+=(--wasm-opt "$root/.tools/bin/wasm-opt"); fi
    if [ "${2:-}" = within-budget ]; then arguments+=(--brotli-max $brotli_bytes_max); fi
fi
site "${arguments[@]}"
