//! A websocket client that costs little: the load must not be the bottleneck.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Outcome;

pub(crate) struct Client {
    tcp: TcpStream,
    input: Vec<u8>,
    read: usize,
    /// The answer, put together from its frames.
    message: Vec<u8>,
}

impl Client {
    pub(crate) async fn dial(addr: SocketAddr) -> Outcome<Self> {
        let mut tcp = TcpStream::connect(addr).await?;
        tcp.set_nodelay(true)?;
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {addr}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        tcp.write_all(request.as_bytes()).await?;
        let mut input = Vec::new();
        let read = loop {
            if tcp.read_buf(&mut input).await? == 0 {
                return Err("the service closed the connection".into());
            }
            if let Some(at) = input.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
        };
        if !input.starts_with(b"HTTP/1.1 101") {
            return Err(format!("no websocket: {}", String::from_utf8_lossy(&input)).into());
        }
        Ok(Self { tcp, input, read, message: Vec::new() })
    }

    pub(crate) async fn send(&mut self, frames: &[u8]) -> Outcome<()> {
        Ok(self.tcp.write_all(frames).await?)
    }

    /// Waits for the next answer.
    pub(crate) async fn answer(&mut self) -> Outcome<()> {
        self.message.clear();
        // The published service sends an empty frame at the end of each message.
        while !self.frame().await? {}
        if !self.message.windows(11).any(|window| window == b"\"error\":\"\",") {
            return Err(format!("an error: {}", String::from_utf8_lossy(&self.message)).into());
        }
        Ok(())
    }

    /// Takes in the next frame; says whether it was a message's last.
    async fn frame(&mut self) -> Outcome<bool> {
        let (start, end) = loop {
            if let Some(found) = self.whole() {
                break found;
            }
            if self.read > 0 {
                self.input.drain(..self.read);
                self.read = 0;
            }
            self.input.reserve(2048);
            if self.tcp.read_buf(&mut self.input).await? == 0 {
                return Err("the service closed the connection".into());
            }
        };
        let is_last = self.input[self.read] & 0x80 != 0;
        self.message.extend_from_slice(&self.input[start..end]);
        self.read = end;
        Ok(is_last)
    }

    fn whole(&self) -> Option<(usize, usize)> {
        let input = &self.input[self.read..];
        let (head, len) = match *input.get(1)? {
            126 => (4, usize::from(u16::from_be_bytes([*input.get(2)?, *input.get(3)?]))),
            127 => (10, usize::try_from(u64::from_be_bytes(input.get(2..10)?.try_into().ok()?)).ok()?),
            short => (2, usize::from(short)),
        };
        (input.len() >= head + len).then_some((self.read + head, self.read + head + len))
    }
}

/// A masked text frame; the mask is zero, which the protocol allows and a service must undo all the same.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    if let Ok(len @ 0..=125) = u8::try_from(text.len()) {
        frame.push(0x80 | len);
    } else {
        frame.push(0x80 | 0x7e);
        frame.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(text.as_bytes());
    frame
}
