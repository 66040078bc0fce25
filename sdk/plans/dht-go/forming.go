package main

import "slices"

// dials gives the numbers that the node `me` dials, among nodes with these roles: the same as the plan `dht` computes.
func dials(forming string, degree int, roles []string, me int, seed uint64) []int {
	var servers, hubs, chosen []int
	for seq, role := range roles {
		if role != client {
			servers = append(servers, seq)
		}
		if role == bootstrapper {
			hubs = append(hubs, seq)
		}
	}
	add := func(seqs []int, most int) {
		for _, seq := range seqs {
			if seq != me && len(chosen) < most {
				chosen = append(chosen, seq)
			}
		}
	}
	switch forming {
	case "star":
		if roles[me] == bootstrapper {
			for _, hub := range hubs {
				if hub < me {
					chosen = append(chosen, hub)
				}
			}
		} else if len(hubs) > 0 {
			chosen = []int{hubs[me%len(hubs)]}
		}
	case "ring":
		from, _ := slices.BinarySearch(servers, me+1)
		add(turned(servers, from), 1)
	case "mesh":
		var others []int
		for _, seq := range servers {
			if seq != me {
				others = append(others, seq)
			}
		}
		shuffle(&Rng{seed ^ (uint64(me)+1)*0x2545f4914f6cdd1d}, others)
		add(others, degree)
	case "balanced":
		circle := slices.Clone(servers)
		shuffle(&Rng{seed}, circle)
		from := slices.Index(circle, me) + 1
		if from == 0 {
			for _, role := range roles[:me] {
				if role == client {
					from += degree
				}
			}
		}
		add(turned(circle, from), degree)
	}
	slices.Sort(chosen)
	return slices.Compact(chosen)
}

// turned gives a circle from one place on.
func turned(circle []int, from int) []int {
	if len(circle) == 0 {
		return nil
	}
	from %= len(circle)
	return append(slices.Clone(circle[from:]), circle[:from]...)
}
