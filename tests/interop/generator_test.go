// SPDX-License-Identifier: ISC
// Copyright (c) 2026 The tailnetd authors

package interop

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/types/dnstype"
	"tailscale.com/types/key"
	"tailscale.com/types/opt"
)

// A generator makes messages of every kind the stream can carry.
type generator struct {
	*rand.Rand
	self  tailcfg.Node
	ids   []tailcfg.NodeID // that exist
	limit int
	users []tailcfg.UserID
}

func newGenerator(seed uint64, ours key.NodePublic) *generator {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 77))}
	g.limit = pick(g, 0, 3, 20, 50, 200)
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

func pick[T any](g *generator, l ...T) T { return l[g.IntN(len(l))] }

func (g *generator) newID() tailcfg.NodeID {
	switch g.IntN(8) {
	case 0, 1:
		return tailcfg.NodeID(g.Int64N(1<<63-2) + 2)
	case 2, 3:
		return tailcfg.NodeID(1<<53 + g.Int64N(1000))
	case 4:
		return tailcfg.NodeID(-g.Int64N(5000) - 1) // testcontrol's fake nodes have such
	default:
		return tailcfg.NodeID(2 + g.Int64N(5000))
	}
}

func (g *generator) addr() netip.Addr {
	b := g.raw32()
	if g.chance(30) {
		return netip.AddrFrom16(
			[16]byte{
				0xfd,
				0x7a,
				0x11,
				0x5c,
				0xa1,
				0xe0,
				0,
				0,
				b[0],
				b[1],
				b[2],
				b[3],
				b[4],
				b[5],
				b[6],
				b[7],
			},
		)
	}
	return netip.AddrFrom4([4]byte{100, 64 | b[0]&63, b[1], b[2]})
}

func (g *generator) host() netip.Prefix {
	a := g.addr()
	return netip.PrefixFrom(a, a.BitLen())
}

func (g *generator) endpoints() []netip.AddrPort {
	l := maybe(g, 80, []netip.AddrPort{})
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
		name := pick[tailcfg.NodeCapability](
			g,
			"https",
			"funnel",
			"https://tailscale.com/cap/x",
			"odd \"name\"",
			"é",
		)
		m[name] = []tailcfg.RawMessage{`{"a":12345678901234567890,"b":[1.50,null]}`, `"s"`, `1e3`}[:g.IntN(4)]
		if len(m[name]) == 0 {
			m[name] = nil
		}
	}
	return m
}

func (g *generator) resolvers() []*dnstype.Resolver {
	l := []*dnstype.Resolver{
		{Addr: "1.1.1.1"},
		{Addr: "https://dns.example/q", BootstrapResolution: []netip.Addr{g.addr()}},
		{Addr: "[fd7a::1]:5353", UseWithExitNode: true},
	}
	return l[:g.IntN(len(l)+1)]
}

