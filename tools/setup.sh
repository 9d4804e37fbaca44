#!/usr/bin/env bash
# Brings a machine to where Perennial can be built (`setup.sh run`), also tested (`test`) or measured (`bench`).
# Asks before it installs nothing: what is there is used, what is missing is installed, and a second call takes no time.
. "$(dirname "$0")/steps.sh"

purpose=${1:-run}
rust_min=95                # minor version: Rust 1.95, see rust-version in Cargo.toml
rust_wanted=1.96.0         # what rustup is asked for where its own toolchain is older
wasm=wasm32-unknown-unknown
node_min=20                # what the `stripe` package and Playwright ask for
node_wanted=22.23.3
binaryen=132.0.0

: >"$setup_log"

# --- Rust -----------------------------------------------------------------------------------------------------------

# rust_is_new RUSTC
rust_is_new() {
    local version
    version=$("$1" --version 2>/dev/null | sed -n 's/^rustc 1\.\([0-9]*\)\..*/\1/p')
    [ -n "$version" ] && [ "$version" -ge $rust_min ]
}

# has_wasm RUSTC: the target's standard library is there, and was made by this very compiler.
has_wasm() {
    local libs
    libs=$("$1" --print target-libdir --target $wasm 2>/dev/null) || return 1
    compgen -G "$libs/libstd-*.rlib" >/dev/null || return 1
    [ ! -f "$libs/made-by" ] || [ "$(cat "$libs/made-by")" = "$("$1" --version)" ]
}

choose() { # choose LINE...: what every later step sources
    printf '%s\n' "# Written by tools/setup.sh: the tools that every step uses." \
        "export PATH=\"$root/.tools/bin:\$PATH\"" "$@" >"$root/.tools/env"
    load_env
}

rust_from_rustup() {
    local toolchain
    PATH=$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin
    have rustup || return 1
    toolchain=$(rustup show active-toolchain 2>/dev/null | cut -d' ' -f1)
    if [ -z "$toolchain" ] || ! rust_is_new rustc; then
        note "asking rustup for Rust $rust_wanted"
        timeout 600 rustup toolchain install "$rust_wanted" --profile minimal -c clippy -c rustfmt -t $wasm >>"$setup_log" 2>&1 || return 1
        toolchain=$rust_wanted
    fi
    export RUSTUP_TOOLCHAIN=$toolchain
    if ! has_wasm rustc; then
        note "asking rustup for the target $wasm"
        RUSTUP_MAX_RETRIES=1 timeout 180 rustup target add $wasm >>"$setup_log" 2>&1 || { unset RUSTUP_TOOLCHAIN; return 1; }
    fi
    choose "export PATH=\"\$PATH:$(dirname "$(command -v rustup)")\"" "export RUSTUP_TOOLCHAIN=$toolchain"
}

# A Rust that rustup has nothing to do with: a distribution's, or one in a container image.
rust_from_path() {
    have rustc && have cargo && ! have rustup && rust_is_new rustc && has_wasm rustc || return 1
    choose
}

# Debian carries the Rust that Firefox and Chromium need, also in its stable releases. It lacks only the standard library
# for the browser, but has the sources of it.
rust_from_debian() {
    local lld name
    if ! { rust_is_new /usr/bin/rustc && [ -x /usr/bin/cargo ]; }; then
        packages "Rust" rustc-web cargo-web || return 1
    fi
    rust_is_new /usr/bin/rustc || return 1
    if ! has_wasm /usr/bin/rustc; then
        packages "Rust for the browser" rust-web-src rust-web-llvm || return 1
        lld=$(readlink /usr/bin/rust-lld) && packages "Rust for the browser" "$(basename "$lld")" || return 1
        packages "building C code" gcc libc6-dev pkg-config || return 1
        note "building Rust's standard library for the browser, once (about 1 minute)"
        quietly build_wasm_std || return 1
        has_wasm /usr/bin/rustc || return 1
    fi
    # rustup's proxies may come first on the PATH, so the chosen programs are linked in front of them.
    for name in cargo rustc rustdoc rustfmt cargo-fmt cargo-clippy clippy-driver; do
        rm -f "$root/.tools/bin/$name"
        if [ -x "/usr/bin/$name" ]; then ln -s "/usr/bin/$name" "$root/.tools/bin/$name"; fi
    done
    choose 'unset RUSTUP_TOOLCHAIN'
}

