package api_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records"
)

// A watcher hears what was there, what arrives and what it missed, and the watch
// ends when it has heard enough.
func TestWatch(t *testing.T) {
	s := serve(t)
	old, fresh := s.add(me, "old", records.PostHead{}, 1), s.add(me, "fresh", records.PostHead{}, 2)
	go func() {
		for _, e := range []node.Event{{Record: old}, {Missed: 3, Live: true}, {Record: fresh, Live: true}} {
			s.watcher <- e
		}
	}()
	var got []string
	for a, err := range s.client(t).Watch(t.Context(), []string{"#go", "me"}, 2) {
		switch {
		case err != nil:
			t.Fatal(err)
		case a.Gap != nil:
			got = append(got, "gap")
		case *a.Post.Live:
			got = append(got, "live "+a.Post.Text)
		default:
			got = append(got, a.Post.Text)
		}
	}
	if want := "old, gap, live fresh"; strings.Join(got, ", ") != want {
		t.Errorf("heard %v, want %s", got, want)
	}
	s.stop()
	<-s.watched
}

// When the last caller has left, the watch of the node goes on for a while, and ends.
func TestWatch_callersLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s := serveOn(t, l)
		var all []net.Conn
		for range 3 {
			c := l.dial(t, "GET /v1/watch?source=me HTTP/1.1\r\n"+head+"\r\n")
			if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
		}
		began := time.Now()
		for _, c := range all {
			c.Close()
			pass(time.Second)
		}
		<-s.watched
		if took := time.Since(began); took < 2*time.Minute || took > 3*time.Minute {
			t.Errorf("the watch ended after %s", took)
		}
		if s.watches != 1 {
			t.Errorf("three who watched the same cost %d watches of the node", s.watches)
		}
		s.stop()
	})
}

// When the node stops, watchers hear why and Run ends at once.
func TestWatch_nodeStops(t *testing.T) {
	s := serve(t)
	r := s.add(me, "x", records.PostHead{}, 1)
	go func() { s.watcher <- node.Event{Record: r} }()
	var last error
	for a, err := range s.client(t).Watch(t.Context(), []string{"me"}, 0) {
		if last = err; a.Post != nil {
			go s.stop()
		}
	}
	var p *api.Problem
	if !errors.As(last, &p) || p.Code != api.CodeStopping {
		t.Errorf("the last word was %v", last)
	}
	<-s.watched
	<-s.ended
}

// pipes is a listener without sockets, for virtual time.
type pipes struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
}

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "127.0.0.1:7827" }

func newPipes() *pipes { return &pipes{accept: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Addr() net.Addr { return pipeAddr{} }
func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accept:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// dial connects to the server and sends the beginning of a request.
func (p *pipes) dial(t *testing.T, request string) net.Conn {
	t.Helper()
	return p.dialFrom(t, "192.0.2.1", request)
}

// from is a connection with the address of who made it.
type from struct {
	net.Conn
	ip string
}

func (c from) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(c.ip), Port: 1} }

func (p *pipes) dialFrom(t *testing.T, ip, request string) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	p.accept <- from{server, ip}
	if _, err := io.WriteString(client, request); err != nil {
		t.Fatal(err)
	}
	return client
}

const head = "Host: 127.0.0.1:7827\r\nAuthorization: Bearer " + token + "\r\nContent-Type: application/json\r\n"

// closedAfter reads until the server closes the connection and tells when.
func closedAfter(t *testing.T, c net.Conn) (time.Duration, string) {
	t.Helper()
	began := time.Now()
	b, err := io.ReadAll(c)
	if err != nil && !errors.Is(err, io.EOF) {
		t.Logf("connection ended: %v", err)
	}
	return time.Since(began), string(b)
}

// Who sends slowly is cut off: a header within 8 seconds, a body within 25.
func TestServer_slowCallers(t *testing.T) {
	for name, c := range map[string]struct {
		request string
		most    time.Duration
		status  string
	}{
		"nothing sent": {"", 8 * time.Second, ""},
		"half a line":  {"GET /v1/sta", 8 * time.Second, ""},
		"half a head":  {"GET /v1/status HTTP/1.1\r\n" + head, 8 * time.Second, ""},
		"half a body":  {"POST /v1/posts HTTP/1.1\r\n" + head + "Content-Length: 100\r\n\r\n{", 25 * time.Second, "408"},
		"no token":     {"POST /v1/posts HTTP/1.1\r\nHost: 127.0.0.1:7827\r\nContent-Length: 100\r\n\r\n{", 25 * time.Second, "401"},
		"idle":         {"GET /v1/status HTTP/1.1\r\n" + head + "\r\n", 60 * time.Second, "200"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newPipes()
				s := serveOn(t, l)
				took, got := closedAfter(t, l.dial(t, c.request))
				if took > c.most {
					t.Errorf("cut off after %s, want %s", took, c.most)
				}
				if !strings.Contains(got, c.status) {
					t.Errorf("answered %q", got)
				}
				s.stop()
			})
		})
	}
}

