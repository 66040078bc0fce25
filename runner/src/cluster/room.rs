//! Whether a run fits into the cluster as it is.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use tg_model::spec::RunSpec;

use super::install::NodeRoom;

/// The room of nodes, given all pods that are there.
pub(super) fn of(nodes: &[Node], pods: &[Pod]) -> Vec<NodeRoom> {
    let mut used: BTreeMap<&str, (u32, u64, u64)> = BTreeMap::new();
    for pod in pods {
        let Some(spec) = &pod.spec else { continue };
        let Some(node) = spec.node_name.as_deref() else { continue };
        let entry = used.entry(node).or_default();
        entry.0 += 1;
        for container in &spec.containers {
            let requests = container.resources.as_ref().and_then(|it| it.requests.as_ref());
            entry.1 += requests.and_then(|it| it.get("cpu")).and_then(|it| milli(&it.0)).unwrap_or(0);
            entry.2 += requests.and_then(|it| it.get("memory")).and_then(|it| bytes(&it.0)).unwrap_or(0);
        }
    }
    nodes.iter().map(|node| room(node, &used)).collect()
}

fn room(node: &Node, used: &BTreeMap<&str, (u32, u64, u64)>) -> NodeRoom {
    let name = node.metadata.name.clone().unwrap_or_default();
    let status = node.status.clone().unwrap_or_default();
    let ready = status.conditions.iter().flatten().any(|it| it.type_ == "Ready" && it.status == "True");
    let cordoned = node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false);
    let has = status.allocatable.unwrap_or_default();
    let get = |key: &str| has.get(key).map(|Quantity(text)| text.clone()).unwrap_or_default();
    let (pods, cpu, memory) = used.get(name.as_str()).copied().unwrap_or_default();
    NodeRoom {
        ready: ready && !cordoned,
        pods: get("pods").parse().unwrap_or(0),
        used: pods,
        cpu_milli: (milli(&get("cpu")).unwrap_or(0), cpu),
        memory: (bytes(&get("memory")).unwrap_or(0), memory),
        name,
    }
}

/// What a run lacks, in words: nothing if it fits as far as numbers can tell.
pub(super) fn lacks(spec: &RunSpec, nodes: &[NodeRoom]) -> Option<String> {
    let nodes: Vec<&NodeRoom> = nodes.iter().filter(|node| node.ready).collect();
    let free_pods: u64 = nodes.iter().map(|node| u64::from(node.pods.saturating_sub(node.used))).sum();
    let free = |of: fn(&NodeRoom) -> (u64, u64)| -> u64 {
        nodes.iter().map(|node| of(node)).map(|(has, used)| has.saturating_sub(used)).sum()
    };
    let (free_cpu, free_memory) = (free(|node| node.cpu_milli), free(|node| node.memory));
    let wanted = |of: fn(&tg_model::spec::Resources) -> Option<u64>| -> u64 {
        spec.groups.iter().map(|group| of(&group.resources).unwrap_or(0) * u64::from(group.count)).sum()
    };
    let cpu = wanted(|it| it.cpu.as_deref().and_then(milli));
    let memory = wanted(|it| it.memory.as_deref().and_then(bytes));
    let mut lacks = Vec::new();
    if u64::from(spec.instances()) > free_pods {
        lacks.push(format!("it needs {} pods and {free_pods} are free on {} nodes", spec.instances(), nodes.len()));
    }
    if cpu > free_cpu {
        lacks.push(format!("it asks for {} processors and {} are free", cores(cpu), cores(free_cpu)));
    }
    if memory > free_memory {
        lacks.push(format!("it asks for {} MiB of memory and {} MiB are free", memory >> 20, free_memory >> 20));
    }
    (!lacks.is_empty()).then(|| lacks.join("; "))
}

fn cores(milli: u64) -> String {
    format!("{}.{:03}", milli / 1000, milli % 1000).trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Processors as Kubernetes writes them, in thousandths: `2`, `0.5`, `100m`.
fn milli(text: &str) -> Option<u64> {
    scaled(text, 1000)
}

/// Memory as Kubernetes writes it, in bytes: `128Mi`, `1G`, `129e6`.
fn bytes(text: &str) -> Option<u64> {
    scaled(text, 1)
}

/// A quantity (Kubernetes API reference, "Quantity") times `by`, rounded up.
fn scaled(text: &str, by: u64) -> Option<u64> {
    const UNITS: [(&str, f64); 16] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
        ("", 1.0),
    ];
    let (number, unit) = UNITS.iter().find_map(|(suffix, unit)| {
        let number: f64 = text.trim().strip_suffix(suffix)?.parse().ok()?;
        Some((number, *unit))
    })?;
    let value = (number * unit * by as f64).ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked just before")]
    ((0.0..9e18).contains(&value)).then_some(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_writes_them() {
        let rows = [
            ("2", Some(2000)),
            ("0.5", Some(500)),
            ("100m", Some(100)),
            ("1u", Some(1)),
            ("1e1", Some(10_000)),
            ("x", None),
            ("", None),
            ("-1", None),
        ];
        for (text, wanted) in rows {
            assert_eq!(milli(text), wanted, "{text}");
        }
        for (text, wanted) in [("128Mi", 128 << 20), ("1G", 1_000_000_000), ("24609224Ki", 24_609_224 << 10)] {
            assert_eq!(bytes(text), Some(wanted), "{text}");
        }
    }
}
