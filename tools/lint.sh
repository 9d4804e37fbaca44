#!/usr/bin/env bash
# rustfmt, and clippy with warnings denied, for the server and for the browser.
. "$(dirname "$0")/steps.sh"

plan 4
step "Checking the tools" tools/setup.sh lint
load_env
cargo fmt --version >/dev/null 2>&1 || fail "rustfmt is missing: rustup component add rustfmt (Debian: apt-get install rustfmt-web)"
cargo clippy --version >/dev/null 2>&1 || fail "clippy is missing: rustup component add clippy (Debian: apt-get install rust-web-clippy)"
step "Formatting" cargo fmt --all --check
step "Clippy, server and tools" cargo clippy --workspace --all-targets --quiet -- -D warnings
step "Clippy, browser half" cargo clippy --package app --lib --target wasm32-unknown-unknown --features hydrate --quiet -- -D warnings