build_wasm_std() (
    set -e
    libs=$(/usr/bin/rustc --print target-libdir --target $wasm)
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    mkdir "$scratch/src"
    echo '#![no_std]' >"$scratch/src/lib.rs"
    printf '%s\n' '[package]' 'name = "scratch"' 'edition = "2024"' '[profile.release]' 'opt-level = "z"' \
        'codegen-units = 1' 'panic = "abort"' '[workspace]' >"$scratch/Cargo.toml"
    cd "$scratch"
    env -u RUSTUP_TOOLCHAIN PATH=/usr/bin:/bin RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$scratch/target" \
        /usr/bin/cargo build -Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size --target $wasm --release
    rm -f target/$wasm/release/deps/libscratch*
    /usr/bin/rustc --version >made-by
    as_root rm -rf "$libs"
    as_root install -d "$libs"
    as_root install -m 644 target/$wasm/release/deps/*.rlib made-by "$libs/"
)

rust() {
    if [ -f "$root/.tools/env" ] && have cargo && rust_is_new rustc && has_wasm rustc; then return 0; fi
    rm -f "$root/.tools/env"
    rust_from_path || rust_from_rustup || rust_from_debian \
        || fail "Rust 1.$rust_min or newer with the target $wasm is needed: install it from https://rustup.rs, then run \`rustup target add $wasm\` and this again. (Details: $setup_log)"
    note "using $(rustc --version)"
}

c_compiler() {
    if have cc; then return 0; fi
    packages "building SQLite" gcc libc6-dev pkg-config || fail "A C compiler is needed: install gcc (or clang), then run this again."
}

# --- The browser half's own tools -----------------------------------------------------------------------------------

# The packer of the site carries the wasm-bindgen that Cargo.lock names. It is kept for other clones by what it is made of.
site_tool() {
    local bindgen key
    bindgen=$(sed -n '/^name = "wasm-bindgen"$/{n;p}' Cargo.lock)
    key=$({ echo "$bindgen"; cat tools/site/Cargo.toml tools/site/src/*.rs; rustc --version; } | sha256sum | cut -c1-16)
    if [ ! -x "$cache/site-$key" ]; then
        note "building the tool that packs the browser half, once (about 1 minute)"
        mkdir -p "$cache"
        # Clones that build at the same time must not take each other's for their own.
        (
            if have flock; then exec 9>"$cache/lock"; flock 9; fi
            CARGO_TARGET_DIR="$cache/target" cargo build --quiet --release --locked -p site
            cp "$cache/target/release/site" "$cache/site-$key.$$"
        )
        mv "$cache/site-$key.$$" "$cache/site-$key"
    fi
    ln -sfn "$cache/site-$key" "$root/.tools/bin/site"
}

# Makes the download a hundredth or two smaller; worth having, not worth failing for.
wasm_opt() {
    local program=$cache/binaryen-$binaryen/node_modules/binaryen/bin/wasm-opt
    if [ ! -e "$program" ]; then
        if ! node_is_new || ! have npm; then
            note "no Node.js $node_min with npm here: the browser half is not optimised with wasm-opt"
            return 0
        fi
        note "installing wasm-opt"
        if ! npm_install "$cache/binaryen-$binaryen" "binaryen@$binaryen"; then
            note "wasm-opt could not be installed: the browser half is not optimised with it"
            return 0
        fi
    fi
    if node_is_new; then ln -sfn "$program" "$root/.tools/bin/wasm-opt"; else rm -f "$root/.tools/bin/wasm-opt"; fi
}

# --- For the tests --------------------------------------------------------------------------------------------------

node_is_new() {
    local version
    version=$(node --version 2>/dev/null | sed -n 's/^v\([0-9]*\)\..*/\1/p')
    [ -n "$version" ] && [ "$version" -ge $node_min ]
}

# npm_install FOLDER PACKAGE
npm_install() {
    rm -rf "$1.part" && mkdir -p "$1.part" || return 1
    npm install --prefix "$1.part" --no-save --no-audit --no-fund --loglevel=error "$2" >>"$setup_log" 2>&1 </dev/null || return 1
    rm -rf "$1" && mv "$1.part" "$1"
}

node_and_npm() {
    local machine program
    if ! node_is_new || ! have npm; then
        have npm || packages "the browser tests" nodejs npm || fail "Node.js $node_min or newer with npm is needed for the tests."
        if ! node_is_new; then
            # Debian 12 has an older Node.js, but its npm can bring a newer one along.
            case $(uname -m) in x86_64) machine=x64 ;; aarch64) machine=arm64 ;; *) fail "Node.js $node_min or newer is needed for the tests." ;; esac
            program=$cache/node-$node_wanted/node_modules/node-linux-$machine/bin/node
            if [ ! -x "$program" ]; then
                note "installing Node.js $node_wanted"
                npm_install "$cache/node-$node_wanted" "node-linux-$machine@$node_wanted" \
                    || fail "Node.js $node_min or newer is needed for the tests. (Details: $setup_log)"
            fi
            ln -sfn "$program" "$root/.tools/bin/node"
        fi
    fi
    if ! cmp -s end2end/package-lock.json end2end/node_modules/.installed; then
        note "installing the browser tests' packages"
        quietly npm ci --prefix end2end --no-audit --no-fund --loglevel=error || fail "npm ci failed in end2end/. (Details: $setup_log)"
        cp end2end/package-lock.json end2end/node_modules/.installed
    fi
}

browser() {
    if [ -n "${CHROMIUM:-}" ] || have chromium; then return 0; fi
    packages "the browser tests" chromium || fail "Chromium is needed for the browser tests: install it, or name a Chrome in CHROMIUM."
}

postgres() {
    if [ -n "${TEST_POSTGRES_URL:-}" ] || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then return 0; fi
    if have initdb && have pg_ctl; then return 0; fi
    packages "the tests on Postgres" postgresql || fail "Postgres is needed for the tests: install it, or name a server in TEST_POSTGRES_URL."
}

rust
c_compiler
case $purpose in
    run) site_tool; wasm_opt ;;
    test) node_and_npm; site_tool; wasm_opt; browser; postgres ;;
    bench) site_tool; wasm_opt; postgres ;;
    lint) ;;
    *) fail "usage: tools/setup.sh [run|test|bench|lint]" ;;
esac
