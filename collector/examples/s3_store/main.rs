//! Serves a small object store in memory on a loopback port and prints its address: `s3_store [PORT] [DELAY_MS]`.

mod store;

use std::time::Duration;

use store::{Faults, Store, serve};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let port = numbers.first().and_then(|port| u16::try_from(*port).ok()).unwrap_or(0);
    let delay = Duration::from_millis(numbers.get(1).copied().unwrap_or(0));
    let address = serve(Store::new(1000), Faults { delay, ..Faults::default() }, false, port).await?;
    #[expect(clippy::print_stdout, reason = "whoever started it waits for the address")]
    {
        println!("http://{address} {} {}", store::ACCESS_KEY, store::SECRET_KEY);
    }
    // Until its input ends, so that it does not outlive whoever started it.
    tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await?;
    Ok(())
}
