#!/bin/sh
# Puts the same load on our sync service and on the published Go one, and prints a table with ratios.
# usage: runner/bench/sync/run.sh [--quick] [--only=signals|publishes|fan-out|barrier|idle]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
cd "$root"
cargo build --release --quiet -p tg-runner --example sync_serve --example sync_load
set -- "$@" "tg=$target/release/examples/sync_serve"
if command -v go >/dev/null; then
    (cd "$here/reference" && go build -mod=mod -o "$target/sync-reference" .)
    set -- "$@" "go=$target/sync-reference"
else
    echo "no \`go\`: the published service is left out" >&2
fi
exec "$target/release/examples/sync_load" "$@"