func (g *generator) hostinfo(id tailcfg.NodeID) *tailcfg.Hostinfo {
	return &tailcfg.Hostinfo{
		OS: pick(
			g,
			"linux",
			"windows",
			"iOS",
			"openbsd",
		), Hostname: fmt.Sprintf("node-%d", id), OSVersion: maybe(g, 30, "6.1.0 \"x\"\n"),
		IPNVersion: maybe(
			g,
			50,
			"1.102.5-t0123456789abcdef",
		), Container: pick(g, opt.Bool(""), opt.NewBool(true), opt.NewBool(false)),
		BackendLogID: maybe(
			g,
			30,
			"00112233445566778899aabbccddeeff",
		), ShieldsUp: g.chance(10), RequestTags: maybe(g, 20, []string{"tag:a"}),
		RoutableIPs: maybe(
			g,
			20,
			[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::/0")},
		),
		Services: maybe(
			g,
			50,
			[]tailcfg.Service{
				{Proto: "tcp", Port: uint16(g.IntN(65536)), Description: maybe(g, 30, "ä ☃ <&>")},
				{Proto: tailcfg.PeerAPI4, Port: 1},
			},
		),
		NetInfo: maybe(
			g,
			20,
			&tailcfg.NetInfo{
				PreferredDERP: g.IntN(900),
				WorkingUDP:    opt.NewBool(g.chance(50)),
				LinkType:      "wired",
				DERPLatency:   map[string]float64{"1-v4": 0.0123, "12-v6": 1e-7},
			},
		),
		Location: maybe(
			g,
			10,
			&tailcfg.Location{
				Country:   "Côte d'Ivoire",
				CityCode:  "ABJ",
				Latitude:  5.345317,
				Longitude: -4.024429,
				Priority:  100,
			},
		),
	}
}

func (g *generator) node(id tailcfg.NodeID) *tailcfg.Node {
	v4, v6 := netip.MustParseAddr("100.99.0.1"), netip.MustParseAddr("fd7a:115c:a1e0::99")
	online, seen := g.chance(50), g.when()
	n := &tailcfg.Node{
		ID: id, StableID: tailcfg.StableNodeID(fmt.Sprintf("n%d", id)), User: pick(g, g.users...),
		Sharer: maybe(g, 10, g.users[1]),
		Name:   fmt.Sprintf("node-%d.%s", id, pick(g, "tail.example.", "tail.example.", "other.example.", "")),
		Key: key.NodePublicFromRaw32(
			mem32(g.raw32()),
		), KeyExpiry: g.expiry(), Machine: key.MachinePublicFromRaw32(mem32(g.raw32())),
		DiscoKey: maybe(
			g,
			90,
			key.DiscoPublicFromRaw32(mem32(g.raw32())),
		), Endpoints: g.endpoints(), HomeDERP: g.IntN(4), Created: g.when(),
		Addresses: append(
			[]netip.Prefix{g.host()},
			maybe(g, 40, []netip.Prefix{g.host()})...), Cap: tailcfg.CapabilityVersion(g.IntN(3) * 60),
		KeySignature: maybe(
			g,
			20,
			[]byte{1, 2, 3, byte(g.IntN(255))},
		), CapMap: maybe(g, 60, g.capMap()), Tags: maybe(g, 20, []string{"tag:a", "tag:b-2"}),
		MachineAuthorized: g.chance(
			90,
		), UnsignedPeerAPIOnly: g.chance(5), IsWireGuardOnly: g.chance(5), IsJailed: g.chance(5),
		Expired: g.chance(5),
		DataPlaneAuditLogID: maybe(
			g,
			5,
			"audit",
		), Hostinfo: maybe(g, 70, g.hostinfo(id).View()),
		Capabilities: maybe(g, 5, []tailcfg.NodeCapability{"old"}),
		LegacyDERPString: maybe(
			g,
			10,
			pick(g, "127.3.3.40:7", "127.3.3.40:x", "192.0.2.1:7", "7"),
		),
		SelfNodeV4MasqAddrForThisPeer: maybe(g, 5, &v4), SelfNodeV6MasqAddrForThisPeer: maybe(g, 5, &v6),
		ExitNodeDNSResolvers: maybe(
			g,
			5,
			g.resolvers(),
		), Online: maybe(g, 70, &online), LastSeen: maybe(g, 70, &seen),
	}
	switch g.IntN(10) {
	case 0:
		n.AllowedIPs = []netip.Prefix{} // none, which is not the same as not given
	case 1, 2, 3, 4:
		n.AllowedIPs = append(
			slices.Clone(n.Addresses),
			maybe(
				g,
				40,
				[]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("::/0")},
			)...)
		n.PrimaryRoutes = n.AllowedIPs[len(n.Addresses):]
	}
	return n
}

func (g *generator) patch(id tailcfg.NodeID) *tailcfg.PeerChange {
	online, seen, exp := g.chance(50), g.when(), g.expiry()
	nk, dk := key.NodePublicFromRaw32(mem32(g.raw32())), key.DiscoPublicFromRaw32(mem32(g.raw32()))
	return &tailcfg.PeerChange{
		NodeID: id, DERPRegion: maybe(g, 30, g.IntN(5)),
		Cap:    maybe(g, 20, tailcfg.CapabilityVersion(g.IntN(140))),
		CapMap: maybe(g, 20, g.capMap()), Endpoints: maybe(g, 30, g.endpoints()), Key: maybe(g, 20, &nk),
		KeySignature: maybe(
			g,
			10,
			[]byte{9, byte(g.IntN(255))},
		), DiscoKey: maybe(g, 20, &dk), Online: maybe(g, 30, &online),
		LastSeen: maybe(g, 30, &seen), KeyExpiry: maybe(g, 20, &exp),
	}
}

