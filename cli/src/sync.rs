//! `tg sync`.

use std::net::SocketAddr;
use std::time::Duration;

use anstream::eprintln;
use tg_model::Exit;
use tg_runner::sync::{Hub, Limits, Listen, Seen, Server, TopicFilter, Watch, raise_open_files};

use crate::message::Failure;
use crate::signals::Interrupts;
use crate::{Context, output};

/// What `tg sync` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
`tg run` has a sync service of its own. This one is for instances that something else starts. \
States and topics live in memory until the service ends. Ctrl-C ends it.

Examples:
  tg sync                                     serve 127.0.0.1:5050, where the SDKs look
  tg sync --listen 127.0.0.1:0                take any free port and print it
  tg sync --listen 0.0.0.0:5050 --max-message 16MiB
  SYNC_SERVICE_HOST=127.0.0.1 ./my-plan       an instance that uses it")]
pub(crate) struct Args {
    /// The address to listen on; may be given more than once. Port 0 takes any free port.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5050")]
    listen: Vec<SocketAddr>,
    /// The largest message that a client may send: bytes, or with KiB, MiB or GiB.
    #[arg(long, value_name = "SIZE", default_value = "4MiB", value_parser = size_bytes)]
    max_message: u64,
    /// The most that the items of all topics may take in memory.
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size_bytes)]
    max_stored: u64,
    /// The most that may wait for a client that reads nothing, before it is cut off.
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = size_bytes)]
    max_backlog: u64,
    /// Send a harmless answer after so many seconds without any, for clients with a read timeout.
    #[arg(long, value_name = "SECONDS", default_value_t = 1200, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    keep_alive: u64,
    /// Serve a cluster: let runners follow their runs from outside, and answer what plans ask of their network: that
    /// it is there, and that it cannot be shaped.
    #[arg(long, hide = true)]
    in_cluster: bool,
}

/// Serves until Ctrl-C.
pub(crate) async fn run(args: Args, _context: &Context) -> Result<Exit, Failure> {
    let Args { listen, max_message, max_stored, max_backlog, keep_alive, in_cluster } = args;
    if let Err(error) = raise_open_files() {
        eprintln!("warning: the limit of open files stays as it is: {error}");
    }
    let limits = Limits {
        max_message_bytes: usize::try_from(max_message).unwrap_or(usize::MAX),
        max_stored_bytes: max_stored,
        max_backlog_bytes: usize::try_from(max_backlog).unwrap_or(usize::MAX),
        keep_alive: Duration::from_secs(keep_alive),
        ..Limits::default()
    };
    let hub = Hub::new(limits);
    let mut watch = hub.watch("", TopicFilter::default());
    let mut interrupts = Interrupts::listen()?;
    let mut answering = tokio::task::JoinSet::new();
    if in_cluster {
        answering.spawn(tg_runner::answer_unshaped(hub.clone()));
    }
    let listen: Vec<_> = listen.into_iter().map(|addr| Listen { addr, label: None }).collect();
    let bound = if in_cluster { Server::bind_outside(hub, &listen).await } else { Server::bind(hub, &listen).await };
    let server = bound.map_err(|error| {
        Failure::from_error(Exit::Environment, &error).hint("`--listen 127.0.0.1:0` takes any free port")
    })?;
    output::to_stdout(|out| server.addrs().iter().try_for_each(|addr| writeln!(out, "listening on ws://{addr}")))?;
    tokio::select! {
        () = interrupts.next() => {}
        () = warn(&mut watch) => {}
    }
    server.shutdown().await;
    Ok(Exit::Ok)
}

/// Says what is odd about clients; the rest is their own business.
async fn warn(watch: &mut Watch) {
    while let Some(seen) = watch.recv().await {
        if let Seen::Odd { from: _, reason, text } = seen {
            eprintln!("warning: {reason}: {text}");
        }
    }
}

/// Reads a size with or without a binary unit.
pub(crate) fn size_bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match &text[digits.len()..] {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        unit => return Err(format!("unknown unit `{unit}`: it is KiB, MiB or GiB")),
    };
    let count: u64 =
        digits.trim().parse().map_err(|_not_digits| "not a whole number of bytes, KiB, MiB or GiB".to_owned())?;
    count.checked_mul(unit).filter(|&bytes| bytes > 0).ok_or_else(|| "out of range".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_units() {
        let rows = [("1", Some(1)), ("32KiB", Some(32 << 10)), ("4 MiB", Some(4 << 20)), ("2GiB", Some(2 << 30))];
        let bad = [("", None), ("0", None), ("MiB", None), ("4MB", None), ("-1", None), ("99999999999GiB", None)];
        for (text, expected) in rows.into_iter().chain(bad) {
            assert_eq!(size_bytes(text).ok(), expected, "{text}");
        }
    }
}
