package api

import (
	"net"
	"net/netip"
	"testing"
)

// None holds more than its share, nor all together more than there is, and what is let
// go of can be had again.
func TestTally(t *testing.T) {
	one, other := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32")
	c := newTally(2, 3)
	release, _ := c.take(one)
	c.take(one)
	if _, ok := c.take(one); ok {
		t.Error("more than its share")
	}
	c.take(other)
	if _, ok := c.take(other); ok {
		t.Error("more than all may")
	}
	release()
	release() // twice is once
	if _, ok := c.take(other); !ok {
		t.Error("what was let go of is gone")
	}
	if _, ok := c.take(one); ok {
		t.Error("more than all may, after letting go")
	}
}

// A connection that is one too many is closed, and those before it are served on.
func TestBounded(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	full := make(chan struct{}, 8)
	l := bounded{inner, newTally(1, 2), func() { full <- struct{}{} }}
	defer l.Close()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := dial()
	defer first.Close()
	served, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	second := dial()
	defer second.Close()
	accepted := make(chan net.Conn)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	if _, err := second.Read(make([]byte, 1)); err == nil {
		t.Error("one too many was kept")
	}
	<-full // and it was told
	served.Close()
	third := dial()
	defer third.Close()
	(<-accepted).Close()
}

// A name is one that a Host header can have, and no pattern, address of a page or
// address of everything.
func TestCheckHost(t *testing.T) {
	for _, good := range []string{"node.example.org", "node.example.org:8080", "localhost", "192.0.2.7", "192.0.2.7:80", "[2001:db8::1]:80", "xn--bcher-kva.example", "a"} {
		if err := CheckHost(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "*", "*.example.org", "http://example.org", "example.org/", "bücher.example", "example.org.", "0.0.0.0", "[::]:80", "a:0", "a:99999", "a b", "-a", "a,b", "a:b:c"} {
		if err := CheckHost(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// Loopback is for everybody's programs; elsewhere takes a token, and an address.
func TestCheckAddr(t *testing.T) {
	for _, c := range []struct {
		addr  string
		token bool
		good  bool
	}{
		{"", false, true},
		{"127.0.0.1:0", false, true},
		{"[::1]:1", false, true},
		{"0.0.0.0:1", false, false},
		{"192.0.2.1:1", false, false},
		{"[::]:1", false, false},
		{":1", false, false},
		{"0.0.0.0:1", true, true},
		{":1", true, true},
		{"[2001:db8::1]:1", true, true},
		{"example.org:1", true, false},
		{"0.0.0.0", true, false},
		{"0.0.0.0:x", true, false},
	} {
		if err := CheckAddr(c.addr, c.token); (err == nil) != c.good {
			t.Errorf("%q, token %t: %v", c.addr, c.token, err)
		}
	}
}

// Callers of one customer of a provider are one.
func TestGroupOf(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1": "192.0.2.1/32", "::ffff:192.0.2.1": "192.0.2.1/32",
		"2001:db8:1:2:3::4": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := groupOf(netip.MustParseAddr(text)); got.String() != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
