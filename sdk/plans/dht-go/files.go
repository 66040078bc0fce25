package main

import (
	kaddht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/testground/sdk-go/runtime"
	"go.uber.org/zap"
)

// Files are those of Testground's DHT plan: JSON lines of zap, one file of each kind for each instance.
type Files struct {
	graphs, table, queries, lookups, changes, node, conns *zap.SugaredLogger
	all                                                   []*zap.SugaredLogger
}

func openFiles(env *runtime.RunEnv) (*Files, error) {
	f := &Files{}
	for name, file := range map[string]**zap.SugaredLogger{
		"dht_graphs.out":  &f.graphs,
		"dht_rt.out":      &f.table,
		"dht_queries.out": &f.queries,
		"dht_lookups.out": &f.lookups,
		"rt_evts.out":     &f.changes,
		"node.out":        &f.node,
		"conn_trace.out":  &f.conns,
	} {
		_, log, err := env.CreateStructuredAsset(name, runtime.StandardJSONConfig())
		if err != nil {
			return nil, err
		}
		*file = log
		f.all = append(f.all, log)
	}
	return f, nil
}

// watch writes down connections as they come and go, and changes of the routing table.
func (f *Files) watch(h host.Host, dht *kaddht.IpfsDHT) {
	told := func(what string) func(network.Network, network.Conn) {
		return func(_ network.Network, c network.Conn) {
			f.conns.Infow(what, "id", h.ID(), "peer", c.RemotePeer(), "dir", int(c.Stat().Direction))
		}
	}
	h.Network().Notify(&network.NotifyBundle{ConnectedF: told("connect"), DisconnectedF: told("disconnect")})
	type update struct {
		Added, Removed []*kaddht.PeerKadID
		Updated        []struct{}
	}
	change := func(added, removed []peer.ID) {
		one := update{kaddht.NewPeerKadIDSlice(added), kaddht.NewPeerKadIDSlice(removed), []struct{}{}}
		f.changes.Infow("rt event", "info", map[string]any{"PeerUpdated": one, "BucketRefreshLaunched": nil})
	}
	rt := dht.RoutingTable()
	added, removed := rt.PeerAdded, rt.PeerRemoved
	rt.PeerAdded = func(p peer.ID) { added(p); change([]peer.ID{p}, nil) }
	rt.PeerRemoved = func(p peer.ID) { removed(p); change(nil, []peer.ID{p}) }
}

// snapshot writes down the connections that this node dialled, and its routing table.
func (f *Files) snapshot(label string, h host.Host, dht *kaddht.IpfsDHT) (entries int) {
	for _, c := range h.Network().Conns() {
		if c.Stat().Direction == network.DirOutbound {
			f.graphs.Infow(label, "From", h.ID(), "To", c.RemotePeer())
		}
	}
	table := dht.RoutingTable().ListPeers()
	for _, p := range table {
		f.table.Infow(label, "Node", h.ID(), "Peer", p)
	}
	return len(table)
}

// What the old plan called the events of a query.
var kinds = map[routing.QueryEventType]string{
	routing.SendingQuery: "send",
	routing.PeerResponse: "receive",
	routing.FinalPeer:    "",
	routing.QueryError:   "error",
	routing.Provider:     "result",
	routing.Value:        "result",
	routing.AddingPeer:   "adding",
	routing.DialingPeer:  "dialing",
}

func (f *Files) query(tag, target string, me peer.ID, e *routing.QueryEvent) {
	f.queries.Infow(kinds[e.Type], "tag", tag, "node", me, "target", target, "peer", e.ID, "closer", e.Responses, "value", e.Extra)
}

func (f *Files) lookup(tag string, e *kaddht.LookupEvent) {
	f.lookups.Infow("lookup event", "tag", tag, "info", e)
}
