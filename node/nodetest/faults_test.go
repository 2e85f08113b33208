package nodetest_test

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/starling-social/starling/node/nodetest"
)

const timeout = 30 * time.Second // of a connection that does not carry

// faults are all ways in which node 0 and node 1 come to be apart for a while.
var faults = map[string]struct{ begin, end func(*nodetest.Links) }{
	"partition": {
		func(l *nodetest.Links) { l.Partition([]int{0}, []int{1}) },
		(*nodetest.Links).Heal,
	},
	"partition of the unnamed": {
		func(l *nodetest.Links) { l.Partition([]int{1}) },
		func(l *nodetest.Links) { l.Partition([]int{0, 1}) },
	},
	"cut": {
		func(l *nodetest.Links) { l.Cut(0, 1); l.Cut(1, 0) },
		func(l *nodetest.Links) { l.Mend(0, 1); l.Mend(1, 0) },
	},
	"pause of the sender":   {func(l *nodetest.Links) { l.Pause(0) }, func(l *nodetest.Links) { l.Resume(0) }},
	"pause of the receiver": {func(l *nodetest.Links) { l.Pause(1) }, func(l *nodetest.Links) { l.Resume(1) }},
}

// What is sent during a fault, or under way when it begins, arrives after its end and not much later; nothing arrives meanwhile.
func TestFault_ends(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
				near, far := streams(t, l)
				mustWrite(t, near, "under way")
				elapse(latency / 2)
				fault.begin(l)
				mustWrite(t, near, ", sent meanwhile")
				mustNotRead(t, far, 10*time.Second)
				fault.end(l)
				if d := took(func() { mustRead(t, far, "under way, sent meanwhile") }); d < latency || d > 11*time.Second {
					t.Errorf("arrived %v after the end", d)
				}
				if d := took(func() { mustWrite(t, far, "as before"); mustRead(t, near, "as before") }); d != latency {
					t.Errorf("then took %v", d)
				}
			})
		})
	}
}

// What was sent across a cut arrives with the sender's first attempt after the mending; a resumed node has nothing to wait for.
func TestFault_recoveryTime(t *testing.T) {
	const attempt = 15120 * time.Millisecond // they come 0.24, 0.72, 1.68, 3.6, 7.44 and 15.12 s after the first
	for name, arrival := range map[string]func(waited time.Duration) time.Duration{
		"partition":           func(waited time.Duration) time.Duration { return attempt - waited + latency },
		"pause of the sender": func(time.Duration) time.Duration { return latency },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
				near, far := streams(t, l)
				recovery := func(waited time.Duration) time.Duration {
					elapse(waited)
					faults[name].end(l)
					return took(func() { mustRead(t, far, "x") })
				}
				elapse(time.Minute)
				mustWrite(t, near, "x")
				faults[name].begin(l)
				if d, want := recovery(10*time.Second), arrival(10*time.Second); d != want {
					t.Errorf("sent before: arrived %v after the end, want %v", d, want)
				}
				elapse(time.Minute)
				faults[name].begin(l)
				elapse(time.Second)
				mustWrite(t, near, "x")
				if d, want := recovery(8*time.Second), arrival(8*time.Second); d != want {
					t.Errorf("sent meanwhile: arrived %v after the end, want %v", d, want)
				}
			})
		})
	}
}

// A fault that lasts kills connections at both ends after the timeout, whether they were used or not.
func TestFault_lasts(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
				near, far := connect(t, l)
				nearStream, _ := openStream(t, near, far)
				fault.begin(l)
				mustWrite(t, nearStream, "into the void")
				if d := took(func() { _, _ = far.AcceptStream() }); d != timeout {
					t.Errorf("noticed after %v", d)
				}
				synctest.Wait()
				if !near.IsClosed() || !far.IsClosed() {
					t.Error("only one end noticed")
				}
				if err := readError(nearStream); !errors.Is(err, network.ErrReset) || !errors.Is(err, syscall.ETIMEDOUT) {
					t.Errorf("read: %v", err)
				}
				fault.end(l)
			})
		})
	}
}

// Faults shorter than the timeout kill nothing, however many there are.
func TestFault_repeated(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
		near, far := streams(t, l)
		for range 10 {
			l.Partition([]int{0})
			elapse(timeout - time.Second)
			l.Heal()
			elapse(time.Second)
		}
		mustWrite(t, near, "still here")
		mustRead(t, far, "still here")
	})
}

// A dial across a fault times out; one that is still trying when the fault ends succeeds.
func TestFault_dial(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
				listen(t, l, newTransport(t, l, 1, nil, nil), 1)
				dialler := newTransport(t, l, 0, nil, nil)
				fault.begin(l)
				var err error
				if d := took(func() { _, err = dialler.Dial(t.Context(), l.Addr(1), peerID(t, 1)) }); d != 5*time.Second {
					t.Errorf("dial failed after %v", d)
				}
				if !errors.Is(err, syscall.ETIMEDOUT) {
					t.Errorf("dial: %v", err)
				}
				time.AfterFunc(2*time.Second, func() { fault.end(l) })
				d := took(func() {
					c, err := dialler.Dial(t.Context(), l.Addr(1), peerID(t, 1))
					if err != nil {
						t.Fatal(err)
					}
					closeAll(t, c)
				})
				if want := 3*time.Second + 4*latency; d != want { // the third SYN
					t.Errorf("dial took %v, want %v", d, want)
				}
			})
		})
	}
}

