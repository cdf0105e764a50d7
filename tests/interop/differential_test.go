// SPDX-License-Identifier: ISC
// Copyright (c) 2026 The tailnetd authors

package interop

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
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
	"tailscale.com/types/opt"
	"tailscale.com/util/eventbus"
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
	go d.PollNetMap(ctx, g)
	t.Cleanup(func() {
		cancel()
		d.Close()
		bus.Close()
	})
	return g
}

// A feed hands the same messages to every streaming poll.
type feed struct {
	streams chan testcontrol.MapStreamWriter
}

func (f *feed) serve(ctx context.Context, w testcontrol.MapStreamWriter, req *tailcfg.MapRequest) {
	if req.Stream {
		f.streams <- w
		<-ctx.Done()
		return
	}
	w.SendMapMessage(&tailcfg.MapResponse{})
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
	Peers             []*tailcfg.Node
	DNS               *tailcfg.DNSConfig
	DERPMap           *tailcfg.DERPMap
	PacketFilterRules []tailcfg.FilterRule
	UserProfiles      map[string]tailcfg.UserProfile
	Domain            string
	DomainAuditLogID  string
	SSHPolicy         *tailcfg.SSHPolicy
	CollectServices   *bool
	Health            []string
	DisplayMessages   map[tailcfg.DisplayMessageID]tailcfg.DisplayMessage
	TKAInfo           *tailcfg.TKAInfo
}

// rules turns a comparison of the three into complaints.
type complaints []string

func (c *complaints) check(what, daemon, model, goClient string, judged bool) {
	if daemon != model {
		*c = append(*c, fmt.Sprintf("%s\n  daemon %s\n  rule   %s", what, daemon, model))
	}
	if goClient != model && !judged {
		*c = append(*c, fmt.Sprintf("%s: Go differs from the rule and the difference is not on the list\n  Go     %s\n  rule   %s", what, goClient, model))
	}
}

func compare(d *fullNetmap, m *model, g *netmap.NetworkMap) (c complaints) {
	c.check("self", canonNode(d.SelfNode, time.Time{}), canonNode(m.self, time.Time{}), canonNode(g.SelfNode.AsStruct(), time.Time{}), false)
	dp, gp := map[tailcfg.NodeID]*tailcfg.Node{}, map[tailcfg.NodeID]*tailcfg.Node{}
	for i, p := range d.Peers {
		if i > 0 && d.Peers[i-1].ID >= p.ID {
			c = append(c, fmt.Sprintf("peers out of order: %d then %d", d.Peers[i-1].ID, p.ID))
		}
		dp[p.ID] = p
	}
	for _, p := range g.Peers {
		gp[p.ID()] = p.AsStruct()
	}
	if len(dp) != len(m.peers) || len(gp) != len(m.peers) {
		c = append(c, fmt.Sprintf("%d peers at the daemon, %d by the rule, %d in Go", len(dp), len(m.peers), len(gp)))
	}
	for id, p := range m.peers {
		if dp[id] == nil || gp[id] == nil {
			c = append(c, fmt.Sprintf("peer %d missing (daemon %v, Go %v)", id, dp[id] == nil, gp[id] == nil))
			continue
		}
		now := m.seenNow[id]
		c.check(fmt.Sprintf("peer %d", id), canonNode(dp[id], now), canonNode(p, now), canonNode(gp[id], now), m.goDiffers[id])
	}
	profiles := map[string]tailcfg.UserProfile{}
	refer := func(ids ...tailcfg.UserID) {
		for _, id := range ids {
			if p, ok := m.profiles[id]; ok && id != 0 {
				profiles[strconv.FormatInt(int64(id), 10)] = p
			}
		}
	}
	refer(m.self.User)
	for _, p := range m.peers {
		refer(p.User, p.Sharer)
	}
	c.check("DNS", canon(d.DNS), canon(m.dns), canon(g.DNS), false)
	c.check("DERPMap", canon(d.DERPMap), canon(m.derp), canon(g.DERPMap), false)
	c.check("filter", canonList(d.PacketFilterRules), canonList(m.rules()), canonList(g.PacketFilterRules.AsSlice()), false)
	c.check("profiles", canon(d.UserProfiles), canon(profiles), canonProfiles(g.UserProfiles), false)
	c.check("domain", d.Domain, m.domain, g.Domain, false)
	c.check("audit id", d.DomainAuditLogID, m.audit, g.DomainAuditLogID, false)
	c.check("ssh", canon(d.SSHPolicy), canon(m.ssh), canon(g.SSHPolicy), false)
	c.check("collect", fmt.Sprint(d.CollectServices != nil && *d.CollectServices), fmt.Sprint(m.collect), fmt.Sprint(g.CollectServices), false)
	// Go has no Health of its own in a netmap; ours keeps it also while there are messages (interface.md 5).
	c.check("health", canonList(d.Health), canonList(m.health), canonList(m.health), false)
	c.check("messages", canonMessages(d.DisplayMessages), canonMessages(m.shownMessages()), canonMessages(g.DisplayMessages), false)
	tkaOn := m.tka != nil && !m.tka.Disabled
	c.check("tka", canon(d.TKAInfo), canon(m.tka), canon(m.tka), false)
	c.check("tka enabled", fmt.Sprint(tkaOn), fmt.Sprint(tkaOn), fmt.Sprint(g.TKAEnabled), false)
	return c
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
	out := map[tailcfg.DisplayMessageID]tailcfg.DisplayMessage{}
	for id, v := range m {
		if strings.HasPrefix(string(id), "health-") {
			v.Title, v.Text = "", ""
		}
		out[id] = v
	}
	return canon(out)
}

