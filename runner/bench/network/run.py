#!/usr/bin/env python3
"""How far the network between hosts is as asked, and what it costs. See README.md.

    runner/bench/network/run.py [--tg target/release/tg] [--only latency,loss,...] [--quick]
"""

import argparse
import json
import math
import os
import signal
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
NETWORK = HERE.parents[2] / "sdk/plans/network"
HOLD = HERE / "plan"


class Tg:
    """One tg, with a home of its own."""

    def __init__(self, program, home):
        self.program, self.env = program, dict(os.environ, TG_HOME=home)
        self.runs = Path(home) / "runs"

    def command(self, plan, case, instances, params):
        args = [self.program, "run", str(plan), "--case", case, "--instances", str(instances), "--isolation", "host"]
        for key, value in params.items():
            args += ["--param", f"{key}={value}"]
        return args + ["--progress", "quiet", "--seed", "7"]

    def run(self, plan, case, instances, **params):
        """Runs to the end; the run's folder."""
        done = subprocess.run(self.command(plan, case, instances, params), env=self.env, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{case} {params}: exit code {done.returncode}\n{done.stderr}")
        return max(self.runs.iterdir())


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def metrics(run, name):
    """Every value of a metric, of all instances."""
    values = []
    for path in run.glob("outputs/*/*/results.out"):
        values += [record["measures"]["value"] for record in lines(path) if record["name"] == name]
    return values


def percentile(values, share):
    values = sorted(values)
    at = share * (len(values) - 1)
    low = math.floor(at)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (at - low)


def wilson(hits, of):
    """The 95 % interval of a share."""
    z, p = 1.959964, hits / of
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return middle - half, middle + half


def machine(run):
    """What the run knows of the machine: busy share, packets that got through, tg's seconds on a processor, lateness."""
    samples = lines(run / "machine.ndjson")
    hosts = [one for one in samples if one["type"] == "host"]
    links = [one for one in samples if one["type"] == "link"]
    busy = sum(one["busy_ns"] for one in hosts) / sum(one["span_ns"] * one["cpus"] for one in hosts)
    return {
        "busy": busy,
        "packets": sum(one["packets"] for one in links),
        "tg_s": sum(one["tg_cpu_ns"] for one in hosts) / 1e9,
        "late_max_ms": max([one.get("late_max_ns", 0) for one in links], default=0) / 1e6,
    }


def latency(tg, quick):
    print("\n| instances | packets/s | asked | error p50 | error p99 | machine busy | latest packet |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for instances in (2, 50, 200):
        # Each pair sends so often that the machine has some thousand packets a second.
        every_ms = 2 if instances < 100 else 10 if instances < 400 else 40
        every_ms = max(every_ms, instances / 10)
        for asked_ms in (0.1, 1, 10, 100):
            count = 200 if quick else max(200, int(4000 / every_ms))
            run = tg.run(NETWORK, "probe", instances, latency=f"{asked_ms}ms", count=count, every=f"{every_ms}ms")
            errors = metrics(run, "delay_error_ns")
            known = machine(run)
            rate = instances / 2 * 2 * 1000 / every_ms
            print(
                f"| {instances} | {rate:,.0f} | {asked_ms:g} ms | {percentile(errors, 0.5) / 1e6:.3f} ms "
                f"| {percentile(errors, 0.99) / 1e6:.3f} ms | {known['busy'] * 100:.0f} % | {known['late_max_ms']:.2f} ms |",
                flush=True,
            )


def saturation(tg, quick):
    print("\n| instances | asked packets/s | error p50 of 10 ms | error p99 | machine busy |\n|---:|---:|---:|---:|---:|")
    for every_us in (10000, 4000, 2000, 1000, 500):
        count = 100 if quick else max(200, 3_000_000 // every_us)
        run = tg.run(NETWORK, "probe", 50, latency="10ms", count=count, every=f"{every_us}us")
        errors = metrics(run, "delay_error_ns")
        print(
            f"| 50 | {50 * 1e6 / every_us:,.0f} | {percentile(errors, 0.5) / 1e6:.3f} ms "
            f"| {percentile(errors, 0.99) / 1e6:.3f} ms | {machine(run)['busy'] * 100:.0f} % |",
            flush=True,
        )


def loss(tg, quick):
    print("\n| asked | datagrams | measured | 95 % interval |\n|---|---:|---:|---|")
    count = 2000 if quick else 20000
    for what, params in (("loss", (0.5, 1, 5, 20)), ("reorder", (1, 5, 25)), ("duplicate", (1, 5))):
        for percent in params:
            run = tg.run(NETWORK, "probe", 2, latency="5ms", count=count, every="200us", **{what: percent})
            name = {"loss": "lost", "reorder": "overtaking", "duplicate": "duplicated"}[what]
            hits, of = sum(metrics(run, name)), sum(metrics(run, "sent"))
            low, high = wilson(hits, of)
            print(f"| {what} {percent:g} % | {of:,.0f} | {hits / of * 100:.2f} % | {low * 100:.2f}–{high * 100:.2f} % |", flush=True)


def throughput(tg, quick):
    print("\n| asked | payload of TCP | with IP and TCP headers | of the asked | machine busy |\n|---|---:|---:|---:|---:|")
    for asked in (10_000_000, 100_000_000, 0):
        for _ in range(1 if quick else 3):
            run = tg.run(NETWORK, "bulk", 2, bandwidth=asked, duration="4s")
            rate = metrics(run, "throughput_bits_per_s")[0]
            whole = rate * 1500 / 1448
            share = f"{whole / asked * 100:.1f} %" if asked else "–"
            name = f"{asked // 1_000_000} Mbit/s" if asked else "no limit"
            busy = machine(run)["busy"] * 100
            print(f"| {name} | {rate / 1e6:,.1f} Mbit/s | {whole / 1e6:,.1f} Mbit/s | {share} | {busy:.0f} % |", flush=True)


def flood(tg, quick):
    print("\n| small datagrams got through | seconds | tg on a processor | packets per second and core of tg |\n|---:|---:|---:|---:|")
    for _ in range(1 if quick else 3):
        run = tg.run(HOLD, "flood", 2)
        known = machine(run)
        print(f"| {known['packets']:,} | 3 | {known['tg_s']:.2f} s | {known['packets'] / known['tg_s']:,.0f} |", flush=True)


def hosts(tg, quick):
    print("\n| hosts | until all are up | each | memory for each, sleep and init included | of it tg's own |\n|---:|---:|---:|---:|---:|")
    for instances in (50,) if quick else (100, 500, 1000):
        command = tg.command(HOLD, "hold", instances, {})
        before = available()
        process = subprocess.Popen(command, env=tg.env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        known = set(tg.runs.iterdir()) if tg.runs.exists() else set()
        events, started, base = [], [], 0
        while len(started) < instances and process.poll() is None:
            new = set(tg.runs.iterdir()) - known if tg.runs.exists() else set()
            path = next(iter(new)) / "events.ndjson" if new else None
            if path and path.exists():
                base = base or resident(process.pid)
                text = path.read_text()
                events = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
                started = [one for one in events if one["type"] == "instance_started"]
        if process.poll() is not None:
            print(f"| {instances} | not brought up: exit code {process.returncode} | | | |", flush=True)
            continue
        used = before - available()
        own = resident(process.pid) - base
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.wait()
        first = next(one for one in events if one["type"] == "run_started")["ts"]
        took = (started[-1]["ts"] - first) / 1e6
        print(
            f"| {instances} | {took / 1000:.2f} s | {took / instances:.2f} ms | {used / instances / 2**20:.2f} MiB "
            f"| {own / instances / 2**10:.0f} KiB |",
            flush=True,
        )


def resident(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def available():
    text = Path("/proc/meminfo").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("MemAvailable")).split()[1]) * 1024


PARTS = {"latency": latency, "saturation": saturation, "loss": loss, "throughput": throughput, "flood": flood, "hosts": hosts}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tg", default="target/release/tg", help="the program, of a release build")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas: " + ", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="the same in small, to see that it works")
    args = parser.parse_args()
    program = Path(args.tg).resolve()
    if not program.is_file():
        raise SystemExit(f"no `{program}`: build it with `cargo build --release -p tg-cli`, or name another with --tg")
    with tempfile.TemporaryDirectory(prefix="tg-network-") as home:
        tg = Tg(str(program), home)
        # Built once, so that no figure has a compiler beside it.
        tg.run(NETWORK, "ping-pong", 2, rounds=1)
        for part in args.only.split(","):
            print(f"\n### {part}")
            PARTS[part](tg, args.quick)


if __name__ == "__main__":
    main()
