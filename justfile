# Everything here is also a plain command; see CONTRIBUTING.md.

default:
    @just --list

# What continuous integration does.
ci:
    .ci/run

fmt:
    cargo fmt --all

lint:
    cargo clippy --workspace --all-targets -- -D warnings

test:
    cargo test --workspace

# The tests of the whole tool only.
e2e: build
    cargo test -p tg-e2e

# The tests on a real Kubernetes, which is started for them and ended afterwards. It takes root.
cluster: build
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --workspace --bins --examples
    trap 'runner/e2e/cluster/cluster down' EXIT
    runner/e2e/cluster/cluster up
    eval "$(runner/e2e/cluster/cluster env)"
    cargo test -p tg-cli -p tg-e2e --test it -- cluster --include-ignored --nocapture

build:
    cargo build --workspace

# Who may depend on whom.
arrows:
    .ci/arrows

docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# The book needs mdbook: cargo install mdbook
book:
    mdbook build docs

demo:
    cargo run -- demo
