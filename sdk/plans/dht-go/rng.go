package main

import "math/bits"

// The numbers of this step never change: peer ids and topologies follow from them, here and in Rust.
const step = 0x9e3779b97f4a7c15

// Rng is splitmix64, as the Rust SDK has it.
type Rng struct{ state uint64 }

func mix(seed uint64) uint64 {
	z := seed + step
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

func (r *Rng) next() uint64 {
	out := mix(r.state)
	r.state += step
	return out
}

// below gives a number from 0 up to, but not including, end.
func (r *Rng) below(end uint64) uint64 {
	if end == 0 {
		return 0
	}
	threshold := -end % end
	for {
		high, low := bits.Mul64(r.next(), end)
		if low >= threshold {
			return high
		}
	}
}

func shuffle[T any](r *Rng, items []T) {
	for i := len(items) - 1; i > 0; i-- {
		j := int(r.below(uint64(i) + 1))
		items[i], items[j] = items[j], items[i]
	}
}
