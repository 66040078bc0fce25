package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/multiformats/go-multihash"
)

// Keeps the keys of records apart from those of nodes.
const records = 1 << 40

// seeded gives 32 bytes that follow from a seed and a number.
func seeded(seed, seq uint64) []byte {
	rng := Rng{seed + step*(seq+1)}
	out := make([]byte, 0, 32)
	for i := 0; i < 4; i++ {
		out = binary.LittleEndian.AppendUint64(out, rng.next())
	}
	return out
}

// keypair gives the key of the node with a number.
func keypair(seed uint64, seq int) (crypto.PrivKey, error) {
	return crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seeded(seed, uint64(seq))))
}

func record(seed uint64, owner, round int) []byte {
	return seeded(seed, records+uint64(owner)<<20+uint64(round))
}

// contentID gives the name under which a node provides a record.
func contentID(seed uint64, owner, round int) cid.Cid {
	digest := record(seed, owner, round)
	hash := append([]byte{multihash.SHA2_256, byte(len(digest))}, digest...)
	return cid.NewCidV1(cid.Raw, hash)
}

// valueKey gives the key under which a node stores a value.
func valueKey(seed uint64, owner, round int) string {
	return "/tg/" + hex.EncodeToString(record(seed, owner, round))
}

// valueOf gives the value of a key: whoever gets it can tell whether it is the right one.
func valueOf(key string) []byte {
	value := sha256.Sum256([]byte(key))
	return value[:]
}
