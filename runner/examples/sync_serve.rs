//! Serves the sync service on a free loopback port, prints the address, and ends with its standard input.
//!
//! `cargo run --release -p tg-runner --example sync_serve`: for benchmarks, which measure a process of its own.
#![expect(clippy::print_stdout, reason = "an example talks to whoever started it")]

use std::error::Error;
use std::io::Read;

use tg_runner::sync::{Hub, Limits, Listen, Server, raise_open_files};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    raise_open_files()?;
    let listen = Listen { addr: ([127, 0, 0, 1], 0).into(), label: None };
    let server = Server::bind(Hub::new(Limits::default()), &[listen]).await?;
    for addr in server.addrs() {
        println!("listening on ws://{addr}");
    }
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    server.shutdown().await;
    Ok(())
}
