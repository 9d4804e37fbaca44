# Sourced by scripts that need a Postgres of their own: starts one in a temporary folder, stops it and leaves nothing at exit.

postgres_folder=

postgres_run() { # as somebody who is not root: Postgres refuses root
    if [ "$(id -u)" -eq 0 ]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi
}

# Prints nothing; sets postgres_url. An argument replaces the options that make it quick and careless, as tests want it.
postgres_start() {
    local programs port attempt
    # Nothing here outlives the tests, so nothing waits for the disk.
    local options=${1:--c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=400}
    programs=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
    if [ -z "$programs" ]; then programs=$(dirname "$(command -v initdb)"); fi
    postgres_folder=$(mktemp -d)
    postgres_programs=$programs
    if [ "$(id -u)" -eq 0 ]; then chown postgres "$postgres_folder"; fi
    postgres_run "$programs/initdb" --pgdata "$postgres_folder/data" --username perennial --auth trust \
        --encoding UTF8 --locale C.UTF-8 --no-sync >"$setup_log" 2>&1 || return 1
    for attempt in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 20000))
        if postgres_run "$programs/pg_ctl" --pgdata "$postgres_folder/data" --wait --silent --log "$postgres_folder/log" \
            --options "-p $port -k $postgres_folder -c listen_addresses=127.0.0.1 $options" \
            start >>"$setup_log" 2>&1; then
            postgres_url=postgres://perennial@127.0.0.1:$port/postgres
            return 0
        fi
    done
    tail -n 5 "$postgres_folder/log" >&2
    return 1
}

postgres_stop() {
    if [ -n "$postgres_folder" ]; then
        postgres_run "$postgres_programs/pg_ctl" --pgdata "$postgres_folder/data" --mode immediate --silent stop >/dev/null 2>&1 || true
        rm -rf "$postgres_folder"
        postgres_folder=
    fi
}
