//! Answers the network requests of plans as the predecessor's sidecar did, by changing the rules of the run's network.
//!
//! An instance publishes what it wants on the topic `network:<its hostname>` and waits at a state that it names.
//! When everything is applied, that state is signalled; when something cannot be, whoever waits there gets an error
//! that says what, so that a plan never goes on in a network that it did not ask for.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::host::{Ask, Host};
use crate::isolation::SUBNET;
use crate::net::{AddressPlan, Filter, Network, Rules, Shape, Subnet};
use crate::sync::{Hub, Seen, TopicFilter, Watch};

/// What stands before a hostname in the key of a network topic.
const TOPICS: &str = "topics:network:";
/// The state that the SDKs wait for before anything else.
const INITIALIZED: &str = "states:network-initialized";

/// More instances than any cluster bears: Kubernetes promises 150,000 pods.
const MOST_INSTANCES: u64 = 1_000_000;

/// A host whose device can be changed while it runs.
pub(crate) type SharedHost = Arc<std::sync::Mutex<Host>>;

/// The hosts of a run by name, as they come and go.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    hosts: std::sync::Mutex<HashMap<String, (u32, SharedHost)>>,
}

impl Registry {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (u32, SharedHost)>> {
        self.hosts.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn add(&self, name: &str, label: u32, host: SharedHost) {
        self.lock().insert(name.to_owned(), (label, host));
    }

    pub(crate) fn remove(&self, name: &str) {
        self.lock().remove(name);
    }

    fn find(&self, name: &str) -> Option<(u32, SharedHost)> {
        self.lock().get(name).cloned()
    }
}

/// What was wrong with a request, for the run to note: which instance, and what.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) label: Option<u32>,
    pub(crate) text: String,
}

/// The sidecar of one run.
#[derive(Debug)]
pub(crate) struct Sidecar {
    hub: Hub,
    prefix: String,
    network: Arc<Network>,
    registry: Arc<Registry>,
}

impl Sidecar {
    /// `prefix` is that of the run's keys, with the colon behind it.
    pub(crate) fn new(hub: Hub, prefix: String, network: Arc<Network>, registry: Arc<Registry>) -> Self {
        Self { hub, prefix, network, registry }
    }

    /// Says that the network of one more instance stands.
    pub(crate) fn initialized(hub: &Hub, prefix: &str) {
        hub.signal(&format!("{prefix}{INITIALIZED}"));
    }

    /// Follows the requests of the run. To be called before the first instance starts.
    pub(crate) fn watch(&self) -> Watch {
        self.hub.watch(&self.prefix, TopicFilter { suffixes: Vec::new(), parts: vec![format!(":{TOPICS}")] })
    }

    /// Serves until the run's hub is gone or the task is ended. `refused` hears what could not be applied.
    pub(crate) async fn serve(self, mut watch: Watch, refused: tokio::sync::mpsc::Sender<Refused>) {
        let this = Arc::new(self);
        while let Some(seen) = watch.recv().await {
            let Seen::Published { from, topic, payload, .. } = seen else { continue };
            let Some(name) = topic.strip_prefix(&this.prefix).and_then(|rest| rest.strip_prefix(TOPICS)) else {
                continue;
            };
            let name = name.to_owned();
            let that = Arc::clone(&this);
            // Requests of one run are applied one after the other; each takes microseconds.
            let outcome = tokio::task::spawn_blocking(move || that.request(&name, &payload)).await;
            if let Ok(Err(text)) = outcome {
                refused.send(Refused { label: from, text }).await.ok();
            }
        }
    }

    fn request(&self, name: &str, payload: &str) -> Result<(), String> {
        let wanted: Wanted = match serde_json::from_str(payload) {
            Ok(wanted) => wanted,
            Err(error) => {
                let text = format!("a network configuration for `{name}` cannot be read: {error}");
                // Whoever waits for it must not wait for ever, if only the name of the state can be read.
                if let Ok(Callback { callback_state: Some(state) }) = serde_json::from_str(payload) {
                    self.fail(&state, &text);
                }
                return Err(text);
            }
        };
        let state = wanted.callback_state.clone().filter(|state| !state.is_empty());
        match self.apply(name, &wanted) {
            Ok(()) => {
                if let Some(state) = state {
                    self.hub.signal(&format!("{}states:{state}", self.prefix));
                }
                Ok(())
            }
            Err(text) => {
                let text = format!("the network of `{name}` was not configured: {text}");
                if let Some(state) = state {
                    self.fail(&state, &text);
                }
                Err(text)
            }
        }
    }