func canonList[T any](l []T) string {
	if len(l) == 0 {
		return "[]"
	}
	return canon(l)
}

// rows: MAP-04 MAP-05 MAP-07 DEL-01 DEL-02 DEL-03 DEL-05 DEL-06 DEL-07 DEL-08 DEL-09 DEL-10 DEL-11 DEL-13 DEL-15 FLD-01 FLD-05 FLD-07 FLD-08 FLD-10 FLD-11 FLD-12
func TestDifferential(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	const groups = 4
	for g := range groups {
		t.Run(fmt.Sprintf("group%d", g), func(t *testing.T) {
			t.Parallel()
			for i := g; i < *diffSequences; i += groups {
				differential(t, *diffSeed+uint64(i))
				if t.Failed() {
					return
				}
			}
		})
	}
}

func differential(t *testing.T, seed uint64) {
	f := &feed{streams: make(chan testcontrol.MapStreamWriter, 4)}
	c := newControl(t, func(s *testcontrol.Server) { s.AltMapStream = f.serve; s.Verbose = false })
	defer c.http.CloseClientConnections()
	g := newGoClient(t, c.http.URL)
	defer g.cancel()
	goStream := <-f.streams
	d := newDaemon(t, c.http.URL).start()
	defer func() { d.stop(9) }()
	w := d.watch()
	defer w.conn.Close()
	d.must("login")
	var ourStream testcontrol.MapStreamWriter
	select {
	case ourStream = <-f.streams:
	case <-time.After(20 * time.Second):
		t.Fatalf("seed %d: the daemon opened no map stream\n%s", seed, d.log)
	}
	gen := newGenerator(seed, g.direct, d.nodeKey())
	m := newModel()
	var seq int64
	for i := range *diffMessages {
		msg := gen.next(i)
		m.apply(msg)
		ours, theirs := clone(msg), clone(msg)
		if msg.Node != nil {
			theirs.Node.Key = g.direct.GetPersist().PublicNodeKey()
		}
		if err := ourStream.SendMapMessage(ours); err != nil {
			t.Fatalf("seed %d message %d: %v", seed, i, err)
		}
		if err := goStream.SendMapMessage(theirs); err != nil {
			t.Fatalf("seed %d message %d: %v", seed, i, err)
		}
		var err error
		if seq, err = w.awaitNetmap(seq); err != nil {
			t.Fatalf("seed %d message %d: %v\n%s", seed, i, err, d.log)
		}
		var goMap *netmap.NetworkMap
		select {
		case goMap = <-g.got:
		case <-time.After(20 * time.Second):
			t.Fatalf("seed %d message %d: nothing from the Go client", seed, i)
		}
		var ourMap fullNetmap
		if b := d.must("netmap"); json.Unmarshal(b, &ourMap) != nil {
			t.Fatalf("seed %d message %d: netmap is not JSON: %.300q", seed, i, b)
		}
		if self := goMap.SelfNode.AsStruct(); self != nil {
			self.Key = ourMap.SelfNode.Key // two machines, two keys: all else must be the same
			goMap.SelfNode = self.View()
		}
		if bad := compare(&ourMap, m, goMap); len(bad) > 0 {
			t.Fatalf("seed %d message %d: %s\nmessage: %.4000s", seed, i, bad[0], canon(msg))
		}
	}
}

// A generator makes messages of every kind the stream can carry.
type generator struct {
	*rand.Rand
	self  tailcfg.Node
	ids   []tailcfg.NodeID // that exist
	limit int
	users []tailcfg.UserID
}

