//! Network configuration, with and without somebody who applies it.

use serde_json::{Value, json};
use tg_sdk::{Env, NetworkConfig, NetworkError, Result};

use crate::process::{command, events, start};
use crate::server::{Manner, Service};

/// A case that wants 10 ms of latency.
pub(crate) async fn shapes(env: Env) -> Result {
    let mut config = NetworkConfig::new("shaped");
    config.default.latency = std::time::Duration::from_millis(10);
    let said = match env.configure_network(&config).await {
        Ok(()) => format!("applied, and my address is {}", env.data_ip()?),
        Err(NetworkError::NotApplied) => format!("not applied, and my address is {}", env.data_ip()?),
        Err(error) => return Err(error.into()),
    };
    env.message(said);
    Ok(())
}

fn messages(stdout: &[u8]) -> Vec<Value> {
    let events = events(&String::from_utf8_lossy(stdout));
    events.into_iter().filter(|(kind, _)| kind == "message_event").map(|(_, event)| event["message"].clone()).collect()
}

#[tokio::test]
async fn without_a_sidecar_the_plan_is_told() {
    let service = Service::start(Manner::Good).await;
    let dir = tempfile::tempdir().expect("a folder");
    let output = start(Some(&service), "shapes-network", dir.path()).await;
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(messages(&output.stdout), ["not applied, and my address is 127.0.0.1"]);
    assert!(service.requests().iter().all(|request| request["publish"]["topic"] != "network"));
}

#[tokio::test]
async fn a_sidecar_is_asked_on_the_topic_of_the_host_and_waited_for() {
    let service = Service::start(Manner::Good).await;
    let dir = tempfile::tempdir().expect("a folder");
    let mut command = command("shapes-network", dir.path());
    command
        .env("SYNC_SERVICE_HOST", service.addr.ip().to_string())
        .env("SYNC_SERVICE_PORT", service.addr.port().to_string())
        .env("TEST_SIDECAR", "true")
        .env("TEST_SUBNET", "127.0.0.0/8")
        .env("HOSTNAME", "host-7");
    let key = |kind: &str, name: &str| format!("run:r:plan:p:case:shapes-network:{kind}:{name}");
    let sidecar = async {
        let sidecar = service.client_of("shapes-network").await;
        service.saw(|request| request["barrier"]["state"] == key("states", "network-initialized")).await;
        sidecar.signal("network-initialized").await.expect("a count");
        service.saw(|request| request["publish"]["topic"] == key("topics", "network:host-7")).await;
        service.saw(|request| request["barrier"] == json!({"state": key("states", "shaped"), "target": 1})).await;
        sidecar.signal("shaped").await.expect("a count");
    };
    let (output, ()) = tokio::join!(command.output(), sidecar);
    let output = output.expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(messages(&output.stdout), ["network initialisation successful", "applied, and my address is 127.0.0.1"]);
    let config = &service.topic(&key("topics", "network:host-7"))[0];
    assert_eq!(config["default"]["latency"], 10_000_000);
    assert_eq!(config["callback_state"], "shaped");
}
