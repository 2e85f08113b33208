package doctor_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	core "github.com/libp2p/go-libp2p/core/protocol"
	"go.uber.org/goleak"

	"github.com/starling-social/starling/node/doctor"
	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// examined is what one check finds.
func examined(t *testing.T, c doctor.Check) []doctor.Finding {
	t.Helper()
	return slices.Collect(doctor.Examine(t.Context(), []doctor.Check{c}))
}

func wantFinding(t *testing.T, found []doctor.Finding, s doctor.State, word string) {
	t.Helper()
	if !slices.ContainsFunc(found, func(f doctor.Finding) bool {
		return f.State == s && strings.Contains(f.Found, word) && (s == doctor.OK) == (f.Do == "")
	}) {
		t.Errorf("want %s with %q, found %v", s, word, found)
	}
}

// A check that hangs is told of and keeps no other from being heard, however long it
// was waited for.
func TestExamine_hangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		says := func(text string) func(context.Context, doctor.Say) {
			return func(_ context.Context, say doctor.Say) { say(doctor.OK, text, "nothing") }
		}
		var got []string
		for f := range doctor.Examine(t.Context(), []doctor.Check{
			{Name: "first", Look: says("a")},
			{Name: "hangs", Limit: time.Minute, Look: func(_ context.Context, say doctor.Say) {
				say(doctor.Warn, "so far", "wait")
				<-release
			}},
			{Name: "last", Limit: time.Second, Look: says("b")},
		}) {
			got = append(got, fmt.Sprintf("%s %s %s %s", f.Check, f.State, f.Found, f.Do))
		}
		close(release)
		want := []string{"first ok a ", "hangs warn so far wait", "hangs warn this took too long try again; what hangs here may hang the node too", "last ok b "}
		if !slices.Equal(got, want) {
			t.Errorf("found %q", got)
		}
	})
}

