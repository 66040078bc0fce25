package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	kaddht "github.com/libp2p/go-libp2p-kad-dht"
	kb "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/mr-tron/base58"
)

// Everybody looks for random servers. FindPeer would answer from open connections and ask nobody; the set of a lookup
// is what the plan `dht` judges by, too.
func findPeers(n *Net) error {
	for i := 0; i < n.settings.lookups && len(n.servers) > 0; i++ {
		time.Sleep(n.settings.pace)
		target := n.servers[n.rng.below(uint64(len(n.servers)))]
		var found []peer.ID
		n.traced("find_peer", "peer-records", target.String(), func(ctx context.Context) (err error) {
			found, err = n.dht.GetClosestPeers(ctx, string(target))
			return err
		}, func(took time.Duration, err error) {
			if err == nil && slices.Contains(found, target) {
				n.point(fmt.Sprintf("time-to-peer-%d", i), took)
				return
			}
			n.point(fmt.Sprintf("time-to-failed-peer-%d", i), took)
			n.env.RecordMessage("find peer failed: peer %s : %v", target, err)
		})
	}
	return n.all("find-peers-done")
}

// Everybody looks for the peers that are nearest to random keys.
func getClosestPeers(n *Net) error {
	for i := 0; i < n.settings.lookups; i++ {
		time.Sleep(n.settings.pace)
		key := string(seeded(n.rng.next(), uint64(i)))
		var found []peer.ID
		n.traced("get_closest_peers", "get-closest-peers", base58.Encode([]byte(key)), func(ctx context.Context) (err error) {
			found, err = n.dht.GetClosestPeers(ctx, key)
			return err
		}, func(took time.Duration, err error) {
			if err != nil {
				n.env.RecordMessage("the closest peers of lookup %d were not found: %v", i, err)
				return
			}
			n.point(fmt.Sprintf("time-to-gcp-%d", i), took)
			n.number(fmt.Sprintf("gcp-peers-found-%d", i), float64(len(found)))
			n.judge(key, found)
		})
	}
	return n.all("get-closest-peers-done")
}

// judge writes down which peers were found, and which are really nearest.
func (n *Net) judge(key string, found []peer.ID) {
	target := kb.ConvertKey(key)
	order := kb.SortClosestPeers(slices.Clone(n.servers), target)
	scores := []int{}
	for i, p := range found {
		scores = append(scores, slices.Index(order, p)-i)
	}
	actual := order[:min(len(order), n.settings.k)]
	places := func(peers []peer.ID) (all []string) {
		for _, p := range peers {
			all = append(all, base64.StdEncoding.EncodeToString(kb.ConvertPeerID(p)))
		}
		return all
	}
	me := n.host.ID()
	n.files.node.Infow("gcp-results", "me", me, "KadMe", kb.ConvertPeerID(me), "target", base58.Encode([]byte(key)),
		"peers", found, "actual", actual, "KadTarget", target, "KadPeers", places(found), "KadActual", places(actual), "Scores", scores)
}

// Everybody provides records of its own.
func provide(n *Net) error {
	for i := 0; i < n.settings.records; i++ {
		id := contentID(n.settings.seed, n.seq, i)
		n.traced("provide", "provider-records", base58.Encode(id.Hash()), func(ctx context.Context) error {
			return n.dht.Provide(ctx, id, true)
		}, func(took time.Duration, err error) {
			if err != nil {
				n.env.RecordMessage("cannot provide %s: %v", id, err)
				return
			}
			n.point(fmt.Sprintf("time-to-provide-%d", i), took)
			n.env.RecordMessage("Provided CID: %s", id)
		})
	}
	if err := n.all("provide-done"); err != nil {
		return err
	}
	return n.snapshot("after_provide")
}

// Everybody looks for the providers of other servers' records.
func findProviders(n *Net) error {
	for i := 0; i < n.settings.lookups; i++ {
		time.Sleep(n.settings.pace)
		owner, round, ok := n.other(true)
		if !ok {
			break
		}
		id, group := contentID(n.settings.seed, owner, round), n.names[owner].Group
		var first, last time.Duration
		found := 0
		n.traced("find_providers", "provider-records", base58.Encode(id.Hash()), func(ctx context.Context) error {
			began := time.Now()
			for range n.dht.FindProvidersAsync(ctx, id, 0) {
				if found++; found == 1 {
					first = time.Since(began)
				}
				last = time.Since(began)
			}
			return ctx.Err()
		}, func(took time.Duration, err error) {
			status := ended(found, err)
			n.point(fmt.Sprintf("time-to-find|%s|%s|%d", status, group, i), took)
			if found > 0 {
				n.point(fmt.Sprintf("time-to-find-first|%s|%d", group, i), first)
				n.point(fmt.Sprintf("time-to-find-last|%s|%s|%d", status, group, i), last)
			}
			n.number(fmt.Sprintf("peers-found|%s|%s|%d", status, group, i), float64(found))
			n.number(fmt.Sprintf("peers-missing|%s|%s|%d", status, group, i), float64(1-found))
		})
	}
	return n.all("find-providers-done")
}

// Everybody stores values.
func store(n *Net) error {
	for i := 0; i < n.settings.records; i++ {
		key := valueKey(n.settings.seed, n.seq, i)
		n.traced("put", "ipns-records", key, func(ctx context.Context) error {
			return n.dht.PutValue(ctx, key, valueOf(key))
		}, func(took time.Duration, err error) {
			if err == nil {
				n.point(fmt.Sprintf("time-to-put-%d", i), took)
				return
			}
			n.point(fmt.Sprintf("time-to-failed-put-%d", i), took)
			n.env.RecordMessage("cannot store %s: %v", key, err)
		})
	}
	return n.all("store-done")
}

// Everybody gets the values of others; the first that comes will do.
func get(n *Net) error {
	for i := 0; i < n.settings.lookups; i++ {
		time.Sleep(n.settings.pace)
		owner, round, ok := n.other(false)
		if !ok {
			break
		}
		key, group := valueKey(n.settings.seed, owner, round), n.names[owner].Group
		var first time.Duration
		found := 0
		n.traced("get", "ipns-records", key, func(ctx context.Context) error {
			began := time.Now()
			values, err := n.dht.SearchValue(ctx, key, kaddht.Quorum(1))
			if err != nil {
				return err
			}
			for range values {
				if found++; found == 1 {
					first = time.Since(began)
				}
			}
			return ctx.Err()
		}, func(took time.Duration, err error) {
			n.point(fmt.Sprintf("time-to-get|%s|%s|%d|%d", ended(found, err), group, round, i), took)
			if found > 0 {
				n.point(fmt.Sprintf("time-to-get-first|%s|%d", group, i), first)
			}
		})
	}
	return n.all("get-done")
}

func ended(found int, err error) string {
	switch {
	case err != nil:
		return "incomplete"
	case found == 0:
		return "fail"
	}
	return "done"
}
