//! The data network: the address in it, and how it is shaped.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use crate::env::Env;
use crate::records::nanos;
use crate::sync::SyncError;

/// What to do with the packets of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Filter {
    /// They pass.
    #[default]
    Accept,
    /// They are refused, and the sender is told.
    Reject,
    /// They vanish.
    Drop,
}

/// Whether packets reach what is not of the data network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum RoutingPolicy {
    /// They do not.
    #[default]
    DenyAll,
    /// They do.
    AllowAll,
}

/// The shape of what an instance sends. The default is a link that does nothing to packets.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Shape {
    /// How much later every packet arrives.
    pub latency: Duration,
    /// By how much that varies.
    pub jitter: Duration,
    /// The most that is sent, in bits per second; 0 is no limit.
    pub bandwidth_bits_per_s: u64,
    /// What happens to packets at all.
    pub filter: Filter,
    /// The share of packets that are lost, in percent.
    pub loss_percent: f32,
    /// The share of packets that are damaged, in percent.
    pub corrupt_percent: f32,
    /// How much that depends on the packet before, in percent.
    pub corrupt_correlation_percent: f32,
    /// The share of packets that overtake others, in percent.
    pub reorder_percent: f32,
    /// How much that depends on the packet before, in percent.
    pub reorder_correlation_percent: f32,
    /// The share of packets that arrive twice, in percent.
    pub duplicate_percent: f32,
    /// How much that depends on the packet before, in percent.
    pub duplicate_correlation_percent: f32,
}

impl Shape {
    fn wire(&self) -> Value {
        let filter = match self.filter {
            Filter::Accept => 0,
            Filter::Reject => 1,
            Filter::Drop => 2,
        };
        json!({
            "latency": nanos(self.latency),
            "jitter": nanos(self.jitter),
            "bandwidth": self.bandwidth_bits_per_s,
            "filter": filter,
            "loss": self.loss_percent,
            "corrupt": self.corrupt_percent,
            "corrupt_corr": self.corrupt_correlation_percent,
            "reorder": self.reorder_percent,
            "reorder_corr": self.reorder_correlation_percent,
            "duplicate": self.duplicate_percent,
            "duplicate_corr": self.duplicate_correlation_percent,
        })
    }
}

/// How the network of an instance shall be: see [`Env::configure_network`].
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkConfig {
    /// The state that is signalled once this is applied; choose a new one for each change.
    pub callback_state: String,
    /// How many instances have to have applied it before the call returns; all of the run if none is given.
    pub callback_target: Option<u64>,
    /// Whether the instance has a network at all.
    pub enable: bool,
    /// The shape of what it sends.
    pub default: Shape,
    /// What to do with packets to a subnet (CIDR). Only filters can differ by destination.
    pub rules: Vec<(String, Filter)>,
    /// A new address with its prefix length, such as `16.0.1.1/24`.
    pub ipv4: Option<String>,
    /// Whether packets reach what is not of the data network.
    pub routing_policy: RoutingPolicy,
}

impl NetworkConfig {
    /// An enabled network that does nothing to packets.
    pub fn new(callback_state: &str) -> Self {
        Self {
            callback_state: callback_state.to_owned(),
            callback_target: None,
            enable: true,
            default: Shape::default(),
            rules: Vec::new(),
            ipv4: None,
            routing_policy: RoutingPolicy::default(),
        }
    }

    fn wire(&self) -> Value {
        let rules: Vec<_> = self
            .rules
            .iter()
            .map(|(subnet, filter)| {
                let mut rule = Shape { filter: *filter, ..Shape::default() }.wire();
                rule["subnet"] = json!(subnet);
                rule
            })
            .collect();
        json!({
            "network": "default",
            "IPv4": self.ipv4,
            "IPv6": null,
            "enable": self.enable,
            "default": self.default.wire(),
            "rules": rules,
            "callback_state": self.callback_state,
            "routing_policy": self.routing_policy,
        })
    }
}

