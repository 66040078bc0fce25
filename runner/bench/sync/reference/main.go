// Serves the published Go sync service in memory on a free loopback port, prints the address and ends with its
// standard input: the other side of the comparison in ../README.md.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"unsafe"

	sync "github.com/testground/sync-service"
	"go.uber.org/zap"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	service, err := sync.NewDefaultService(ctx, zap.NewNop().Sugar())
	if err != nil {
		return err
	}
	server, err := sync.NewServer(service, 0)
	if err != nil {
		return err
	}
	loopback, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	// The service only knows how to listen on all interfaces; a benchmark has no business there.
	field := reflect.ValueOf(server).Elem().FieldByName("l")
	listener := (*net.Listener)(unsafe.Pointer(field.UnsafeAddr()))
	if err := (*listener).Close(); err != nil {
		return err
	}
	*listener = loopback
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Printf("listening on ws://%s\n", loopback.Addr())
	return server.Serve()
}
