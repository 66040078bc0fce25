//! The loopback addresses of a run: one for each instance, so that the sync service knows who speaks.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tg_model::env::SYNC_PORT;

use crate::error::RunError;
use crate::sync::{BindError, Hub, Listen, Server};

/// Addresses of one block are 127.B.x.y with x and y from 1 to 250.
const PER_BYTE: u32 = 250;
/// Block 1 is the data network that plans are told (`TEST_SUBNET`), block 0 holds `localhost`.
const BLOCKS: std::ops::RangeInclusive<u8> = 2..=254;

/// A bound sync service, and the address that each instance is given.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) server: Server,
    pub(crate) hosts: Vec<String>,
    /// Why instances share one address, if they do.
    pub(crate) shared: Option<String>,
}

/// Takes a block of addresses that no other run uses.
pub(crate) async fn bind(hub: &Hub, instances: u32, hint: u32) -> Result<Bound, RunError> {
    if instances > PER_BYTE * PER_BYTE {
        return Err(RunError::TooMany { instances, most: PER_BYTE * PER_BYTE });
    }
    let blocks: Vec<u8> = BLOCKS.collect();
    let first = hint as usize % blocks.len();
    let mut last = None;
    for block in blocks[first..].iter().chain(&blocks[..first]) {
        let listen: Vec<Listen> =
            (0..instances).map(|label| Listen { addr: address(*block, label), label: Some(label) }).collect();
        match Server::bind(hub.clone(), &listen).await {
            Ok(server) => {
                let hosts = listen.iter().map(|listen| listen.addr.ip().to_string()).collect();
                return Ok(Bound { server, hosts, shared: None });
            }
            // Another run has this block, or something listens on every address of the machine.
            Err(BindError { addr, source }) if source.kind() == io::ErrorKind::AddrInUse => last = Some((addr, source)),
            Err(BindError { source, .. }) if source.kind() == io::ErrorKind::AddrNotAvailable => {
                return bind_one(hub, instances, &source).await;
            }
            Err(BindError { addr, source }) => return Err(RunError::Listen { addr, source }),
        }
    }
    let (addr, source) = last.unwrap_or_else(|| (address(2, 0), io::ErrorKind::AddrInUse.into()));
    Err(RunError::Listen { addr, source })
}

/// A service that listens nowhere yet: instances on hosts of their own find it under its name.
pub(crate) async fn none(hub: &Hub, instances: u32) -> Result<Bound, RunError> {
    let server =
        Server::bind(hub.clone(), &[]).await.map_err(|BindError { addr, source }| RunError::Listen { addr, source })?;
    Ok(Bound { server, hosts: vec![crate::isolation::SYNC_NAME.to_owned(); instances as usize], shared: None })
}

fn address(block: u8, label: u32) -> SocketAddr {
    let byte = |n: u32| u8::try_from(n % PER_BYTE + 1).unwrap_or(u8::MAX);
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, block, byte(label / PER_BYTE), byte(label))), SYNC_PORT)
}

/// Only Linux answers on all of 127.0.0.0/8 by itself.
async fn bind_one(hub: &Hub, instances: u32, why: &io::Error) -> Result<Bound, RunError> {
    let addr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), SYNC_PORT);
    let listen = [Listen { addr, label: None }];
    let server = Server::bind(hub.clone(), &listen)
        .await
        .map_err(|BindError { addr, source }| RunError::Listen { addr, source })?;
    let shared = format!(
        "all instances share the address {addr} ({why}): what they say over the sync service cannot be told apart, and two runs at once are not possible"
    );
    Ok(Bound { server, hosts: vec![addr.ip().to_string(); instances as usize], shared: Some(shared) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instance_has_its_own_address() {
        assert_eq!(address(7, 0).to_string(), "127.7.1.1:5050");
        assert_eq!(address(7, 249).to_string(), "127.7.1.250:5050");
        assert_eq!(address(7, 250).to_string(), "127.7.2.1:5050");
        let all: std::collections::BTreeSet<_> = (0..PER_BYTE * PER_BYTE).map(|label| address(7, label)).collect();
        assert_eq!(all.len(), (PER_BYTE * PER_BYTE) as usize);
    }
}
