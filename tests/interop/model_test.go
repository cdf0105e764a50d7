// SPDX-License-Identifier: ISC
// Copyright (c) 2026 The tailnetd authors

package interop

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tailscale.com/tailcfg"
)

// A model is a netmap by the documented rule (protocol.md E.5 to E.8), written for clarity and not for speed. It judges
// where the Go client is known to differ from the rule.
type model struct {
	self     *tailcfg.Node
	peers    map[tailcfg.NodeID]*peer
	dns      *tailcfg.DNSConfig
	derp     *tailcfg.DERPMap
	chunks   map[string][]tailcfg.FilterRule
	profiles map[tailcfg.UserID]tailcfg.UserProfile
	ssh      *tailcfg.SSHPolicy
	collect  bool
	domain   string
	audit    string
	health   []string
	messages map[tailcfg.DisplayMessageID]tailcfg.DisplayMessage
	tka      *tailcfg.TKAInfo

	controlTime   string
	clientVersion *tailcfg.ClientVersion
	autoUpdate    *bool

	// seenNow has the time of the message for peers whose LastSeen is "now"; zero for those that never were.
	seenNow map[tailcfg.NodeID]time.Time
	// goDiffers has why Go's client may see a peer in another way; "" for all others. A full list corrects most.
	goDiffers map[tailcfg.NodeID]string
}

// The known defects of Go's client. By protocol.md E.6 [!] a replacement of a known peer is turned into a patch when
// few
// fields differ; and it has a rule about disco keys that it may have learnt from the peer itself, which we do not.
const (
	lostInPatch = "a replacement turned into a patch that cannot express it"
	lateAsPatch = "a replacement turned into a patch, which is applied behind the rest of its message"
	oldDisco    = "a disco key that is held to be older than the one it has"
)

// A peer is a node with an unknown member.
type peer struct {
	tailcfg.Node
	Future json.RawMessage
}

// A response is a message with such peers.
type response struct {
	tailcfg.MapResponse
	Peers        []*peer
	PeersChanged []*peer
}

func decode(text []byte) *response {
	r := new(response)
	if err := json.Unmarshal(text, r); err != nil {
		panic(fmt.Sprintf("%v: %s", err, text))
	}
	return r
}

func newModel() *model {
	return &model{
		peers:     map[tailcfg.NodeID]*peer{},
		chunks:    map[string][]tailcfg.FilterRule{},
		profiles:  map[tailcfg.UserID]tailcfg.UserProfile{},
		messages:  map[tailcfg.DisplayMessageID]tailcfg.DisplayMessage{},
		dns:       &tailcfg.DNSConfig{},
		seenNow:   map[tailcfg.NodeID]time.Time{},
		goDiffers: map[tailcfg.NodeID]string{},
	}
}

func fixNode(n *tailcfg.Node, self bool) *tailcfg.Node {
	if region, ok := strings.CutPrefix(n.LegacyDERPString, "127.3.3.40:"); ok && n.HomeDERP == 0 {
		n.HomeDERP, _ = strconv.Atoi(region)
	}
	n.LegacyDERPString = ""
	if n.AllowedIPs == nil || n.UnsignedPeerAPIOnly {
		n.AllowedIPs = slices.Clone(n.Addresses)
	}
	if self {
		for _, c := range n.Capabilities {
			if _, ok := n.CapMap[c]; !ok {
				if n.CapMap == nil {
					n.CapMap = tailcfg.NodeCapMap{}
				}
				n.CapMap[c] = nil
			}
		}
	}
	return n
}

// keepAlive contains the time and the client version, and nothing before there is a map (KA-05).
func (m *model) keepAlive(text []byte, live bool) {
	if live {
		m.applyTold(decode(text))
	}
}

func (m *model) applyTold(r *response) {
	if r.ControlTime != nil && !r.ControlTime.IsZero() {
		m.controlTime = r.ControlTime.Format(time.RFC3339Nano)
	}
	if r.ClientVersion != nil {
		m.clientVersion = r.ClientVersion
	}
}