// some hands out known ids, each once.
func (g *generator) some(most int) []tailcfg.NodeID {
	g.Shuffle(len(g.ids), func(i, j int) { g.ids[i], g.ids[j] = g.ids[j], g.ids[i] })
	return slices.Clone(g.ids[:min(len(g.ids), g.IntN(most+1))])
}

// fresh makes unused ids.
func (g *generator) fresh(n int) (l []tailcfg.NodeID) {
	taken := map[tailcfg.NodeID]bool{1: true}
	for _, id := range g.ids {
		taken[id] = true
	}
	for range n {
		if id := g.newID(); !taken[id] {
			taken[id] = true
			l = append(l, id)
		}
	}
	return l
}

// next makes a message; first: the first of a stream, which replaces everything before.
func (g *generator) next(i int, first bool) *tailcfg.MapResponse {
	r := &tailcfg.MapResponse{Domain: fmt.Sprintf("m%d.example", i)}
	if first {
		g.ids = nil
	}
	if first || g.chance(10) {
		r.Node = g.selfNode()
	}
	switch {
	case first && g.chance(25): // the deltas of a first message apply only to peers that it adds itself
		g.add(r, g.limit/4)
	case first || g.chance(3):
		g.fullPeers(r)
	default:
		g.deltas(r)
	}
	g.fields(r, i, first)
	return r
}

func (g *generator) fullPeers(r *tailcfg.MapResponse) {
	ids := g.fresh(g.IntN(g.limit + 1))
	if len(ids) == 0 {
		return // an empty list means "unchanged"
	}
	for _, id := range ids {
		r.Peers = append(r.Peers, g.node(id))
		if g.chance(2) { // of two with one id the last counts
			r.Peers = append(r.Peers, g.node(pick(g, ids...)))
		}
	}
	if g.chance(30) { // a full list precludes them (DEL-03)
		g.deltas(r)
	}
	g.ids = ids
}

func (g *generator) selfNode() *tailcfg.Node {
	n := g.self
	n.KeyExpiry, n.CapMap, n.Endpoints = g.expiry(), maybe(g, 50, g.capMap()), g.endpoints()
	n.Capabilities = maybe(g, 30, []tailcfg.NodeCapability{"https", "old", "old"})
	n.Hostinfo, n.Tags, n.HomeDERP = maybe(
		g,
		50,
		g.hostinfo(1).View(),
	), maybe(
		g,
		20,
		[]string{"tag:self"},
	), g.IntN(
		3,
	)
	n.MachineAuthorized, n.DataPlaneAuditLogID = g.chance(90), maybe(g, 20, "self-audit")
	return &n
}

// deltas works on existing peers, adds new ones and names some unknown ones.
func (g *generator) deltas(r *tailcfg.MapResponse) {
	removed := map[tailcfg.NodeID]bool{}
	for _, id := range g.some(12) {
		g.op(r, id, removed)
		if g.chance(15) { // in one message in this order: removed, changed, seen, online, patches (DEL-14)
			g.op(r, id, removed)
		}
	}
	if g.chance(10) { // unknown ids
		r.PeersRemoved = append(r.PeersRemoved, 1<<40+1, 0, -1<<63)
		set(&r.OnlineChange, tailcfg.NodeID(1<<40+2), true)
		r.PeersChangedPatch = append(r.PeersChangedPatch, g.patch(1<<40+3))
	}
	for _, n := range r.PeersChanged {
		delete(removed, n.ID) // it exists again
	}
	g.ids = slices.DeleteFunc(g.ids, func(id tailcfg.NodeID) bool { return removed[id] })
	if g.chance(30) && len(g.ids) < g.limit {
		g.add(r, 1)
	}
}

// add adds up to most peers and does more to some of them in the same message.
func (g *generator) add(r *tailcfg.MapResponse, most int) {
	if most < 1 {
		return
	}
	for _, id := range g.fresh(1 + g.IntN(most)) {
		r.PeersChanged = append(r.PeersChanged, g.node(id))
		g.ids = append(g.ids, id)
		if g.chance(20) {
			g.op(r, id, map[tailcfg.NodeID]bool{}) // also its removal comes before its addition
		}
	}
}