    fn fail(&self, state: &str, text: &str) {
        self.hub.fail(&format!("{}states:{state}", self.prefix), text);
    }

    /// Checks everything first, so that a request is applied as a whole or not at all.
    fn apply(&self, name: &str, wanted: &Wanted) -> Result<(), String> {
        let (label, host) = self.registry.find(name).ok_or_else(|| format!("there is no instance `{name}` now"))?;
        if !matches!(wanted.network.as_deref(), None | Some("" | "default")) {
            let other = wanted.network.as_deref().unwrap_or_default();
            return Err(format!("there is no network `{other}`, only `default`"));
        }
        if wanted.ipv6.as_deref().is_some_and(|text| !text.is_empty()) {
            return Err("changing an IPv6 address is not supported".to_owned());
        }
        match wanted.routing_policy.as_deref() {
            None | Some("" | "deny_all") => {}
            Some("allow_all") => {
                return Err("`routing_policy` is `allow_all`, but no way leads out of the data network".to_owned());
            }
            Some(other) => return Err(format!("`routing_policy` is `{other}`: use `deny_all` or `allow_all`")),
        }
        let default = wanted.default.clone().unwrap_or_default().shape("default")?;
        let mut by_subnet = Vec::new();
        for (nth, rule) in wanted.rules.iter().flatten().enumerate() {
            let subnet: Subnet = rule.subnet.parse().map_err(|error| format!("rule {nth}: {error}"))?;
            by_subnet.push((subnet, rule.shape.shape(&format!("rule {nth}"))?));
        }
        let address = wanted.ipv4.as_deref().filter(|text| !text.is_empty()).map(address).transpose()?;
        if let Some(address) = address {
            if !self.network.move_to(label, IpAddr::V4(address)) {
                return Err(format!("the address {address} belongs to another instance"));
            }
            let mut host = host.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            host.ask(&Ask::Ipv4(address)).map_err(|error| error.to_string())?;
        }
        let rules = Rules { enabled: wanted.enable.unwrap_or(true), default, by_subnet };
        if !self.network.set_rules(label, rules) {
            return Err("the instance has ended".to_owned());
        }
        Ok(())
    }
}

/// Answers requests where the network is the cluster's and cannot be changed: what would change nothing is granted,
/// and whoever waits for anything else gets an error that says so. Follows the hub from now on, and ends with it.
pub fn answer_unshaped(hub: Hub) -> impl Future<Output = ()> + Send + 'static {
    let (suffixes, parts) = (vec![crate::faults::TOPIC.to_owned()], vec![format!(":{TOPICS}")]);
    let mut watch = hub.watch("", TopicFilter { suffixes, parts });
    async move {
        while let Some(seen) = watch.recv().await {
            match seen {
                // A pod has its network before its container begins, so nobody has to wait for it. Whoever waits for
                // more instances than there can be waits for ever, and holds up nobody else.
                Seen::BarrierOpened { state, target, count } if state.ends_with(&format!(":{INITIALIZED}")) => {
                    for _ in count..target.min(MOST_INSTANCES) {
                        hub.signal(&state);
                    }
                }
                Seen::Published { topic, payload, .. } if topic.ends_with(crate::faults::TOPIC) => {
                    refuse_fault(&hub, &topic, &payload);
                }
                Seen::Published { topic, payload, .. } => answer_one(&hub, &topic, &payload),
                _ => {}
            }
        }
    }
}

/// Whoever asks for a fault must not wait for ever.
fn refuse_fault(hub: &Hub, topic: &str, payload: &str) {
    let Some(prefix) = topic.strip_suffix(crate::faults::TOPIC) else { return };
    if let Ok(Callback { callback_state: Some(state) }) = serde_json::from_str(payload) {
        hub.fail(&format!("{prefix}:states:{state}"), "faults cannot be brought about on a cluster by this tg");
    }
}

