module reference

go 1.16

require (
	github.com/testground/sync-service v0.1.0
	go.uber.org/zap v1.16.0
)