func (m *model) apply(text []byte) {
	r := decode(text)
	m.applyPeers(r)
	m.applyTold(r)
	if v, ok := r.DeprecatedDefaultAutoUpdate.Get(); ok {
		m.autoUpdate = &v
	}
	if r.Node != nil {
		m.self = fixNode(r.Node, true)
	}
	for _, p := range r.UserProfiles {
		m.profiles[p.ID] = p
	}
	m.applyDERP(r.DERPMap)
	if r.PacketFilter != nil {
		m.chunks["base"] = r.PacketFilter
	}
	if all, ok := r.PacketFilters["*"]; ok && all == nil {
		clear(m.chunks)
	}
	for k, v := range r.PacketFilters {
		switch {
		case k == "*":
		case v == nil:
			delete(m.chunks, k)
		default:
			m.chunks[k] = v
		}
	}
	if r.DNSConfig != nil {
		m.dns = r.DNSConfig
	}
	if r.SSHPolicy != nil {
		m.ssh = r.SSHPolicy
	}
	if v, ok := r.CollectServices.Get(); ok {
		m.collect = v
	}
	m.domain = cmp.Or(r.Domain, m.domain)
	m.audit = cmp.Or(r.DomainDataPlaneAuditLogID, m.audit)
	if r.Health != nil {
		m.health = r.Health
	}
	if all, ok := r.DisplayMessages["*"]; ok && all == nil {
		clear(m.messages)
	}
	for k, v := range r.DisplayMessages {
		switch {
		case k == "*":
		case v == nil:
			delete(m.messages, k)
		default:
			m.messages[k] = *v
		}
	}
	if r.TKAInfo != nil {
		m.tka = r.TKAInfo
	}
}

func (m *model) applyDERP(d *tailcfg.DERPMap) {
	if d == nil {
		return
	}
	maps.DeleteFunc(d.Regions, func(_ int, r *tailcfg.DERPRegion) bool { return r == nil })
	if old := m.derp; old != nil {
		if d.Regions == nil {
			d.Regions, d.OmitDefaultRegions = old.Regions, old.OmitDefaultRegions
		}
		if d.HomeParams == nil {
			d.HomeParams = old.HomeParams
		} else if d.HomeParams.RegionScore == nil && old.HomeParams != nil {
			d.HomeParams.RegionScore = old.HomeParams.RegionScore
		}
	}
	m.derp = d
}

func (m *model) applyPeers(r *response) {
	old, oldSeen, differed := maps.Clone(m.peers), maps.Clone(m.seenNow), maps.Clone(m.goDiffers)
	if len(r.Peers) > 0 {
		clear(m.peers)
		clear(m.seenNow)
		clear(m.goDiffers)
		for _, p := range r.Peers {
			if staleDisco(old[p.ID], !oldSeen[p.ID].IsZero() || differed[p.ID] != "", &p.Node) {
				m.goDiffers[p.ID] = oldDisco
			}
			fixNode(&p.Node, false)
			m.peers[p.ID] = p
		}
		return
	}
	for _, id := range r.PeersRemoved {
		m.forget(id)
		delete(m.peers, id)
	}
	for _, p := range r.PeersChanged {
		fixNode(&p.Node, false)
		m.forget(p.ID)
		m.goDiffers[p.ID] = replaced(r, old[p.ID], !oldSeen[p.ID].IsZero(), p, differed[p.ID])
		m.peers[p.ID] = p
	}
	for id, seen := range r.PeerSeenChange {
		if p := m.peers[id]; p != nil {
			p.LastSeen = nil
			delete(m.seenNow, id)
			if seen {
				m.seenNow[id] = time.Now()
			}
		}
	}
	for id, on := range r.OnlineChange {
		if p := m.peers[id]; p != nil {
			p.Online = &on
		}
	}
	for _, c := range r.PeersChangedPatch {
		m.patch(c)
	}
}