// A body that trickles in is no better than one that stops.
func TestServer_trickle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s := serveOn(t, l)
		c := l.dial(t, "POST /v1/posts HTTP/1.1\r\n"+head+"Content-Length: 100\r\n\r\n")
		began, trickled := time.Now(), make(chan struct{})
		go func() {
			defer close(trickled)
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for range tick.C {
				if _, err := io.WriteString(c, " "); err != nil {
					return
				}
			}
		}()
		if _, err := io.ReadAll(c); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 25*time.Second {
			t.Errorf("cut off after %s", took)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		<-trickled
		s.stop()
	})
}

// A watcher hears a sign of life while nothing happens, for longer than any
// deadline of an ordinary request.
func TestWatch_heartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s := serveOn(t, l)
		c := l.dial(t, "GET /v1/watch?source=me HTTP/1.1\r\n"+head+"\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(resp.Body)
		began, beats := time.Now(), 0
		for beats < 20 && lines.Scan() {
			if lines.Text() == ":" {
				beats++
			}
		}
		if took := time.Since(began); beats != 20 || took != 19*15*time.Second {
			t.Errorf("%d signs of life in %s", beats, took)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		<-s.watched
		s.stop()
	})
}

// A watcher that does not read is cut off.
func TestWatch_readerStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s := serveOn(t, l)
		c := l.dial(t, "GET /v1/watch?source=me HTTP/1.1\r\n"+head+"\r\n")
		pass(30 * time.Second)
		if _, err := c.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("not cut off after 30 s: %v", err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		s.stop()
	})
}

// An answer under way is given before Run ends; one that takes too long is not
// waited for.
func TestServer_drain(t *testing.T) {
	for name, c := range map[string]struct {
		release time.Duration // after which the node has published; 0 is never
		most    time.Duration
		status  string
	}{
		"in time":  {time.Second, 2 * time.Second, "201"},
		"too late": {0, 4 * time.Second, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newPipes()
				s := serveOn(t, l)
				s.block = make(chan struct{})
				conn := l.dial(t, "POST /v1/posts HTTP/1.1\r\n"+head+"Content-Length: 12\r\n\r\n{\"text\":\"x\"}")
				synctest.Wait()
				if c.release > 0 {
					time.AfterFunc(c.release, func() { close(s.block) })
				}
				began := time.Now()
				go s.stop()
				_, got := closedAfter(t, conn)
				<-s.ended
				if took := time.Since(began); took > c.most || !strings.Contains(got, c.status) {
					t.Errorf("ended after %s with %q", took, got)
				}
			})
		})
	}
}

// Beyond so many requests at once callers are told to come again; the node stays
// responsive and nothing is queued.
func TestServer_manyRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s := serveOn(t, l)
		s.block = make(chan struct{})
		request := "POST /v1/posts HTTP/1.1\r\n" + head + "Connection: close\r\nContent-Length: 12\r\n\r\n{\"text\":\"x\"}"
		var conns []net.Conn
		for range 256 {
			conns = append(conns, l.dial(t, request))
		}
		synctest.Wait()
		if got := readAnswer(t, l.dial(t, request)); got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, string(api.CodeBusy)) {
			t.Errorf("one too many: %d %s", got.status, got.body)
		}
		if got := readAnswer(t, l.dial(t, "GET /healthz HTTP/1.1\r\nConnection: close\r\n"+head+"\r\n")); got.status != http.StatusOK {
			t.Errorf("sign of life: %d", got.status)
		}
		close(s.block)
		for _, c := range conns {
			if got := readAnswer(t, c); got.status != http.StatusCreated {
				t.Errorf("one of the first: %d", got.status)
			}
		}
		s.stop()
	})
}

// A node that takes forever is given up after a minute.
func TestServer_nodeHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s := serveOn(t, l)
		s.block = make(chan struct{})
		began := time.Now()
		c := l.dial(t, "POST /v1/posts HTTP/1.1\r\nConnection: close\r\n"+head+"Content-Length: 12\r\n\r\n{\"text\":\"x\"}")
		got := readAnswer(t, c)
		if took := time.Since(began); took != time.Minute || got.status != http.StatusGatewayTimeout {
			t.Errorf("after %s: %d %s", took, got.status, got.body)
		}
		s.stop()
	})
}

// pass lets virtual time go by.
func pass(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
}

func length(body string) string { return strconv.Itoa(len(body)) }
