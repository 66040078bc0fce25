package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	kaddht "github.com/libp2p/go-libp2p-kad-dht"
	kb "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"github.com/testground/sdk-go/network"
	"github.com/testground/sdk-go/run"
	"github.com/testground/sdk-go/runtime"
	"github.com/testground/sdk-go/sync"
)

// Net is a node in its network.
type Net struct {
	ctx      context.Context
	env      *runtime.RunEnv
	client   sync.Client
	settings Settings
	files    *Files
	host     host.Host
	dht      *kaddht.IpfsDHT
	seq      int
	names    []Name
	members  []Member
	// All that answer, without this node.
	servers []peer.ID
	rng     Rng
	// Lookups that were made, by operation.
	made map[string]int
}

// testCase forms a network, does one thing after the other in it, and takes the last snapshot.
func testCase(parts ...func(*Net) error) run.InitializedTestCaseFn {
	return func(env *runtime.RunEnv, init *run.InitContext) error {
		n, err := form(env, init)
		if err != nil {
			return err
		}
		for _, part := range parts {
			if err := part(n); err != nil {
				return err
			}
		}
		return n.finish()
	}
}

func form(env *runtime.RunEnv, init *run.InitContext) (*Net, error) {
	settings, err := readSettings(env)
	if err != nil {
		return nil, err
	}
	n := &Net{ctx: context.Background(), env: env, client: init.SyncClient, settings: settings, rng: Rng{settings.own}, made: map[string]int{}}
	if n.files, err = openFiles(env); err != nil {
		return nil, err
	}
	if settings.latency > 0 {
		err := init.NetClient.ConfigureNetwork(n.ctx, &network.Config{
			Network:       network.DefaultDataNetwork,
			Enable:        true,
			Default:       network.LinkShape{Latency: settings.latency},
			CallbackState: "links-shaped",
			RoutingPolicy: network.AllowAll,
		})
		if err != nil {
			return nil, err
		}
	}
	if n.names, n.seq, err = names(n.ctx, env, init); err != nil {
		return nil, err
	}
	role := settings.roleOf(n.seq, env.TestInstanceCount)
	key, err := keypair(settings.seed, n.seq)
	if err != nil {
		return nil, err
	}
	if n.host, n.dht, err = start(key, role, init.NetClient.MustGetDataNetworkIP(), &settings); err != nil {
		return nil, err
	}
	n.files.watch(n.host, n.dht)
	me := Member{Seq: n.seq, Role: role, Peer: n.host.ID().String()}
	if addrs := n.host.Addrs(); role != client && len(addrs) > 0 {
		addr := addrs[0].String()
		me.Addr = &addr
	}
	n.files.node.Infow("nodeparams", "seq", n.seq, "dialable", me.Addr != nil, "peerID", me.Peer, "addrs", n.host.Addrs())
	if n.members, err = meet(n.ctx, env, n.client, me); err != nil {
		return nil, err
	}
	for _, member := range n.members {
		if member.Role != client && member.Seq != n.seq {
			id, err := peer.Decode(member.Peer)
			if err != nil {
				return nil, err
			}
			n.servers = append(n.servers, id)
		}
	}
	if err := n.connect(); err != nil {
		return nil, err
	}
	return n, n.refresh()
}

func (n *Net) connect() error {
	roles := make([]string, len(n.members))
	for seq, member := range n.members {
		roles[seq] = member.Role
	}
	if err := n.enter("connect"); err != nil {
		return err
	}
	chosen := dials(n.settings.forming, n.settings.degree, roles, n.seq, n.settings.seed)
	connected := 0
	for _, seq := range chosen {
		member := n.members[seq]
		addr, err := multiaddr.NewMultiaddr(*member.Addr)
		if err != nil {
			return err
		}
		id, err := peer.Decode(member.Peer)
		if err != nil {
			return err
		}
		n.env.RecordMessage("dialling peer %s (attempt %d)", id, 0)
		ctx, cancel := context.WithTimeout(n.ctx, n.settings.timeout)
		err = n.host.Connect(ctx, peer.AddrInfo{ID: id, Addrs: []multiaddr.Multiaddr{addr}})
		cancel()
		if err != nil {
			n.env.RecordMessage("failed to dial peer %s (attempt %d), err: %s", id, 0, err)
			continue
		}
		connected++
	}
	if connected == 0 && len(chosen) > 0 {
		return fmt.Errorf("none of %d dials succeeded", len(chosen))
	}
	// The library takes a peer into its table after it has answered a first question.
	for until := time.Now().Add(10 * time.Second); connected > 0 && n.dht.RoutingTable().Size() == 0 && time.Now().Before(until); {
		time.Sleep(10 * time.Millisecond)
	}
	n.env.RecordMessage("bootstrap: finished with %d connections, %d in the routing table", len(n.host.Network().Conns()), n.dht.RoutingTable().Size())
	if err := n.leave("connect"); err != nil {
		return err
	}
	return n.snapshot("before_refresh")
}

