//! One pod from its start to when its node has nothing of it any more.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use tg_model::{InstanceId, RunId, layout};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::cgroup::Meter;
use super::logs::Logs;
use super::samples::Samples;
use super::{Doing, HANGS_PUBLISHING, Node, doing, set};
use crate::cluster::names;
use crate::cluster::pod::{self, Standing};
use crate::cluster::report::{Reading, Report};

/// How often what an instance prints is looked for: at first, and when it prints nothing.
const LOOK: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// The first wait after a failed try; each further one is twice as long.
const AGAIN: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// When what a running instance has written so far is published; each further time after a wait twice as long, so that
/// a file that grows evenly is sent three times over at most.
const SO_FAR: Duration = Duration::from_secs(30);

/// The instance of a pod, and its folders.
#[derive(Clone)]
struct Instance {
    run: RunId,
    id: InstanceId,
    /// The run's folder on this node.
    dir: PathBuf,
    /// Where it is written down how far its logs were read.
    state: PathBuf,
}

impl Instance {
    fn of(pod: &Pod, root: &Path) -> Option<Self> {
        let run: RunId = names::label_of(pod, names::RUN)?.parse().ok()?;
        let group = names::annotation_of(pod, names::GROUP_NAME)?.parse().ok()?;
        let (_, index) = pod::place(pod)?;
        let uid = pod.metadata.uid.as_deref()?;
        // It becomes the name of a file.
        let plain = uid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let state = root.join("state").join(format!("{uid}.json"));
        let dir = root.join("runs").join(run.as_str());
        plain.then_some(Self { run, id: InstanceId { group, index }, dir, state })
    }
}

/// Looks after a pod until its object is gone.
pub(super) async fn look_after(node: Arc<Node>, mut pods: watch::Receiver<Pod>, task: Doing) {
    let pod = pods.borrow_and_update().clone();
    let Some(instance) = Instance::of(&pod, &node.options.root) else {
        // Not one of ours after all: nobody else would let it go.
        let_go(&node, &pod, None, &task).await;
        return;
    };
    if pod::held(&pod) {
        let report = until_over(&node, &instance, &mut pods, &task).await;
        let pod = pods.borrow().clone();
        let_go(&node, &pod, Some(&report), &task).await;
    }
    // That may be as long as the run goes on.
    set(&task, None);
    while pods.changed().await.is_ok() {}
    clean(&instance).await;
}

/// Follows what it prints until it has ended, and publishes everything.
async fn until_over(node: &Arc<Node>, instance: &Instance, pods: &mut watch::Receiver<Pod>, task: &Doing) -> Report {
    let mut logs = Logs::new(&pods.borrow(), node, instance);
    let mut wait = LOOK.0;
    let mut open = true;
    let mut so_far = SoFar::new();
    let mut samples = samples(node, instance, pods.borrow().metadata.uid.as_deref().unwrap_or_default());
    loop {
        // Read first: what was printed before the end was seen is in the log by then.
        let over = matches!(pod::standing(&pods.borrow_and_update()), Standing::Over(_)) || !open;
        doing(task, "reading what it prints");
        let read;
        (logs, read) = logs.pump().await;
        if over && read == 0 {
            break;
        }
        doing(task, "sampling what it uses");
        samples = samples.look().await;
        so_far.look(node, instance);
        wait = if read > 0 { LOOK.0 } else { (wait * 2).min(LOOK.1) };
        doing(task, "waiting for it to print or to end");
        if read == 0 || !over {
            tokio::select! {
                changed = pods.changed(), if open => open = changed.is_ok(),
                () = sleep(wait) => {}
            }
        }
    }
    // What that sends is older than what is sent now, and must not come after it.
    set(task, Some(("publishing what it wrote so far", HANGS_PUBLISHING)));
    so_far.end().await;
    doing(task, "reading again what it printed");
    let mut report = read_again(instance, &mut logs).await;
    if let Some((reason, text)) = samples.notes() {
        report.note(reason, text);
    }
    publish(node, instance, &mut report, task).await;
    report
}

fn samples(node: &Node, instance: &Instance, uid: &str) -> Samples {
    let meter = Meter::new(&node.options.cgroups, &node.options.proc, uid);
    let path = layout::logs_dir(&instance.dir, &instance.id).join(layout::MACHINE_FILE);
    Samples::new(meter, instance.id.clone(), path)
}

/// Publishes what a running instance has written so far: a node that is lost then loses less.
struct SoFar {
    wait: Duration,
    due: Instant,
    going: Option<JoinHandle<()>>,
}

impl SoFar {
    fn new() -> Self {
        Self { wait: SO_FAR, due: Instant::now() + SO_FAR, going: None }
    }

