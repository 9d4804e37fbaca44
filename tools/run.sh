#!/usr/bin/env bash
# Builds Perennial as it is deployed and serves the demo. The first time takes minutes, the second seconds.
. "$(dirname "$0")/steps.sh"

listen=${PERENNIAL_LISTEN:-127.0.0.1:3000}
mkdir -p data

server() { cargo build --release --package server --bin perennial; }

plan 3
step "Checking the tools" tools/setup.sh run
load_env
step "Building the browser half (about 3 minutes the first time)" tools/site.sh release
step "Building the server (about 5 minutes the first time)" server
say "Starting Perennial on http://$listen, data in ${DATABASE_URL:-data/perennial.db}; stop it with Ctrl-C."
exec target/release/perennial serve --demo --listen "$listen" --database "${DATABASE_URL:-sqlite:data/perennial.db}"
