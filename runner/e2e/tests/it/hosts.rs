//! Instances on hosts of their own, and the network between them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use tg_e2e::{Done, Home, Pipe, Run, Tool, finish, has, plan};
use tg_model::event::EventKind;
use tg_model::machine::Sample;
use tg_model::outcome::Outcome;

use crate::table::{Row, check, row};

const SECOND: u64 = 1_000_000_000;

/// The plan that comes with tg.
fn network() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/plans/network")
}

/// Runs a case of a plan on hosts.
fn on_hosts(home: &Home, plan: &Path, case: &str, instances: u32, params: &[&str]) -> (Done, Run) {
    let count = instances.to_string();
    let mut args = vec!["run", plan.to_str().expect("a plain path"), "--case", case, "--instances", &count];
    args.extend(["--isolation", "host"]);
    for param in params {
        args.extend(["--param", param]);
    }
    let done = home.tg(args);
    (done, home.runs().pop().expect("a run"))
}

#[test]
fn links_are_as_a_plan_asks() {
    if !has(Tool::Hosts, "links of hosts") {
        return;
    }
    let home = Home::new();
    let cases: [(&str, u32, &[&str]); 7] = [
        ("ping-pong", 2, &["latency=30ms", "latency2=5ms", "rounds=5"]),
        ("split-brain", 4, &["filter=accept"]),
        ("split-brain", 4, &["filter=reject"]),
        ("split-brain", 4, &["filter=drop", "patience=300ms"]),
        ("probe", 4, &["latency=3ms", "loss=5", "duplicate=5", "reorder=5", "count=300"]),
        ("bulk", 2, &["bandwidth=20000000", "duration=1s"]),
        ("impossible", 1, &[]),
    ];
    for (case, instances, params) in cases {
        let (done, run) = on_hosts(&home, &network(), case, instances, params);
        done.expect(0);
        assert!(run.ends().values().all(|end| end.outcome == Outcome::Ok), "{case} {params:?}");
    }
}

#[test]
fn an_instance_cannot_touch_what_others_wrote() {
    if !has(Tool::Hosts, "hosts that hide the run's folder") {
        return;
    }
    for place in ["/var/tmp", "/tmp"] {
        let home = Home::below(place);
        // Beside the home, and so in a folder below `/tmp` that hosts keep for the sake of their plan.
        let beside = home.path().parent().expect("a scratch folder").join("plan");
        fs::create_dir(&beside).expect("a folder");
        for file in ["manifest.toml", "plan.sh"] {
            fs::copy(plan("shell").join(file), beside.join(file)).expect("a copy");
        }
        let (done, run) = on_hosts(&home, &beside, "vandal", 2, &[]);
        done.expect(0);
        assert_eq!(fs::read_to_string(run.output("single/0", "file")).expect("it is there"), "mine\n");
        assert!(run.log("single/0", "stdout.log").is_file());
        assert!(run.notes("single/0").is_empty(), "{:?}", run.notes("single/0"));
    }
}

#[test]
fn a_partition_on_schedule_is_seen_by_the_plan_and_ends() {
    if !has(Tool::Hosts, "a partition of hosts") {
        return;
    }
    let home = Home::new();
    let composition = network().join("compositions/partition.toml");
    let path = composition.to_str().expect("a plain path");
    // The plan succeeds only if its groups saw one another go and come back.
    home.tg(["run", path, "--isolation", "host", "--collect"]).expect(0);
    let run = home.runs().pop().expect("a run");
    let sides: Vec<Vec<u32>> = run
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::FaultBegan { hit, .. } => Some(hit.iter().map(|(_, side)| *side).collect()),
            _ => None,
        })
        .collect();
    assert_eq!(sides, [vec![0, 0, 1, 1, 1], vec![]]);
    assert!(run.dir.join("dataset/faults").is_dir());
    // Plain processes have no network that could be parted.
    home.tg(["run", path, "--isolation", "none"]).expect(14);
}