func (g *generator) op(r *tailcfg.MapResponse, id tailcfg.NodeID, removed map[tailcfg.NodeID]bool) {
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

func set[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[k] = v
}

// rules makes filter rules with entries of every kind, of which some are wrong and left out (FLD-06).
func (g *generator) rules() []tailcfg.FilterRule {
	zero := 0
	l := []tailcfg.FilterRule{}
	for range g.IntN(4) {
		f := tailcfg.FilterRule{IPProto: maybe(g, 30, []int{6, 17, -1, 256, 99}[g.IntN(4):])}
		for range g.IntN(4) {
			f.SrcIPs = append(
				f.SrcIPs,
				pick(
					g,
					"*",
					"100.64.0.0/10",
					"10.0.0.1-10.0.0.9",
					"10.0.0.9-10.0.0.1",
					"fd7a::/16",
					"10.0.0.1/8",
					"192.0.2.7",
					"cap:https://example.com/c",
					"bad",
					"10.0.0.1-fd7a::1",
					"1.2.3.4/33",
				),
			)
		}
		for range g.IntN(3) {
			f.DstPorts = append(
				f.DstPorts,
				tailcfg.NetPortRange{
					IP: pick(g, "*", "100.64.0.1", "fd7a::1-fd7a::9", "bad", "10.0.0.0/9", "cap:x"),
					Ports: tailcfg.PortRange{
						First: uint16(g.IntN(100)),
						Last:  uint16(g.IntN(65536)),
					},
				},
			)
		}
		if g.chance(20) {
			f.CapGrant = []tailcfg.CapGrant{
				{Dsts: []netip.Prefix{g.host()}, Caps: maybe(g, 50, []tailcfg.PeerCapability{"c"}),
					CapMap: maybe(g, 50, tailcfg.PeerCapMap{"d": {`{"x":10000000000000000001}`}})},
			}
		}
		if g.chance(1) { // forms that close it all
			f.SrcBits = []int{32}
		} else if len(f.DstPorts) > 0 && g.chance(1) {
			f.DstPorts[0].Bits = &zero
		}
		l = append(l, f)
	}
	return l
}

func (g *generator) fields(r *tailcfg.MapResponse, i int, first bool) {
	if g.chance(15) {
		r.DNSConfig = g.dns()
	}
	if first || g.chance(10) {
		r.DERPMap = g.derpMap()
	}
	if g.chance(15) {
		r.PacketFilter = g.rules()
	}
	if g.chance(15) {
		r.PacketFilters = map[string][]tailcfg.FilterRule{}
		for range 1 + g.IntN(3) {
			r.PacketFilters[pick(g, "*", "base", "b", "bas", "z", "B", "é")] = maybe(g, 60, g.rules())
		}
	}
	for range g.IntN(2) * g.IntN(4) {
		r.UserProfiles = append(
			r.UserProfiles,
			tailcfg.UserProfile{
				ID:            pick(g, g.users...),
				LoginName:     fmt.Sprintf("u%d@example.com", g.IntN(9)),
				DisplayName:   "Ü \u2028 <&>",
				ProfilePicURL: maybe(g, 30, "https://example.com/p?a=1&b=2"),
				Groups:        maybe(g, 20, []string{"group:a"}),
			},
		)
	}
	if g.chance(8) {
		r.SSHPolicy = g.ssh()
	}
	if g.chance(10) {
		r.CollectServices = opt.NewBool(g.chance(50))
	}
	r.DomainDataPlaneAuditLogID = maybe(g, 5, fmt.Sprintf("audit%d", i))
	if g.chance(10) {
		r.Health = []string{"bad thing", "worse\n\"thing\"", "bad thing"}[:g.IntN(4)]
	}
	if g.chance(10) {
		g.messages(r, i)
	}
	if g.chance(5) {
		r.TKAInfo = &tailcfg.TKAInfo{Head: maybe(g, 50, strings.Repeat("A", 52)), Disabled: g.chance(50)}
	}
	if g.chance(10) { // never so far from now that it would matter
		now := time.Now().Add(time.Duration(g.IntN(20)-10) * time.Second).UTC()
		r.ControlTime = &now
	}
	if g.chance(5) {
		r.ClientVersion = &tailcfg.ClientVersion{
			RunningLatest: g.chance(50),
			LatestVersion: fmt.Sprintf("1.%d", i),
		}
	}
	if g.chance(5) {
		r.DeprecatedDefaultAutoUpdate = opt.NewBool(g.chance(50))
	}
}

func (g *generator) dns() *tailcfg.DNSConfig {
	return &tailcfg.DNSConfig{
		Domains:   maybe(g, 70, []string{"tail.example"}),
		Proxied:   g.chance(50),
		Resolvers: maybe(g, 30, g.resolvers()),
		Routes: maybe(
			g,
			40,
			map[string][]*dnstype.Resolver{
				"a.example.": g.resolvers(),
				"b.example.": {},
				"c.example.": nil,
			},
		),
		FallbackResolvers: maybe(g, 20, g.resolvers()),
		Nameservers:       maybe(g, 20, []netip.Addr{g.addr()}),
		CertDomains:       maybe(g, 20, []string{"self.tail.example"}),
		ExtraRecords: maybe(
			g,
			30,
			[]tailcfg.DNSRecord{{Name: "x.tail.example", Type: maybe(g, 50, "A"), Value: "100.64.0.9"}},
		),
		ExitNodeFilteredSet: maybe(
			g,
			20,
			[]string{".corp.example", "x.example"},
		),
		TempCorpIssue13969: maybe(g, 10, "x"),
	}
}

func (g *generator) derpMap() *tailcfg.DERPMap {
	d := &tailcfg.DERPMap{OmitDefaultRegions: g.chance(30)}
	if g.chance(70) {
		d.Regions = map[int]*tailcfg.DERPRegion{}
		for range g.IntN(3) {
			id := 1 + g.IntN(5)
			d.Regions[id] = maybe(
				g,
				85,
				&tailcfg.DERPRegion{
					RegionID:        id,
					RegionCode:      fmt.Sprint("r", id),
					Latitude:        maybe(g, 30, 48.1374),
					NoMeasureNoHome: g.chance(10),
					Nodes: []*tailcfg.DERPNode{
						{
							Name:     "a",
							RegionID: id,
							HostName: "derp.invalid",
							IPv6:     maybe(g, 30, "none"),
							STUNPort: maybe(g, 30, -1),
							DERPPort: maybe(g, 30, 8443),
						},
					},
				},
			)
		}
	}
	if g.chance(30) {
		d.HomeParams = &tailcfg.DERPHomeParams{
			RegionScore: maybe(g, 60, pick(g, map[int]float64{1: 0.5, 2: 2}, map[int]float64{})),
		}
	}
	return d
}

func (g *generator) ssh() *tailcfg.SSHPolicy {
	t := g.when()
	return &tailcfg.SSHPolicy{Rules: []*tailcfg.SSHRule{{RuleExpires: maybe(g, 30, &t),
		Principals: []*tailcfg.SSHPrincipal{{Any: true}, {NodeIP: "100.64.0.9", UserLogin: "u"}},
		SSHUsers:   map[string]string{"*": "=", "root": ""}, AcceptEnv: maybe(g, 30, []string{"LANG*"}),
		Action: &tailcfg.SSHAction{
			Accept:          g.chance(50),
			SessionDuration: time.Hour,
			HoldAndDelegate: maybe(g, 20, "https://unused/$SRC_NODE_ID"),
			Message: maybe(
				g,
				30,
				"hi\r\n",
			),
			Recorders:            maybe(g, 20, []netip.AddrPort{netip.MustParseAddrPort("[fd7a::1]:80")}),
			AllowAgentForwarding: g.chance(50),
		}}}}
}

func (g *generator) messages(r *tailcfg.MapResponse, i int) {
	r.DisplayMessages = map[tailcfg.DisplayMessageID]*tailcfg.DisplayMessage{}
	for range 1 + g.IntN(3) {
		id := pick[tailcfg.DisplayMessageID](g, "*", "a", "b")
		if id == "*" || g.chance(30) {
			r.DisplayMessages[id] = nil
			continue
		}
		r.DisplayMessages[id] = &tailcfg.DisplayMessage{
			Title:    "t",
			Text:     fmt.Sprint("text ", i),
			Severity: pick(g, tailcfg.SeverityHigh, tailcfg.SeverityLow),
			ImpactsConnectivity: g.chance(
				30,
			),
			PrimaryAction: maybe(
				g,
				30,
				&tailcfg.DisplayMessageAction{URL: "https://example.com/", Label: "go"},
			),
		}
	}
}
