//! From a TCP connection to a websocket, or to one of the few things that a runner on another machine asks for.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Who has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Guest {
    /// A websocket client, and what it sent already beyond its handshake.
    Client(Vec<u8>),
    /// A runner that wants to hear of what is below this prefix.
    Watcher(String),
    /// A runner that wants everything below this prefix forgotten.
    Leaver(String),
}

/// Answers the client's handshake: any path, any origin, no subprotocol, no compression. Returns nothing for who is no
/// websocket client; it has been told so. With `outside`, requests of runners are taken too, and not yet answered.
pub(super) async fn accept(tcp: &mut TcpStream, outside: bool) -> std::io::Result<Option<Guest>> {
    let mut input = Vec::with_capacity(1024);
    let end = loop {
        let searched = input.len();
        if tcp.read_buf(&mut input).await? == 0 {
            return Ok(None);
        }
        // The empty line may lie across two reads.
        let from = searched.saturating_sub(3);
        if let Some(at) = input[from..].windows(4).position(|window| window == b"\r\n\r\n") {
            break from + at + 4;
        }
        if input.len() > MAX_HEAD_BYTES {
            refuse(tcp, "431 Request Header Fields Too Large", "the request has too many headers").await?;
            return Ok(None);
        }
    };
    let rest = input.split_off(end);
    let head = String::from_utf8_lossy(&input);
    if let Some(guest) = outside.then(|| runner(&head)).flatten() {
        return Ok(Some(guest));
    }
    match websocket_key(&head) {
        Ok(key) => {
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Accept: {}\r\n\r\n",
                derive_accept_key(key.as_bytes())
            );
            tcp.write_all(answer.as_bytes()).await?;
            Ok(Some(Guest::Client(rest)))
        }
        Err(why) => {
            refuse(tcp, "426 Upgrade Required", why).await?;
            Ok(None)
        }
    }
}

async fn refuse(tcp: &mut TcpStream, status: &str, why: &str) -> std::io::Result<()> {
    let body = format!("This is the sync service of tg, which speaks websocket: {why}.\n");
    let answer = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    tcp.write_all(answer.as_bytes()).await?;
    tcp.shutdown().await
}

/// What a runner asks for: `GET /runs/ID/watch` or `DELETE /runs/ID`.
fn runner(head: &str) -> Option<Guest> {
    let mut words = head.split("\r\n").next()?.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let prefix = |run: &str| Some(format!("run:{}:", run.parse::<tg_model::RunId>().ok()?));
    let path = path.strip_prefix("/runs/")?;
    match method {
        "GET" => path.strip_suffix("/watch").and_then(prefix).map(Guest::Watcher),
        "DELETE" => prefix(path).map(Guest::Leaver),
        _ => None,
    }
}

/// The key of a websocket handshake, or what is wrong with the request.
fn websocket_key(head: &str) -> Result<&str, &'static str> {
    let mut lines = head.split("\r\n");
    let request = lines.next().unwrap_or_default();
    if !(request.starts_with("GET ") && request.ends_with(" HTTP/1.1")) {
        return Err("the request is not `GET ... HTTP/1.1`");
    }
    let (mut key, mut upgrades, mut version) = (None, false, None);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        if name.eq_ignore_ascii_case("sec-websocket-key") {
            key = Some(value);
        } else if name.eq_ignore_ascii_case("sec-websocket-version") {
            version = Some(value);
        } else if name.eq_ignore_ascii_case("upgrade") {
            upgrades |= value.split(',').any(|token| token.trim().eq_ignore_ascii_case("websocket"));
        }
    }
    match (upgrades, version, key) {
        (false, ..) => Err("the request does not ask for an upgrade to websocket"),
        (_, Some("13"), Some(key)) if !key.is_empty() => Ok(key),
        (_, Some("13"), _) => Err("the request has no `Sec-WebSocket-Key`"),
        _ => Err("the request is not of websocket version 13"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_asks_for_one_run() {
        let prefix = "run:20261126-172521123-abcd:".to_owned();
        let rows = [
            ("GET /runs/20261126-172521123-abcd/watch HTTP/1.1", Some(Guest::Watcher(prefix.clone()))),
            ("DELETE /runs/20261126-172521123-abcd HTTP/1.1", Some(Guest::Leaver(prefix))),
            ("GET /runs/20261126-172521123-abcd HTTP/1.1", None),
            ("DELETE /runs/ HTTP/1.1", None),
            ("DELETE /runs/x:y HTTP/1.1", None),
            ("GET / HTTP/1.1", None),
        ];
        for (line, guest) in rows {
            assert_eq!(runner(&format!("{line}\r\nHost: x\r\n\r\n")), guest, "{line}");
        }
    }

    #[test]
    fn handshakes_are_told_from_other_requests() {
        let good = "GET /any?path HTTP/1.1\r\nHost: ...\r\nconnection: keep-alive, Upgrade\r\nUPGRADE: WebSocket\r\n\
                    Sec-WebSocket-Version: 13\r\nsec-websocket-key: abc==\r\nOrigin: http://x\r\n\r\n";
        assert_eq!(websocket_key(good), Ok("abc=="));
        let rows = [
            (good.replace("GET", "POST"), "GET"),
            (good.replace("WebSocket", "h2c"), "upgrade"),
            (good.replace("Version: 13", "Version: 8"), "version 13"),
            (good.replace("abc==", ""), "Key"),
            (String::new(), "GET"),
        ];
        for (head, text) in rows {
            assert!(websocket_key(&head).is_err_and(|why| why.contains(text)), "{head}");
        }
    }
}
