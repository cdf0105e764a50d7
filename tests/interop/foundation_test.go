// SPDX-License-Identifier: ISC
// Copyright (c) 2026 The tailnetd authors

package interop

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/tstest/integration/testcontrol"
	"tailscale.com/tstest/largetailnet"
)

// rows: REG-01 REG-04
func TestAuthKeyRequired(t *testing.T) {
	t.Parallel()
	c := newControl(t, func(s *testcontrol.Server) { s.RequireAuthKey = "tskey-auth-good" })

	bad := newDaemon(t, c.http.URL).authKey("tskey-auth-bad").start()
	bad.eventually("the server's refusal is shown", func() error {
		if s := bad.status(); !strings.Contains(s.Err, "invalid authkey") || s.ErrSource != "auth" ||
			s.LoggedIn {
			return fmt.Errorf("err %q errSource %q loggedIn %v", s.Err, s.ErrSource, s.LoggedIn)
		}
		return nil
	})
	if n := c.NumNodes(); n != 0 {
		t.Errorf("%d nodes after a refused key", n)
	}

	good := newDaemon(t, c.http.URL).authKey("tskey-auth-good").start()
	s := good.awaitState(synchronized)
	node := c.Node(good.nodeKey())
	if node == nil {
		t.Fatal("the server does not know the node key in status")
	}
	if got, want := s.MachineKey, node.Machine.String(); got != want {
		t.Errorf("machine key %s, the server saw %s", got, want)
	}
}

func addrsOf(n *tailcfg.Node) []netip.Prefix { return slices.Clone(n.Addresses) }

// rows: MAP-04 LITE-05
func TestTwoDaemonsSeeEachOther(t *testing.T) {
	t.Parallel()
	c := newControl(t, nil)
	a := newDaemon(t, c.http.URL, "hostname host-a", "login auto").start()
	b := newDaemon(t, c.http.URL, "hostname host-b").start()
	for _, d := range []*daemon{a, b} {
		d.must("login")
		d.awaitState(synchronized)
	}
	check := func(d, other *daemon) {
		t.Helper()
		want := c.Node(other.nodeKey())
		nm := d.awaitPeers("the other node with its endpoint", func(p []*tailcfg.Node) bool {
			return len(p) == 1 && p[0].Key == want.Key && len(p[0].Endpoints) == 1
		})
		p := nm.Peers[0]
		if p.ID != want.ID || !slices.Equal(addrsOf(p), addrsOf(want)) || p.Machine != want.Machine {
			t.Errorf("peer %+v, want %+v", p, want)
		}
		if got := p.Endpoints[0].String(); got != "192.0.2.7:41641" {
			t.Errorf("endpoint %s", got)
		}
		if nm.SelfNode.Key != d.nodeKey() {
			t.Errorf("self key %v, status says %v", nm.SelfNode.Key, d.nodeKey())
		}
	}
	check(a, b)
	check(b, a)
}

// rows: REG-05 PERS-02
func TestRestartKeepsIdentity(t *testing.T) {
	t.Parallel()
	c := newControl(t, func(s *testcontrol.Server) { s.RequireAuthKey = "tskey-auth-once" })
	d := newDaemon(t, c.http.URL).authKey("tskey-auth-once").start()
	before := d.awaitState(synchronized)
	d.stop(syscall.SIGTERM)
	// From here on the server wants nothing to do with keys of any kind but the known node key.
	c.RequireAuthKey = ""
	c.RequireAuth = false
	d.start()
	after := d.awaitState(synchronized)
	if before.NodeKey != after.NodeKey || before.MachineKey != after.MachineKey {
		t.Errorf("identity changed: %+v then %+v", before, after)
	}
	if after.URL != "" || c.NumNodes() != 1 {
		t.Errorf("url %q, %d nodes at the server", after.URL, c.NumNodes())
	}
}

