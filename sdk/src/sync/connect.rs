//! Where the sync service is, and how a connection to it is made.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::error::SyncError;
use super::link::Socket;

/// Where the sync service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Address {
    /// The name that every published SDK dials when none is given.
    pub const DEFAULT_HOST: &str = "testground-sync-service";
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Connects, again and again until `limit` is over: instances often start before the service can be reached.
pub(crate) async fn connect(address: &Address, limit: Duration) -> Result<Socket, SyncError> {
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(20);
    loop {
        let attempt = tokio::time::timeout_at(deadline, attempt(address)).await;
        let error: Arc<dyn std::error::Error + Send + Sync> = match attempt {
            Ok(Ok(socket)) => return Ok(socket),
            Ok(Err(error)) => Arc::from(error),
            Err(elapsed) => Arc::new(elapsed),
        };
        if Instant::now() + pause >= deadline {
            return Err(SyncError::Connect { addr: address.to_string(), limit, source: error });
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

async fn attempt(address: &Address) -> Result<Socket, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
    stream.set_nodelay(true)?;
    // The service decides how large a message may be; the defaults of the library would cut off large items.
    let config = WebSocketConfig::default().max_message_size(Some(64 << 20)).max_frame_size(Some(64 << 20));
    let url = format!("ws://{address}/");
    let (socket, _) = tokio_tungstenite::client_async_with_config(url, stream, Some(config)).await?;
    Ok(socket)
}
