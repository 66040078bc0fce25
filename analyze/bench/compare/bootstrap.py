"""The cluster bootstrap of `compare.rs` in vectorised NumPy: bootstrap.py DIR [RESAMPLES]

The values stand in order once; a resample is how often each instance was drawn, so that the weight of each value is one
look-up, the ranks are one running sum, and a percentile (type 7) is a search in it. Making the resample itself and
sorting it takes longer still.
"""
import sys
import time

import numpy as np

INSTANCES = 1000
SHARES = (0.5, 0.95)


def draws(values, resamples, random):
    owner = np.repeat(np.arange(INSTANCES, dtype=np.int32), len(values) // INSTANCES)
    order = np.argsort(values, kind="stable")
    values, owner = values[order], owner[order]
    found = np.empty((resamples, len(SHARES)))
    for nth in range(resamples):
        times = np.bincount(random.integers(0, INSTANCES, INSTANCES), minlength=INSTANCES).astype(np.int32)
        upto = np.cumsum(times[owner], dtype=np.int64)
        for at, share in enumerate(SHARES):
            rank = share * (upto[-1] - 1)
            low = int(rank)
            a, b = values[np.searchsorted(upto, (low, low + 1), side="right").clip(max=len(values) - 1)]
            found[nth, at] = a + (b - a) * (rank - low)
    return found


def main():
    folder = sys.argv[1]
    resamples = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    base, new = (np.fromfile(f"{folder}/{side}.f64") for side in ("base", "new"))
    began = time.perf_counter()
    random = np.random.default_rng(1)
    differences = draws(new, resamples, random) - draws(base, resamples, random)
    ends = np.quantile(differences, (0.025, 0.975), axis=0)
    print(f"numpy {np.__version__}, {resamples} resamples: {time.perf_counter() - began:.3f} s")
    # The Monte-Carlo error of the ends, by parting the resamples into ten.
    parts = np.array([np.quantile(part, (0.025, 0.975), axis=0) for part in np.array_split(differences, 10)])
    error = parts.std(axis=0, ddof=1) / np.sqrt(10)
    for at, share in enumerate(SHARES):
        print(f"  p{share * 100:g}: {ends[0, at]:.6f} to {ends[1, at]:.6f}, Monte-Carlo error {error[0, at]:.6f} and {error[1, at]:.6f}")


main()
