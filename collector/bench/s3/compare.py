#!/usr/bin/env python3
"""From an object store, or from a folder, to an archive: tg against one object at a time, and against the AWS CLI with zip.

    pip install boto3 awscli && apt-get install zip
    cargo build --release -p tg-cli && cargo build --release -p tg-collector --example s3_store
    python3 collector/bench/s3/compare.py s3 target/release 2000x5x1 2000x5x65536 400x5x4194304
    python3 collector/bench/s3/compare.py folder target/release 2000x5x1 2000x5x65536 100x5x4194304

Each argument is INSTANCESxFILESxBYTES. The store is in memory, behind HTTP on a loopback port, and waits 20 ms before it
answers each request; beyond 512 MiB its objects repeat. 2,000 instances with five files of 4 MiB are 40 GB, which the AWS CLI
leaves on disk beside the archive; 400 show the same in a fifth of the time. A folder is copied from and not downloaded: there `aws` has nothing to do, and `zip -r` is alone. All
read the same files in one run, and what is printed are seconds and ratios. One at a time is linear in the number of objects:
of more than 2,000 it reads the first 2,000, and its time is multiplied.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile

DELAY_MS = 20
MOST_ALONE = 2000


def one_object_at_a_time(endpoint, keys, into):
    """Lists, then gets and packs one object after the other, over one connection that is kept."""
    import boto3
    from botocore.config import Config

    s3 = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=keys[0], aws_secret_access_key=keys[1],
                      region_name="us-east-1", config=Config(s3={"addressing_style": "path"}))
    found = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="lab", Prefix="runs/r1/"):
        found += [item["Key"] for item in page.get("Contents", [])]
    listed = time.monotonic()
    with zipfile.ZipFile(os.path.join(into, "outputs.zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for key in found[:MOST_ALONE]:
            archive.writestr(key[len("runs/"):], s3.get_object(Bucket="lab", Key=key)["Body"].read())
    return listed, len(found)


def one_file_at_a_time(folder, into):
    """Packs one file after the other."""
    found = sorted(os.path.join(at, name) for at, _, names in os.walk(folder) for name in names)
    listed = time.monotonic()
    with zipfile.ZipFile(os.path.join(into, "outputs.zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for path in found[:MOST_ALONE]:
            archive.write(path, os.path.relpath(path, os.path.dirname(folder)))
    return listed, len(found)


def run(command, env, cwd):
    done = subprocess.run(command, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit("%s failed:\n%s" % (" ".join(command), done.stdout[-2000:]))


def packed(into):
    with zipfile.ZipFile(os.path.join(into, "outputs.zip")) as archive:
        return len([name for name in archive.namelist() if not name.endswith("/")])


def measure(alone, aside, tg, total):
    """Seconds of each way, every one into a folder of its own that is gone afterwards."""
    took = {}
    for name, way in (("tg", lambda into: tg(into, ["--no-dataset"])), ("tables", lambda into: tg(into, [])),
                      ("aside", aside), ("alone", alone)):
        into = tempfile.mkdtemp(prefix="tg-bench-")
        began = time.monotonic()
        done = way(into)
        took[name] = time.monotonic() - began
        expected = total
        if name == "alone":
            listed, found = done
            expected = min(found, MOST_ALONE)
            took[name] = (listed - began) + (began + took[name] - listed) * found / expected
        if packed(into) != expected:
            sys.exit("%s packed %d files and not %d" % (name, packed(into), expected))
        shutil.rmtree(into)
    return took


def from_store(built, tg, instances, files, size):
    store = subprocess.Popen([os.path.join(built, "examples", "s3_store"), "0", str(DELAY_MS), instances, files, size],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    endpoint, *keys = store.stdout.readline().split()
    env = dict(os.environ, AWS_ACCESS_KEY_ID=keys[0], AWS_SECRET_ACCESS_KEY=keys[1], AWS_ENDPOINT_URL=endpoint,
               AWS_DEFAULT_REGION="us-east-1", AWS_EC2_METADATA_DISABLED="true")

    def aside(into):
        run(["aws", "s3", "cp", "--recursive", "--quiet", "s3://lab/runs/r1", "r1"], env, into)
        run(["zip", "-qr", "outputs.zip", "r1"], env, into)

    took = measure(lambda into: one_object_at_a_time(endpoint, keys, into), aside,
                   lambda into, more: tg("s3://lab/runs", env, into, more), int(instances) * int(files))
    store.stdin.close()
    store.wait()
    return took


def from_folder(built, tg, instances, files, size):
    base = tempfile.mkdtemp(prefix="tg-bench-run-")
    folder = os.path.join(base, "r1")
    state = 1
    for instance in range(int(instances)):
        os.makedirs(os.path.join(folder, "g", str(instance)))
        for file in range(int(files)):
            lines, length = [], 0
            while length < int(size):
                state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
                lines.append('{"ts":15850000000%d,"x":%d}\n' % (state >> 33, (state >> 33) % 1000))
                length += len(lines[-1])
            with open(os.path.join(folder, "g", str(instance), "file%d.ndjson" % file), "w") as out:
                out.write("".join(lines)[:int(size)])
    os.sync()
    took = measure(lambda into: one_file_at_a_time(folder, into),
                   lambda into: run(["zip", "-qr", os.path.join(into, "outputs.zip"), "r1"], os.environ, base),
                   lambda into, more: tg("dir:" + folder, dict(os.environ), into, more), int(instances) * int(files))
    shutil.rmtree(base)
    return took


def main():
    if len(sys.argv) < 4 or sys.argv[1] not in ("s3", "folder"):
        sys.exit(__doc__)
    built = os.path.abspath(sys.argv[2])

    def tg(source, env, into, more):
        run([os.path.join(built, "tg"), "collect", "r1", "--source", source, "-o", into] + more,
            dict(env, TG_HOME=into), into)

    aside = "aws cp + zip" if sys.argv[1] == "s3" else "zip -r"
    print("%-16s %14s %14s %10s %10s %14s %14s" % (
        sys.argv[1], "one at a time", aside, "tg", "tg+tables", "one / tg", aside + " / tg"))
    for shape in sys.argv[3:]:
        took = (from_store if sys.argv[1] == "s3" else from_folder)(built, tg, *shape.split("x"))
        print("%-16s %12.1f s %12.1f s %8.2f s %8.2f s %14.1f %14.1f" % (
            shape, took["alone"], took["aside"], took["tg"], took["tables"], took["alone"] / took["tg"],
            took["aside"] / took["tg"]), flush=True)


if __name__ == "__main__":
    main()
