//! Everything that `tg cluster install` makes, as the API server takes it.

use serde_json::{Value, json};

use super::names;
use super::settings::Settings;
use crate::build::artifact::hash;

/// Access key and secret key of the object store, and a session token if there is one.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// `AWS_ACCESS_KEY_ID`.
    pub id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret: String,
    /// `AWS_SESSION_TOKEN`.
    pub token: Option<String>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Who may do what, and which identity of the cloud the agent has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) namespace: &'a str,
    pub(super) settings: &'a Settings,
    pub(super) keys: Option<&'a Keys>,
    /// Annotations of the agent's account, for workload identity.
    pub(super) account: &'a [(String, String)],
    pub(super) pull_policy: &'a str,
}

/// All objects, in the order in which they are to be made.
pub(super) fn all(wanted: &Wanted<'_>) -> Vec<Value> {
    let mut objects = vec![namespace(wanted), account(wanted), role(wanted), binding(wanted), settings(wanted)];
    objects.extend(wanted.keys.map(|keys| secret(wanted, keys)));
    objects.extend([sync_service(wanted), sync(wanted), agent(wanted)]);
    objects
}

fn meta(wanted: &Wanted<'_>, name: &str, part: &str) -> Value {
    json!({"name": name, "namespace": wanted.namespace, "labels": labels(part)})
}

fn labels(part: &str) -> Value {
    json!({"app.kubernetes.io/managed-by": "tg", names::PART: part})
}

fn namespace(wanted: &Wanted<'_>) -> Value {
    // The agent reads folders of its node, which every stricter level of pod security forbids.
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": wanted.namespace, "labels": {
            "app.kubernetes.io/managed-by": "tg",
            "pod-security.kubernetes.io/enforce": "privileged",
        }},
    })
}

fn account(wanted: &Wanted<'_>) -> Value {
    let mut object =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta(wanted, names::AGENT, "agent")});
    if !wanted.account.is_empty() {
        let annotations: std::collections::BTreeMap<_, _> = wanted.account.iter().cloned().collect();
        object["metadata"]["annotations"] = json!(annotations);
    }
    object
}

/// The agent follows the pods of its node, and writes what it found into them.
fn role(wanted: &Wanted<'_>) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": meta(wanted, names::AGENT, "agent"),
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch", "patch"]}],
    })
}

fn binding(wanted: &Wanted<'_>) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": meta(wanted, names::AGENT, "agent"),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": names::AGENT},
        "subjects": [{"kind": "ServiceAccount", "name": names::AGENT, "namespace": wanted.namespace}],
    })
}

fn settings(wanted: &Wanted<'_>) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": meta(wanted, names::SETTINGS, "settings"), "data": wanted.settings.data(),
    })
}

fn secret(wanted: &Wanted<'_>, keys: &Keys) -> Value {
    let mut data = json!({"AWS_ACCESS_KEY_ID": keys.id, "AWS_SECRET_ACCESS_KEY": keys.secret});
    if let Some(token) = &keys.token {
        data["AWS_SESSION_TOKEN"] = json!(token);
    }
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": meta(wanted, names::KEYS, "settings"), "stringData": data,
    })
}

fn sync_service(wanted: &Wanted<'_>) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": meta(wanted, names::SYNC, "sync"),
        "spec": {
            "selector": {names::PART: "sync"},
            "ports": [{"name": "websocket", "port": tg_model::env::SYNC_PORT, "targetPort": "websocket"}],
        },
    })
}

fn sync(wanted: &Wanted<'_>) -> Value {
    let port = tg_model::env::SYNC_PORT;
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta(wanted, names::SYNC, "sync"),
        "spec": {
            // Its states are in memory: two of it would be two services.
            "replicas": 1, "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": {names::PART: "sync"}},
            "template": {
                "metadata": {"labels": labels("sync")},
                "spec": {
                    "automountServiceAccountToken": false, "enableServiceLinks": false,
                    "containers": [{
                        "name": "sync", "image": wanted.settings.image, "imagePullPolicy": wanted.pull_policy,
                        "args": ["sync", "--in-cluster", "--listen", format!("0.0.0.0:{port}")],
                        "ports": [{"name": "websocket", "containerPort": port}],
                        "readinessProbe": {"tcpSocket": {"port": "websocket"}, "periodSeconds": 2},
                        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "2Gi"}},
                    }],
                },
            },
        },
    })
}

/// A fingerprint of what agents learn as they start: they start anew when it changes, and only then.
fn told(wanted: &Wanted<'_>) -> String {
    let objects = [Some(account(wanted)), Some(settings(wanted)), wanted.keys.map(|keys| secret(wanted, keys))];
    hash(json!(objects).to_string())
}