/// Why the network is not as the plan wants it.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// Nobody shapes networks in this run, and nothing was changed.
    #[error("the network was not configured: this backend has no sidecar (`TEST_SIDECAR` is false)")]
    NotApplied,
    /// A configuration that cannot be meant.
    #[error("the network was not configured: {why}")]
    BadConfig {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The name of this host is needed to be told apart from others.
    #[error("the network was not configured: the name of this host is unknown")]
    NoHostname,
    /// The sync service is the way to the sidecar.
    #[error("the network was not configured")]
    Sync(#[source] SyncError),
    /// `TEST_SUBNET` is no subnet.
    #[error("`TEST_SUBNET` is no subnet: `{text}`")]
    Subnet {
        /// Its text.
        text: String,
    },
    /// No address of this instance is in the subnet.
    #[error("no address of this instance is in `{subnet}`")]
    NoAddress {
        /// The subnet.
        subnet: String,
    },
}

impl Env {
    /// Whether something applies what [`Env::configure_network`] asks for.
    pub fn has_sidecar(&self) -> bool {
        self.inner.vars.sidecar
    }

    /// Shapes the network, and returns once it is applied in as many instances as the callback says.
    ///
    /// On a backend that cannot shape networks this is [`NetworkError::NotApplied`], never a silent success.
    pub async fn configure_network(&self, config: &NetworkConfig) -> Result<(), NetworkError> {
        if !self.has_sidecar() {
            return Err(NetworkError::NotApplied);
        }
        if config.callback_state.is_empty() {
            return Err(NetworkError::BadConfig { why: "`callback_state` is empty" });
        }
        let hostname = self.hostname().ok_or(NetworkError::NoHostname)?;
        let target = config.callback_target.unwrap_or_else(|| self.instances());
        self.sync().publish(&format!("network:{hostname}"), &config.wire()).await.map_err(NetworkError::Sync)?;
        self.sync().barrier(&config.callback_state, target).await.map_err(NetworkError::Sync)
    }

    /// The address that other instances reach this one at: the one inside `TEST_SUBNET`, or 127.0.0.1 on a backend
    /// without networks of its own.
    pub fn data_ip(&self) -> Result<IpAddr, NetworkError> {
        if !self.has_sidecar() {
            return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        data_ip(&self.inner.vars.subnet)
    }

    fn hostname(&self) -> Option<String> {
        self.inner.vars.hostname.clone().or_else(|| {
            let text = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        })
    }
}

/// Our address towards a subnet: the one that the system would send from. No packet is sent.
fn data_ip(subnet: &str) -> Result<IpAddr, NetworkError> {
    let bad = || NetworkError::Subnet { text: subnet.to_owned() };
    let (network, bits) = parse_subnet(subnet).ok_or_else(bad)?;
    let any: SocketAddr = match network {
        IpAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        IpAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    let local = UdpSocket::bind(any).and_then(|socket| {
        socket.connect((first_host(network), 9))?;
        socket.local_addr()
    });
    match local {
        Ok(addr) if inside(addr.ip(), network, bits) => Ok(addr.ip()),
        _ => Err(NetworkError::NoAddress { subnet: subnet.to_owned() }),
    }
}

/// The first address after that of the network, which itself counts as a broadcast address on some systems.
fn first_host(network: IpAddr) -> IpAddr {
    match network {
        IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits() | 1).into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() | 1).into(),
    }
}

fn parse_subnet(text: &str) -> Option<(IpAddr, u32)> {
    let (network, bits) = text.split_once('/')?;
    let (network, bits): (IpAddr, u32) = (network.parse().ok()?, bits.parse().ok()?);
    (bits <= if network.is_ipv4() { 32 } else { 128 }).then_some((network, bits))
}

fn inside(addr: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (addr, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => bits == 0 || (a.to_bits() ^ n.to_bits()) >> (32 - bits) == 0,
        (IpAddr::V6(a), IpAddr::V6(n)) => bits == 0 || (a.to_bits() ^ n.to_bits()) >> (128 - bits) == 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_has_the_keys_and_units_of_the_sidecar() {
        let mut config = NetworkConfig::new("net-done");
        config.default.latency = Duration::from_millis(10);
        config.default.bandwidth_bits_per_s = 1 << 20;
        config.rules.push(("16.0.2.0/24".to_owned(), Filter::Drop));
        config.ipv4 = Some("16.0.1.1/24".to_owned());
        let wire = config.wire();
        let expected: Value = serde_json::from_str(
            r#"{"network":"default","IPv4":"16.0.1.1/24","IPv6":null,"enable":true,
            "default":{"latency":10000000,"jitter":0,"bandwidth":1048576,"filter":0,"loss":0.0,"corrupt":0.0,
                "corrupt_corr":0.0,"reorder":0.0,"reorder_corr":0.0,"duplicate":0.0,"duplicate_corr":0.0},
            "rules":[{"latency":0,"jitter":0,"bandwidth":0,"filter":2,"loss":0.0,"corrupt":0.0,"corrupt_corr":0.0,
                "reorder":0.0,"reorder_corr":0.0,"duplicate":0.0,"duplicate_corr":0.0,"subnet":"16.0.2.0/24"}],
            "callback_state":"net-done","routing_policy":"deny_all"}"#,
        )
        .expect("JSON");
        assert_eq!(wire, expected);
    }

    #[test]
    fn addresses_are_found_inside_the_subnet_only() {
        assert_eq!(data_ip("127.0.0.0/8").expect("loopback"), IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert!(matches!(data_ip("240.0.0.0/4"), Err(NetworkError::NoAddress { .. })));
        for text in ["", "127.0.0.1", "127.0.0.0/33", "x/8"] {
            assert!(matches!(data_ip(text), Err(NetworkError::Subnet { .. })), "{text}");
        }
        let ip = |text: &str| text.parse().expect("an address");
        assert!(inside(ip("10.1.2.3"), ip("10.0.0.0"), 8) && !inside(ip("11.0.0.1"), ip("10.0.0.0"), 8));
        assert!(inside(ip("11.0.0.1"), ip("10.0.0.0"), 0) && !inside(ip("::1"), ip("10.0.0.0"), 0));
        assert!(inside(ip("fd00::5"), ip("fd00::"), 64) && !inside(ip("fd00:1::5"), ip("fd00::"), 64));
    }
}
