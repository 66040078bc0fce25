// A plan written against the published Go SDK, with one case for each way in which an instance can end.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/testground/sdk-go/run"
	"github.com/testground/sdk-go/runtime"
	"github.com/testground/sdk-go/sync"
)

func main() {
	run.InvokeMap(map[string]interface{}{
		"success":         run.InitializedTestCaseFn(success),
		"failure":         run.InitializedTestCaseFn(failure),
		"panic":           run.InitializedTestCaseFn(panics),
		"goroutine-panic": run.InitializedTestCaseFn(goroutinePanic),
		"sync":            run.InitializedTestCaseFn(syncHeavy),
		"success-twice":   run.InitializedTestCaseFn(successTwice),
		"silent":          run.TestCaseFn(silent),
		"plain":           run.TestCaseFn(plain),
		"exit-3":          run.InitializedTestCaseFn(exit3),
		"metrics":         run.InitializedTestCaseFn(metrics),
	})
}

func success(runenv *runtime.RunEnv, initCtx *run.InitContext) error {
	runenv.RecordMessage("global sequence %d", initCtx.GlobalSeq)
	return nil
}

func failure(runenv *runtime.RunEnv, _ *run.InitContext) error {
	return errors.New("the table is wrong")
}

func panics(_ *runtime.RunEnv, _ *run.InitContext) error {
	panic("the floor is gone")
}

// A panic outside of the case's own goroutine: the SDK cannot recover it, and the process dies.
func goroutinePanic(_ *runtime.RunEnv, _ *run.InitContext) error {
	go func() { panic("the cellar is gone") }()
	select {}
}

// Every instance signals, waits, publishes and reads what all have published, and all must see one order.
func syncHeavy(runenv *runtime.RunEnv, initCtx *run.InitContext) error {
	ctx, client := context.Background(), initCtx.SyncClient
	all, items := runenv.TestInstanceCount, runenv.IntParam("items")

	for round := 0; round < runenv.IntParam("rounds"); round++ {
		state := sync.State(fmt.Sprintf("round-%d", round))
		seq, err := client.SignalAndWait(ctx, state, all)
		if err != nil {
			return err
		}
		if seq < 1 || seq > int64(all) {
			return fmt.Errorf("round %d: signal number %d of %d", round, seq, all)
		}
	}

	topic := sync.NewTopic("items", "")
	for i := 0; i < items; i++ {
		if _, err := client.Publish(ctx, topic, fmt.Sprintf("%d.%d", initCtx.GlobalSeq, i)); err != nil {
			return err
		}
	}

	order, err := collect(ctx, client, topic, all*items)
	if err != nil {
		return err
	}
	seen := make(map[string]bool)
	for _, item := range order {
		seen[item] = true
	}
	if len(seen) != all*items {
		return fmt.Errorf("%d different items of %d", len(seen), all*items)
	}

	orders := sync.NewTopic("orders", "")
	if _, err := client.Publish(ctx, orders, fmt.Sprint(order)); err != nil {
		return err
	}
	told, err := collect(ctx, client, orders, all)
	if err != nil {
		return err
	}
	for _, other := range told {
		if other != fmt.Sprint(order) {
			return fmt.Errorf("another instance saw another order: %s", other)
		}
	}
	return nil
}

// The first n items of a topic.
func collect(ctx context.Context, client sync.Client, topic *sync.Topic, n int) ([]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ch := make(chan string)
	sub, err := client.Subscribe(ctx, topic, ch)
	if err != nil {
		return nil, err
	}
	got := make([]string, 0, n)
	for len(got) < n {
		select {
		case item := <-ch:
			got = append(got, item)
		case err := <-sub.Done():
			return nil, fmt.Errorf("the subscription ended after %d items: %w", len(got), err)
		}
	}
	return got, nil
}

// It says so itself, and the SDK says it once more when the function returns.
func successTwice(runenv *runtime.RunEnv, _ *run.InitContext) error {
	runenv.RecordSuccess()
	return nil
}

func silent(_ *runtime.RunEnv) error {
	os.Exit(0)
	return nil
}

// Without an init context there is no sync client: stdout is the only witness.
func plain(_ *runtime.RunEnv) error {
	return nil
}

func exit3(_ *runtime.RunEnv, _ *run.InitContext) error {
	os.Exit(3)
	return nil
}

func metrics(runenv *runtime.RunEnv, initCtx *run.InitContext) error {
	for i := 1; i <= 10; i++ {
		runenv.R().RecordPoint("answers", float64(i))
	}
	return nil
}
