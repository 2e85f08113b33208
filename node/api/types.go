package api

import (
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// Post is one version of a post.
type Post struct {
	ID       string   `json:"id" doc:"Names the post and finds it from any node." example:"p1UYY…"`
	Author   string   `json:"author" doc:"Who wrote it, a did:key." example:"did:key:z6Mk…"`
	Created  int64    `json:"created" doc:"When it was first said, Unix ms, by the author's claim." example:"1763719200000"`
	Text     string   `json:"text" doc:"Plain text, control characters included: whoever shows it escapes them." example:"Hello, #starling"`
	Tags     []string `json:"tags" doc:"Hashtags under which it stands, without #." example:"[\"starling\"]"`
	Mentions []string `json:"mentions" doc:"Users under whose mentions it stands."`
	ReplyTo  *string  `json:"reply_to" doc:"Id of the post replied to; null for none."`
	Rev      uint64   `json:"rev" doc:"Orders the versions of a post; more than a JavaScript number can hold." example:"115587100000000000"`
	Deleted  bool     `json:"deleted" doc:"Whether its author deleted it; then there is no text."`
	Cursor   string   `json:"cursor" doc:"What comes after this post in the timeline it was read from." example:"AAAB…"`
	Live     *bool    `json:"live,omitempty" doc:"Of a watched post: whether it arrived just now."`
}

// Draft is a post to publish.
type Draft struct {
	Text     string   `json:"text" doc:"Up to 4,096 bytes of UTF-8." example:"Hello, #starling"`
	Tags     []string `json:"tags,omitempty" doc:"Hashtags besides those in the text." example:"[\"news\"]"`
	Mentions []string `json:"mentions,omitempty" doc:"Users besides those in the text, each a did:key or me."`
	ReplyTo  *string  `json:"reply_to,omitempty" doc:"Id of the post that this one replies to."`
}

// Edit is the next text of a post.
type Edit struct {
	Text string `json:"text" doc:"What the post says from now on, up to 4,096 bytes of UTF-8." example:"Hello again, #starling"`
}

// Receipt says where a record went.
type Receipt struct {
	ID      string  `json:"id" doc:"Names the record and finds it from any node." example:"p1UYY…"`
	Author  string  `json:"author" doc:"Who signed it." example:"did:key:z6Mk…"`
	Created int64   `json:"created" doc:"When it was first said, Unix ms." example:"1763719200000"`
	Places  []Place `json:"places" doc:"Where it stands, its author's place first."`
}

// Place says how well one place of a record keeps it.
type Place struct {
	Kind   string `json:"kind" doc:"What the place is of: user, tag, mention, thread, sequel, names and others." example:"tag"`
	Base   string `json:"base" doc:"Which one." example:"starling"`
	Level  int    `json:"level" doc:"Level of its ladder where the record came to rest, 0 the coarsest." example:"2"`
	Stored int    `json:"stored" doc:"Members that have it on disk." example:"16"`
	Wanted int    `json:"wanted" doc:"Members known, the node itself included." example:"16"`
}

// Page is a page of a timeline.
type Page struct {
	Posts   []Post   `json:"posts" doc:"Newest first; of a thread the first post stands last."`
	Next    *string  `json:"next" doc:"What to ask for as before to get the page after it; null at the end."`
	Problem *Problem `json:"problem,omitempty" doc:"Why posts may be missing from the page."`
}

// Followed is a source that the node follows.
type Followed struct {
	Source string `json:"source" doc:"#tag, did:key:…, or @did:key:… for what mentions that user." example:"#starling"`
	Since  int64  `json:"since" doc:"Unix ms." example:"1763719200000"`
}

// Following is what the node follows, the longest followed first.
type Following struct {
	Following []Followed `json:"following" doc:"The longest followed first."`
}

// Gap tells a watcher that posts may be missing from what it hears.
type Gap struct {
	Missed int    `json:"missed" doc:"Posts that arrived and were not kept for the watcher, at least." example:"12"`
	Reason string `json:"reason" doc:"Why: slow, away, restarted or network." example:"slow"`
	Since  int64  `json:"since,omitempty" doc:"Unix ms before which nothing is missing; 0 where it is not known." example:"1763719200000"`
}

// Status is how a node is doing.
type Status struct {
	PeerID     string     `json:"peer_id" doc:"The node's own id." example:"12D3KooW…"`
	User       string     `json:"user" doc:"Who publishes from it." example:"did:key:z6Mk…"`
	Network    string     `json:"network" doc:"The network's name." example:"main"`
	NetworkID  string     `json:"network_id" doc:"Its name and parameters, as on the wire." example:"main.1f3a5b7c"`
	Ready      bool       `json:"ready" doc:"Whether the node can find others."`
	Twin       bool       `json:"twin" doc:"Whether another node runs with this one's key, as two or more say whom both have asked. One of them should be given a key of its own."`
	Peers      int        `json:"peers" doc:"Connected peers." example:"24"`
	Prefix     int        `json:"prefix" doc:"Bits of coordinate that all that the node holds shares."`
	Narrowed   int        `json:"narrowed" doc:"Of these, bits that its neighbourhood does not share, because there is no room for all of it: with 1 it holds half, with 2 a quarter."`
	ShortOf    string     `json:"short_of" doc:"The setting that would have to give more for that; empty when there is room." example:"store.quota"`
	Members    int        `json:"members" doc:"Members of the neighbourhood, the node itself included." example:"16"`
	Size       float64    `json:"size" doc:"Nodes in the network, estimated." example:"57.3"`
	Planted    uint64     `json:"planted" doc:"Places whose neighbourhood looked planted: an alarm, and no more."`
	PlantedAt  *time.Time `json:"planted_at" doc:"When one last did; null for never."`
	Routing    Routing    `json:"routing" doc:"The routing table."`
	Records    int64      `json:"records" doc:"Records kept."`
	StoreBytes int64      `json:"store_bytes" doc:"Bytes that the store takes."`
	StoreQuota int64      `json:"store_quota" doc:"Bytes that it may take; 0 for no bound."`
	Kept       Kept       `json:"kept" doc:"Bytes of the store, by whom they are kept for."`
	Healing    Healing    `json:"healing" doc:"How well what is kept is known to be what neighbours keep."`
	Clock      Clock      `json:"clock" doc:"What passing records between nodes says of the clock."`
	Cached     int        `json:"cached" doc:"Hot places of which the node keeps copies for others."`
	CacheBytes int64      `json:"cached_bytes" doc:"Bytes of the records in them."`
	Hot        int        `json:"hot" doc:"Places of the neighbourhood that many read."`
	Copies     int        `json:"hot_copies" doc:"Copies of those that other nodes keep and offered."`
	Uptime     int64      `json:"uptime_s" doc:"Seconds since it started."`
	Version    string     `json:"version" doc:"Of the software." example:"0.1.0"`
}

// Clock is what passing records between nodes says of the clock.
type Clock struct {
	Ahead  uint64 `json:"ahead" doc:"Records that other nodes refused to take because they were more than two minutes ahead of their clocks: the node's is fast, or the author's was."`
	Behind uint64 `json:"behind" doc:"Records of others that the node refused for the same reason: its clock is slow, or theirs is fast."`
}

// Kept are the bytes of the store by whom they are kept for. What is left of all of
// them is the store's own.
type Kept struct {
	Own      int64 `json:"own_bytes" doc:"What the owner signed."`
	Held     int64 `json:"held_bytes" doc:"What the node is responsible for."`
	Followed int64 `json:"followed_bytes" doc:"Copies of what is followed."`
	Cached   int64 `json:"cached_bytes" doc:"Copies of hot places."`
}

// Peer is a connected peer.
type Peer struct {
	PeerID    string   `json:"peer_id" doc:"Its id." example:"12D3KooW…"`
	Addr      string   `json:"addr" doc:"The address that it is connected by." example:"/ip4/192.0.2.7/tcp/4001"`
	Transport string   `json:"transport" doc:"How." example:"quic-v1"`
	RTT       *float64 `json:"rtt_ms" doc:"Milliseconds there and back; null when unknown." example:"23.4"`
	Inbound   bool     `json:"inbound" doc:"Whether it called us."`
	Member    bool     `json:"member" doc:"Whether it is of the node's neighbourhood."`
}

// Peers are the connected peers.
type Peers struct {
	Peers []Peer `json:"peers" doc:"All that are connected."`
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
	Table   int    `json:"table" doc:"Nodes in it."`
	Pending int    `json:"pending" doc:"Nodes that wait for a place in it."`
	Groups  int    `json:"groups" doc:"IP groups that its nodes come from."`
	Refused uint64 `json:"refused" doc:"Times that a node was kept out because its IP group was full."`
	Banned  int    `json:"banned" doc:"Nodes that the node does not deal with for now."`
}

func statusOf(s node.Status, me records.User) Status {
	out := Status{
		PeerID: s.PeerID.String(), User: me.String(), Network: s.Network, NetworkID: s.NetworkID, Ready: s.Ready,
		Twin: s.Twin, Peers: s.Peers, Prefix: s.Prefix, Narrowed: s.Narrowed, ShortOf: s.ShortOf, Members: s.Members, Size: s.Size, Planted: s.Planted, Routing: Routing(s.Routing),
		Records: s.Records, StoreBytes: s.StoreBytes, StoreQuota: s.Quota,
		Kept:    Kept{Own: s.Kept.Own, Held: s.Kept.Held, Followed: s.Kept.Followed, Cached: s.Kept.Cached},
		Healing: healingOf(s.Healing, s.Mending), Cached: s.Cached, CacheBytes: s.CachedSize, Hot: s.Hot, Copies: s.Copies,
		Clock:  Clock(s.Clock),
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
	Filling    bool       `json:"filling" doc:"Whether it does not answer yet for all that is its to hold."`
	Compared   *time.Time `json:"compared" doc:"When it last compared with a neighbour, to the end; null for never."`
	With       []Partner  `json:"with" doc:"Neighbours that it compared with, the latest first."`
	Neighbours int        `json:"neighbours" doc:"How many there are to compare with."`
	Taken      int64      `json:"taken" doc:"Entries, each a record at a place, that it lacked and got, since it started."`
	Given      int64      `json:"given" doc:"Entries that neighbours lacked and got."`
	Dropped    int64      `json:"dropped" doc:"Places handed over, because they are others' to hold now."`
	TakenBytes int64      `json:"taken_bytes" doc:"Bytes of records that came, by healing and by repair of what is read."`
	GivenBytes int64      `json:"given_bytes" doc:"Bytes of records that went."`
	Rate       int        `json:"rate" doc:"Bytes a second at most, of both together."`
}

// Partner is a neighbour that a node compared what it holds with.
type Partner struct {
	PeerID string    `json:"peer_id" doc:"Its id." example:"12D3KooW…"`
	At     time.Time `json:"at" doc:"When."`
	Whole  bool      `json:"whole" doc:"Whether to the end, since the node's region last grew."`
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
