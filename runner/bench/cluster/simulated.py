#!/usr/bin/env python3
"""What tg itself does for runs of 100, 1,000 and 10,000 instances on Kubernetes.

The API server, its etcd, the job controller, the garbage collector and the scheduler are real ones, with their own
default flags; the nodes that carry the instances are simulated by kwok, which only answers for them. Run it as root
with the cluster of `runner/e2e/cluster/cluster` down; it brings one up, and takes it down at the end:

    runner/bench/cluster/simulated.py --tg target/debug/tg 100 1000 10000
    runner/bench/cluster/simulated.py --pods 1000 10000      # pods made one by one instead, without tg

It prints one line of Markdown for each size.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SCRIPT = str(ROOT / "runner/e2e/cluster/cluster")
KWOK = "v0.7.0"
PODS_OF_A_NODE = 110


def say(text):
    print(text, file=sys.stderr, flush=True)


def environment():
    """What the cluster's script says a process needs."""
    env = dict(os.environ)
    for line in subprocess.check_output([SCRIPT, "env"], text=True).splitlines():
        name, value = line.removeprefix("export ").split("=", 1)
        env[name] = value.strip("'")
    return env


class Cluster:
    """The real control plane and simulated nodes."""

    def __init__(self, scratch):
        self.scratch = scratch
        self.audit = scratch / "audit.log"
        policy = scratch / "policy.yaml"
        # Requests of tg alone, each once, when it was answered.
        policy.write_text(
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived, ResponseStarted]\n"
            "rules:\n- {level: Metadata, users: [tg]}\n- {level: None}\n"
        )
        flags = f"--audit-policy-file={policy} --audit-log-path={self.audit}"
        subprocess.run([SCRIPT, "up"], check=True, env=dict(os.environ, TG_CLUSTER_API_FLAGS=flags))
        self.env = environment()
        self.space = ["nsenter", "--net=" + self.env["TG_CLUSTER_NETNS"]]
        self.state = pathlib.Path(self.env["TG_CLUSTER_STATE"])
        self.kwok = None

    def run(self, *command, **more):
        return subprocess.run(self.space + list(command), env=self.env, text=True, **more)

    def kubectl(self, *command, **more):
        return self.run("kubectl", *command, check=True, stdout=subprocess.PIPE, **more).stdout

    def nodes(self, count):
        """That many nodes, which take nothing but what asks for them."""
        size = {"cpu": "64", "memory": "256Gi", "pods": str(PODS_OF_A_NODE)}
        items = [
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {
                    "name": f"simulated-{number}",
                    "labels": {"simulated": "yes"},
                    "annotations": {"kwok.x-k8s.io/node": "fake"},
                },
                "spec": {"taints": [{"key": "simulated", "value": "yes", "effect": "NoSchedule"}]},
                "status": {"allocatable": size, "capacity": size},
            }
            for number in range(count)
        ]
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        self.kubectl("apply", "--server-side", "-f", "-", input=text)

    def simulate(self):
        """Starts kwok: once, since another one would wait for the leases of the nodes."""
        stages = self.scratch / "stages.yaml"
        node = pathlib.Path(module("sigs.k8s.io/kwok", KWOK)) / "kustomize/stage/node/fast/node-initialize.yaml"
        beat = pathlib.Path(module("sigs.k8s.io/kwok", KWOK)) / "kustomize/stage/node/heartbeat/node-heartbeat.yaml"
        own = (HERE / "stages.yaml").read_text()
        stages.write_text("\n---\n".join([own, node.read_text(), beat.read_text()]))
        log = open(self.scratch / "kwok.log", "w")
        command = [
            str(kwok()),
            f"--config={stages}",
            "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
            # With leases it takes its nodes one by one, for a minute and longer.
            "--node-lease-duration-seconds=0",
            f"--kubeconfig={self.state}/admin.kubeconfig",
        ]
        self.kwok = subprocess.Popen(self.space + command, env=self.env, stdout=log, stderr=log)

    def requests(self):
        """Requests to the API server so far: of tg by verb, and of everybody."""
        own = collections.Counter()
        if self.audit.exists():
            with open(self.audit) as lines:
                for line in lines:
                    event = json.loads(line)
                    own[event["verb"] + " " + event.get("objectRef", {}).get("resource", "?")] += 1
        everybody = 0
        for line in self.kubectl("get", "--raw", "/metrics").splitlines():
            if line.startswith("apiserver_request_total{"):
                everybody += int(float(line.rsplit(" ", 1)[1]))
        return own, everybody

    def down(self):
        if self.kwok:
            self.kwok.terminate()
            self.kwok.wait()
        subprocess.run([SCRIPT, "down"], check=True)


def module(path, version):
    """The folder of a Go module."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["go", "mod", "download", "-json", f"{path}@{version}"]
        return json.loads(subprocess.check_output(command, cwd=folder, text=True))["Dir"]


def kwok():
    """kwok, built once into the cache of the cluster's parts."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "tg-cluster" / f"kwok-{KWOK}"
    if not (cache / "kwok").exists():
        say("building kwok")
        env = dict(os.environ, GOBIN=str(cache), CGO_ENABLED="0", GOTOOLCHAIN="local")
        subprocess.run(["go", "install", "-trimpath", f"sigs.k8s.io/kwok/cmd/kwok@{KWOK}"], check=True, env=env)
    return cache / "kwok"


def nodes_for(instances):
    return instances // PODS_OF_A_NODE + 1


