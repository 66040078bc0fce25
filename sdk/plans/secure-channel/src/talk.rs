//! What is said on a stream: an order of nine bytes, then messages.

use std::io;

use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use libp2p::Stream;

/// What the one that dialled wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Every message of this size comes back.
    Echo(usize),
    /// So many bytes are read, and a byte says that all came.
    Take(u64),
}

/// Bytes of a message at most.
pub const LONGEST: u64 = 16 << 20;

impl Order {
    pub async fn say(self, stream: &mut Stream) -> io::Result<()> {
        let (kind, n) = match self {
            Self::Echo(size) => (0, size as u64),
            Self::Take(bytes) => (1, bytes),
        };
        stream.write_all(&[kind]).await?;
        stream.write_all(&n.to_be_bytes()).await?;
        stream.flush().await
    }

    /// Nothing if the stream is at its end.
    async fn hear(stream: &mut Stream) -> io::Result<Option<Self>> {
        let mut kind = [0];
        if stream.read(&mut kind).await? == 0 {
            return Ok(None);
        }
        let mut n = [0; 8];
        stream.read_exact(&mut n).await?;
        match (kind[0], u64::from_be_bytes(n)) {
            (0, n @ 1..=LONGEST) => Ok(Some(Self::Echo(usize::try_from(n).unwrap_or(usize::MAX)))),
            (1, n) => Ok(Some(Self::Take(n))),
            (kind, n) => Err(io::Error::other(format!("no order is {kind} with {n}"))),
        }
    }
}

/// Does what one stream asks for, until it ends.
pub async fn serve(mut stream: Stream) -> io::Result<()> {
    match Order::hear(&mut stream).await? {
        None => Ok(()),
        Some(Order::Echo(size)) => {
            let mut message = vec![0; size];
            loop {
                match stream.read_exact(&mut message).await {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                    Err(error) => return Err(error),
                }
                stream.write_all(&message).await?;
                stream.flush().await?;
            }
        }
        Some(Order::Take(bytes)) => {
            let mut buffer = vec![0; 256 << 10];
            let mut left = bytes;
            while left > 0 {
                let most = usize::try_from(left.min(buffer.len() as u64)).unwrap_or(buffer.len());
                let read = stream.read(&mut buffer[..most]).await?;
                if read == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                left -= read as u64;
            }
            stream.write_all(&[1]).await?;
            stream.flush().await?;
            stream.close().await
        }
    }
}

/// Sends a message and waits until it is back.
pub async fn round_trip(stream: &mut Stream, message: &mut [u8]) -> io::Result<()> {
    stream.write_all(message).await?;
    stream.flush().await?;
    stream.read_exact(message).await
}

/// Sends so many bytes in messages of this size, and waits until all are there.
pub async fn send(stream: &mut Stream, message: &[u8], bytes: u64) -> io::Result<()> {
    let mut left = bytes;
    while left > 0 {
        let now = usize::try_from(left.min(message.len() as u64)).unwrap_or(message.len());
        stream.write_all(&message[..now]).await?;
        left -= now as u64;
    }
    stream.flush().await?;
    stream.read_exact(&mut [0]).await
}
