package api_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	me       = records.KeyFromSeed([32]byte{1})
	somebody = records.KeyFromSeed([32]byte{2})
)

// fake is a node that keeps posts in a list and publishes nothing.
type fake struct {
	registrar

	network records.Network
	block   chan struct{} // when set, Publish waits for it or its context
	hold    chan struct{} // when set, Timeline waits for it
	err     error         // when set, Publish fails with it, after storing
	healing node.Healing
	mending node.Mending
	ailing  []node.Ailment // why it is not ready

	mu       sync.Mutex // protects all below
	posts    []*records.Record
	drafts   []node.Draft
	ranges   []node.Range
	followed []node.Followed
	keys     map[string]kept
	watcher  chan node.Event // what Watch yields
	watched  chan struct{}   // closed when a Watch ended
	watches  int             // begun
	ended    sync.Once
}

func newFake(t *testing.T) *fake {
	t.Helper()
	network, err := records.TestNetwork("api")
	if err != nil {
		t.Fatal(err)
	}
	return &fake{
		registrar: registrar{network: network, versions: map[records.RegisterID][]*records.Record{}},
		network:   network, keys: map[string]kept{}, watcher: make(chan node.Event), watched: make(chan struct{}),
	}
}

func (f *fake) seal(k records.Key, d records.Draft) *records.Record {
	r, err := records.Seal(context.Background(), f.network, records.AuthorSigner(k), d)
	if err != nil {
		panic(err)
	}
	return r
}

// add puts a post by k that is so many seconds old into the list.
func (f *fake) add(k records.Key, text string, head records.PostHead, created records.Millis) *records.Record {
	d, err := records.NewPost(created, [8]byte{}, head, records.PostBody{Text: text})
	if err != nil {
		panic(err)
	}
	r := f.seal(k, d)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.posts = append([]*records.Record{r}, f.posts...)
	return r
}

func (f *fake) receipt(r *records.Record) node.Receipt {
	return node.Receipt{Record: r, Places: []node.PlaceReceipt{{Place: r.Roots()[0], Stored: 1, Wanted: 1}}}
}

func (f *fake) Publish(ctx context.Context, d node.Draft) (node.Receipt, error) {
	f.mu.Lock()
	f.drafts = append(f.drafts, d)
	f.mu.Unlock()
	if f.block != nil {
		select {
		case <-f.block:
		case <-ctx.Done():
			return node.Receipt{}, fmt.Errorf("publish: %w", ctx.Err())
		}
	}
	head := records.PostHead{Root: d.ReplyTo, Parent: d.ReplyTo, Mentions: d.Mentions}
	for _, t := range d.Tags {
		tag, err := records.NormalizeTag(t)
		if err != nil {
			return node.Receipt{}, err
		}
		head.Tags = append(head.Tags, tag)
	}
	return f.receipt(f.add(me, d.Text, head, 1000)), f.err
}

func (f *fake) find(ref records.Ref) (*records.Record, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.posts {
		if r.ItemKey() == ref.Key {
			return r, nil
		}
	}
	return nil, node.ErrNotFound
}

func (f *fake) Edit(_ context.Context, ref records.Ref, text string) (node.Receipt, error) {
	if ref.Author != me.User() {
		return node.Receipt{}, node.ErrNotYours
	}
	old, err := f.find(ref)
	if err != nil {
		return node.Receipt{}, err
	}
	d, err := records.EditPost(old, 2000, records.PostBody{Text: text})
	if err != nil {
		return node.Receipt{}, err
	}
	return f.receipt(f.seal(me, d)), nil
}

func (f *fake) Delete(_ context.Context, ref records.Ref) (node.Receipt, error) {
	old, err := f.find(ref)
	if err != nil {
		return node.Receipt{}, err
	}
	return f.receipt(f.seal(me, records.Tombstone(old, 3000))), nil
}

func (f *fake) Post(_ context.Context, ref records.Ref) (*records.Record, error) { return f.find(ref) }

