//! What a channel is made of, and the transport that makes it.

use std::net::IpAddr;
use std::time::Duration;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId, Swarm, SwarmBuilder, Transport as _, noise, plaintext, quic, tcp, tls, yamux};
use libp2p_mplex::Config as Mplex;
use tg_sdk::{Param, Result};

/// A connection stays though nobody uses it.
const IDLE: Duration = Duration::from_hours(1);

/// Who guards the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    Noise,
    Tls,
    /// Nobody: both ends only say who they are.
    Plaintext,
}

/// Who shares a connection among streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Muxer {
    Yamux,
    Mplex,
}

/// What a channel is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    Tcp(Security, Muxer),
    /// It brings TLS 1.3 and streams of its own.
    Quic,
}

impl Default for Channel {
    fn default() -> Self {
        Self::Tcp(Security::Noise, Muxer::Yamux)
    }
}

impl Param for Channel {
    const WHAT: &'static str = "`quic` or a channel such as `tcp+noise+yamux`";

    fn parse(text: &str) -> Result<Self, String> {
        let bad = || "the securities are noise, tls and plaintext, the muxers yamux and mplex".to_owned();
        if text == "quic" {
            return Ok(Self::Quic);
        }
        let (security, muxer) = text.strip_prefix("tcp+").and_then(|rest| rest.split_once('+')).ok_or_else(bad)?;
        let security = match security {
            "noise" => Security::Noise,
            "tls" => Security::Tls,
            "plaintext" => Security::Plaintext,
            _ => return Err(bad()),
        };
        let muxer = match muxer {
            "yamux" => Muxer::Yamux,
            "mplex" => Muxer::Mplex,
            _ => return Err(bad()),
        };
        Ok(Self::Tcp(security, muxer))
    }
}

impl Channel {
    /// As records of connections name what carries it.
    pub fn transport(self) -> &'static str {
        match self {
            Self::Tcp(..) => "tcp",
            Self::Quic => "quic",
        }
    }

    /// Some port of an address.
    pub fn on(self, ip: IpAddr) -> Multiaddr {
        match self {
            Self::Tcp(..) => p2p::swarm::tcp_on(ip),
            Self::Quic => Multiaddr::from(ip).with(Protocol::Udp(0)).with(Protocol::QuicV1),
        }
    }

    /// A node that speaks over nothing else.
    pub fn swarm(self, keypair: Keypair) -> Result<Swarm<libp2p_stream::Behaviour>> {
        let swarm = SwarmBuilder::with_existing_identity(keypair)
            .with_tokio()
            .with_other_transport(|keypair| self.transport_of(keypair))?
            .with_behaviour(|_| libp2p_stream::Behaviour::new())?
            .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE))
            .build();
        Ok(swarm)
    }

    fn transport_of(
        self,
        keypair: &Keypair,
    ) -> Result<Boxed<(PeerId, StreamMuxerBox)>, Box<dyn std::error::Error + Send + Sync>> {
        macro_rules! tcp {
            ($security:expr, $muxer:expr) => {
                tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
                    .upgrade(Version::V1Lazy)
                    .authenticate($security)
                    .multiplex($muxer)
                    .boxed()
            };
        }
        use Muxer::{Mplex as M, Yamux as Y};
        use Security::{Noise, Plaintext, Tls};
        Ok(match self {
            Self::Tcp(Noise, Y) => tcp!(noise::Config::new(keypair)?, yamux::Config::default()),
            Self::Tcp(Noise, M) => tcp!(noise::Config::new(keypair)?, Mplex::new()),
            Self::Tcp(Tls, Y) => tcp!(tls::Config::new(keypair)?, yamux::Config::default()),
            Self::Tcp(Tls, M) => tcp!(tls::Config::new(keypair)?, Mplex::new()),
            Self::Tcp(Plaintext, Y) => tcp!(plaintext::Config::new(keypair), yamux::Config::default()),
            Self::Tcp(Plaintext, M) => tcp!(plaintext::Config::new(keypair), Mplex::new()),
            Self::Quic => quic::tokio::Transport::new(quic::Config::new(keypair))
                .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
                .boxed(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_read() {
        assert_eq!(Channel::parse("quic"), Ok(Channel::Quic));
        assert_eq!(Channel::parse("tcp+tls+mplex"), Ok(Channel::Tcp(Security::Tls, Muxer::Mplex)));
        for text in ["", "tcp", "tcp+noise", "udp+noise+yamux", "tcp+ssl+yamux", "tcp+tls+spdy"] {
            assert!(Channel::parse(text).is_err(), "{text}");
        }
    }
}
