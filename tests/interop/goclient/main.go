// SPDX-License-Identifier: ISC
// Copyright (c) 2026 The tailnetd authors

// Goclient is the yardstick of `make bench`: Go's own control clients on the same server and the same stream. It logs
// in,
// polls the map and prints one JSON line for the first message and for every -every messages after it, with what the
// process has cost so far.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"tailscale.com/control/controlclient"
	"tailscale.com/control/tsp"
	"tailscale.com/health"
	"tailscale.com/hostinfo"
	"tailscale.com/net/netmon"
	"tailscale.com/net/tsdial"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
	"tailscale.com/types/netmap"
	"tailscale.com/util/eventbus"
)

var (
	url     = flag.String("url", "", "control server")
	authKey = flag.String("auth-key-file", "", "file with a pre-auth key")
	mode    = flag.String("mode", "controlclient", "controlclient or tsp")
	every   = flag.Int("every", 1, "report after every N messages")
	start   = time.Now()
)

// report prints what the process has cost up to message n.
func report(n, peers int) {
	if n != 1 && n%*every != 0 {
		return
	}
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	peak := ""
	if b, err := os.ReadFile("/proc/self/status"); err == nil {
		for line := range strings.Lines(string(b)) {
			if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				peak = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB"))
			}
		}
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"n": n, "peers": peers, "wallMs": time.Since(start).Milliseconds(),
		"cpuUs":  u.Utime.Nano()/1000 + u.Stime.Nano()/1000,
		"peakKb": peak,
	})
}

// A recorder keeps the newest netmap, as a daemon would.
type recorder struct {
	n    int
	last *netmap.NetworkMap
}

func (r *recorder) UpdateFullNetmap(nm *netmap.NetworkMap) {
	r.n++
	r.last = nm
	report(r.n, len(nm.Peers))
}

func (r *recorder) UpdateNetmapDelta(muts []netmap.NodeMutation) bool {
	r.n++
	report(r.n, len(r.last.Peers))
	return true
}

func runControlClient(ctx context.Context, hi *tailcfg.Hostinfo, ak string) error {
	bus := eventbus.New()
	dialer := tsdial.NewDialer(netmon.NewStatic())
	dialer.SetBus(bus)
	mk := key.NewMachine()
	d, err := controlclient.NewDirect(controlclient.Options{
		ServerURL: *url, AuthKey: ak, Hostinfo: hi, Dialer: dialer,
		Bus: bus, HealthTracker: health.NewTracker(bus),
		GetMachinePrivateKey: func() (key.MachinePrivate, error) { return mk, nil },
		DiscoPublicKey:       key.NewDisco().Public(), Logf: func(string, ...any) {},
	})
	if err != nil {
		return err
	}
	if u, err := d.TryLogin(ctx, controlclient.LoginDefault); err != nil || u != "" {
		return fmt.Errorf("login: url %q, %w", u, err)
	}
	return d.PollNetMap(ctx, new(recorder))
}

func runTSP(ctx context.Context, hi *tailcfg.Hostinfo, ak string) error {
	c, err := tsp.NewClient(tsp.ClientOpts{ServerURL: *url, MachineKey: key.NewMachine()})
	if err != nil {
		return err
	}
	nk := key.NewNode()
	if _, err := c.Register(ctx, tsp.RegisterOpts{NodeKey: nk, Hostinfo: hi, AuthKey: ak}); err != nil {
		return err
	}
	s, err := c.Map(ctx, tsp.MapOpts{NodeKey: nk, Hostinfo: hi, Stream: true, MaxMessageSize: 256 << 20})
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		m, err := s.Next()
		if err != nil {
			return err
		}
		report(n, len(m.Peers))
	}
}

func main() {
	flag.Parse()
	debug.SetTraceback("single")
	var ak string
	if *authKey != "" {
		b, err := os.ReadFile(*authKey)
		if err != nil {
			log.Fatal(err)
		}
		ak = strings.TrimSpace(string(b))
	}
	hi := hostinfo.New()
	hi.BackendLogID = "bench"
	run := runControlClient
	if *mode == "tsp" {
		run = runTSP
	}
	if err := run(context.Background(), hi, ak); err != nil {
		log.Fatal(err)
	}
}
