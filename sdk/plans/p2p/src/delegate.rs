//! What a behaviour that only looks on passes to the one that it wraps.

/// The four methods of a behaviour that make the handlers of connections, passed on to a field of it.
#[macro_export]
macro_rules! connections_by {
    ($field:ident) => {
        fn handle_pending_inbound_connection(
            &mut self,
            id: ConnectionId,
            local: &Multiaddr,
            remote: &Multiaddr,
        ) -> Result<(), ConnectionDenied> {
            self.$field.handle_pending_inbound_connection(id, local, remote)
        }

        fn handle_established_inbound_connection(
            &mut self,
            id: ConnectionId,
            peer: PeerId,
            local: &Multiaddr,
            remote: &Multiaddr,
        ) -> Result<THandler<Self>, ConnectionDenied> {
            self.$field.handle_established_inbound_connection(id, peer, local, remote)
        }

        fn handle_pending_outbound_connection(
            &mut self,
            id: ConnectionId,
            peer: Option<PeerId>,
            addresses: &[Multiaddr],
            role: Endpoint,
        ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
            self.$field.handle_pending_outbound_connection(id, peer, addresses, role)
        }

        fn handle_established_outbound_connection(
            &mut self,
            id: ConnectionId,
            peer: PeerId,
            addr: &Multiaddr,
            role: Endpoint,
            port_use: PortUse,
        ) -> Result<THandler<Self>, ConnectionDenied> {
            self.$field.handle_established_outbound_connection(id, peer, addr, role, port_use)
        }
    };
}
