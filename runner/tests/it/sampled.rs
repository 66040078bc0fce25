//! What is sampled of the machine while a run goes on, on plain processes.

use tg_model::machine::{Of, Sample};

use crate::harness::{Bench, group};

/// Works until it was sampled often enough. The file lies beside the outputs.
const UNTIL_SEEN: &str = r#"
log=$TEST_OUTPUTS_PATH/../../../machine.ndjson
until [ "$(grep -c "resources.*\"$TEST_GROUP_ID/$TG_INSTANCE_INDEX\"" $log 2>/dev/null || :)" -ge 2 ] 2>/dev/null; do :; done
ok"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_and_the_machine_are_sampled_and_what_cannot_be_is_absent() {
    let bench = Bench::new(vec![group("a", 2, UNTIL_SEEN), group("b", 1, UNTIL_SEEN)]);
    let ran = bench.run().await;
    assert!(ran.passed(), "{:?}", ran.notes());
    let text = std::fs::read_to_string(ran.dir.join("machine.ndjson")).expect("the log");
    let samples: Vec<Sample> = text.lines().map(|line| serde_json::from_str(line).expect("a sample")).collect();
    let (mut hosts, mut last) = (0, 0);
    for sample in &samples {
        match sample {
            Sample::Resources(one) => {
                assert_eq!(one.of, Of::Processes);
                assert!(one.ts >= last && one.span_ns > 0 && one.ts - one.span_ns >= ran.file.started_ns);
                assert!(one.turns.expect("it ran") > 0 && one.cpu_ns.is_some() && one.cpu_wait_ns.is_some());
                assert!(one.memory_bytes.expect("it has memory") > 0);
                // The shell, and `grep` if it was there.
                assert!((1..=3).contains(&one.processes.expect("it has processes")), "{one:?}");
                assert!(one.descriptors.expect("ours to know") >= 3);
                // Plain processes share the machine's network.
                assert_eq!((one.sent, one.received), (None, None));
                last = one.ts;
            }
            Sample::Host(host) => {
                hosts += 1;
                assert!(host.cpus.expect("it has some") >= 1 && host.span_ns > 0);
                assert!(
                    host.busy_ns.expect("it was busy") <= 2 * host.span_ns * host.cpus.expect("some") + 100_000_000
                );
                assert!(host.available_bytes.expect("memory") < host.memory_bytes.expect("memory"));
                assert!(host.tg_cpu_ns.is_some() && host.tg_memory_bytes.expect("this process") > 0);
            }
            Sample::Link(link) => panic!("there is no network of tg's own: {link:?}"),
        }
    }
    for name in ["a/0", "a/1", "b/0"] {
        let of = |sample: &&Sample| matches!(sample, Sample::Resources(one) if one.instance.to_string() == name);
        assert!(samples.iter().filter(of).count() >= 2, "{name}");
    }
    assert!(hosts >= 2);
    let cpu: u64 =
        samples.iter().map(|one| if let Sample::Resources(one) = one { one.cpu_ns.unwrap_or(0) } else { 0 }).sum();
    assert!(cpu > 0);
}