    fn look(&mut self, node: &Arc<Node>, instance: &Instance) {
        if Instant::now() < self.due || self.going.as_ref().is_some_and(|going| !going.is_finished()) {
            return;
        }
        self.wait *= 2;
        self.due = Instant::now() + self.wait;
        let (node, instance) = (Arc::clone(node), instance.clone());
        self.going = Some(tokio::spawn(async move {
            let _turn = node.turns.acquire().await;
            // Its end is another occasion.
            if let Err(error) = node.publish.publish(&instance.run, &instance.dir, &instance.id).await {
                let why = crate::error::chain(&*error);
                (node.say)(&format!("{}/{}: not published so far: {why}", instance.run, instance.id));
            }
        }));
    }

    async fn end(self) {
        if let Some(going) = self.going {
            drop(going.await);
        }
    }
}

async fn publish(node: &Node, instance: &Instance, report: &mut Report, task: &Doing) {
    // Others of its node go first.
    set(task, None);
    let _turn = node.turns.acquire().await;
    let mut wait = AGAIN;
    loop {
        set(task, Some(("publishing", HANGS_PUBLISHING)));
        match node.publish.publish(&instance.run, &instance.dir, &instance.id).await {
            Ok(sent) => {
                (report.files, report.bytes) = (sent.files, sent.bytes);
                for note in sent.notes {
                    report.note("not-published", note);
                }
                return;
            }
            // A store that is away for a while must not cost what an instance wrote.
            Err(error) => {
                let why = crate::error::chain(&*error);
                (node.say)(&format!("{}/{}: not published, trying again: {why}", instance.run, instance.id));
            }
        }
        doing(task, "waiting to publish again");
        sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Writes the report into the pod, and lets its object go.
async fn let_go(node: &Node, pod: &Pod, report: Option<&Report>, task: &Doing) {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let mut patch = crate::cluster::install::without_finalizer();
    if let Some(text) = report.and_then(|report| serde_json::to_string(report).ok()) {
        patch["metadata"]["annotations"] = serde_json::json!({ names::REPORT: text });
    }
    // A pod of the same name that came later is another instance's.
    patch["metadata"]["uid"] = serde_json::json!(pod.metadata.uid);
    let mut wait = AGAIN;
    loop {
        doing(task, "telling the cluster");
        let pods = node.cluster.api::<Pod>();
        match pods.patch(name, &PatchParams::default(), &Patch::Strategic(&patch)).await {
            Ok(_) => return,
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409 | 422) => return,
            Err(error) => (node.say)(&format!("{name}: cannot be told of: {}", crate::error::chain(&error))),
        }
        sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Reads the logs from their beginning: whatever happened to the agent meanwhile, they are whole.
async fn read_again(instance: &Instance, logs: &mut Logs) -> Report {
    let dir = layout::logs_dir(&instance.dir, &instance.id);
    let group = instance.id.group.to_string();
    let read = tokio::task::spawn_blocking(move || {
        let mut reading = Reading::new(&group);
        let out = feed(&dir.join(layout::STDOUT_FILE), |bytes| reading.stdout(bytes));
        let err = feed(&dir.join(layout::STDERR_FILE), |bytes| reading.stderr(bytes));
        let mut report = reading.finish();
        for error in [out, err].into_iter().filter_map(Result::err) {
            report.note("log-broken", format!("its log cannot be read again: {error}"));
        }
        report
    });
    let mut report = read.await.unwrap_or_default();
    for (reason, text) in logs.notes() {
        report.note(reason, text);
    }
    report
}

fn feed(path: &Path, mut to: impl FnMut(&[u8])) -> io::Result<()> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            read => to(&buffer[..read]),
        }
    }
}

/// Removes what the node has of an instance.
async fn clean(instance: &Instance) {
    let (dir, id, state) = (instance.dir.clone(), instance.id.clone(), instance.state.clone());
    let cleaned = tokio::task::spawn_blocking(move || {
        for folder in [layout::outputs_dir(&dir, &id), layout::logs_dir(&dir, &id)] {
            // The kubelet may have gone before us; what cannot be removed is tried again by nobody but costs only room.
            drop(std::fs::remove_dir_all(&folder));
            // The folders of the group and the run go with their last instance.
            for above in folder.ancestors().skip(1).take(3) {
                if std::fs::remove_dir(above).is_err() {
                    break;
                }
            }
        }
        drop(std::fs::remove_file(state));
    });
    // It is not a matter of anybody's run any more.
    drop(cleaned.await);
}

impl Logs {
    fn new(pod: &Pod, node: &Node, instance: &Instance) -> Self {
        let meta = &pod.metadata;
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        let folder = format!("{}_{}_{}", part(&meta.namespace), part(&meta.name), part(&meta.uid));
        let from = node.options.pod_logs.join(folder).join(names::CONTAINER);
        Self::open(from, layout::logs_dir(&instance.dir, &instance.id), instance.state.clone())
    }
}