func newGenerator(seed uint64, _ *controlclient.Direct, ours key.NodePublic) *generator {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 77))}
	g.limit = []int{0, 3, 20, 50, 200}[g.IntN(5)]
	if g.IntN(40) == 0 {
		g.limit = 2000
	}
	g.users = []tailcfg.UserID{1, 2, 3, 1<<62 + 3}
	g.self = tailcfg.Node{
		ID: 1, StableID: "self", Name: "self.tail.example.", User: 1, Key: ours, MachineAuthorized: true,
		Addresses: []netip.Prefix{netip.MustParsePrefix("100.64.0.1/32")},
	}
	return g
}

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func (g *generator) raw32() (b [32]byte) {
	for i := range b {
		b[i] = byte(g.Uint32())
	}
	return b
}

func maybe[T any](g *generator, percent int, v T) (zero T) {
	if g.chance(percent) {
		return v
	}
	return zero
}

func (g *generator) newID() tailcfg.NodeID {
	switch g.IntN(4) {
	case 0:
		return tailcfg.NodeID(g.Int64N(1<<63-2) + 2)
	case 1:
		return tailcfg.NodeID(1<<53 + g.Int64N(1000))
	default:
		return tailcfg.NodeID(2 + g.Int64N(5000))
	}
}

func (g *generator) addr() netip.Addr {
	b := g.raw32()
	if g.chance(30) {
		return netip.AddrFrom16([16]byte{0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, 0, 0, b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]})
	}
	return netip.AddrFrom4([4]byte{100, 64 | b[0]&63, b[1], b[2]})
}

func (g *generator) endpoints() (l []netip.AddrPort) {
	for range g.IntN(4) {
		l = append(l, netip.AddrPortFrom(g.addr(), uint16(1+g.IntN(65535))))
	}
	return l
}

func (g *generator) when() time.Time {
	return time.Unix(1700000000+g.Int64N(50_000_000), g.Int64N(2)*g.Int64N(1e9)).UTC()
}

func (g *generator) expiry() time.Time {
	if g.chance(30) {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(24+g.IntN(4000)) * time.Hour).UTC().Truncate(time.Second)
}

func (g *generator) capMap() tailcfg.NodeCapMap {
	m := tailcfg.NodeCapMap{}
	for range g.IntN(4) {
		name := tailcfg.NodeCapability([]string{"https", "funnel", "https://tailscale.com/cap/x", "odd \"name\"", "é"}[g.IntN(5)])
		m[name] = []tailcfg.RawMessage{`{"a":12345678901234567890,"b":[1.50,null]}`, `"s"`, `1e3`}[:g.IntN(4)]
		if len(m[name]) == 0 {
			m[name] = nil
		}
	}
	return m
}

