package main

import (
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
)

func TestNumbersAreThoseOfTheRustSDK(t *testing.T) {
	// From the C reference of splitmix64 with the state 1234567.
	rng := Rng{1_234_567}
	for _, want := range []uint64{6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423} {
		if got := rng.next(); got != want {
			t.Errorf("%d, not %d", got, want)
		}
	}
}

func TestIdentitiesAreThoseOfTheRustPlan(t *testing.T) {
	key, err := keypair(7, 3)
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	// The crate `p2p` has the same test.
	if want := "12D3KooWG6hNrZff1Vos6nJonny7Rcaf8i9RiisyXyiULksEYYcR"; id.String() != want {
		t.Errorf("%s, not %s", id, want)
	}
}

func TestEveryFormConnectsAllAndDialsNoClient(t *testing.T) {
	for _, n := range []struct{ hubs, servers, clients int }{{1, 0, 3}, {1, 1, 0}, {3, 17, 5}, {3, 97, 0}} {
		roles := slices.Concat(slices.Repeat([]string{bootstrapper}, n.hubs), slices.Repeat([]string{server}, n.servers), slices.Repeat([]string{client}, n.clients))
		for _, forming := range []string{"star", "ring", "mesh", "balanced"} {
			// Whom each reaches, in either direction.
			near := make([][]int, len(roles))
			for me := range roles {
				chosen := dials(forming, 3, roles, me, 7)
				if len(chosen) > 3 {
					t.Errorf("%s: %d dials %v", forming, me, chosen)
				}
				for _, seq := range chosen {
					if seq == me || roles[seq] == client {
						t.Errorf("%s: %d dials %d", forming, me, seq)
					}
					near[me], near[seq] = append(near[me], seq), append(near[seq], me)
				}
			}
			seen, todo := map[int]bool{0: true}, []int{0}
			for len(todo) > 0 {
				at := todo[0]
				todo = todo[1:]
				for _, next := range near[at] {
					if !seen[next] {
						seen[next], todo = true, append(todo, next)
					}
				}
			}
			if len(seen) != len(roles) {
				t.Errorf("%s: %d of %d are connected", forming, len(seen), len(roles))
			}
		}
	}
}

func TestTheCircleIsThatOfTheRustPlan(t *testing.T) {
	roles := slices.Concat(slices.Repeat([]string{server}, 6), slices.Repeat([]string{client}, 2))
	for me, want := range [][]int{{1, 2, 3}, {3, 4, 5}, {1, 3, 4}, {0, 4, 5}, {0, 2, 5}, {0, 1, 2}, {0, 2, 5}, {1, 3, 4}} {
		if got := dials("balanced", 3, roles, me, 9); !slices.Equal(got, want) {
			t.Errorf("%d dials %v, not %v", me, got, want)
		}
	}
}

func TestOnlyTheValueOfAKeyIsStored(t *testing.T) {
	key := valueKey(7, 3, 1)
	if err := (values{}).Validate(key, valueOf(key)); err != nil {
		t.Error(err)
	}
	if (values{}).Validate(key, valueOf(valueKey(7, 3, 2))) == nil {
		t.Error("the value of another key was taken")
	}
}