// When only one direction is cut the other carries on until the connection dies; no new one comes about either way.
func TestCut_oneWay(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
		near, far := connect(t, l)
		nearStream, farStream := openStream(t, near, far)
		l.Cut(0, 1)
		mustWrite(t, nearStream, "lost")
		if d := took(func() { mustWrite(t, farStream, "heard"); mustRead(t, nearStream, "heard") }); d != latency {
			t.Errorf("the good direction took %v", d)
		}
		mustNotRead(t, farStream, time.Second)
		for _, way := range [][2]int{{0, 1}, {1, 0}} {
			tr := newTransport(t, l, way[0], nil, nil)
			if _, err := tr.Dial(t.Context(), l.Addr(way[1]), peerID(t, way[1])); !errors.Is(err, syscall.ETIMEDOUT) {
				t.Errorf("dial %v: %v", way, err)
			}
		}
		elapse(timeout)
		if !near.IsClosed() || !far.IsClosed() {
			t.Error("the connection lives")
		}
	})
}

// A close that is under way when the link is cut arrives when it is mended; if it never is, the other end times out.
func TestPartition_closeUnderWay(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
		near, far := connect(t, l)
		closeAll(t, near)
		l.Partition([]int{0})
		elapse(time.Second)
		if far.IsClosed() {
			t.Error("told across a partition")
		}
		l.Heal()
		elapse(time.Second)
		if _, err := far.AcceptStream(); !errors.Is(err, &network.ConnError{Remote: true}) {
			t.Errorf("after healing: %v", err)
		}
	})
}

// Nodes in the same part talk; those in none form one more part.
func TestPartition_parts(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{DialTimeout: time.Second}, func(t *testing.T, l *nodetest.Links) {
		for node := range 6 {
			listen(t, l, newTransport(t, l, node, nil, nil), node)
		}
		l.Partition([]int{0, 1}, []int{2, 3})
		for from := range 6 {
			for to := range 6 {
				c, err := newTransport(t, l, from, nil, nil).Dial(t.Context(), l.Addr(to), peerID(t, to))
				if (err == nil) != (from/2 == to/2) {
					t.Errorf("%d to %d: %v", from, to, err)
				}
				if err == nil {
					closeAll(t, c)
				}
			}
		}
		elapse(time.Second)
	})
}

// A killed node says nothing: its peers notice after the timeout. Revived, it can be dialled, but the old connections stay dead.
func TestKill_noticedByTimeout(t *testing.T) {
	inBubble(t, nodetest.LinksConfig{}, func(t *testing.T, l *nodetest.Links) {
		victim := newTransport(t, l, 1, nil, nil)
		lis := listen(t, l, victim, 1)
		dialler := newTransport(t, l, 0, nil, nil)
		near, err := dialler.Dial(t.Context(), l.Addr(1), peerID(t, 1))
		if err != nil {
			t.Fatal(err)
		}
		far, err := lis.Accept()
		if err != nil {
			t.Fatal(err)
		}

		l.Kill(1)
		killed := time.Now()
		closeAll(t, far, lis) // a dead machine's goodbye is not heard
		elapse(time.Second)
		if _, err := dialler.Dial(t.Context(), l.Addr(1), peerID(t, 1)); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("dial: %v", err)
		}
		if _, err := victim.Listen(l.Addr(1)); !errors.Is(err, syscall.ENETDOWN) {
			t.Errorf("listen: %v", err)
		}
		l.Revive(1)
		listen(t, l, victim, 1)
		c, err := dialler.Dial(t.Context(), l.Addr(1), peerID(t, 1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := near.AcceptStream(); !errors.Is(err, syscall.ETIMEDOUT) || time.Since(killed) != timeout {
			t.Errorf("noticed after %v: %v", time.Since(killed), err)
		}
		if c.IsClosed() {
			t.Error("the new connection died, too")
		}
		closeAll(t, near, c)
	})
}

// mustNotRead fails if anything arrives within d.
func mustNotRead(tb testing.TB, s network.MuxedStream, d time.Duration) {
	tb.Helper()
	if err := s.SetReadDeadline(time.Now().Add(d)); err != nil {
		tb.Fatal(err)
	}
	if err := readError(s); !errors.Is(err, os.ErrDeadlineExceeded) {
		tb.Errorf("read: %v", err)
	}
	if err := s.SetReadDeadline(time.Time{}); err != nil {
		tb.Fatal(err)
	}
}