#[test]
fn who_is_paused_on_a_host_goes_on_and_who_is_killed_there_leaves_nothing() {
    if !has(Tool::Hosts, "pauses and kills on hosts") {
        return;
    }
    let home = Home::new();
    let file = home.path().with_file_name("faults.toml");
    let plan = plan("shell");
    let text = format!(
        r#"
[global]
plan = "{}"
case = "resumed"
builder = "exec:generic"
runner = "local:exec"
deadline = "1m"
[[groups]]
id = "paused"
instances = {{ count = 2 }}
[[groups]]
id = "killed"
instances = {{ count = 2 }}
[[faults]]
after_stage = "up"
do = "pause"
of = ["paused"]
for = "50ms"
[[faults]]
after_stage = "up"
do = "kill"
of = ["killed"]
"#,
        plan.display()
    );
    fs::write(&file, text).expect("a composition");
    home.tg(["run", file.to_str().expect("a plain path"), "--isolation", "host"]).expect(0);
    let run = home.runs().pop().expect("a run");
    for (name, end) in run.ends() {
        let wanted = if name.starts_with("killed") { Outcome::Killed } else { Outcome::Ok };
        assert_eq!((end.outcome, end.as_expected), (wanted, true), "{name}");
    }
    assert_eq!(leftovers(run.file.run.as_str()), Vec::<String>::new());
}

