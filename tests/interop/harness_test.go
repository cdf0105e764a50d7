// SPDX-License-Identifier: ISC
// Copyright (c) 2026 The tailnetd authors

// Package interop drives the real daemon, through its control socket, against
// Tailscale's own test control server.
package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go4.org/mem"
	"tailscale.com/tailcfg"
	"tailscale.com/tstest/integration/testcontrol"
	"tailscale.com/types/key"
)

// A lockedBuffer collects what a server or a daemon logs.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// serverLog receives what testcontrol decodes when it is Verbose.
var serverLog lockedBuffer

func TestMain(m *testing.M) {
	log.SetOutput(&serverLog)
	os.Exit(m.Run())
}

// A control is one test control server on a loopback port.
type control struct {
	*testcontrol.Server
	http *httptest.Server
}

func newControl(t *testing.T, set func(*testcontrol.Server)) *control {
	t.Helper()
	c := &control{Server: &testcontrol.Server{
		Logf:    func(format string, a ...any) { fmt.Fprintf(&serverLog, format+"\n", a...) },
		Verbose: true,
		DERPMap: &tailcfg.DERPMap{Regions: map[int]*tailcfg.DERPRegion{
			1: {
				RegionID:   1,
				RegionCode: "test",
				Nodes: []*tailcfg.DERPNode{
					{Name: "1a", RegionID: 1, HostName: "derp.invalid", IPv4: "127.0.0.1"},
				},
			},
		}},
	}}
	if set != nil {
		set(c.Server)
	}
	c.http = httptest.NewServer(c.Server)
	c.HTTPTestServer = c.http
	t.Cleanup(func() {
		c.http.CloseClientConnections()
		c.http.Close()
	})
	return c
}

// A daemon is one tailnetd with directories of its own.
type daemon struct {
	t    *testing.T
	dir  string
	conf string
	cmd  *exec.Cmd
	log  *lockedBuffer
	done chan struct{}
}

func newDaemon(t *testing.T, url string, extra ...string) *daemon {
	t.Helper()
	build := os.Getenv("TAILNETD_BUILD")
	if build == "" {
		t.Fatal("TAILNETD_BUILD is not set; run `make interop`")
	}
	// The socket's path must fit a sockaddr_un.
	dir, err := os.MkdirTemp("", "tnd")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, dir: dir, conf: filepath.Join(dir, "conf"), log: new(lockedBuffer)}
	lines := []string{
		"control-url " + url,
		"state-dir " + filepath.Join(dir, "state"),
		"control-socket " + filepath.Join(dir, "run", "sock"),
		"chroot-dir " + filepath.Join(dir, "empty"),
		"libexec-dir " + filepath.Join(build, "bin"),
		"log-level debug",
		"endpoints 192.0.2.7:41641",
	}
	if os.Getuid() != 0 {
		lines = append(lines, "sandbox best-effort")
	}
	if err := os.WriteFile(d.conf, []byte(strings.Join(append(lines, extra...), "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.stop(syscall.SIGTERM)
		if t.Failed() {
			t.Logf("daemon log:\n%s", d.log)
		}
		os.RemoveAll(dir)
	})
	return d
}

func (d *daemon) authKey(k string) *daemon {
	f := filepath.Join(d.dir, "authkey")
	if err := os.WriteFile(f, []byte(k+"\n"), 0o600); err != nil {
		d.t.Fatal(err)
	}
	d.addConfig("auth-key-file " + f)
	return d
}

