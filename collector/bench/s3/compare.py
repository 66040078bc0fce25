#!/usr/bin/env python3
"""From an object store to an archive: tg against one object at a time, and against the AWS CLI with zip.

    pip install boto3 awscli && apt-get install zip
    cargo build --release -p tg-cli && cargo build --release -p tg-collector --example s3_store
    python3 collector/bench/s3/compare.py target/release 2000x5x1 2000x5x65536 100x5x4194304

Each argument is INSTANCESxFILESxBYTES. The store is in memory, behind HTTP on a loopback port, and waits 20 ms before it
answers each request. All three read the same objects in one run; what is printed are seconds and ratios.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile

DELAY_MS = 20


def one_at_a_time(endpoint, keys, into):
    """Lists, then gets and packs one object after the other, over one connection that is kept."""
    import boto3
    from botocore.config import Config

    s3 = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=keys[0], aws_secret_access_key=keys[1],
                      region_name="us-east-1", config=Config(s3={"addressing_style": "path"}))
    with zipfile.ZipFile(os.path.join(into, "outputs.zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket="lab", Prefix="runs/r1/"):
            for item in page.get("Contents", []):
                archive.writestr(item["Key"][len("runs/"):], s3.get_object(Bucket="lab", Key=item["Key"])["Body"].read())


def run(command, env, cwd):
    done = subprocess.run(command, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit("%s failed:\n%s" % (" ".join(command), done.stdout[-2000:]))


def main():
    folder = os.path.abspath(sys.argv[1])
    print("%-16s %14s %14s %10s %10s %8s %8s" % ("objects", "one at a time", "aws cp + zip", "tg", "tg+tables", "ratio", "ratio"))
    for shape in sys.argv[2:]:
        instances, files, size = shape.split("x")
        store = subprocess.Popen([os.path.join(folder, "examples", "s3_store"), "0", str(DELAY_MS), instances, files, size],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        endpoint, *keys = store.stdout.readline().split()
        env = dict(os.environ, AWS_ACCESS_KEY_ID=keys[0], AWS_SECRET_ACCESS_KEY=keys[1], AWS_ENDPOINT_URL=endpoint,
                   AWS_DEFAULT_REGION="us-east-1", AWS_EC2_METADATA_DISABLED="true")
        took = {}
        for name in ("tg", "tg+tables", "aws", "one"):
            into = tempfile.mkdtemp(prefix="tg-bench-")
            began = time.monotonic()
            if name == "one":
                one_at_a_time(endpoint, keys, into)
            elif name == "aws":
                run(["aws", "s3", "cp", "--recursive", "--quiet", "s3://lab/runs/r1", "r1"], env, into)
                run(["zip", "-qr", "outputs.zip", "r1"], env, into)
            else:
                more = ["--no-dataset"] if name == "tg" else []
                run([os.path.join(folder, "tg"), "collect", "r1", "--source", "s3://lab/runs", "-o", into] + more,
                    dict(env, TG_HOME=into), into)
            took[name] = time.monotonic() - began
            with zipfile.ZipFile(os.path.join(into, "outputs.zip")) as archive:
                names = [one for one in archive.namelist() if not one.endswith("/")]
                if len(names) != int(instances) * int(files):
                    sys.exit("%s packed %d files" % (name, len(names)))
            shutil.rmtree(into)
        store.stdin.close()
        store.wait()
        print("%-16s %12.1f s %12.1f s %8.1f s %8.1f s %7.1fx %7.1fx" % (
            shape, took["one"], took["aws"], took["tg"], took["tg+tables"], took["one"] / took["tg"],
            took["aws"] / took["tg"]), flush=True)


if __name__ == "__main__":
    main()
