#!/usr/bin/env bash
# Builds what the browser downloads into target/site/: `site.sh release` (small) or `site.sh dev` (quick to build).
# `site.sh release within-budget` fails when the download has grown beyond what it may be.
. "$(dirname "$0")/steps.sh"

profile=${1:-release}
# What the first page may need, packed by brotli. It needed 199 kB on 22 November 2026; another compiler may differ a little.
brotli_bytes_max=210000
case $profile in
    release) cargo_profile=wasm-release ;;
    dev) cargo_profile=wasm-dev ;;
    *) fail "usage: tools/site.sh [dev|release]" ;;
esac
if [ ! -x "$root/.tools/bin/site" ]; then tools/setup.sh run; load_env; fi

# Views of erased types, as on the server (.cargo/config.toml); relocations, by which the packer takes the module apart;
# and no folders of this machine in what everybody downloads.
flags="--cfg erase_components -Clink-args=--emit-relocs"
flags="$flags --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=/crates --remap-path-prefix=$root=/perennial"
# Cargo tells where the app's build script wrote what the pages are built from.
made=$(CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS=$flags \
    cargo build --package app --lib --target wasm32-unknown-unknown --features hydrate --profile $cargo_profile \
    --message-format json-render-diagnostics |
    sed -n 's|^{"reason":"build-script-executed","package_id":"[^"]*/app#.*"out_dir":"\([^"]*\)".*|\1|p')
arguments=(--wasm "target/wasm32-unknown-unknown/$cargo_profile/app.wasm" --public public --out target/site)
if [ $profile = release ]; then
    arguments+=(--compress)
    if [ -e "$root/.tools/bin/wasm-opt" ]; then
        arguments+=(--wasm-opt "$root/.tools/bin/wasm-opt")
        if [ "${2:-}" = within-budget ]; then arguments+=(--brotli-max $brotli_bytes_max); fi
    fi
fi
site "${arguments[@]}"
# A server that was built from something else says so when it starts.
cmp -s "$made/build.txt" target/site/pkg/build.txt || cp "$made/build.txt" target/site/pkg/build.txt
