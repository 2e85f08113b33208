package api

import (
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// Post is one version of a post.
type Post struct {
	ID       string   `json:"id"`
	Author   string   `json:"author"`  // did:key
	Created  int64    `json:"created"` // Unix ms, by the author's claim
	Text     string   `json:"text"`    // plain text, control characters included: whoever prints it escapes them
	Tags     []string `json:"tags"`    // without #
	Mentions []string `json:"mentions"`
	ReplyTo  *string  `json:"reply_to"` // id of the post replied to
	Rev      uint64   `json:"rev"`      // orders the versions of a post; more than a JavaScript number can hold
	Deleted  bool     `json:"deleted"`
	Cursor   string   `json:"cursor"`         // what comes after this post in the timeline it was read from
	Live     *bool    `json:"live,omitempty"` // of a watched post: whether it arrived just now
}

// Draft is a post to publish.
type Draft struct {
	Text     string   `json:"text"`
	Tags     []string `json:"tags,omitempty"`     // besides the #hashtags in the text
	Mentions []string `json:"mentions,omitempty"` // did:key or me, besides those in the text
	ReplyTo  *string  `json:"reply_to,omitempty"` // id of a post
}

// Edit is the next text of a post.
type Edit struct {
	Text string `json:"text"`
}

// Receipt says where a record went.
type Receipt struct {
	ID      string  `json:"id"`
	Author  string  `json:"author"`
	Created int64   `json:"created"`
	Places  []Place `json:"places"`
}

// Place says how well one place of a record keeps it.
type Place struct {
	Kind   string `json:"kind"`
	Base   string `json:"base"`
	Level  int    `json:"level"`  // of its ladder, 0 the coarsest
	Stored int    `json:"stored"` // members that have it on disk
	Wanted int    `json:"wanted"` // members known, the node itself included
}

// Page is a page of a timeline.
type Page struct {
	Posts   []Post   `json:"posts"`
	Next    *string  `json:"next"`              // what to ask next as before; null at the end
	Problem *Problem `json:"problem,omitempty"` // why posts may be missing from the page
}

// Followed is a source that the node follows.
type Followed struct {
	Source string `json:"source"` // '#tag', did:key:…, or @did:key:… for what mentions that user
	Since  int64  `json:"since"`  // Unix ms
}

// Following is what the node follows, the longest followed first.
type Following struct {
	Following []Followed `json:"following"`
}

// Gap tells a watcher that posts may be missing from what it hears.
type Gap struct {
	Missed int    `json:"missed"`          // posts that arrived and were not kept for it, at least
	Reason string `json:"reason"`          // slow, away, restarted or network
	Since  int64  `json:"since,omitempty"` // Unix ms before which nothing is missing; 0 where it is not known
}

// Status is how a node is doing.
type Status struct {
	PeerID     string     `json:"peer_id"`
	User       string     `json:"user"`
	Network    string     `json:"network"`
	NetworkID  string     `json:"network_id"`
	Ready      bool       `json:"ready"`
	Peers      int        `json:"peers"`      // connected
	Prefix     int        `json:"prefix"`     // bits of coordinate that the neighbourhood shares
	Members    int        `json:"members"`    // of the neighbourhood, the node itself included
	Size       float64    `json:"size"`       // nodes in the network, estimated
	Planted    uint64     `json:"planted"`    // places whose neighbourhood looked planted: an alarm, and no more
	PlantedAt  *time.Time `json:"planted_at"` // when one last did; null: never
	Routing    Routing    `json:"routing"`
	Records    int64      `json:"records"`
	StoreBytes int64      `json:"store_bytes"`
	StoreQuota int64      `json:"store_quota"` // 0 for none
	Kept       Kept       `json:"kept"`
	Healing    Healing    `json:"healing"`
	Cached     int        `json:"cached"`       // hot places of which the node keeps copies for others
	CacheBytes int64      `json:"cached_bytes"` // of the records in them
	Hot        int        `json:"hot"`          // places of the neighbourhood that many read
	Copies     int        `json:"hot_copies"`   // of these, that other nodes keep and offered
	Uptime     int64      `json:"uptime_s"`
	Version    string     `json:"version"`
}

// Kept are the bytes of the store by whom they are kept for. What is left of all of
// them is the store's own.
type Kept struct {
	Own      int64 `json:"own_bytes"`
	Held     int64 `json:"held_bytes"` // what the node is responsible for
	Followed int64 `json:"followed_bytes"`
	Cached   int64 `json:"cached_bytes"`
}

// Peer is a connected peer.
type Peer struct {
	PeerID    string   `json:"peer_id"`
	Addr      string   `json:"addr"`
	Transport string   `json:"transport"`
	RTT       *float64 `json:"rtt_ms"` // null when unknown
	Inbound   bool     `json:"inbound"`
	Member    bool     `json:"member"` // of the node's neighbourhood
}

// Peers are the connected peers.
type Peers struct {
	Peers []Peer `json:"peers"`
}

func postOf(r *records.Record) Post {
	head, body, _ := r.Post()
	p := Post{
		ID: r.Ref().String(), Author: r.Author().String(), Created: int64(r.Created()),
		Text: body.Text, Tags: []string{}, Mentions: []string{},
		Rev: uint64(r.Rev()), Deleted: r.Deleted(),
		Cursor: records.Position{Created: r.Created(), Key: r.ItemKey()}.Cursor(),
	}
	for _, t := range head.Tags {
		p.Tags = append(p.Tags, string(t))
	}
	for _, u := range head.Mentions {
		p.Mentions = append(p.Mentions, u.String())
	}
	if head.Parent != nil {
		parent := head.Parent.String()
		p.ReplyTo = &parent
	}
	return p
}

// postIn is a post as it stands in a timeline. A thread begins with its oldest
// post, so what comes after that one is the newest reply.
func postIn(thread bool, r *records.Record) Post {
	p := postOf(r)
	if thread && p.ReplyTo == nil {
		p.Cursor = records.Newest.Cursor()
	}
	return p
}

func receiptOf(r node.Receipt) Receipt {
	out := Receipt{
		ID: r.Record.Ref().String(), Author: r.Record.Author().String(), Created: int64(r.Record.Created()),
		Places: []Place{},
	}
	for _, p := range r.Places {
		out.Places = append(out.Places, Place{
			Kind: p.Place.Kind().String(), Base: p.Place.Base(), Level: p.Place.Level(),
			Stored: p.Stored, Wanted: p.Wanted,
		})
	}
	return out
}

// Routing is the state of the routing table.
type Routing struct {
	Table   int    `json:"table"`   // nodes in it
	Pending int    `json:"pending"` // nodes that wait for a place in it
	Groups  int    `json:"groups"`  // IP groups that its nodes come from
	Refused uint64 `json:"refused"` // times that a node was kept out because its IP group was full
	Banned  int    `json:"banned"`  // nodes that the node does not deal with for now
}

func statusOf(s node.Status, me records.User) Status {
	out := Status{
		PeerID: s.PeerID.String(), User: me.String(), Network: s.Network, NetworkID: s.NetworkID, Ready: s.Ready,
		Peers: s.Peers, Prefix: s.Prefix, Members: s.Members, Size: s.Size, Planted: s.Planted, Routing: Routing(s.Routing),
		Records: s.Records, StoreBytes: s.StoreBytes, StoreQuota: s.Quota,
		Kept:    Kept{Own: s.Kept.Own, Held: s.Kept.Held, Followed: s.Kept.Followed, Cached: s.Kept.Cached},
		Healing: healingOf(s.Healing, s.Mending), Cached: s.Cached, CacheBytes: s.CachedSize, Hot: s.Hot, Copies: s.Copies,
		Uptime: int64(s.Uptime.Seconds()), Version: node.Version,
	}
	if !s.PlantedAt.IsZero() {
		out.PlantedAt = &s.PlantedAt
	}
	return out
}

func followedOf(f node.Followed) Followed {
	return Followed{Source: f.Source.String(), Since: f.Since.UnixMilli()}
}

func peerOf(p node.Peer) Peer {
	out := Peer{PeerID: p.ID.String(), Addr: p.Addr.String(), Transport: p.Transport, Inbound: p.Inbound, Member: p.Member}
	if p.RTT > 0 {
		ms := float64(p.RTT.Microseconds()) / 1000
		out.RTT = &ms
	}
	return out
}

// Healing is how well what the node holds is known to be what its neighbours hold,
// and what it takes to make it so.
type Healing struct {
	Filling    bool       `json:"filling"`     // it does not answer yet for all that is its to hold
	Compared   *time.Time `json:"compared"`    // when last with a neighbour, to the end; null: never
	With       []Partner  `json:"with"`        // neighbours that it compared with, the latest first
	Neighbours int        `json:"neighbours"`  // how many there are to compare with
	Taken      int64      `json:"taken"`       // entries, each a record at a place, that it lacked, since it started
	Given      int64      `json:"given"`       // entries that neighbours lacked
	Dropped    int64      `json:"dropped"`     // places that are others' to hold now
	TakenBytes int64      `json:"taken_bytes"` // of records that came, by healing and by repair of what is read
	GivenBytes int64      `json:"given_bytes"`
	Rate       int        `json:"rate"` // bytes a second at most, of both together
}

// Partner is a neighbour that a node compared what it holds with.
type Partner struct {
	PeerID string    `json:"peer_id"`
	At     time.Time `json:"at"`
	Whole  bool      `json:"whole"` // to the end, since the node's region last grew
}

func healingOf(h node.Healing, m node.Mending) Healing {
	out := Healing{
		Filling: h.Filling, With: []Partner{}, Neighbours: m.Neighbours,
		Taken: h.Taken, Given: h.Given, Dropped: h.Dropped, TakenBytes: m.Taken, GivenBytes: m.Given, Rate: m.Rate,
	}
	if !h.Compared.IsZero() {
		out.Compared = &h.Compared
	}
	for _, p := range m.Compared {
		out.With = append(out.With, Partner{p.ID.String(), p.At, p.Whole})
	}
	return out
}
