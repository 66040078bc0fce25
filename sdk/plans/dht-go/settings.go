package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/testground/sdk-go/runtime"
)

const (
	bootstrapper = "bootstrapper"
	server       = "server"
	client       = "client"
)

// Settings are the parameters of a run: those of the plan `dht`.
type Settings struct {
	seed, own                             uint64
	role, forming, staging                string
	bootstrappers, clients, degree, batch int
	k, alpha, refreshes, lookups, records int
	timeout, latency, pace, patience      time.Duration
}

func readSettings(env *runtime.RunEnv) (s Settings, err error) {
	var problems []error
	text := func(name, usual string) string {
		if env.IsParamSet(name) {
			return env.StringParam(name)
		}
		return usual
	}
	number := func(name string, usual, min, max int) int {
		n, err := strconv.Atoi(text(name, strconv.Itoa(usual)))
		if err != nil || n < min || n > max {
			problems = append(problems, fmt.Errorf("`%s` must be a number from %d to %d, not `%s`", name, min, max, text(name, "")))
		}
		return n
	}
	span := func(name, usual string) time.Duration {
		d := text(name, usual)
		if d == "0" {
			return 0
		}
		span, err := time.ParseDuration(d)
		if err != nil {
			problems = append(problems, fmt.Errorf("`%s`: %w", name, err))
		}
		return span
	}
	choice := func(name, usual string, all ...string) string {
		chosen := text(name, usual)
		for _, one := range all {
			if one == chosen {
				return chosen
			}
		}
		problems = append(problems, fmt.Errorf("`%s` must be one of %v, not `%s`", name, all, chosen))
		return chosen
	}
	s = Settings{
		role:          choice("role", "auto", "auto", bootstrapper, server, client),
		forming:       choice("forming", "star", "star", "ring", "mesh", "balanced"),
		staging:       choice("staging", "together", "together", "one", "batches"),
		bootstrappers: number("bootstrappers", 3, 1, 100),
		clients:       number("clients", 5, 0, 10_000),
		degree:        number("degree", 3, 1, 100),
		batch:         number("batch", 5, 1, 10_000),
		k:             number("k", 20, 1, 20),
		alpha:         number("alpha", 3, 1, 20),
		refreshes:     number("refreshes", 2, 0, 100),
		lookups:       number("lookups", 5, 0, 100_000),
		records:       number("records", 2, 1, 100_000),
		timeout:       span("timeout", "30s"),
		latency:       span("latency", "0"),
		pace:          span("pace", "0"),
		patience:      span("patience", "1h"),
	}
	switch s.staging {
	case "together":
		s.batch = 0
	case "one":
		s.batch = 1
	}
	if s.seed, err = strconv.ParseUint(text("seed", "1"), 10, 64); err != nil {
		problems = append(problems, fmt.Errorf("`seed`: %w", err))
	}
	// Where nobody gives an instance a seed of its own, all choose the same.
	s.own, _ = strconv.ParseUint(os.Getenv("TG_SEED"), 10, 64)
	return s, errors.Join(problems...)
}

func (s *Settings) roleOf(seq, nodes int) string {
	switch {
	case s.role != "auto":
		return s.role
	case seq < s.bootstrappers:
		return bootstrapper
	case seq >= nodes-s.clients:
		return client
	}
	return server
}