func (f *fake) Timeline(_ context.Context, _ node.Source, rng node.Range) iter.Seq2[*records.Record, error] {
	if f.hold != nil {
		<-f.hold
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ranges = append(f.ranges, rng)
	posts := f.posts
	return func(yield func(*records.Record, error) bool) {
		n := 0
		for _, r := range posts {
			at := records.Position{Created: r.Created(), Key: r.ItemKey()}
			if rng.Before != (records.Position{}) && at.Compare(rng.Before) >= 0 {
				continue
			}
			if n++; n > rng.Limit || !yield(r, nil) {
				return
			}
		}
		if f.err != nil {
			yield(nil, f.err)
		}
	}
}

func (f *fake) Watch(ctx context.Context, _ []node.Source, limit int) iter.Seq2[node.Event, error] {
	return func(yield func(node.Event, error) bool) {
		f.mu.Lock()
		f.watches++
		f.mu.Unlock()
		defer f.ended.Do(func() { close(f.watched) })
		for n := 0; limit == 0 || n < limit; n++ {
			select {
			case e := <-f.watcher:
				if !yield(e, nil) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

func (f *fake) User() records.User { return me.User() }

func (f *fake) Status() node.Status {
	return node.Status{PeerID: "12D3", Network: "api", NetworkID: f.network.ID(), Peers: 1, Members: 2, Records: 3, StoreBytes: 4, Uptime: 5 * time.Second, Ready: true, Healing: f.healing, Mending: f.mending}
}

func (f *fake) Health() node.Health { return node.Health{Ready: len(f.ailing) == 0, Reasons: f.ailing} }

func (f *fake) Peers() []node.Peer {
	return []node.Peer{{ID: peer.ID("x"), Addr: ma.StringCast("/ip4/127.0.0.1/tcp/1"), Transport: "tcp", RTT: 1500 * time.Microsecond, Member: true}}
}

// served is a running server and how to reach it.
type served struct {
	*fake
	*cellar
	addr, token, dir string
	stop             func() // ends Run and waits for it
	ended            chan struct{}
}

const token = "5f3c1e2a9b8d7c6f5f3c1e2a9b8d7c6f5f3c1e2a9b8d7c6f5f3c1e2a9b8d7c6f"

func serve(t *testing.T) *served {
	t.Helper()
	l, err := api.Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	s := serveOn(t, l)
	e := api.Endpoint{API: s.addr, Token: s.token}
	if err := e.Write(s.dir); err != nil {
		t.Fatal(err)
	}
	return s
}

// serveOn serves at a listener, perhaps with a configuration that is changed first.
func serveOn(t *testing.T, l net.Listener, change ...func(*api.ServerConfig)) *served {
	t.Helper()
	s := &served{fake: newFake(t), cellar: &cellar{}, addr: l.Addr().String(), token: token, dir: t.TempDir(), ended: make(chan struct{})}
	c := api.ServerConfig{Listener: l, Node: s.fake, Store: s.cellar, Token: token, Log: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&c)
	}
	srv := api.NewServer(c)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(s.ended)
		if err := srv.Run(ctx); err != nil {
			t.Errorf("server: %v", err)
		}
	}()
	s.stop = func() { cancel(); <-s.ended }
	t.Cleanup(s.stop)
	return s
}

func (s *served) client(t *testing.T) *api.Client {
	t.Helper()
	c, err := api.Dial(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// answer is what came back for a request.
type answer struct {
	status int
	header http.Header
	body   string
}

// raw sends bytes as they are and reads one answer.
func (s *served) raw(t *testing.T, request string) answer {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, request); err != nil && !strings.Contains(err.Error(), "reset") && !strings.Contains(err.Error(), "broken pipe") {
		t.Fatal(err)
	}
	return readAnswer(t, conn)
}

func readAnswer(t *testing.T, r io.Reader) answer {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(r), nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	if resp.Header.Get("Content-Type") == "text/event-stream" { // has no end, for which Close would wait
		return answer{resp.StatusCode, resp.Header, ""}
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

// ask sends a request with the token and the given header lines.
func (s *served) ask(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", method, path)
	has := func(name string) bool {
		for _, h := range header {
			if strings.HasPrefix(strings.ToLower(h), name+":") {
				return true
			}
		}
		return false
	}
	if !has("host") {
		header = append(header, "Host: "+s.addr)
	}
	if !has("authorization") {
		header = append(header, "Authorization: Bearer "+s.token)
	}
	if body != "" && !has("content-type") {
		header = append(header, "Content-Type: application/json")
	}
	if body != "" {
		header = append(header, fmt.Sprintf("Content-Length: %d", len(body)))
	}
	for _, h := range append(header, "Connection: close") {
		b.WriteString(h + "\r\n")
	}
	b.WriteString("\r\n" + body)
	return s.raw(t, b.String())
}
