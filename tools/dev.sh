#!/usr/bin/env bash
# Serves the demo from a debug build, and rebuilds and restarts it whenever a source file changes. Open pages load
# themselves anew then.
. "$(dirname "$0")/steps.sh"

listen=${PERENNIAL_LISTEN:-127.0.0.1:3000}
mkdir -p data
server=

# What the project's files look like now: newest change and how many there are.
state() {
    find src app server style public Cargo.toml Cargo.lock -type f -printf '%T@ %p\n' 2>/dev/null | sha256sum
}

stop() {
    if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; server=; fi
}
trap 'stop; exit 0' INT TERM
trap stop EXIT

tools/setup.sh run
load_env
while :; do
    seen=$(state)
    if tools/site.sh dev && cargo build --package server --bin perennial; then
        stop
        target/debug/perennial serve --demo --listen "$listen" --database "${DATABASE_URL:-sqlite:data/dev.db}" &
        server=$!
    else
        say "The build failed; what ran before still runs. Waiting for the next change."
    fi
    while [ "$(state)" = "$seen" ]; do sleep 0.5; done
    say "A file changed; building again."
done
