// SPDX-License-Identifier: ISC
// Copyright (c) 2026 The tailnetd authors

package interop

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"tailscale.com/tailcfg"
	"tailscale.com/tstest/integration/testcontrol"
	"tailscale.com/util/zstdframe"
)

// A wire is a message in the form in which it is sent: Go's own structs leave out what is empty, and a server may write
// more
// than they can hold.
type wire struct {
	members map[string]json.RawMessage
	order   []string // of the members, as they are spelt
}

func members(v any) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(marshal(v), &m); err != nil {
		panic(fmt.Sprintf("members of %T: %v", v, err))
	}
	return m
}

func marshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("%T: %v", v, err))
	}
	return b
}

// Members for which absent and null are the same, with their empty value where that is the same, too (protocol.md E.5),
// or
// a value that is of no consequence.
var unchanged = map[string]string{
	"DNSConfig": "null", "DERPMap": "null", "Node": "null", "Peers": "[]", "PeersChanged": "[]",
	"PeersRemoved":      "[]",
	"PeersChangedPatch": "[]",
	"PeerSeenChange":    "{}", "OnlineChange": "{}", "PacketFilter": "null", "PacketFilters": "{}",
	"UserProfiles":    "[]",
	"Health":          "null",
	"DisplayMessages": "{}", "SSHPolicy": "null", "ControlTime": `"0001-01-01T00:00:00Z"`, "TKAInfo": "null",
	"CollectServices":           "null",
	"DomainDataPlaneAuditLogID": `""`, "ClientVersion": "null", "DefaultAutoUpdate": "null",
	"Debug": "{}", "PingRequest": `{"URL":""}`,
	"PopBrowserURL": `""`, "MapSessionHandle": `"h"`, "Seq": "7",
}

// dress writes r down: what omitempty swallows, nulls and empty values that change nothing, unknown members, in any
// order and sometimes in another case.
func (g *generator) dress(r *tailcfg.MapResponse) *wire {
	w := &wire{members: members(r)}
	if r.PacketFilter != nil {
		w.members["PacketFilter"] = marshal(r.PacketFilter)
	}
	if r.Health != nil {
		w.members["Health"] = marshal(r.Health)
	}
	if len(r.PeersChangedPatch) > 0 {
		w.members["PeersChangedPatch"] = g.dressPatches(r.PeersChangedPatch)
	}
	for _, list := range []string{"Peers", "PeersChanged"} {
		if w.members[list] != nil && g.chance(20) {
			w.members[list] = g.dressNodes(w.members[list])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(unchanged)) {
		if _, ok := w.members[name]; !ok && g.chance(4) {
			w.members[name] = json.RawMessage(pick(g, "null", unchanged[name]))
		}
	}
	if g.chance(10) {
		w.members["NotYetInvented"] = json.RawMessage(`{"Peers":[{"ID":1}],"a":[1e400,"\u0000",{}]}`)
	}
	w.order = slices.Sorted(maps.Keys(w.members))
	g.Shuffle(len(w.order), func(i, j int) { w.order[i], w.order[j] = w.order[j], w.order[i] })
	if g.chance(10) {
		i := g.IntN(len(w.order))
		lower := strings.ToLower(w.order[i])
		w.members[lower] = w.members[w.order[i]]
		w.order[i] = lower
	}
	return w
}

// dressPatches writes empty lists, which count, and zeros and nulls, which do not.
func (g *generator) dressPatches(l []*tailcfg.PeerChange) json.RawMessage {
	var out []map[string]json.RawMessage
	for _, p := range l {
		m := members(p)
		if p.Endpoints != nil {
			m["Endpoints"] = marshal(p.Endpoints)
		}
		if p.CapMap != nil {
			m["CapMap"] = marshal(p.CapMap)
		}
		for _, name := range []string{
			"DERPRegion", "Cap", "Key", "DiscoKey", "Online", "LastSeen",
			"KeyExpiry", "KeySignature", "Endpoints", "CapMap",
		} {
			if _, ok := m[name]; !ok && g.chance(5) {
				m[name] = json.RawMessage("null")
				if name == "DERPRegion" || name == "Cap" {
					m[name] = json.RawMessage("0")
				}
			}
		}
		out = append(out, m)
	}
	return marshal(out)
}

// dressNodes gives one of the nodes unknown members, spells others in lower case, or sends null for what is absent.
func (g *generator) dressNodes(list json.RawMessage) json.RawMessage {
	var nodes []map[string]json.RawMessage
	if err := json.Unmarshal(list, &nodes); err != nil {
		panic(err)
	}
	n := nodes[g.IntN(len(nodes))]
	switch g.IntN(3) {
	case 0:
		n["Future"] = json.RawMessage(fmt.Sprintf(`{"n":%d.50,"s":"\u00e9"}`, g.IntN(1000)))
	case 1:
		for _, name := range slices.Sorted(maps.Keys(n)) {
			if g.chance(30) {
				v := n[name]
				delete(n, name)
				n[strings.ToLower(name)] = v
			}
		}
	default:
		// Not Hostinfo: of its null Go makes an empty one.
		for _, name := range []string{"Online", "LastSeen", "AllowedIPs",
			"CapMap", "Endpoints", "Tags", "Sharer"} {
			if _, ok := n[name]; !ok {
				n[name] = json.RawMessage("null")
			}
		}
	}
	return marshal(nodes)
}

// text is the JSON of the message; nodeKey, if given, replaces that of the self node.
func (w *wire) text(nodeKey string) []byte {
	var b strings.Builder
	for i, name := range w.order {
		b.WriteByte("{,"[min(i, 1)])
		v := w.members[name]
		if strings.EqualFold(name, "Node") && string(v) != "null" && nodeKey != "" {
			m := members(v)
			m["Key"] = marshal(nodeKey)
			v = marshal(m)
		}
		b.Write(marshal(name))
		b.WriteByte(':')
		b.Write(v)
	}
	b.WriteByte('}')
	return []byte(b.String())
}

// A stream is one map poll that is being answered. testcontrol's writer takes structs only, so we write beside it.
type stream struct {
	w    http.ResponseWriter
	zstd bool
	end  chan struct{} // closed: no more answers
}

func newStream(t *testing.T, w testcontrol.MapStreamWriter) *stream {
	v := reflect.ValueOf(w).Elem()
	field := func(name string) reflect.Value {
		f := v.FieldByName(name)
		if !f.IsValid() {
			t.Fatalf("testcontrol's map stream no longer has %q", name)
		}
		return reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem()
	}
	return &stream{
		w:    field("w").Interface().(http.ResponseWriter),
		zstd: field("compress").Bool(),
		end:  make(chan struct{}),
	}
}

func (s *stream) send(text []byte) error {
	if s.zstd {
		text = zstdframe.AppendEncode(nil, text, zstdframe.FastestCompression)
	}
	if _, err := s.w.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(text))), text...)); err != nil {
		return err
	}
	s.w.(http.Flusher).Flush()
	return nil
}
