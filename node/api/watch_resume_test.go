package api_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records"
)

// fragile is a listener whose connections break after so many bytes were written to
// them, until they have broken so often.
type fragile struct {
	net.Listener
	bytes  int
	breaks atomic.Int32 // left
}

func (f *fragile) Accept() (net.Conn, error) {
	c, err := f.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &fragileConn{Conn: c, of: f}, nil
}

type fragileConn struct {
	net.Conn
	of      *fragile
	written int
}

func (c *fragileConn) Write(b []byte) (int, error) {
	left := c.of.bytes - c.written
	if c.of.breaks.Load() <= 0 || len(b) <= left {
		c.written += len(b)
		return c.Conn.Write(b)
	}
	c.of.breaks.Add(-1)
	n, _ := c.Conn.Write(b[:max(left, 0)])
	c.Conn.Close()
	return n, net.ErrClosed
}

// A client whose connection breaks again and again, also within an event, hears
// everything once and in order.
func TestClient_resumes(t *testing.T) {
	l, err := api.Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	f := &fragile{Listener: l, bytes: 9000}
	f.breaks.Store(3)
	s := serveOn(t, f)
	if err := (api.Endpoint{API: s.addr, Token: token}).Write(s.dir); err != nil {
		t.Fatal(err)
	}
	const all = 100
	var records_ []*records.Record
	for i := range all {
		records_ = append(records_, s.add(me, fmt.Sprint(i), records.PostHead{}, records.Millis(i+1)))
	}
	go func() {
		for _, r := range records_ {
			s.watcher <- node.Event{Record: r, Live: true}
		}
	}()
	next := 0
	for a, err := range s.client(t).Watch(t.Context(), []string{"#go"}, all) {
		if err != nil || a.Post == nil {
			t.Fatalf("%+v, %v", a, err)
		}
		if a.Post.Text != fmt.Sprint(next) {
			t.Fatalf("heard %s, want %d", a.Post.Text, next)
		}
		next++
	}
	if next != all || f.breaks.Load() > 0 {
		t.Errorf("heard %d, connections that did not break: %d", next, f.breaks.Load())
	}
}

// severable is a listener whose connections can all be broken at once.
type severable struct {
	net.Listener
	mu    sync.Mutex // protects conns
	conns []net.Conn
}

func (l *severable) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, c)
	return c, nil
}

// sever breaks all connections so far.
func (l *severable) sever() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		c.Close()
	}
}

// A node that is started anew meanwhile is found again; that something may be missing
// is told, and what was heard is not told twice.
func TestClient_resumesElsewhere(t *testing.T) {
	l, err := api.Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	fragile := &severable{Listener: l}
	first := serveOn(t, fragile)
	if err := (api.Endpoint{API: first.addr, Token: token}).Write(first.dir); err != nil {
		t.Fatal(err)
	}
	r := first.add(me, "before", records.PostHead{}, 1)
	go func() { first.watcher <- node.Event{Record: r, Live: true} }()
	var told []string
	var second *served
	for a, err := range first.client(t).Watch(t.Context(), []string{"#go"}, 2) {
		switch {
		case err != nil:
			t.Fatal(err)
		case a.Gap != nil:
			told = append(told, "gap: "+a.Gap.Reason)
		default:
			told = append(told, a.Post.Text)
		}
		if second == nil { // the first is gone without a word
			second = serve(t)
			if err := (api.Endpoint{API: second.addr, Token: token}).Write(first.dir); err != nil {
				t.Fatal(err)
			}
			fresh := second.add(me, "after", records.PostHead{}, 2)
			go func() {
				for _, x := range []*records.Record{r, fresh} {
					second.watcher <- node.Event{Record: x}
				}
			}()
			fragile.sever()
		}
	}
	if want := "before, gap: restarted, after"; strings.Join(told, ", ") != want {
		t.Errorf("heard %v, want %s", told, want)
	}
}

// Who reads too slowly holds up nobody, and is told how much it missed.
func TestWatch_slowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s := serveOn(t, l)
		slow := l.dial(t, "GET /v1/watch?source=me HTTP/1.1\r\n"+head+"\r\n")
		synctest.Wait()
		const all = 3000
		r := s.add(me, "x", records.PostHead{}, 1)
		began := time.Now()
		for range all {
			s.watcher <- node.Event{Record: r, Live: true}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("the node was held up for %s", took)
		}
		resp, err := http.ReadResponse(bufio.NewReader(slow), nil)
		if err != nil {
			t.Fatal(err)
		}
		heard, missed := 0, 0
		for lines := bufio.NewScanner(resp.Body); heard+missed < all && lines.Scan(); {
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			var gap api.Gap
			switch {
			case !ok:
			case json.Unmarshal([]byte(data), &gap) == nil && gap.Reason != "":
				missed += gap.Missed
			default:
				heard++
			}
		}
		if heard+missed != all || missed == 0 {
			t.Errorf("heard %d, missed %d of %d", heard, missed, all)
		}
		slow.Close()
		s.stop()
	})
}

// A session that ends takes its watches with it.
func TestWatch_signedOut(t *testing.T) {
	s := serve(t)
	b := s.signIn(t)
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /v1/watch?source=me HTTP/1.1\r\nHost: "+s.addr+"\r\nCookie: "+b.cookie+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", resp, err)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Scan() // it is heard
	b.do(t, http.MethodDelete, "/v1/session", "")
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
	}
	if all := strings.Join(said, "\n"); !strings.Contains(all, "event: error") || !strings.Contains(all, string(api.CodeUnauthorized)) {
		t.Errorf("the last words were %s", all)
	}
}
