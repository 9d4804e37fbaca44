#!/usr/bin/env bash
# Every test there is. A failing part does not stop the others; the last line counts them all.
. "$(dirname "$0")/steps.sh"
. "$(dirname "$0")/postgres.sh"

results=$root/target/test-results
passed=0
failed=0

# part TEXT COMMAND...: a step whose failure is counted, not fatal.
part() {
    local before=$failed
    if ! step "$@" && [ "$failed" -eq "$before" ]; then failed=$((failed + 1)); fi
}

# Adds up what cargo's test binaries say: "test result: ok. 12 passed; 0 failed; …".
count_cargo() {
    local numbers
    numbers=$(sed -n 's/^test result: [A-Za-z]*\. \([0-9]*\) passed; \([0-9]*\) failed;.*/\1 \2/p' "$1" \
        | awk '{passed += $1; failed += $2} END {print passed + 0, failed + 0}')
    passed=$((passed + ${numbers% *}))
    failed=$((failed + ${numbers#* }))
}

# Adds up what Node's runner says in TAP: "# pass 12", "# fail 0", "# cancelled 0".
count_node() {
    passed=$((passed + $(awk '/^# pass /{n = $3} END {print n + 0}' "$1")))
    failed=$((failed + $(awk '/^# (fail|cancelled) /{n += $3} END {print n + 0}' "$1")))
}

rust_tests() {
    local code=0
    cargo test --no-fail-fast 2>&1 | tee "$results/cargo.txt" || code=$?
    count_cargo "$results/cargo.txt"
    return $code
}

docs() { RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --quiet; }

server() { cargo build --package server --bin perennial; }

# node_tests FOLDER: every *.test.mjs below end2end/FOLDER, two files at a time.
node_tests() {
    local files=() code=0
    mapfile -t files < <(find "end2end/$1" -name '*.test.mjs' | sort)
    if [ ${#files[@]} -eq 0 ]; then note "none yet"; return 0; fi
    node --test --test-concurrency=2 --test-timeout=600000 \
        --test-reporter=spec --test-reporter-destination=stdout \
        --test-reporter=tap --test-reporter-destination="$results/$1.tap" "${files[@]}" || code=$?
    count_node "$results/$1.tap"
    return $code
}

mkdir -p "$results"
rm -f "$results"/*
began=$SECONDS
trap postgres_stop EXIT
trap 'exit 130' INT TERM

plan 8
step "Checking the tools" tools/setup.sh test
load_env
if [ -n "${TEST_POSTGRES_URL:-}" ]; then
    step "Using the Postgres that TEST_POSTGRES_URL names" true
else
    step "Starting a Postgres for the tests" postgres_start
    export TEST_POSTGRES_URL=$postgres_url
fi
part "Rust tests, on SQLite and Postgres (the first build takes about 6 minutes)" rust_tests
part "Documentation without warnings" docs
part "Building the browser half (about 3 minutes the first time)" tools/site.sh release within-budget
part "Building the server for the browser tests" server
part "The API, through the official client" node_tests sdk
part "The portal, in a browser" node_tests journeys

say ""
say "All of it took $(duration $((SECONDS - began)))."
say "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
