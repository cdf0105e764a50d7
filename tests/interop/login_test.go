// SPDX-License-Identifier: ISC
// Copyright (c) 2026 The tailnetd authors

package interop

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/tstest/integration/testcontrol"
)

const urlVisit = "state:url-visit-required"

// awaitURL waits for a login URL other than the one given.
func (d *daemon) awaitURL(not string) string {
	d.t.Helper()
	var url string
	d.eventually("a login URL", func() error {
		if s := d.status(); s.State == urlVisit && s.URL != "" && s.URL != not {
			url = s.URL
			return nil
		} else {
			return fmt.Errorf("state %s url %q err %q", s.State, s.URL, s.Err)
		}
	})
	return url
}

// rows: INT-01 INT-02
func TestInteractiveLogin(t *testing.T) {
	t.Parallel()
	c := newControl(t, func(s *testcontrol.Server) { s.RequireAuth = true })
	d := newDaemon(t, c.http.URL).start()
	d.must("login")
	url := d.awaitURL("")
	if s := d.status(); s.LoggedIn || s.NodeKey != "" {
		t.Errorf("while the URL is pending: %+v", s)
	}
	if !c.CompleteAuth(url) {
		t.Fatalf("the server does not know %s", url)
	}
	if s := d.awaitState(synchronized); s.URL != "" || !s.LoggedIn {
		t.Errorf("after the visit: %+v", s)
	}
}

// rows: INT-03
func TestInteractiveLoginInterrupted(t *testing.T) {
	t.Parallel()
	c := newControl(t, func(s *testcontrol.Server) { s.RequireAuth = true })
	d := newDaemon(t, c.http.URL).start()
	d.must("login")
	first := d.awaitURL("")
	d.must("login interactive")
	second := d.awaitURL(first)
	if !c.CompleteAuth(second) {
		t.Fatalf("the server does not know %s", second)
	}
	if s := d.awaitState(synchronized); s.URL != "" {
		t.Errorf("url %q after the login", s.URL)
	}
}

// rows: ROT-01
func TestLoginTwice(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	c := newControl(t, func(s *testcontrol.Server) {
		s.MaybeRateLimitRegister = func() (bool, string, string) {
			asked.Add(1)
			return false, "", ""
		}
	})
	d := newDaemon(t, c.http.URL).start()
	d.must("login")
	before := d.awaitState(synchronized)
	first := asked.Load()
	d.must("login")
	d.eventually("the second login has asked the server and is over", func() error {
		if s := d.status(); asked.Load() != first+1 || s.Goal != nil || s.State != synchronized || !s.Synced {
			return fmt.Errorf("%d requests after %d, %+v", asked.Load(), first, s)
		}
		return nil
	})
	if after := d.status(); after.NodeKey != before.NodeKey || c.NumNodes() != 1 {
		t.Errorf("before %+v, after %+v, %d nodes", before, after, c.NumNodes())
	}
	if first != 1 {
		t.Errorf("%d requests for the first login", first)
	}
}

// rows: ROT-02 ROT-03 INT-06
func TestRotationSeenByPeer(t *testing.T) {
	t.Parallel()
	c := newControl(t, func(s *testcontrol.Server) { s.RequireAuth = true })
	login := func(d *daemon, how string) {
		t.Helper()
		d.must(how)
		c.CompleteAuth(d.awaitURL(""))
		d.awaitState(synchronized)
	}
	a := newDaemon(t, c.http.URL, "hostname rotates").start()
	b := newDaemon(t, c.http.URL, "hostname watches").start()
	login(a, "login")
	login(b, "login")
	old := a.nodeKey()
	nm := b.awaitPeers(
		"the node with its first key",
		func(p []*tailcfg.Node) bool { return len(p) == 1 && p[0].Key == old },
	)
	id := nm.Peers[0].ID

	a.must("login interactive")
	url := a.awaitURL("")
	if s := a.status(); s.NodeKey != old.String() || !s.LoggedIn || !s.Synced {
		t.Errorf("until the visit the old key is in force, but %+v", s)
	}
	if !c.CompleteAuth(url) {
		t.Fatalf("the server does not know %s", url)
	}
	a.eventually("the new key is the current one", func() error {
		if s := a.status(); s.State != synchronized || s.NodeKey == old.String() ||
			s.OldNodeKey != old.String() {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	b.awaitPeers("the same node with the new key", func(p []*tailcfg.Node) bool {
		return len(p) == 1 && p[0].ID == id && p[0].Key == a.nodeKey()
	})
}

// rows: EXP-04 EXP-05
func TestExpiryAndExtension(t *testing.T) {
	t.Parallel()
	c := newControl(t, func(s *testcontrol.Server) { s.RequireAuth = true })
	d := newDaemon(t, c.http.URL, "on-expiry wait").start()
	d.must("login")
	c.CompleteAuth(d.awaitURL(""))
	before := d.awaitState(synchronized)

	c.SetExpireAllNodes(true)
	d.eventually("the key is shown as expired", func() error {
		if s := d.status(); !s.KeyExpired || s.LoggedIn || s.State != "state:not-authenticated" || !s.Synced {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	c.SetExpireAllNodes(false)
	after := d.awaitState(synchronized)
	if after.NodeKey != before.NodeKey || after.MapStreams != before.MapStreams || after.KeyExpired {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

// rows: BACK-05
func TestRateLimitedRegister(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	c := newControl(t, func(s *testcontrol.Server) {
		s.MaybeRateLimitRegister = func() (bool, string, string) {
			return asked.Add(1) == 1, "2", "slow down, please"
		}
	})
	d := newDaemon(t, c.http.URL).start()
	start := time.Now()
	d.must("login")
	d.eventually("the server's message", func() error {
		if s := d.status(); s.Err == "" {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	d.awaitState(synchronized)
	if took := time.Since(start); took < 2*time.Second || asked.Load() != 2 {
		t.Errorf("logged in after %v with %d requests; Retry-After was 2 s", took, asked.Load())
	}
}

// rows: INT-04
func TestLogoutDuringLogin(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	held := make(chan struct{})
	c := newControl(t, func(s *testcontrol.Server) {
		s.MaybeRateLimitRegister = func() (bool, string, string) {
			select {
			case <-held:
			default:
				close(held)
				<-release
			}
			return false, "", ""
		}
	})
	d := newDaemon(t, c.http.URL).start()
	d.must("login")
	<-held
	d.must("logout")
	close(release)
	time.Sleep(300 * time.Millisecond) // the late answer has been sent
	if s := d.status(); s.LoggedIn || s.NodeKey != "" || s.State != "state:not-authenticated" {
		t.Errorf("the late answer changed something: %+v", s)
	}
	d.stop(syscall.SIGTERM)
	d.start()
	time.Sleep(300 * time.Millisecond)
	if s := d.status(); s.LoggedIn || s.State != "state:not-authenticated" {
		t.Errorf("a restart logged in by itself: %+v", s)
	}
}
