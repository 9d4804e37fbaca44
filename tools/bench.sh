#!/usr/bin/env bash
# Measures: the benchmarks in benches/ and server/benches/, on the release build. Arguments go to them.
. "$(dirname "$0")/steps.sh"

plan 3
step "Checking the tools" tools/setup.sh run
load_env
step "Building the browser half" tools/site.sh release
server() { cargo build --release --package server --bin perennial; }
step "Building the server" server
cargo bench --workspace "$@"
