#!/usr/bin/env bash
# Measures the release build: the portal and the API over HTTP, on SQLite and on Postgres, and the store by itself.
# Arguments go to cargo, such as `--bench renewals` (RENEWALS=1000000 for more of them); BENCH_ROUNDS and BENCH_SECONDS say how long each figure is measured.
. "$(dirname "$0")/steps.sh"
. "$(dirname "$0")/postgres.sh"

trap postgres_stop EXIT
trap 'exit 130' INT TERM

plan 6
step "Checking the tools" tools/setup.sh bench
load_env
if [ -n "${TEST_POSTGRES_URL:-}" ]; then
    step "Using the Postgres that TEST_POSTGRES_URL names" true
else
    # Unlike in the tests, a commit waits for the disk.
    step "Starting a Postgres for the measurements" postgres_start "-c max_connections=100"
    export TEST_POSTGRES_URL=$postgres_url
fi
step "Building the browser half (about 3 minutes the first time)" tools/site.sh release
server() { cargo build --release --package server --bin perennial; }
step "Building the server (about 5 minutes the first time)" server
if [ $# -eq 0 ]; then set -- --bench portal --bench store --bench usage --bench renewals; fi
build() { cargo bench --package server --no-run "$@"; }
step "Building the load tool" build "$@"
say "[6/6] Measuring; whatever else this machine does now makes the figures worse…"
cargo bench --package server --quiet "$@"
