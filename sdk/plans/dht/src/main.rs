//! Nodes of the libp2p DHT look for one another, for providers and for values.

mod cases;
mod forming;
mod ids;
mod lookups;
mod node;
mod people;
mod said;
mod settings;
mod stager;
mod swarm;
mod traced;
mod truth;

use std::process::ExitCode;

use tg_sdk::Plan;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    Plan::new()
        .case("find-peers", cases::find_peers)
        .case("find-providers", cases::find_providers)
        .case("provide-stress", cases::provide_stress)
        .case("store-get-value", cases::store_get_value)
        .case("get-closest-peers", cases::get_closest_peers)
        .case("all", cases::all)
        .run()
        .await
}