#[test]
fn the_same_seed_draws_the_same_losses() {
    if !has(Tool::Hosts, "losses by seed") {
        return;
    }
    let home = Home::new();
    let lost = |seed: &str| {
        let path = network();
        let params = ["probe", "--param", "loss=20", "--param", "count=200", "--param", "latency=1ms"];
        let mut args =
            vec!["run", path.to_str().expect("a plain path"), "--isolation", "host", "--seed", seed, "--case"];
        args.extend(params);
        home.tg(args).expect(0);
        let results = fs::read_to_string(home.runs().pop().expect("a run").output("single/0", "results.out"));
        let results = results.expect("results");
        let line = results.lines().find(|line| line.contains(r#""name":"lost""#)).expect("a line that tells of losses");
        let value = line.split(r#""value":"#).nth(1).expect("a value");
        value.trim_end_matches('}').parse::<f64>().expect("a number")
    };
    let first = lost("7");
    assert!(first > 10.0 && first < 80.0, "{first} of 200");
    assert!((first - lost("7")).abs() < f64::EPSILON, "another seed's losses");
}

#[test]
fn a_program_on_the_published_rust_sdk_runs_unmodified() {
    if !has(Tool::Hosts, "the Rust SDK of crates.io") {
        return;
    }
    let rows = [
        row("success", Outcome::Ok, "success"),
        row("failure", Outcome::Failed, "the table is wrong"),
        Row { instances: 2, ..row("ping", Outcome::Ok, "success") },
    ];
    check(&Home::new(), &plan("testground-rust"), &rows);
}

#[test]
fn a_host_has_its_own_name_files_and_processes() {
    if !has(Tool::Hosts, "what is on a host") {
        return;
    }
    let home = Home::new();
    let (done, run) = on_hosts(&home, &plan("shell"), "host", 2, &[]);
    done.expect(0);
    let log = fs::read_to_string(run.log("single/1", "stdout.log")).expect("a log");
    let has_line = |line: &str| log.lines().any(|found| found == line);
    assert!(has_line("name single-1"), "{log}");
    assert!(has_line("hostname single-1") && has_line("subnet 16.0.0.0/16") && has_line("sidecar true"), "{log}");
    assert!(log.contains("16.0.0.2 single-0"), "{log}");
    assert!(!log.contains("tg-e2e"), "the machine's /tmp is not to be seen: {log}");
    // The shell and what it lists processes with, beside the host's init.
    let processes = log.lines().filter(|line| line.starts_with("process ")).count();
    assert!((2..=4).contains(&processes), "{log}");
}

/// Whatever is left of a run: processes whose environment names it, and mounts of its folders.
fn leftovers(run: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let environ = fs::read(entry.path().join("environ")).unwrap_or_default();
        if String::from_utf8_lossy(&environ).contains(run) {
            found.push(format!("process {}", entry.file_name().display()));
        }
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    found.extend(mounts.lines().filter(|line| line.contains(run)).map(str::to_owned));
    found
}

#[test]
fn when_tg_is_killed_nothing_of_a_host_is_left() {
    if !has(Tool::Hosts, "what a killed tg leaves") {
        return;
    }
    let home = Home::new();
    let pipe = Pipe::new(&home.path().with_file_name("pipe"));
    let path = plan("shell");
    let shell = path.to_str().expect("a plain path");
    let pipe_param = pipe.param();
    let running = home.start([
        "run",
        shell,
        "--case",
        "daemon",
        "--instances",
        "3",
        "--isolation",
        "host",
        "--param",
        &pipe_param,
    ]);
    pipe.wait_for(3);
    let run = home.run();
    running.signal(Signal::SIGKILL);
    assert_eq!(running.wait().code(), -1);
    // Daemons that left their group and cleared their environment hold the pipe: only the end of their host ends them.
    pipe.wait_for_end();
    assert_eq!(leftovers(run.file.run.as_str()), Vec::<String>::new());
}

#[test]
fn an_ordinary_user_gets_hosts_or_is_told_what_is_missing() {
    if !has(Tool::Hosts, "hosts of an ordinary user") || !nix::unistd::getuid().is_root() {
        return;
    }
    let home = Home::new();
    let dir = home.path().with_file_name("theirs");
    fs::create_dir_all(&dir).expect("a folder");
    let (nobody, nogroup) = (nix::unistd::Uid::from_raw(65_534), nix::unistd::Gid::from_raw(65_534));
    nix::unistd::chown(&dir, Some(nobody), Some(nogroup)).expect("a folder of theirs");
    nix::unistd::chown(dir.parent().expect("a parent"), Some(nobody), Some(nogroup)).expect("the scratch folder too");
    let tg = home.command(["run"]).get_program().to_owned();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&tg);
    command.args(["run", plan("shell").to_str().expect("a plain path"), "--case", "ok", "--isolation", "host"]);
    command.env("TG_HOME", &dir).env("TMPDIR", &dir).current_dir(&dir);
    let done = finish(&mut command);
    // Some machines keep the device from ordinary users; then that is what they must be told.
    let open = nix::unistd::access("/dev/net/tun", nix::unistd::AccessFlags::F_OK).is_ok()
        && fs::metadata("/dev/net/tun").is_ok_and(|meta| {
            use std::os::unix::fs::PermissionsExt as _;
            meta.permissions().mode() & 0o006 == 0o006
        });
    if done.stderr.contains("Permission denied (os error 13)") && done.stderr.contains("start") {
        // The checkout itself is not theirs to read.
        return;
    }
    if open {
        done.expect(0);
    } else {
        done.expect(14);
        assert!(done.stderr.contains("/dev/net/tun") && done.stderr.contains("ordinary user"), "{}", done.stderr);
    }
}

#[test]
fn what_hosts_use_and_what_became_of_their_packets_is_on_record() {
    if !has(Tool::Hosts, "samples of hosts") {
        return;
    }
    let home = Home::new();
    let plan = network();
    let params = ["--param", "loss=20", "--param", "latency=2ms", "--param", "count=200"];
    let args =
        ["run", plan.to_str().expect("a plain path"), "--case", "probe", "--instances", "4", "--isolation", "host"];
    home.tg(args.into_iter().chain(params).chain(["--collect"])).expect(0);
    let run = home.run();
    let text = fs::read_to_string(run.dir.join("machine.ndjson")).expect("samples");
    let (mut seen, mut passed, mut lost) = (0, 0, 0);
    for line in text.lines() {
        match serde_json::from_str(line).expect("a sample") {
            Sample::Resources(one) => {
                seen += 1;
                // The plan alone, without what makes its host.
                assert_eq!(one.processes, Some(1), "{one:?}");
                assert!(one.sent.is_some() && one.received.is_some());
            }
            Sample::Link(link) => {
                assert_ne!(link.from, link.to);
                passed += link.passed.packets;
                lost += link.lost;
            }
            Sample::Host(_) => {}
        }
    }
    // Two pairs, 200 datagrams each way that were not lost; five standard deviations of what is lost of 400 are 40.
    assert!(seen >= 4 && passed >= 500, "{seen} {passed}");
    assert!((40..400).contains(&lost), "{lost}");
    for table in ["resources", "host", "links"] {
        assert!(run.dir.join("dataset").join(table).is_dir(), "{table}");
    }
    let stats = home.tg(["analyze", "stats", "latest"]);
    stats.expect(0);
    assert!(stats.stdout.contains("CPU contention") && stats.stdout.contains("packets late"), "{}", stats.stdout);
}

/// The packets of a capture: the moment in nanoseconds, and the bytes from the IP header on.
fn captured(path: &Path) -> Vec<(u64, Vec<u8>)> {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()));
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    assert_eq!((word(0), word(20)), (0xa1b2_3c4d, 101), "nanoseconds, and packets that begin with IP");
    let (mut at, mut out) = (24, Vec::new());
    while at < bytes.len() {
        let length = word(at + 8) as usize;
        assert_eq!(word(at + 12) as usize, length);
        out.push((
            u64::from(word(at)) * 1_000_000_000 + u64::from(word(at + 4)),
            bytes[at + 16..at + 16 + length].to_vec(),
        ));
        at += 16 + length;
    }
    out
}