class Tg:
    """tg, installed in a cluster."""

    def __init__(self, cluster, program, scratch):
        self.cluster, self.program, self.scratch = cluster, program, scratch
        store = ROOT / "target/debug/examples/s3_store"
        address = cluster.env["TG_CLUSTER_ADDRESS"] + ":0"
        self.store = subprocess.Popen(
            cluster.space + [str(store), address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        endpoint, key, secret = self.store.stdout.readline().split()[:3]
        cluster.env |= {
            "TG_S3_ENDPOINT": endpoint,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "TG_HOME": str(scratch / "home"),
        }
        image = cluster.run(program, "cluster", "image", check=True, stdout=subprocess.PIPE).stdout.strip()
        install = ["--outputs", "s3://lab/runs", "--image", image, "--pull", "never", "--credentials", "env"]
        cluster.run(program, "cluster", "install", *install, check=True)
        # What tg asks is told from what the benchmark asks by the name in its certificate.
        cluster.env["KUBECONFIG"] = f"{cluster.state}/tg.kubeconfig"

    def measure(self, instances):
        cluster = self.cluster
        composition = self.scratch / "composition.toml"
        composition.write_text(
            f'[global]\nplan = "{HERE}/plan"\ncase = "quiet"\nbuilder = "docker:generic"\n'
            'runner = "cluster:k8s"\n[global.run_config]\nnode_selector = { simulated = "yes" }\n'
            'tolerations = [{ key = "simulated", operator = "Exists" }]\n'
            f"[[groups]]\nid = \"all\"\ninstances = {{ count = {instances} }}\n"
            'run = { artifact = "nowhere.example/simulated:1" }\n'
        )
        own_before, all_before = cluster.requests()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.time()
        # wait4 tells of this process alone.
        process = subprocess.Popen(
            cluster.space + [self.program, "run", str(composition), "--progress", "lines"],
            env=cluster.env,
            stdout=subprocess.DEVNULL,
            stderr=open(self.scratch / f"tg-{instances}.log", "w"),
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        ended = time.time()
        own_after, all_after = cluster.requests()
        if process.returncode != 0:
            say((self.scratch / f"tg-{instances}.log").read_text()[-2000:])
            sys.exit(f"the run of {instances} instances exited with {process.returncode}")
        newest = max((self.scratch / "home/runs").iterdir(), key=lambda folder: folder.name)
        started, last = 0, 0.0
        ends = []
        with open(newest / "events.ndjson") as lines:
            for line in lines:
                event = json.loads(line)
                at = event["ts"] / 1e9
                if event["type"] == "instance_started":
                    started, last = started + 1, at
                if event["type"] == "instance_finished":
                    ends.append(at)
        own = own_after - own_before
        cpu = usage.ru_utime + usage.ru_stime
        say(f"{instances}: requests of tg: {dict(own)}; usage before {before.ru_utime:.1f} s")
        if started != instances:
            sys.exit(f"{started} of {instances} instances started")
        print(
            f"| {instances:,} | {nodes_for(instances)} | {last - began:.0f} s | {ended - began:.0f} s "
            f"| {max(ends) - last:.0f} s | {cpu / instances * 1000:.2f} ms | {usage.ru_maxrss / 1024:.0f} MiB "
            f"| {sum(own.values())} | {(all_after - all_before) / instances:.1f} |",
            flush=True,
        )


def alone(cluster, instances):
    """Pods made one by one, as many requests in flight as the Job controller of other systems would dare, without tg."""
    import http.client
    import ssl
    import threading

    pki = cluster.state / "pki"
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    context.load_cert_chain(str(pki / "tg.crt"), str(pki / "tg.key"))
    here = threading.local()

    def ask(method, path, body=None):
        if not hasattr(here, "connection"):
            here.connection = http.client.HTTPSConnection(cluster.env["TG_CLUSTER_ADDRESS"], 6443, context=context)
        here.connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = here.connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]}")
        return text

    def make(number):
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"p{number}", "labels": {"tg/run": "direct"}, "finalizers": ["tg/published"]},
            "spec": {
                "restartPolicy": "Never",
                "nodeSelector": {"simulated": "yes"},
                "tolerations": [{"key": "simulated", "operator": "Exists"}],
                "containers": [{"name": "plan", "image": "nowhere.example/simulated:1"}],
            },
        }
        ask("POST", "/api/v1/namespaces/direct/pods", json.dumps(pod))

    cluster.kubectl("create", "namespace", "direct")
    began = time.time()
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        list(pool.map(make, range(instances)))
    made = time.time() - began
    query = "/api/v1/namespaces/direct/pods?limit=1&fieldSelector=status.phase%3DPending"
    while json.loads(ask("GET", query))["items"]:
        time.sleep(0.5)
    running = time.time() - began
    print(f"| {instances:,} | {made:.0f} s | {running:.0f} s |", flush=True)
    cluster.kubectl("delete", "namespace", "direct", "--wait=true")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tg", default=str(ROOT / "target/debug/tg"), help="the program to measure")
    parser.add_argument("--pods", action="store_true", help="make pods one by one, without tg and Jobs")
    parser.add_argument("instances", type=int, nargs="+")
    args = parser.parse_args()
    # It calls `nsenter`, which finds a program by its whole path.
    args.tg = str(pathlib.Path(args.tg).resolve())
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        kwok()
        cluster = Cluster(scratch)
        try:
            cluster.simulate()
            cluster.nodes(nodes_for(max(args.instances)))
            tg = None if args.pods else Tg(cluster, args.tg, scratch)
            if tg:
                print("| instances | nodes | all running after | verdict after | from all running to the last end | CPU of tg per instance | memory of tg | requests of tg | requests of everybody per instance |")
                print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|", flush=True)
            else:
                print("| pods | all made after | all running after |\n|---:|---:|---:|", flush=True)
            for instances in args.instances:
                (tg.measure if tg else lambda count: alone(cluster, count))(instances)
        finally:
            cluster.down()


if __name__ == "__main__":
    main()