func (d *daemon) addConfig(line string) {
	f, err := os.OpenFile(d.conf, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprintln(f, line)
}

func (d *daemon) start() *daemon {
	d.t.Helper()
	d.cmd = exec.Command(filepath.Join(os.Getenv("TAILNETD_BUILD"), "bin", "tailnetd"), "-d", "-f", d.conf)
	d.cmd.Stderr = d.log
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	done := make(chan struct{})
	d.done = done
	cmd := d.cmd
	go func() { cmd.Wait(); close(done) }()
	d.eventually("control socket answers", func() error {
		_, err := d.command("status")
		return err
	})
	return d
}

func (d *daemon) stop(sig syscall.Signal) {
	if d.cmd == nil {
		return
	}
	d.cmd.Process.Signal(sig)
	select {
	case <-d.done:
	case <-time.After(10 * time.Second):
		d.cmd.Process.Kill()
		d.t.Errorf("daemon did not end within 10 s of %v", sig)
	}
	d.cmd = nil
}

// command sends one line and returns the whole answer.
func (d *daemon) command(line string) ([]byte, error) {
	c, err := net.Dial("unix", filepath.Join(d.dir, "run", "sock"))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := fmt.Fprintln(c, line); err != nil {
		return nil, err
	}
	return io.ReadAll(bufio.NewReader(c))
}

func (d *daemon) must(line string) []byte {
	d.t.Helper()
	b, err := d.command(line)
	if err != nil {
		d.t.Fatalf("%s: %v", line, err)
	}
	var e struct {
		Error *struct{ Code, Message string }
	}
	if json.Unmarshal(b, &e) == nil && e.Error != nil {
		d.t.Fatalf("%s: %s: %s", line, e.Error.Code, e.Error.Message)
	}
	return b
}

type status struct {
	State      string
	LoggedIn   bool
	Synced     bool
	URL        string `json:"url"`
	Err        string `json:"err"`
	ErrSource  string `json:"errSource"`
	NodeKey    string
	OldNodeKey string
	MachineKey string
	KeyExpired bool
	Expiry     string
	Peers      int
	MapStreams int
	Goal       *struct{}
	Self       *struct {
		ID, StableID, Name string
		Addresses          []string
	}
}

func (d *daemon) status() status {
	d.t.Helper()
	var s status
	b := d.must("status")
	if err := json.Unmarshal(b, &s); err != nil {
		d.t.Fatalf("status %q: %v", b, err)
	}
	return s
}

// A shownMap is what the tests look at of `netmap` (interface.md 5).
type shownMap struct {
	Seq      int64
	NodeKey  string
	SelfNode *tailcfg.Node
	Peers    []*tailcfg.Node
	Domain   string
}

func (d *daemon) netmap() (nm shownMap, err error) {
	b, err := d.command("netmap")
	if err != nil {
		return nm, err
	}
	if bytes.HasPrefix(b, []byte(`{"error"`)) {
		return nm, fmt.Errorf("netmap: %s", bytes.TrimSpace(b))
	}
	return nm, json.Unmarshal(b, &nm)
}

func (d *daemon) nodeKey() key.NodePublic {
	d.t.Helper()
	var k key.NodePublic
	if err := k.UnmarshalText([]byte(d.status().NodeKey)); err != nil {
		d.t.Fatal(err)
	}
	return k
}

// eventually calls f until it returns nil; its last error is the failure.
func (d *daemon) eventually(what string, f func() error) {
	d.t.Helper()
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
		select {
		case <-d.done:
			d.t.Fatalf("%s: daemon ended: %v\n%s", what, err, d.log)
		default:
		}
	}
	d.t.Fatalf("%s: %v", what, err)
}

func (d *daemon) awaitState(want string) status {
	d.t.Helper()
	var s status
	d.eventually(want, func() error {
		if s = d.status(); s.State != want {
			return fmt.Errorf("state %s err %q (%s)", s.State, s.Err, s.ErrSource)
		}
		return nil
	})
	return s
}

func (d *daemon) awaitPeers(what string, ok func([]*tailcfg.Node) bool) shownMap {
	d.t.Helper()
	var nm shownMap
	d.eventually(what, func() (err error) {
		if nm, err = d.netmap(); err == nil && !ok(nm.Peers) {
			err = fmt.Errorf("%d peers", len(nm.Peers))
		}
		return err
	})
	return nm
}

const synchronized = "state:synchronized"

func mem32(b [32]byte) mem.RO { return mem.B(b[:]) }
