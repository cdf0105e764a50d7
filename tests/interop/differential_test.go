// SPDX-License-Identifier: ISC
// Copyright (c) 2026 The tailnetd authors

package interop

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tailscale.com/control/controlclient"
	"tailscale.com/health"
	"tailscale.com/hostinfo"
	"tailscale.com/net/netmon"
	"tailscale.com/net/tsdial"
	"tailscale.com/tailcfg"
	"tailscale.com/tstest/integration/testcontrol"
	"tailscale.com/types/key"
	"tailscale.com/types/netmap"
	"tailscale.com/util/eventbus"
	"tailscale.com/wgengine/filter"
)

var (
	diffSequences = flag.Int("sequences", 200, "differential test: random sequences")
	diffMessages  = flag.Int("messages", 100, "differential test: messages in each sequence")
	diffSeed      = flag.Uint64("seed", 1, "differential test: first seed")
)

// A goClient is Go's own controlclient on the same stream of messages.
type goClient struct {
	direct *controlclient.Direct
	got    chan *netmap.NetworkMap
	cancel context.CancelFunc
}

func (g *goClient) UpdateFullNetmap(nm *netmap.NetworkMap) { g.got <- nm }

func newGoClient(t *testing.T, url string) *goClient {
	t.Helper()
	bus := eventbus.New()
	dialer := tsdial.NewDialer(netmon.NewStatic())
	dialer.SetBus(bus)
	mk := key.NewMachine()
	hi := hostinfo.New()
	hi.BackendLogID = "interop"
	d, err := controlclient.NewDirect(controlclient.Options{
		ServerURL:            url,
		Hostinfo:             hi,
		GetMachinePrivateKey: func() (key.MachinePrivate, error) { return mk, nil },
		Dialer:               dialer,
		Bus:                  bus,
		DiscoPublicKey:       key.NewDisco().Public(),
		HealthTracker:        health.NewTracker(bus),
		Logf:                 func(string, ...any) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	g := &goClient{direct: d, got: make(chan *netmap.NetworkMap, 1), cancel: cancel}
	if _, err := d.TryLogin(ctx, controlclient.LoginDefault); err != nil {
		t.Fatalf("Go client: %v", err)
	}
	go func() {
		for ctx.Err() == nil {
			d.PollNetMap(ctx, g)
		}
	}()
	t.Cleanup(func() {
		cancel()
		d.Close()
		bus.Close()
	})
	return g
}

func (g *goClient) key() key.NodePublic { return g.direct.GetPersist().PublicNodeKey() }

// A feed has the streaming poll of each node.
type feed struct {
	t     *testing.T
	mu    sync.Mutex
	polls map[key.NodePublic]chan *stream
}

func (f *feed) of(k key.NodePublic) chan *stream {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.polls[k] == nil {
		f.polls[k] = make(chan *stream, 4)
	}
	return f.polls[k]
}

func (f *feed) serve(ctx context.Context, w testcontrol.MapStreamWriter, req *tailcfg.MapRequest) {
	if !req.Stream {
		w.SendMapMessage(&tailcfg.MapResponse{})
		return
	}
	s := newStream(f.t, w)
	f.of(req.NodeKey) <- s
	select {
	case <-ctx.Done():
	case <-s.end:
	}
}

func (f *feed) await(who string, k key.NodePublic) *stream {
	f.t.Helper()
	select {
	case s := <-f.of(k):
		return s
	case <-time.After(20 * time.Second):
		f.t.Fatalf("%s opened no map stream", who)
		return nil
	}
}

// watch reads the daemon's plain event stream: one netmap or delta event for each message that changed something.
type watch struct {
	conn net.Conn
	r    *bufio.Reader
}

func (d *daemon) watch() *watch {
	d.t.Helper()
	c, err := net.Dial("unix", filepath.Join(d.dir, "run", "sock"))
	if err != nil {
		d.t.Fatal(err)
	}
	fmt.Fprintln(c, "watch")
	return &watch{conn: c, r: bufio.NewReader(c)}
}

func (w *watch) awaitNetmap(seq int64) (int64, error) {
	w.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	for {
		line, err := w.r.ReadBytes('\n')
		if err != nil {
			return 0, fmt.Errorf("no netmap event after seq %d: %w", seq, err)
		}
		var e struct {
			Event     string
			NetmapSeq int64
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return 0, fmt.Errorf("event %q: %w", line, err)
		}
		if (e.Event == "netmap" || e.Event == "delta") && e.NetmapSeq > seq {
			return e.NetmapSeq, nil
		}
	}
}

// A fullNetmap is all of interface.md 5.
type fullNetmap struct {
	Seq               int64
	SelfNode          *tailcfg.Node
	Peers             []*peer
	DNS               *tailcfg.DNSConfig
	DERPMap           *tailcfg.DERPMap
	PacketFilterRules []tailcfg.FilterRule
	EffectiveFilter   struct {
		DenyAll bool
		Reason  string
		Rules   []tailcfg.FilterRule
	}
	UserProfiles      map[string]tailcfg.UserProfile
	Domain            string
	DomainAuditLogID  string
	SSHPolicy         *tailcfg.SSHPolicy
	CollectServices   *bool
	Health            []string
	DisplayMessages   map[tailcfg.DisplayMessageID]tailcfg.DisplayMessage
	TKAInfo           *tailcfg.TKAInfo
	ControlTime       string
	ClientVersion     *tailcfg.ClientVersion
	DefaultAutoUpdate *bool
}

// A judgement counts what was compared and where Go's client differs for a reason that is known.
type judgement struct {
	peers   int
	excused map[string]int
}

// complaints collects what is not as it should be.
type complaints []string

func (c *complaints) check(what, daemon, model, goClient, excuse string, j *judgement) {
	if daemon != model {
		*c = append(*c, fmt.Sprintf("%s\n  daemon %s\n  rule   %s", what, daemon, model))
	}
	switch {
	case goClient == model:
	case excuse != "":
		j.excused[excuse]++
	default:
		*c = append(
			*c,
			fmt.Sprintf(
				"%s: Go differs from the rule and the difference is not on the list\n"+
					"  Go     %s\n  rule   %s",
				what,
				goClient,
				model,
			),
		)
	}
}

func compare(d *fullNetmap, m *model, g *netmap.NetworkMap, j *judgement) (c complaints) {
	check := func(what, daemon, model, goClient string) { c.check(what, daemon, model, goClient, "", j) }
	check(
		"self",
		canonNode(d.SelfNode, time.Time{}),
		canonNode(m.self, time.Time{}),
		canonNode(g.SelfNode.AsStruct(), time.Time{}),
	)
	c.peers(d, m, g, j)
	check("DNS", canon(d.DNS), canon(m.dns), canon(g.DNS))
	check("DERPMap", canon(d.DERPMap), canon(m.derp), canon(g.DERPMap))
	check("filter", canonList(d.PacketFilterRules), canonList(m.rules()), canonList(g.PacketFilterRules.AsSlice()))
	c.effective(d, m, g)
	profiles := m.shownProfiles()
	check("profiles", canon(d.UserProfiles), canon(profiles), canonProfiles(g.UserProfiles))
	check("domain", d.Domain, m.domain, g.Domain)
	check("audit id", d.DomainAuditLogID, m.audit, g.DomainAuditLogID)
	check("ssh", canon(d.SSHPolicy), canon(m.ssh), canon(g.SSHPolicy))
	check(
		"collect",
		fmt.Sprint(d.CollectServices != nil && *d.CollectServices),
		fmt.Sprint(m.collect),
		fmt.Sprint(g.CollectServices),
	)
	check(
		"messages",
		canonMessages(d.DisplayMessages),
		canonMessages(m.shownMessages()),
		canonMessages(g.DisplayMessages),
	)
	tkaOn := m.tka != nil && !m.tka.Disabled
	check(
		"tka enabled",
		fmt.Sprint(d.TKAInfo != nil && !d.TKAInfo.Disabled),
		fmt.Sprint(tkaOn),
		fmt.Sprint(g.TKAEnabled),
	)
	// What has no counterpart in a netmap of Go's.
	ours := func(what, daemon, model string) { c.check(what, daemon, model, model, "", j) }
	ours("health", canonList(d.Health), canonList(m.health)) // also while there are messages (interface.md 5)
	ours("tka", canon(d.TKAInfo), canon(m.tka))
	ours("control time", d.ControlTime, m.controlTime)
	ours("client version", canon(d.ClientVersion), canon(m.clientVersion))
	ours("auto update", canon(d.DefaultAutoUpdate), canon(m.autoUpdate))
	return c
}

func (c *complaints) peers(d *fullNetmap, m *model, g *netmap.NetworkMap, j *judgement) {
	dp, gp := map[tailcfg.NodeID]*peer{}, map[tailcfg.NodeID]*tailcfg.Node{}
	for i, p := range d.Peers {
		if i > 0 && d.Peers[i-1].ID >= p.ID {
			*c = append(*c, fmt.Sprintf("peers out of order: %d then %d", d.Peers[i-1].ID, p.ID))
		}
		dp[p.ID] = p
	}
	for _, p := range g.Peers {
		gp[p.ID()] = p.AsStruct()
		if m.peers[p.ID()] == nil && m.goDiffers[p.ID()] == "" {
			*c = append(*c, fmt.Sprintf("peer %d is in Go's map only", p.ID()))
		}
	}
	if len(dp) != len(m.peers) {
		*c = append(*c, fmt.Sprintf("%d peers at the daemon, %d by the rule", len(dp), len(m.peers)))
	}
	for id, p := range m.peers {
		j.peers++
		if dp[id] == nil {
			*c = append(*c, fmt.Sprintf("peer %d is missing", id))
			continue
		}
		now := m.seenNow[id]
		theirs := "missing"
		if gp[id] != nil {
			theirs = canonNode(gp[id], now)
		}
		c.check(
			fmt.Sprintf("peer %d", id),
			canonNode(&dp[id].Node, now),
			canonNode(&p.Node, now),
			theirs,
			m.goDiffers[id],
			j,
		)
		if f := canon(dp[id].Future); f != canon(p.Future) {
			*c = append(*c, fmt.Sprintf("peer %d: an unknown member\n  daemon %s\n  sent   %s", id, f,
				canon(p.Future)))
		}
	}
}

// effective compares the rules that count with what Go's parser made of all of them. Its client leaves to others what
// protocol.md E.9 says of unsigned peers: a filter that lets one in is closed.
func (c *complaints) effective(d *fullNetmap, m *model, g *netmap.NetworkMap) {
	if m.letsUnsignedIn() {
		if !d.EffectiveFilter.DenyAll || len(d.EffectiveFilter.Rules) > 0 {
			*c = append(
				*c,
				"effective filter: it lets an unsigned peer in\n  daemon "+canonList(
					d.EffectiveFilter.Rules,
				),
			)
		}
		return
	}
	ours, err := filter.MatchesFromFilterRules(d.EffectiveFilter.Rules)
	if err != nil {
		*c = append(
			*c,
			fmt.Sprintf(
				"effective filter: Go finds fault with it: %v\n  daemon %s",
				err,
				canonList(d.EffectiveFilter.Rules),
			),
		)
	}
	if a, b := canonMatches(ours), canonMatches(g.PacketFilter); a != b {
		*c = append(
			*c,
			fmt.Sprintf(
				"effective filter (%q)\n  daemon %s\n  Go     %s\n  sent   %s",
				d.EffectiveFilter.Reason,
				a,
				b,
				canonList(m.rules()),
			),
		)
	}
	if d.EffectiveFilter.DenyAll && len(d.EffectiveFilter.Rules) > 0 {
		*c = append(*c, "effective filter: rules of a filter that is closed")
	}
}

// canonMatches leaves out what matches nothing.
func canonMatches(l []filter.Match) string {
	var out []string
	for _, m := range l {
		m.Dsts = slices.DeleteFunc(slices.Clone(m.Dsts), func(d filter.NetPortRange) bool {
			return d.Ports.First > d.Ports.Last
		})
		if m.IPProto.Len() == 0 || len(m.Dsts) == 0 {
			m.IPProto, m.Dsts = filter.Match{}.IPProto, nil
		}
		if len(m.Srcs)+len(m.SrcCaps) == 0 || len(m.Dsts)+len(m.Caps) == 0 {
			continue
		}
		caps := make([]string, len(m.Caps)) // their order is that of a map
		for i, cm := range m.Caps {
			caps[i] = canon(cm)
		}
		slices.Sort(caps)
		m.Caps = nil
		out = append(out, canon(m)+strings.Join(caps, ""))
	}
	return strings.Join(out, "\n")
}

func (m *model) letsUnsignedIn() bool {
	var own []netip.Prefix
	for _, p := range m.peers {
		if p.UnsignedPeerAPIOnly {
			own = append(own, p.AllowedIPs...)
		}
	}
	for _, r := range m.rules() {
		if len(r.SrcBits) > 0 || len(r.DstPorts) == 0 {
			continue
		}
		parsed, _ := filter.MatchesFromFilterRules([]tailcfg.FilterRule{{SrcIPs: r.SrcIPs}})
		for _, src := range parsed[0].Srcs {
			if slices.ContainsFunc(own, src.Overlaps) {
				return true
			}
		}
	}
	return false
}

func (m *model) shownProfiles() map[string]tailcfg.UserProfile {
	shown := map[string]tailcfg.UserProfile{}
	refer := func(ids ...tailcfg.UserID) {
		for _, id := range ids {
			if p, ok := m.profiles[id]; ok && id != 0 {
				shown[strconv.FormatInt(int64(id), 10)] = p
			}
		}
	}
	refer(m.self.User)
	for _, p := range m.peers {
		refer(p.User, p.Sharer)
	}
	return shown
}

func canonProfiles(m map[tailcfg.UserID]tailcfg.UserProfileView) string {
	out := map[string]*tailcfg.UserProfile{}
	for id, p := range m {
		out[strconv.FormatInt(int64(id), 10)] = p.AsStruct()
	}
	return canon(out)
}

// canonMessages leaves out the wording of messages that were made from Health strings: it is each client's own.
func canonMessages(m map[tailcfg.DisplayMessageID]tailcfg.DisplayMessage) string {
	out := map[string]tailcfg.DisplayMessage{}
	for id, v := range m {
		if strings.HasPrefix(string(id), "health-") {
			v.Title, v.Text = "", ""
		}
		out[string(id)] = v
	}
	return canon(out)
}

func canonList[T any](l []T) string {
	if len(l) == 0 {
		return "[]"
	}
	return canon(l)
}

// rows: MAP-04 MAP-05 MAP-06 MAP-07 DEL-01 DEL-02 DEL-03 DEL-05 DEL-06 DEL-07 DEL-08 DEL-09 DEL-10 DEL-11 DEL-12 DEL-13
// DEL-14 DEL-15 KA-05 FLD-01 FLD-02 FLD-03 FLD-04 FLD-05 FLD-06 FLD-07 FLD-08 FLD-09 FLD-10 FLD-11 FLD-12 FLD-13 FLD-14
// FLD-17
func TestDifferential(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	const groups = 4
	var mu sync.Mutex
	sum := judgement{excused: map[string]int{}}
	t.Run("all", func(t *testing.T) {
		for g := range groups {
			t.Run(fmt.Sprintf("group%d", g), func(t *testing.T) {
				t.Parallel()
				for i := g; i < *diffSequences; i += groups {
					j := &judgement{excused: map[string]int{}}
					differential(t, *diffSeed+uint64(i), j)
					if t.Failed() {
						return
					}
					mu.Lock()
					sum.peers += j.peers
					for k, n := range j.excused {
						sum.excused[k] += n
					}
					mu.Unlock()
				}
			})
		}
	})
	for _, k := range slices.Sorted(maps.Keys(sum.excused)) {
		t.Logf("Go differs in %d of %d peers looked at: %s", sum.excused[k], sum.peers, k)
	}
}

func differential(t *testing.T, seed uint64, j *judgement) {
	f := &feed{t: t, polls: map[key.NodePublic]chan *stream{}}
	c := newControl(t, func(s *testcontrol.Server) { s.AltMapStream = f.serve; s.Verbose = false })
	defer c.http.CloseClientConnections()
	g := newGoClient(t, c.http.URL)
	defer g.cancel()
	d := newDaemon(t, c.http.URL).start()
	defer func() { d.stop(9) }()
	w := d.watch()
	defer w.conn.Close()
	d.must("login")
	d.eventually("logged in", func() error {
		if d.status().NodeKey == "" {
			return fmt.Errorf("no node key yet")
		}
		return nil
	})
	ourKey := d.nodeKey()
	gen := newGenerator(seed, ourKey)
	var (
		ours, theirs *stream
		m            *model
		seq          int64
	)
	send := func(i int, msg *wire) {
		if err := ours.send(msg.text("")); err != nil {
			t.Fatalf("seed %d message %d: %v", seed, i, err)
		}
		if err := theirs.send(msg.text(g.key().String())); err != nil {
			t.Fatalf("seed %d message %d: %v", seed, i, err)
		}
	}
	for i := range *diffMessages {
		first := i == 0 || gen.chance(3)
		if first { // a stream that ends; the next one begins from nothing (MAP-06)
			if ours != nil {
				close(ours.end)
				close(theirs.end)
			}
			ours, theirs = f.await("the daemon", ourKey), f.await("Go's client", g.key())
			m = newModel()
		}
		if gen.chance(5 + 20*b2i(first)) { // whatever else is in it (KA-05)
			junk := gen.dress(gen.next(i, false))
			junk.members["KeepAlive"] = json.RawMessage("true")
			junk.order = append(junk.order, "KeepAlive")
			m.keepAlive(junk.text(""), !first)
			send(i, junk)
			gen.ids = slices.Collect(maps.Keys(m.peers))
			slices.Sort(gen.ids)
		}
		msg := gen.dress(gen.next(i, first))
		m.apply(msg.text(""))
		send(i, msg)
		var err error
		if seq, err = w.awaitNetmap(seq); err != nil {
			t.Fatalf("seed %d message %d: %v\n%s", seed, i, err, d.log)
		}
		var goMap *netmap.NetworkMap
		select {
		case goMap = <-g.got:
		case <-time.After(20 * time.Second):
			t.Fatalf("seed %d message %d: nothing from the Go client\n%.4000s", seed, i, msg.text(""))
		}
		var ourMap fullNetmap
		if b := d.must("netmap"); json.Unmarshal(b, &ourMap) != nil {
			t.Fatalf("seed %d message %d: netmap is not JSON: %.300q", seed, i, b)
		}
		if self := goMap.SelfNode.AsStruct(); self != nil {
			self.Key = ourMap.SelfNode.Key // two machines, two keys: all else must be the same
			goMap.SelfNode = self.View()
		}
		if bad := compare(&ourMap, m, goMap, j); len(bad) > 0 {
			t.Fatalf("seed %d message %d: %s\nmessage: %.4000s", seed, i, bad[0], msg.text(""))
		}
	}
}