// refresh does what the library's own refresh does, where it can be seen: it looks for itself, and for a random key at
// each distance up to its nearest peer's.
func (n *Net) refresh() error {
	for round := 0; round < n.settings.refreshes; round++ {
		step := fmt.Sprintf("refresh-%d", round)
		if err := n.enter(step); err != nil {
			return err
		}
		me := n.host.ID()
		n.look(string(me))
		self := kb.ConvertPeerID(me)
		nearest := n.dht.RoutingTable().NearestPeer(self)
		for cpl := 0; nearest != "" && cpl <= kb.CommonPrefixLen(self, kb.ConvertPeerID(nearest)); cpl++ {
			id, err := n.dht.RoutingTable().GenRandPeerID(uint(cpl))
			if err != nil {
				return err
			}
			n.look(string(id))
		}
		if err := n.leave(step); err != nil {
			return err
		}
		if round == 0 {
			if err := n.snapshot("after_bootstrap"); err != nil {
				return err
			}
		}
	}
	if n.settings.refreshes > 0 {
		return n.snapshot("after_refresh")
	}
	return nil
}

func (n *Net) look(key string) {
	n.traced("bootstrap", "bootstrap-network", "", func(ctx context.Context) error {
		_, err := n.dht.GetClosestPeers(ctx, key)
		return err
	}, func(_ time.Duration, err error) {
		if err != nil {
			n.env.RecordMessage("a lookup of the refresh failed: %v", err)
		}
	})
}

func (n *Net) snapshot(label string) error {
	n.number("table_size,snapshot="+label, float64(n.files.snapshot(label, n.host, n.dht)))
	return n.all(label)
}

// other chooses a record of another node, or of another server only.
func (n *Net) other(serversOnly bool) (owner, round int, ok bool) {
	var owners []int
	for _, member := range n.members {
		if member.Seq != n.seq && !(serversOnly && member.Role == client) {
			owners = append(owners, member.Seq)
		}
	}
	if len(owners) == 0 {
		return 0, 0, false
	}
	return owners[n.rng.below(uint64(len(owners)))], int(n.rng.below(uint64(n.settings.records))), true
}

func (n *Net) finish() error {
	if err := n.snapshot("end"); err != nil {
		return err
	}
	for op, made := range n.made {
		n.number("lookups_made,op="+op, float64(made))
	}
	err := errors.Join(n.dht.Close(), n.host.Close())
	for _, file := range n.files.all {
		err = errors.Join(err, file.Sync())
	}
	return errors.Join(err, n.all("stopped"))
}

// all waits until everybody is there. Whoever was broken on the way is not waited for beyond the patience of the run.
func (n *Net) all(state string) error {
	ctx, cancel := context.WithTimeout(n.ctx, n.settings.patience)
	defer cancel()
	_, err := n.client.SignalAndWait(ctx, sync.State(state), n.env.TestInstanceCount)
	if err != nil && ctx.Err() != nil {
		n.env.RecordMessage("not all nodes came to `%s`", state)
		return nil
	}
	return err
}

// enter waits until it is the turn of this node, leave lets the next ones in and waits for all.
func (n *Net) enter(step string) error {
	size := n.settings.batch
	if size == 0 || n.seq/size == 0 {
		return nil
	}
	barrier, err := n.client.Barrier(n.ctx, sync.State(step+"-left"), n.seq/size*size)
	if err != nil {
		return err
	}
	return <-barrier.C
}

func (n *Net) leave(step string) error { return n.all(step + "-left") }

func (n *Net) point(name string, took time.Duration) { n.number(name, float64(took.Nanoseconds())) }

func (n *Net) number(name string, value float64) { n.env.R().RecordPoint(name, value) }
