//! The protocol between two instances: a name each way, then whatever comes is sent back.

use std::time::{Duration, Instant};

use tg_sdk::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// No name of an instance is longer.
const NAME_BYTES: usize = 255;

/// Tells the other end who we are, and returns who it is.
pub async fn greet(stream: &mut TcpStream, name: &str) -> Result<String> {
    let length = u8::try_from(name.len())?;
    stream.write_u8(length).await?;
    stream.write_all(name.as_bytes()).await?;
    let length = usize::from(stream.read_u8().await?);
    let mut theirs = [0; NAME_BYTES];
    stream.read_exact(&mut theirs[..length]).await?;
    Ok(std::str::from_utf8(&theirs[..length])?.to_owned())
}

/// Sends back whatever comes, until the other end has no more.
pub async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            n => stream.write_all(&buffer[..n]).await?,
        }
    }
}

/// Sends so many bytes and waits until they are back.
pub async fn round_trip(stream: &mut TcpStream, payload: &[u8], back: &mut [u8]) -> Result<Duration> {
    let began = Instant::now();
    let (mut reader, mut writer) = stream.split();
    // Both at once: an answer that is larger than the buffers of the system must be read while the rest is written.
    tokio::try_join!(writer.write_all(payload), async { reader.read_exact(back).await.map(drop) })?;
    let took = began.elapsed();
    if back == payload { Ok(took) } else { Err("the answer is not what was sent".into()) }
}
