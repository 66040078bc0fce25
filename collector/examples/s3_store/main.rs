//! Serves a small object store in memory on a loopback port, or where it is told, and prints its address:
//! `s3_store [PORT|ADDRESS:PORT [DELAY_MS [INSTANCES FILES BYTES]]]`. With the last three it holds a run `lab/runs/r1`
//! of that size; the bucket `lab` is there in any case.

mod serve;
mod store;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serve::{Behind, Faults, serve};
use store::Store;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let place = std::env::args().nth(1).unwrap_or_else(|| "0".to_owned());
    let at = place.parse().or_else(|_| place.parse().map(|port: u16| SocketAddr::from(([127, 0, 0, 1], port))));
    let at = at.map_err(|error| std::io::Error::other(format!("`{place}`: {error}")))?;
    let numbers: Vec<u64> = std::env::args().skip(2).filter_map(|word| word.parse().ok()).collect();
    let delay = Duration::from_millis(numbers.first().copied().unwrap_or(0));
    let store = Store::new(1000);
    if let [instances, files, bytes] = numbers.get(1..).unwrap_or_default() {
        fill(&store, *instances, *files, *bytes);
    }
    // A bucket is there as long as it holds something.
    store.put("lab/bucket", "");
    let faults = Faults { delay, ..Faults::default() };
    let address = serve(Behind::Store(store.service(false)), faults, Arc::default(), at).await?;
    #[expect(clippy::print_stdout, reason = "whoever started it waits for the address")]
    {
        println!("http://{address} {} {}", store::ACCESS_KEY, store::SECRET_KEY);
    }
    // Until its input ends, so that it does not outlive whoever started it.
    tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await?;
    Ok(())
}

/// So much content is made; objects beyond it share that of the first ones, so that any number fits in memory.
const MOST_BYTES: u64 = 512 << 20;

fn fill(store: &Store, instances: u64, files: u64, bytes: u64) {
    let mut state = 1_u64;
    let distinct = (MOST_BYTES / bytes.max(1)).clamp(1, instances * files);
    let contents: Vec<Bytes> = (0..distinct).map(|_| content(bytes, &mut state).into()).collect();
    let mut contents = contents.iter().cycle();
    for instance in 0..instances {
        for (file, content) in (0..files).zip(&mut contents) {
            store.put(&format!("lab/runs/r1/g/{instance}/file{file}.ndjson"), content.clone());
        }
    }
}

/// Records with numbers that do not repeat, cut to the size.
fn content(bytes: u64, state: &mut u64) -> String {
    let size = usize::try_from(bytes).unwrap_or(0);
    let mut content = String::with_capacity(size + 64);
    while content.len() < size {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let value = *state >> 33;
        content.push_str("{\"ts\":15850000000");
        content.push_str(&value.to_string());
        content.push_str(",\"x\":");
        content.push_str(&(value % 1000).to_string());
        content.push_str("}\n");
    }
    content.truncate(size);
    content
}