#[test]
fn captures_have_what_a_host_sent_and_received() {
    if !has(Tool::Hosts, "captures") {
        return;
    }
    let home = Home::new();
    let plan = network();
    let path = plan.to_str().expect("a plain path");
    let case = ["run", path, "--case", "ping-pong", "--instances", "2", "--param", "rounds=3"];
    let nobody = home.tg(case.into_iter().chain(["--pcap", "multi"]));
    nobody.expect(2);
    assert!(nobody.stderr.contains("`--pcap multi` names nobody of the run"), "{}", nobody.stderr);
    home.tg(case.into_iter().chain(["--pcap", "single/0", "--isolation", "none"])).expect(14);
    assert!(home.runs().is_empty());
    home.tg(case.into_iter().chain(["--pcap", "single/0", "--isolation", "host"])).expect(0);
    let run = home.run();
    assert!(!run.dir.join("captures/single-1.pcap").exists());
    let path = run.dir.join("captures/single-0.pcap");
    let packets = captured(&path);
    let (us, them) = ([16, 0, 0, 2], [16, 0, 0, 3]);
    let (mut sent, mut received) = (0, 0);
    // The machine's clock may be set meanwhile, and hosts say a word while they are taken down.
    let (began, ended) = (run.file.started_ns - SECOND, run.file.ended_ns.expect("it ended") + 10 * SECOND);
    for (ns, packet) in &packets {
        assert!((began..=ended).contains(ns), "{ns}");
        if packet[0] >> 4 == 4 {
            sent += usize::from(packet[12..16] == us && packet[16..20] == them);
            received += usize::from(packet[12..16] == them && packet[16..20] == us);
            // The sum over a header with its checksum is all ones.
            let sum: u32 = packet[..20].chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
            assert_eq!((sum >> 16) + (sum & 0xffff), 0xffff);
        }
    }
    assert!(sent >= 6 && received >= 6, "{sent} {received}");
    if has(Tool::Tcpdump, "captures, as tcpdump reads them") {
        let read = Command::new("tcpdump").args(["-nn", "-v", "-r"]).arg(&path).output().expect("tcpdump runs");
        let text = String::from_utf8_lossy(&read.stdout);
        assert!(read.status.success() && text.contains("16.0.0.2") && !text.contains("incorrect"), "{text}");
    }
}