// replaced says why Go's client may not have what a replacement contained, "" if it has.
func replaced(r *response, was *peer, seenNow bool, now *peer, differed string) string {
	switch {
	case was == nil:
		return "" // an addition stays what it is
	case differed != "":
		return differed
	case seenNow || patchLoses(was, now):
		return lostInPatch
	}
	ops := 0
	for _, p := range r.PeersChanged {
		ops += b2i(p.ID == now.ID)
	}
	for _, c := range r.PeersChangedPatch {
		ops += b2i(c.NodeID == now.ID)
	}
	_, seen := r.PeerSeenChange[now.ID]
	_, online := r.OnlineChange[now.ID]
	if ops > 1 || seen || online || slices.Contains(r.PeersRemoved, now.ID) {
		return lateAsPatch
	}
	return ""
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (m *model) forget(id tailcfg.NodeID) {
	delete(m.seenNow, id)
	delete(m.goDiffers, id)
}

func (m *model) patch(c *tailcfg.PeerChange) {
	p := m.peers[c.NodeID]
	if p == nil {
		return
	}
	if c.DiscoKey != nil && c.Online != nil && !*c.Online && c.LastSeen != nil && m.goDiffers[c.NodeID] == "" {
		m.goDiffers[c.NodeID] = oldDisco
	}
	p.HomeDERP = cmp.Or(c.DERPRegion, p.HomeDERP)
	p.Cap = cmp.Or(c.Cap, p.Cap)
	if c.CapMap != nil {
		p.CapMap = c.CapMap
	}
	if c.Endpoints != nil {
		p.Endpoints = c.Endpoints
	}
	if c.Key != nil {
		p.Key = *c.Key
	}
	if c.KeySignature != nil {
		p.KeySignature = c.KeySignature
	}
	if c.DiscoKey != nil {
		p.DiscoKey = *c.DiscoKey
	}
	if c.Online != nil {
		p.Online = c.Online
	}
	if c.LastSeen != nil {
		p.LastSeen = c.LastSeen
		delete(m.seenNow, c.NodeID)
	}
	if c.KeyExpiry != nil {
		p.KeyExpiry = *c.KeyExpiry
	}
}

// patchLoses reports whether replacing was by now, expressed as a PeerChange, loses something: fields that become
// empty,
// tri-states that become or cease to be unknown, and fields that are not compared (protocol.md E.6 [!]).
func patchLoses(was, now *peer) bool {
	return len(was.Endpoints) > 0 && len(now.Endpoints) == 0 ||
		len(was.KeySignature) > 0 && len(now.KeySignature) == 0 ||
		was.HomeDERP != 0 && now.HomeDERP == 0 ||
		was.Cap != 0 && now.Cap == 0 ||
		(was.Online == nil) != (now.Online == nil) ||
		(was.LastSeen == nil) != (now.LastSeen == nil) ||
		len(was.CapMap) == len(now.CapMap) && len(now.CapMap) == 0 &&
			(was.CapMap == nil) != (now.CapMap == nil) ||
		!slices.Equal(
			was.Capabilities,
			now.Capabilities,
		) || was.DataPlaneAuditLogID != now.DataPlaneAuditLogID ||
		was.DiscoKey != now.DiscoKey && now.Online != nil && !*now.Online
}

// staleDisco reports whether the Go client may keep the disco key it has: it may have learnt it from the peer itself
// (protocol.md E.6, the staleness rule). We learn no keys in-band, so for us what the server says counts.
func staleDisco(was *peer, mayHaveSeen bool, now *tailcfg.Node) bool {
	return was != nil && (was.LastSeen != nil || mayHaveSeen) && !now.DiscoKey.IsZero() &&
		was.DiscoKey != now.DiscoKey &&
		(now.Online == nil || !*now.Online)
}

func (m *model) rules() (all []tailcfg.FilterRule) {
	for _, k := range slices.Sorted(maps.Keys(m.chunks)) {
		all = append(all, m.chunks[k]...)
	}
	return all
}

// shownMessages are the messages, or while there are none, the Health strings in the form of messages (protocol.md
// E.5).
func (m *model) shownMessages() map[tailcfg.DisplayMessageID]tailcfg.DisplayMessage {
	if len(m.messages) > 0 {
		return m.messages
	}
	out := map[tailcfg.DisplayMessageID]tailcfg.DisplayMessage{}
	for _, h := range m.health {
		id := fmt.Sprintf("health-%x", sha256.Sum256([]byte(h)))
		out[tailcfg.DisplayMessageID(id)] = tailcfg.DisplayMessage{Severity: tailcfg.SeverityMedium}
	}
	return out
}

// canonNode is the form in which nodes are compared: what the client computes for display is left out, and an instant
// that only says "just now" is turned into a flag.
func canonNode(n *tailcfg.Node, seenNow time.Time) string {
	c := *n
	c.ComputedName, c.ComputedNameWithHost = "", ""
	c.CapMap = maps.Clone(n.CapMap)
	for k, v := range c.CapMap {
		if len(v) == 0 {
			c.CapMap[k] = nil // null and [] both only say that the capability exists
		}
	}
	if len(c.Endpoints) == 0 {
		c.Endpoints = nil
	}
	suffix := ""
	if !seenNow.IsZero() {
		suffix = " seen-now"
		if n.LastSeen != nil {
			if d := seenNow.Sub(*n.LastSeen); d < -time.Minute || d > time.Minute {
				suffix = " seen at " + n.LastSeen.String()
			}
		}
		c.LastSeen = nil
	}
	if len(c.CapMap) == 0 { // nothing raw in it
		c.CapMap = nil
		return string(marshal(&c)) + suffix
	}
	return canon(&c) + suffix
}

func canon(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "unmarshalable: " + err.Error()
	}
	var x any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // ids and raw capabilities keep their digits
	if err := d.Decode(&x); err != nil {
		return "undecodable: " + err.Error()
	}
	b, _ = json.Marshal(x) // maps are printed sorted
	return string(b)
}