// rows: DEL-01 DEL-02
func TestRawDeltas(t *testing.T) {
	t.Parallel()
	c := newControl(t, nil)
	c.AddFakeNode()
	c.AddFakeNode()
	d := newDaemon(t, c.http.URL).start()
	d.must("login")
	d.awaitState(synchronized)
	nm := d.awaitPeers("two fake peers", func(p []*tailcfg.Node) bool { return len(p) == 2 })
	streams := d.status().MapStreams

	added := largetailnet.MakePeer(tailcfg.NodeID(1<<62+5), 1)
	if !c.AddRawMapResponse(d.nodeKey(), &tailcfg.MapResponse{PeersChanged: []*tailcfg.Node{added}}) {
		t.Fatal("the server has no stream of this node")
	}
	nm = d.awaitPeers("the added peer", func(p []*tailcfg.Node) bool { return len(p) == 3 })
	i := slices.IndexFunc(nm.Peers, func(p *tailcfg.Node) bool { return p.ID == added.ID })
	if i == -1 {
		t.Fatalf("peer %d is not there: %v", added.ID, nm.Peers)
	}
	last := nm.Peers[i]
	if last.Key != added.Key || !slices.Equal(last.Addresses, added.Addresses) {
		t.Errorf("added %+v, got %+v", added, last)
	}
	gone := nm.Peers[(i+1)%3].ID
	if !c.AddRawMapResponse(d.nodeKey(), &tailcfg.MapResponse{PeersRemoved: []tailcfg.NodeID{gone}}) {
		t.Fatal("the server has no stream of this node")
	}
	nm = d.awaitPeers("the removal", func(p []*tailcfg.Node) bool { return len(p) == 2 })
	for _, p := range nm.Peers {
		if p.ID == gone {
			t.Errorf("peer %d is still there", gone)
		}
	}
	if s := d.status(); s.MapStreams != streams {
		t.Errorf("the deltas needed %d new map streams", s.MapStreams-streams)
	}
}

// rows: OUT-01 OUT-03
func TestLogout(t *testing.T) {
	t.Parallel()
	c := newControl(t, nil)
	c.AddFakeNode()
	d := newDaemon(t, c.http.URL).start()
	d.must("login")
	before := d.awaitState(synchronized)
	d.awaitPeers("a peer", func(p []*tailcfg.Node) bool { return len(p) == 1 })

	d.must("logout")
	after := d.status()
	if after.State != "state:not-authenticated" || after.LoggedIn || after.NodeKey != "" || after.Peers != 0 {
		t.Errorf("after logout: %+v", after)
	}
	if after.MachineKey != before.MachineKey {
		t.Errorf("machine key changed from %s to %s", before.MachineKey, after.MachineKey)
	}
	if _, err := d.netmap(); err == nil || !strings.Contains(err.Error(), "no-netmap") {
		t.Errorf("netmap after logout: %v", err)
	}
	// testcontrol decodes the request but keeps no expiry of its own: what it decoded is the proof.
	found := false
	for _, req := range strings.Split(serverLog.String(), "Got *tailcfg.RegisterRequest: ") {
		if strings.Contains(req, before.NodeKey) && strings.Contains(req, `"Expiry": "1970-01-01T00:02:03Z"`) {
			found = true
		}
	}
	if !found {
		t.Error("the server decoded no request that expires the node key")
	}
	d.eventually("the map stream is over at the server", func() error {
		if n := c.InServeMap(); n != 0 {
			return fmt.Errorf("%d map requests in flight", n)
		}
		return nil
	})
}

// rows: MAP-08
func TestLargeTailnet(t *testing.T) {
	t.Parallel()
	const peers = 10000
	stream := largetailnet.New(
		peers,
		&tailcfg.DERPMap{Regions: map[int]*tailcfg.DERPRegion{1: {RegionID: 1, RegionCode: "x"}}},
	)
	c := newControl(t, func(s *testcontrol.Server) { s.AltMapStream = stream.AltMapStream(); s.Verbose = false })
	d := newDaemon(t, c.http.URL).start()
	d.must("login")
	d.awaitState(synchronized)
	nm := d.awaitPeers("all peers", func(p []*tailcfg.Node) bool { return len(p) == peers })
	for i, p := range nm.Peers {
		if p.ID != tailcfg.NodeID(i+2) || p.Key.IsZero() || len(p.Addresses) != 2 {
			t.Fatalf("peer %d: %+v", i, p)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	more := stream.AllocPeer()
	delta := &tailcfg.MapResponse{PeersChanged: []*tailcfg.Node{more}, PeersRemoved: []tailcfg.NodeID{2}}
	if err := stream.SendDelta(ctx, delta); err != nil {
		t.Fatal(err)
	}
	d.awaitPeers("an added and a removed peer", func(p []*tailcfg.Node) bool {
		return len(p) == peers && p[0].ID == 3 && p[peers-1].Key == more.Key
	})
}