fn agent(wanted: &Wanted<'_>) -> Value {
    let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": meta(wanted, names::AGENT, "agent"),
        "spec": {
            "selector": {"matchLabels": {names::PART: "agent"}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "20%"}},
            "template": {
                "metadata": {"labels": labels("agent"), "annotations": {names::TOLD: told(wanted)}},
                "spec": {
                    // The address of the sync service is found in the environment, where a cluster has no DNS.
                    "serviceAccountName": names::AGENT, "enableServiceLinks": true,
                    // Wherever a plan may run, somebody has to look after it.
                    "tolerations": [{"operator": "Exists"}],
                    "priorityClassName": "system-node-critical",
                    "terminationGracePeriodSeconds": 5,
                    // It reads what passed the network of a pod from the pod's processes.
                    "hostPID": true,
                    "containers": [{
                        "name": "agent", "image": wanted.settings.image, "imagePullPolicy": wanted.pull_policy,
                        "args": ["cluster", "agent"],
                        "env": [
                            field("TG_NODE", "spec.nodeName"),
                            field("TG_POD", "metadata.name"),
                            field("TG_NAMESPACE", "metadata.namespace"),
                        ],
                        "envFrom": [
                            {"configMapRef": {"name": names::SETTINGS}},
                            {"secretRef": {"name": names::KEYS, "optional": true}},
                        ],
                        "livenessProbe": {
                            "exec": {"command": ["/plan", "cluster", "agent", "--alive"]},
                            "initialDelaySeconds": 30, "periodSeconds": 30, "timeoutSeconds": 10,
                        },
                        "volumeMounts": [
                            {"name": "runs", "mountPath": names::NODE_ROOT},
                            {"name": "logs", "mountPath": "/var/log/pods", "readOnly": true},
                            {
                                "name": "cgroups", "mountPath": names::CGROUPS, "readOnly": true,
                                // Where each controller is a mount of its own.
                                "mountPropagation": "HostToContainer",
                            },
                        ],
                        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
                    }],
                    "volumes": [
                        {"name": "runs", "hostPath": {"path": names::NODE_ROOT, "type": "DirectoryOrCreate"}},
                        {"name": "logs", "hostPath": {"path": "/var/log/pods", "type": "Directory"}},
                        {"name": "cgroups", "hostPath": {"path": "/sys/fs/cgroup", "type": "Directory"}},
                    ],
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};

    use super::*;

    #[test]
    fn objects_are_what_kubernetes_reads_and_hold_no_key_in_plain_settings() {
        let settings = Settings { outputs: "s3://b/p".to_owned(), image: "tg:1".to_owned(), ..Settings::default() };
        let keys = Keys { id: "ID".to_owned(), secret: "SECRET".to_owned(), token: None };
        let wanted = Wanted {
            namespace: "ns",
            settings: &settings,
            keys: Some(&keys),
            account: &[("eks.amazonaws.com/role-arn".to_owned(), "arn".to_owned())],
            pull_policy: "IfNotPresent",
        };
        let objects = all(&wanted);
        for object in &objects {
            let text = object.to_string();
            assert_eq!(text.contains("SECRET"), object["kind"] == "Secret", "{text}");
            assert!(object["kind"] == "Namespace" || object["metadata"]["namespace"] == "ns", "{text}");
            match object["kind"].as_str() {
                Some("Deployment") => drop(serde_json::from_value::<Deployment>(object.clone()).expect("one")),
                Some("DaemonSet") => drop(serde_json::from_value::<DaemonSet>(object.clone()).expect("one")),
                _ => {}
            }
        }
        assert!(format!("{keys:?}").contains("ID") && !format!("{keys:?}").contains("SECRET"));
        assert!(all(&Wanted { keys: None, ..wanted }).len() == objects.len() - 1);
    }

    #[test]
    fn agents_start_anew_when_what_they_are_told_changes() {
        let settings = Settings { outputs: "s3://b/p".to_owned(), ..Settings::default() };
        let elsewhere = Settings { endpoint: Some("http://10.0.0.1".to_owned()), ..settings.clone() };
        let keys = Keys { id: "ID".to_owned(), secret: "SECRET".to_owned(), token: None };
        let other = Keys { secret: "OTHER".to_owned(), ..keys.clone() };
        let account = [("a".to_owned(), "b".to_owned())];
        let wanted =
            Wanted { namespace: "ns", settings: &settings, keys: Some(&keys), account: &[], pull_policy: "Never" };
        let template = |wanted: Wanted<'_>| agent(&wanted)["spec"]["template"].to_string();
        assert_eq!(template(wanted), template(wanted));
        assert_ne!(template(wanted), template(Wanted { settings: &elsewhere, ..wanted }));
        assert_ne!(template(wanted), template(Wanted { keys: Some(&other), ..wanted }));
        assert_ne!(template(wanted), template(Wanted { keys: None, ..wanted }));
        assert_ne!(template(wanted), template(Wanted { account: &account, ..wanted }));
    }
}