func (g *generator) node(id tailcfg.NodeID) *tailcfg.Node {
	a := netip.PrefixFrom(g.addr(), 0)
	a = netip.PrefixFrom(a.Addr(), a.Addr().BitLen())
	online, seen := g.chance(50), g.when()
	n := &tailcfg.Node{
		ID: id, StableID: tailcfg.StableNodeID(fmt.Sprintf("n%d", id)), Name: fmt.Sprintf("node-%d.tail.example.", id),
		User: g.users[g.IntN(len(g.users))], Sharer: maybe(g, 10, g.users[1]),
		Key: key.NodePublicFromRaw32(mem32(g.raw32())), KeyExpiry: g.expiry(), Machine: key.MachinePublicFromRaw32(mem32(g.raw32())),
		DiscoKey: maybe(g, 90, key.DiscoPublicFromRaw32(mem32(g.raw32()))), Addresses: []netip.Prefix{a},
		Endpoints: g.endpoints(), HomeDERP: g.IntN(4), Created: g.when(), Cap: tailcfg.CapabilityVersion(g.IntN(3) * 60),
		KeySignature: maybe(g, 20, []byte{1, 2, 3, byte(g.IntN(255))}), CapMap: maybe(g, 60, g.capMap()),
		Tags: maybe(g, 20, []string{"tag:a", "tag:b-2"}), MachineAuthorized: g.chance(90), UnsignedPeerAPIOnly: g.chance(5),
		IsWireGuardOnly: g.chance(5), IsJailed: g.chance(5),
		Hostinfo: maybe(g, 70, (&tailcfg.Hostinfo{OS: "linux", Hostname: fmt.Sprintf("node-%d", id), Services: []tailcfg.Service{{Proto: "tcp", Port: uint16(g.IntN(65535))}}}).View()),
	}
	if g.chance(70) {
		n.Online = &online
	}
	if g.chance(70) {
		n.LastSeen = &seen
	}
	if g.chance(50) {
		n.AllowedIPs = append([]netip.Prefix{a}, maybe(g, 40, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")})...)
		if len(n.AllowedIPs) > 1 {
			n.PrimaryRoutes = n.AllowedIPs[1:]
		}
	}
	// The Go client keeps an older disco key when the new one comes with an older LastSeen and the node is not online
	// (it may have learnt the key from the peer itself). We learn no keys in-band, so such nodes are left out.
	if n.Online == nil || !*n.Online {
		n.LastSeen = nil
	}
	return n
}

func (g *generator) patch(id tailcfg.NodeID) *tailcfg.PeerChange {
	online, seen, exp := g.chance(50), g.when(), g.expiry()
	nk, dk := key.NodePublicFromRaw32(mem32(g.raw32())), key.DiscoPublicFromRaw32(mem32(g.raw32()))
	p := &tailcfg.PeerChange{
		NodeID: id, DERPRegion: maybe(g, 30, g.IntN(5)), Cap: maybe(g, 20, tailcfg.CapabilityVersion(g.IntN(140))),
		CapMap: maybe(g, 20, g.capMap()), Endpoints: maybe(g, 30, g.endpoints()), Key: maybe(g, 20, &nk),
		KeySignature: maybe(g, 10, []byte{9, byte(g.IntN(255))}), DiscoKey: maybe(g, 20, &dk), Online: maybe(g, 30, &online),
		LastSeen: maybe(g, 30, &seen), KeyExpiry: maybe(g, 20, &exp),
	}
	if p.DiscoKey != nil && p.Online != nil {
		p.LastSeen = nil // protocol.md E.6, the staleness rule of the Go client
	}
	return p
}

// take hands out known ids, each at most once per message, so that the order of operations on one peer is not at stake
// here (DEL-14 has a test of its own: Go applies a replacement that it turned into a patch behind the others).
func (g *generator) take(most int) (l []tailcfg.NodeID) {
	g.Shuffle(len(g.ids), func(i, j int) { g.ids[i], g.ids[j] = g.ids[j], g.ids[i] })
	return g.ids[:min(len(g.ids), g.IntN(most+1))]
}

func (g *generator) fullPeers() (l []*tailcfg.Node) {
	g.ids = g.ids[:0]
	known := map[tailcfg.NodeID]bool{1: true}
	for range g.IntN(g.limit + 1) {
		if id := g.newID(); !known[id] {
			known[id] = true
			g.ids = append(g.ids, id)
			l = append(l, g.node(id))
		}
	}
	return l
}

func (g *generator) next(i int) *tailcfg.MapResponse {
	r := &tailcfg.MapResponse{Domain: fmt.Sprintf("m%d.example", i)}
	if i == 0 || g.chance(10) {
		n := g.self
		n.KeyExpiry, n.CapMap, n.Endpoints = g.expiry(), maybe(g, 50, g.capMap()), g.endpoints()
		n.Capabilities = maybe(g, 30, []tailcfg.NodeCapability{"https", "old"})
		r.Node = &n
	}
	switch {
	case i == 0 || g.chance(3):
		// An empty list means "unchanged", so the generator must not forget the peers it has.
		old := g.ids
		g.ids = nil
		if r.Peers = g.fullPeers(); len(r.Peers) == 0 {
			g.ids = old
		}
	default:
		g.deltas(r)
	}
	g.fields(r, i)
	return r
}

func (g *generator) deltas(r *tailcfg.MapResponse) {
	known := g.take(12)
	rest := map[tailcfg.NodeID]bool{1: true}
	for _, id := range g.ids {
		rest[id] = true
	}
	removed := map[tailcfg.NodeID]bool{}
	for _, id := range known {
		switch g.IntN(6) {
		case 0:
			r.PeersRemoved = append(r.PeersRemoved, id)
			removed[id] = true
		case 1:
			r.PeersChanged = append(r.PeersChanged, g.node(id))
		case 2:
			set(&r.PeerSeenChange, id, g.chance(50))
		case 3:
			set(&r.OnlineChange, id, g.chance(50))
		default:
			r.PeersChangedPatch = append(r.PeersChangedPatch, g.patch(id))
		}
	}
	if g.chance(30) && len(g.ids) < g.limit {
		if id := g.newID(); !rest[id] {
			r.PeersChanged = append(r.PeersChanged, g.node(id))
			defer func() { g.ids = append(g.ids, id) }()
		}
	}
	if g.chance(10) { // ids that nobody knows
		r.PeersRemoved = append(r.PeersRemoved, 1<<40+1)
		set(&r.OnlineChange, tailcfg.NodeID(1<<40+2), true)
		r.PeersChangedPatch = append(r.PeersChangedPatch, g.patch(1<<40+3))
	}
	kept := g.ids[:0]
	for _, id := range g.ids {
		if !removed[id] {
			kept = append(kept, id)
		}
	}
	g.ids = kept
}

func set[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[k] = v
}

func (g *generator) rules() []tailcfg.FilterRule {
	l := []tailcfg.FilterRule{}
	for range g.IntN(3) {
		l = append(l, tailcfg.FilterRule{SrcIPs: []string{"*", "100.64.0.0/10", "10.0.0.1-10.0.0.9"}[:1+g.IntN(3)],
			DstPorts: []tailcfg.NetPortRange{{IP: "*", Ports: tailcfg.PortRange{First: 0, Last: uint16(g.IntN(65535))}}}, IPProto: maybe(g, 30, []int{6, 17})})
	}
	return l
}

func (g *generator) fields(r *tailcfg.MapResponse, i int) {
	if g.chance(15) {
		r.DNSConfig = &tailcfg.DNSConfig{Domains: maybe(g, 70, []string{"tail.example"}), Proxied: g.chance(50),
			ExtraRecords: maybe(g, 30, []tailcfg.DNSRecord{{Name: "x.tail.example", Value: "100.64.0.9"}})}
	}
	if i == 0 || g.chance(10) {
		r.DERPMap = &tailcfg.DERPMap{OmitDefaultRegions: g.chance(30)}
		if i == 0 || g.chance(60) {
			r.DERPMap.Regions = map[int]*tailcfg.DERPRegion{}
			for range g.IntN(3) {
				id := 1 + g.IntN(5)
				r.DERPMap.Regions[id] = maybe(g, 85, &tailcfg.DERPRegion{RegionID: id, RegionCode: fmt.Sprint("r", id),
					Nodes: []*tailcfg.DERPNode{{Name: "a", RegionID: id, HostName: "derp.invalid"}}})
			}
		}
		if g.chance(30) {
			r.DERPMap.HomeParams = &tailcfg.DERPHomeParams{RegionScore: maybe(g, 60, map[int]float64{1: 0.5, 2: 2})}
		}
	}
	if g.chance(15) {
		r.PacketFilter = g.rules()
	}
	if g.chance(15) {
		r.PacketFilters = map[string][]tailcfg.FilterRule{}
		for range 1 + g.IntN(3) {
			r.PacketFilters[[]string{"*", "base", "a", "z", "B"}[g.IntN(5)]] = maybe(g, 60, g.rules())
		}
	}
	for range g.IntN(2) * g.IntN(4) {
		r.UserProfiles = append(r.UserProfiles, tailcfg.UserProfile{ID: g.users[g.IntN(len(g.users))], LoginName: fmt.Sprintf("u%d@example.com", g.IntN(9)), DisplayName: "Ü \u2028 <&>"})
	}
	if g.chance(8) {
		r.SSHPolicy = &tailcfg.SSHPolicy{Rules: []*tailcfg.SSHRule{{Principals: []*tailcfg.SSHPrincipal{{Any: true}}, SSHUsers: map[string]string{"*": "="}, Action: &tailcfg.SSHAction{Accept: g.chance(50), SessionDuration: time.Hour}}}}
	}
	if g.chance(10) {
		r.CollectServices = opt.NewBool(g.chance(50))
	}
	r.DomainDataPlaneAuditLogID = maybe(g, 5, fmt.Sprintf("audit%d", i))
	if g.chance(10) {
		r.Health = []string{"bad thing", "worse\n\"thing\""}[:g.IntN(3)]
	}
	if g.chance(10) {
		r.DisplayMessages = map[tailcfg.DisplayMessageID]*tailcfg.DisplayMessage{}
		for range 1 + g.IntN(3) {
			id := tailcfg.DisplayMessageID([]string{"*", "a", "b"}[g.IntN(3)])
			if id == "*" || g.chance(30) {
				r.DisplayMessages[id] = nil
			} else {
				r.DisplayMessages[id] = &tailcfg.DisplayMessage{Title: "t", Text: fmt.Sprint("text ", i), Severity: tailcfg.SeverityHigh}
			}
		}
	}
	if g.chance(5) {
		r.TKAInfo = &tailcfg.TKAInfo{Disabled: g.chance(50)}
	}
}
