//! A plan on the published Rust SDK of Testground, which it uses as its documentation says.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use testground::client::Client;
use testground::network_conf::{
    DEFAULT_DATA_NETWORK, FilterAction, LinkShape, NetworkConfiguration, RoutingPolicyType,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_stream::StreamExt as _;

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let client = Client::new_and_init().await?;
    let case = client.run_parameters().test_case.clone();
    match case.as_str() {
        "success" => client.record_success().await?,
        "failure" => client.record_failure("the table is wrong").await?,
        "ping" => ping(client).await?,
        other => return Err(format!("no case `{other}`").into()),
    }
    Ok(())
}

/// Two instances exchange a byte over a link that is 20 ms long in each direction.
async fn ping(client: Client) -> Outcome {
    let shape = LinkShape {
        latency: 20_000_000,
        jitter: 0,
        bandwidth: 0,
        filter: FilterAction::Accept,
        loss: 0.0,
        corrupt: 0.0,
        corrupt_corr: 0.0,
        reorder: 0.0,
        reorder_corr: 0.0,
        duplicate: 0.0,
        duplicate_corr: 0.0,
    };
    client
        .configure_network(NetworkConfiguration {
            network: DEFAULT_DATA_NETWORK.to_owned(),
            ipv4: None,
            ipv6: None,
            enable: true,
            default: shape,
            rules: None,
            callback_state: "shaped".to_owned(),
            callback_target: None,
            routing_policy: RoutingPolicyType::DenyAll,
        })
        .await?;
    let ip = client.run_parameters().data_network_ip()?.ok_or("no address in the data network")?;
    let mut byte = [0];
    if client.global_seq() == 1 {
        let listener = TcpListener::bind((ip, 0)).await?;
        let address = listener.local_addr()?.to_string();
        client.publish("address", Cow::Owned(address.into())).await?;
        let (mut stream, _) = listener.accept().await?;
        stream.read_exact(&mut byte).await?;
        stream.write_all(&byte).await?;
    } else {
        let address = client.subscribe("address", 16).await.next().await.ok_or("no address")??;
        let mut stream = TcpStream::connect(address.as_str().ok_or("no text")?).await?;
        let began = Instant::now();
        stream.write_all(&byte).await?;
        stream.read_exact(&mut byte).await?;
        let took = began.elapsed();
        client.record_message(format!("there and back in {took:?}"));
        if took < Duration::from_millis(40) {
            client.record_failure(format!("{took:?} is too fast for this link")).await?;
            return Ok(());
        }
    }
    client.record_success().await?;
    Ok(())
}
