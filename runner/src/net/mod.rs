//! The network between the hosts of a run: tg itself moves the packets, in user space.
//!
//! Each host's device ends in a *port*. A few threads read packets from ports, decide by the sender's rules what
//! happens to each, and write it to the receiver's device, at once or when its time has come. What a rule asks for
//! is applied to what its host sends, as the predecessor's sidecar did.
//!
//! What happens to a packet is made of three layers: the way between its two hosts, as the composition has it; the
//! rules of its sender, which replace that where they shape anything; and faults, which change single properties.
//!
//! Nothing is drawn from a clock: the same seed draws the same losses and delays for the n-th packet of a pair.

mod address;
mod capture;
mod delay;
mod dice;
mod icmp;
mod loss;
mod mover;
mod nat;
mod packet;
mod paths;
mod port;
mod queue;
mod shape;
mod switch;

pub(crate) use address::Plan as AddressPlan;
pub(crate) use nat::Routers;
pub(crate) use paths::Paths;
pub(crate) use port::Rules;
pub(crate) use shape::{Filter, Shape, Subnet};
pub(crate) use switch::{Network, Taken};