fn answer_one(hub: &Hub, topic: &str, payload: &str) {
    let Some((prefix, _)) = topic.split_once(TOPICS) else { return };
    // Of a request that cannot be read at all nobody knows who waits for it where.
    let Ok(Callback { callback_state: Some(state) }) = serde_json::from_str(payload) else { return };
    let state = format!("{prefix}states:{state}");
    match serde_json::from_str::<Wanted>(payload) {
        Ok(wanted) if wanted.changes_nothing() => {
            hub.signal(&state);
        }
        Ok(_) => hub.fail(&state, "the network of a cluster cannot be shaped by this tg; nothing was changed"),
        Err(error) => hub.fail(&state, &format!("a network configuration cannot be read: {error}")),
    }
}

/// Reads `16.0.1.1/24`. The prefix is the network's, whatever the request says, as with the predecessor.
fn address(text: &str) -> Result<Ipv4Addr, String> {
    let alone = text.split_once('/').map_or(text, |(address, _)| address);
    let address: Ipv4Addr = alone.parse().ok().ok_or_else(|| format!("`{text}` is no IPv4 address"))?;
    if AddressPlan::holds_v4(address) {
        Ok(address)
    } else {
        Err(format!("the address {address} is not of the data network {SUBNET}"))
    }
}

#[derive(Debug, Deserialize)]
struct Callback {
    callback_state: Option<String>,
}

/// A request, as the published SDKs write it. Every key may be missing.
#[derive(Debug, Deserialize)]
struct Wanted {
    network: Option<String>,
    #[serde(rename = "IPv4", alias = "ipv4")]
    ipv4: Option<String>,
    #[serde(rename = "IPv6", alias = "ipv6")]
    ipv6: Option<String>,
    enable: Option<bool>,
    default: Option<WantedShape>,
    rules: Option<Vec<WantedRule>>,
    callback_state: Option<String>,
    routing_policy: Option<String>,
}

impl Wanted {
    /// Whether a network with no rules at all is what it asks for.
    fn changes_nothing(&self) -> bool {
        let plain = |shape: &WantedShape| *shape == WantedShape::default();
        self.enable != Some(false)
            && self.ipv4.as_deref().is_none_or(str::is_empty)
            && self.default.as_ref().is_none_or(plain)
            && self.rules.iter().flatten().all(|rule| plain(&rule.shape))
    }
}

#[derive(Debug, Deserialize)]
struct WantedRule {
    #[serde(alias = "Subnet")]
    subnet: String,
    #[serde(flatten)]
    shape: WantedShape,
}

/// Nanoseconds, bits per second, percent.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
struct WantedShape {
    latency: i64,
    jitter: i64,
    bandwidth: u64,
    filter: u8,
    loss: f64,
    corrupt: f64,
    corrupt_corr: f64,
    reorder: f64,
    reorder_corr: f64,
    duplicate: f64,
    duplicate_corr: f64,
}

impl WantedShape {
    fn shape(&self, whose: &str) -> Result<Shape, String> {
        let time = |key: &str, ns: i64| {
            let ns = u64::try_from(ns).ok().ok_or_else(|| format!("{whose}: `{key}` is negative"))?;
            Ok::<_, String>(Duration::from_nanos(ns))
        };
        let share = |key: &str, percent: f64| {
            if (0.0..=100.0).contains(&percent) {
                Ok(percent / 100.0)
            } else {
                Err(format!("{whose}: `{key}` is {percent}, but percents go from 0 to 100"))
            }
        };
        Ok(Shape {
            latency: time("latency", self.latency)?,
            jitter: time("jitter", self.jitter)?,
            bandwidth_bits_per_s: self.bandwidth,
            filter: match self.filter {
                0 => Filter::Accept,
                1 => Filter::Reject,
                2 => Filter::Drop,
                other => return Err(format!("{whose}: `filter` is {other}: use 0, 1 or 2")),
            },
            loss: share("loss", self.loss)?,
            corrupt: share("corrupt", self.corrupt)?,
            corrupt_correlation: share("corrupt_corr", self.corrupt_corr)?,
            reorder: share("reorder", self.reorder)?,
            reorder_correlation: share("reorder_corr", self.reorder_corr)?,
            duplicate: share("duplicate", self.duplicate)?,
            duplicate_correlation: share("duplicate_corr", self.duplicate_corr)?,
            ..Shape::default()
        })
    }
}
