package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/testground/sdk-go/run"
	"github.com/testground/sdk-go/runtime"
	"github.com/testground/sdk-go/sync"
)

// Name is an instance among all of the run.
type Name struct {
	Group string
	Index int
}

func (n Name) MarshalJSON() ([]byte, error) { return json.Marshal([]any{n.Group, n.Index}) }

func (n *Name) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[]any{&n.Group, &n.Index})
}

// Member is what a node tells the others.
type Member struct {
	Seq  int     `json:"seq"`
	Role string  `json:"role"`
	Peer string  `json:"peer"`
	Addr *string `json:"addr"`
}

// names gives all instances in the order of their numbers, and the number of this one.
func names(ctx context.Context, env *runtime.RunEnv, init *run.InitContext) ([]Name, int, error) {
	index, err := strconv.Atoi(os.Getenv("TG_INSTANCE_INDEX"))
	if err != nil {
		// Another runner tells no index; in a network of Go alone this does as well.
		index = int(init.GroupSeq) - 1
	}
	me := Name{env.TestGroupID, index}
	all, err := gather(ctx, init.SyncClient, "names", me, env.TestInstanceCount)
	if err != nil {
		return nil, 0, err
	}
	slices.SortFunc(all, func(a, b Name) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Index, b.Index))
	})
	seq := slices.Index(all, me)
	if seq < 0 {
		return nil, 0, errors.New("this instance is missing among its own")
	}
	return all, seq, nil
}

// meet tells everybody of this node, and gives everybody by number.
func meet(ctx context.Context, env *runtime.RunEnv, client sync.Client, me Member) ([]Member, error) {
	all, err := gather(ctx, client, "members", me, env.TestInstanceCount)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b Member) int { return cmp.Compare(a.Seq, b.Seq) })
	for seq, member := range all {
		if member.Seq != seq {
			return nil, fmt.Errorf("two instances have the same number, or none has %d", seq)
		}
	}
	return all, nil
}

// gather publishes an item and gives the first n of the topic.
func gather[T any](ctx context.Context, client sync.Client, topic string, mine T, n int) ([]T, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ch := make(chan T, n)
	_, sub, err := client.PublishSubscribe(ctx, sync.NewTopic(topic, mine), mine, ch)
	if err != nil {
		return nil, err
	}
	all := make([]T, 0, n)
	for len(all) < n {
		select {
		case one := <-ch:
			all = append(all, one)
		case err := <-sub.Done():
			return nil, fmt.Errorf("topic `%s` ended after %d of %d items: %w", topic, len(all), n, err)
		}
	}
	return all, nil
}