func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	wantFinding(t, examined(t, doctor.Directory(filepath.Join(dir, "a", "b"))), doctor.OK, "first start makes it")
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "node.key")
	if err := os.WriteFile(key, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	found := examined(t, doctor.Directory(dir))
	if wantFinding(t, found, doctor.OK, "written"); len(found) != 1 {
		t.Errorf("found %v", found)
	}
	wantFinding(t, examined(t, doctor.Directory(key)), doctor.Fail, "no directory")
	wantFinding(t, examined(t, doctor.Directory(filepath.Join(key, "below"))), doctor.Fail, "")
	for _, path := range []string{key, dir} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	found = examined(t, doctor.Directory(dir))
	wantFinding(t, found, doctor.Fail, "node.key can be read by others")
	wantFinding(t, found, doctor.Warn, "entered by others")
	wantFinding(t, examined(t, doctor.Sync(dir)), examined(t, doctor.Sync(dir))[0].State, "4 KiB")
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

// What must stay free is the node's own bound, unless another is set.
func TestSpace(t *testing.T) {
	dir := t.TempDir()
	wantFinding(t, examined(t, doctor.Space(dir, 1)), doctor.OK, "free")
	wantFinding(t, examined(t, doctor.Space(dir, 1<<60)), doctor.Fail, "not even your own")
}

func TestPorts(t *testing.T) {
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	tcpPort, udpPort := tcp.Addr().(*net.TCPAddr).Port, udp.LocalAddr().(*net.UDPAddr).Port
	addrs := []string{
		fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", tcpPort), fmt.Sprintf("/ip4/127.0.0.1/tcp/%d/ws", tcpPort),
		fmt.Sprintf("/ip4/127.0.0.1/udp/%d/quic-v1/webtransport", udpPort), "/ip4/127.0.0.1/tcp/0", "nonsense",
	}
	ports := doctor.PortsOf(addrs, "network.listen", false)
	if len(ports) != 2 {
		t.Fatalf("ports %v", ports)
	}
	found := examined(t, doctor.Ports(ports, false))
	for _, word := range []string{fmt.Sprintf("tcp 127.0.0.1:%d: ", tcpPort), fmt.Sprintf("udp 127.0.0.1:%d: ", udpPort), fmt.Sprintf("process %d", os.Getpid())} {
		wantFinding(t, found, doctor.Fail, word)
	}
	wantFinding(t, examined(t, doctor.Ports(doctor.PortsOf(addrs, "network.listen", true), false)), doctor.Warn, "in use")
	wantFinding(t, examined(t, doctor.Ports(ports, true)), doctor.OK, "in use, by")
	wantFinding(t, examined(t, doctor.Ports(nil, false)), doctor.OK, "system chooses")
	if err := tcp.Close(); err != nil {
		t.Fatal(err)
	}
	wantFinding(t, examined(t, doctor.Ports(ports[:1], true)), doctor.Warn, "though the node runs")
}

// speaker is a host that speaks some protocols.
func speaker(t *testing.T, speaks ...core.ID) host.Host {
	t.Helper()
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	for _, p := range speaks {
		h.SetStreamHandler(p, func(s network.Stream) { _ = s.Reset() })
	}
	return h
}

func networkNamed(t *testing.T, name string) records.Network {
	t.Helper()
	n, err := records.TestNetwork(name)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func addrOf(h host.Host) string { return h.Addrs()[0].String() + "/p2p/" + h.ID().String() }

// Each address is told apart: a node of ours, one of another network, another program,
// another key, nobody.
func TestBootstrap(t *testing.T) {
	ours, other := networkNamed(t, "ours"), networkNamed(t, "other")
	good, foreign, strange := speaker(t, protocol.ExchangeID(ours)), speaker(t, protocol.ExchangeID(other)), speaker(t)
	gone := speaker(t)
	nobody := addrOf(gone)
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	found := examined(t, doctor.Bootstrap(ours, []string{
		addrOf(good), addrOf(foreign), addrOf(strange), nobody,
		good.Addrs()[0].String() + "/p2p/" + strange.ID().String(),
		"/dns4/nowhere.invalid/tcp/1/p2p/" + good.ID().String(), "nonsense", "/ip4/127.0.0.1/tcp/1",
	}))
	wantFinding(t, found, doctor.OK, "a node of "+ours.ID())
	wantFinding(t, found, doctor.Fail, "a node of "+other.ID()+", not of "+ours.ID())
	wantFinding(t, found, doctor.Fail, "no node that serves others")
	wantFinding(t, found, doctor.Fail, nobody+": nobody answers")
	wantFinding(t, found, doctor.Fail, "another node than that")
	wantFinding(t, found, doctor.Fail, "does not resolve")
	wantFinding(t, found, doctor.Fail, "nonsense: ")
	wantFinding(t, found, doctor.Fail, "/p2p/")
	if len(found) != 8 {
		t.Errorf("%d findings: %v", len(found), found)
	}
	wantFinding(t, examined(t, doctor.Bootstrap(ours, nil)), doctor.Warn, "no address")
}

func TestReached(t *testing.T) {
	for _, c := range []struct {
		inbound []string
		peers   int
		state   doctor.State
		word    string
	}{
		{nil, 0, doctor.Warn, "nobody is connected"},
		{nil, 7, doctor.Warn, "none of 7"},
		{[]string{"/ip4/192.168.1.2/tcp/4001"}, 7, doctor.OK, "all of this machine or house"},
		{[]string{"/ip4/192.168.1.2/tcp/4001", "/ip4/8.8.8.8/udp/4001/quic-v1"}, 7, doctor.OK, "1 of 7"},
	} {
		wantFinding(t, examined(t, doctor.Reached(c.inbound, c.peers)), c.state, c.word)
	}
}

// A clock that shows a time before the program was made is wrong, whoever keeps it.
func TestClock(t *testing.T) {
	now := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	wantFinding(t, examined(t, doctor.Clock(now, now.AddDate(1, 0, 0), doctor.Others{})), doctor.Fail, "before this program was made")
	wantFinding(t, examined(t, doctor.Clock(now, time.Time{}, doctor.Others{Known: true, Ahead: 3, Behind: 1})), doctor.Warn, "refused 3 records from here")
	wantFinding(t, examined(t, doctor.Clock(now, time.Time{}, doctor.Others{Known: true, Behind: 2})), doctor.Warn, "2 records of other nodes")
	for others, want := range map[doctor.Others]string{{}: "none is connected", {Known: true}: "no record that passed"} {
		for _, f := range examined(t, doctor.Clock(now, time.Time{}, others)) {
			if f.State == doctor.Fail || !strings.Contains(f.Found, want) {
				t.Errorf("found %v, want a word of %q", f, want)
			}
		}
	}
}

// What the system allows is read, or said not to be known.
func TestLimits(t *testing.T) {
	for _, c := range []doctor.Check{doctor.UDPBuffers(), doctor.Descriptors(1 << 40), doctor.FileSystem(t.TempDir()), doctor.Unasked()} {
		found := examined(t, c)
		if len(found) != 1 || found[0].State == doctor.Fail || found[0].Found == "" {
			t.Errorf("%s: %v", c.Name, found)
		}
	}
}
