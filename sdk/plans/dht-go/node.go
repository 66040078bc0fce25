package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	gosync "sync"
	"time"

	"github.com/libp2p/go-libp2p"
	kaddht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

// What the nodes of both plans speak: a DHT of its own, which no other node joins by accident.
const prefix = "/tg"

// values lets nobody store what is not the value of its key.
type values struct{}

func (values) Validate(key string, value []byte) error {
	if !bytes.Equal(value, valueOf(key)) {
		return errors.New("this is not the value of the key")
	}
	return nil
}

func (values) Select(string, [][]byte) (int, error) { return 0, nil }

// start makes a node; a client does not listen.
func start(key crypto.PrivKey, role string, ip net.IP, s *Settings) (host.Host, *kaddht.IpfsDHT, error) {
	options := []libp2p.Option{
		libp2p.Identity(key),
		// Two nodes that dial one another at the same moment from the ports that they listen on are one connection whose
		// ends both took themselves for the dialler: both fail, and the library does not dial again for five seconds.
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
		// What a node may hold open is no part of a run, and instances may share an address.
		libp2p.ResourceManager(&network.NullResourceManager{}),
	}
	mode := kaddht.ModeServer
	if role == client {
		options, mode = append(options, libp2p.NoListenAddrs), kaddht.ModeClient
	} else {
		options = append(options, libp2p.ListenAddrStrings(fmt.Sprintf("/ip4/%s/tcp/0", ip)))
	}
	h, err := libp2p.New(options...)
	if err != nil {
		return nil, nil, err
	}
	dht, err := kaddht.New(h,
		kaddht.ProtocolPrefix(prefix),
		kaddht.Mode(mode),
		kaddht.BucketSize(s.k),
		kaddht.Concurrency(s.alpha),
		// A lookup ends when so many of the nearest have answered: never more than there are in a set.
		kaddht.Resiliency(min(3, s.k)),
		kaddht.Validator(values{}),
		// The plan refreshes, so that it sees what is looked up for that.
		kaddht.DisableAutoRefresh(),
	)
	if err != nil {
		return nil, nil, errors.Join(err, h.Close())
	}
	return h, dht, nil
}

// traced runs an operation with everything that the library tells of it written down, and tells how long it took: at
// once, because what reads the files finds the begin of an operation from its end.
func (n *Net) traced(op, tag, target string, do func(context.Context) error, told func(time.Duration, error)) {
	ctx, cancel := context.WithTimeout(n.ctx, n.settings.timeout)
	ctx, lookups := kaddht.RegisterForLookupEvents(ctx)
	queries := make(<-chan *routing.QueryEvent)
	if target != "" {
		ctx, queries = routing.RegisterForQueryEvents(ctx)
	}
	var written gosync.WaitGroup
	written.Go(func() {
		for e := range lookups {
			n.files.lookup(tag, e)
		}
	})
	if target != "" {
		written.Go(func() {
			for e := range queries {
				n.files.query(tag, target, n.host.ID(), e)
			}
		})
	}
	n.made[op]++
	began := time.Now()
	err := do(ctx)
	told(time.Since(began), err)
	cancel()
	written.Wait()
}
