#!/usr/bin/env bash
# Lives through simulated worlds with crashes: SEEDS=1-50 STEPS=200 tools/simulate.sh. A failure names its seed.
. "$(dirname "$0")/steps.sh"
. "$(dirname "$0")/postgres.sh"

export SEEDS=${SEEDS:-1-20} STEPS=${STEPS:-120}
trap postgres_stop EXIT
trap 'exit 130' INT TERM

plan 3
step "Checking the tools" tools/setup.sh bench
load_env
if [ "${DATABASE:-}" = sqlite ] || [ -n "${TEST_POSTGRES_URL:-}" ]; then
    step "Using the databases that are there" true
else
    step "Starting a Postgres" postgres_start
    export TEST_POSTGRES_URL=$postgres_url
fi
simulate() { cargo test --package server --test simulation -- --nocapture; }
step "Living through worlds $SEEDS, $STEPS steps each" simulate
