// Nodes of the libp2p DHT in Go, on the published SDK. They speak with the nodes of the plan `dht`, meet them by the
// same topics and states, and leave the files that Testground's own DHT plan left.
package main

import "github.com/testground/sdk-go/run"

func main() {
	run.InvokeMap(map[string]interface{}{
		"find-peers":        run.InitializedTestCaseFn(testCase(findPeers)),
		"get-closest-peers": run.InitializedTestCaseFn(testCase(getClosestPeers)),
		"find-providers":    run.InitializedTestCaseFn(testCase(provide, findProviders)),
		"provide-stress":    run.InitializedTestCaseFn(testCase(provide)),
		"store-get-value":   run.InitializedTestCaseFn(testCase(store, get)),
		"all":               run.InitializedTestCaseFn(testCase(findPeers, getClosestPeers, provide, findProviders, store, get)),
	})
}
