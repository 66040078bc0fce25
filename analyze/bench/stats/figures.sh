#!/usr/bin/env bash
# The figures of the reference page, printed one after another. About 5 minutes, 25 with LARGE=1 (and 8 GB of disk).
#
#   figures.sh PYTHON TG [DIR]      PYTHON has numpy, pyarrow, duckdb and polars; DIR is where datasets go
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=$1 tg=$(realpath "$2") dir=${3:-$(mktemp -d)}
[ -e "$dir/made/_dataset.json" ] || "$python" "$here/make.py" "$dir/made" 10 10
echo; echo "## the screen, 10 million steps and 10 million metric rows"
"$python" "$here/stats.py" "$tg" "$dir/made" --runs 5
echo; echo "## the same within 1 GiB"
"$python" "$here/stats.py" "$tg" "$dir/made" --runs 2 --tg-args '--memory-limit 1GiB'
timed() {
    echo; echo "## tg analyze $*"
    for _ in 1 2 3; do
        /usr/bin/env time -f '%e s, %U s of processor time, %M KiB resident' "$tg" analyze "$@" -o "$dir/out" 2>&1 | tail -1
    done
}
timed queries "$dir/made" --slowest 10
timed queries "$dir/made" --failed --limit 100
timed queries "$dir/made" --worst-recall 10
timed queries "$dir/made" --filter 'group = clients and duration_ns > 2s' --limit 100
timed lookup "$dir/made" 277000
timed lookup "$dir/made"
if [ -n "${LARGE:-}" ]; then
    [ -e "$dir/made100/_dataset.json" ] || "$python" "$here/make.py" "$dir/made100" 100 100
    timed stats "$dir/made100" --memory-limit 1GiB
    cp "$dir/out" "$dir/limited"
    timed stats "$dir/made100"
    cmp "$dir/out" "$dir/limited" && echo "the same text"
fi
