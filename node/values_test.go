package node_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"time"

	kad "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/nodetest"
	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/records"
)

// A stock is a host with the library's own DHT on it, as any libp2p program has one:
// of ours it has the protocol prefix and the validator.
type stock struct {
	host    host.Host
	kad     *kad.IpfsDHT
	network records.Network
}

// joinStock adds a stock client to a network, known to nobody.
func joinStock(ctx context.Context, t *testing.T, net *nodetest.Network, network records.Network, number int) *stock {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h, err := net.Links.Host(number, key)
	if err != nil {
		t.Fatal(err)
	}
	lib, err := kad.New(h, kad.ProtocolPrefix(protocol.KadPrefix(network)), kad.Mode(kad.ModeClient), kad.BucketSize(20),
		kad.Validator(dht.NewValidator(records.NewDoor(network, 64), nil)), kad.DisableProviders(), kad.DisableAutoRefresh())
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range net.Nodes { // so that it can be told to ask any
		h.Peerstore().AddAddr(x.PeerID(), net.Links.Addr(i), time.Hour)
	}
	first := net.Nodes[0]
	to, err := peer.AddrInfoFromString(net.Links.Addr(0).String() + "/p2p/" + first.PeerID().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Connect(ctx, *to); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if lib.RoutingTable().Size() > 0 {
			return &stock{h, lib, network}
		}
		net.Pass(100 * time.Millisecond)
	}
	t.Fatal("the stock client knows nobody")
	return nil
}

// close ends the client; inside the bubble.
func (s *stock) close() {
	_ = s.kad.Close() // closes nothing of ours
	_ = s.host.Close()
}

// ask sends one message of kad-dht's to a node and returns the answer.
func (s *stock) ask(ctx context.Context, to peer.ID, message []byte) ([]byte, error) {
	stream, err := s.host.NewStream(ctx, to, protocol.KadPrefix(s.network)+"/kad/1.0.0")
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Reset() }()
	if _, err := stream.Write(append(binary.AppendUvarint(nil, uint64(len(message))), message...)); err != nil {
		return nil, err
	}
	r := bufio.NewReader(stream)
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	answer := make([]byte, n)
	_, err = io.ReadFull(r, answer)
	return answer, err
}

// put sends PUT_VALUE, byte by byte as kad-dht writes it: an answer is a yes.
func (s *stock) put(ctx context.Context, to peer.ID, key string, value []byte) error {
	_, err := s.ask(ctx, to, putValue(key, key, value))
	return err
}

func putValue(key, inner string, value []byte) []byte {
	record := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), inner)
	record = protowire.AppendBytes(protowire.AppendTag(record, 2, protowire.BytesType), value)
	m := protowire.AppendString(protowire.AppendTag(nil, 2, protowire.BytesType), key) // type 0 is PUT_VALUE and not written
	return protowire.AppendBytes(protowire.AppendTag(m, 3, protowire.BytesType), record)
}

// versionOf seals a version of a person's profile.
func versionOf(t *testing.T, network records.Network, key records.Key, at time.Time, value string, expires time.Time) *records.Record {
	t.Helper()
	d := records.Draft{
		Head: records.RegisterHead{Name: records.Profile}, Created: records.MillisOf(at), Rev: records.RevAt(records.MillisOf(at)),
		Body: protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), value),
	}
	if !expires.IsZero() {
		d.Expires = records.MillisOf(expires)
	}
	r, err := records.Seal(t.Context(), network, records.AuthorSigner(key), d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// There are two ways to a register and one store behind them: what is put through
// the exchange a stock kad-dht client reads, and what such a client puts is read,
// held by all members, and replaced through the exchange.
func TestValues_stockClientReadsAndWrites(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 12, Links: nodetest.LinksConfig{Seed: 71}}, func(ctx context.Context, net *nodetest.Network) {
		s := joinStock(ctx, t, net, simulation(t), 100)
		defer s.close()
		owner := net.Nodes[3]
		id := service(owner, "stock")
		r := putRegister(ctx, t, owner, id.Name, node.RegisterDraft{Value: []byte("by exchange")})
		got, err := s.kad.GetValue(ctx, id.Key())
		if err != nil || string(got) != string(r.Bytes()) {
			t.Fatalf("the stock client reads %x, %v", got, err)
		}
		if _, err := s.kad.GetValue(ctx, service(owner, "none").Key()); !errors.Is(err, routing.ErrNotFound) {
			t.Errorf("a register that there is not: %v", err)
		}
		person := records.KeyFromSeed([32]byte{9})
		mine := records.RegisterID{User: person.User(), Name: records.Profile}
		now := time.Now()
		for i, want := range []string{"by kad-dht", "and again"} {
			v := versionOf(t, simulation(t), person, now.Add(time.Duration(i)*time.Millisecond), want, time.Time{})
			if err := s.kad.PutValue(ctx, mine.Key(), v.Bytes()); err != nil {
				t.Fatal(err)
			}
			for _, x := range net.Nodes {
				if got := value(ctx, t, x, mine); got != want {
					t.Errorf("node %d reads %q, want %q", x.Index, got, want)
				}
			}
		}
		for _, x := range net.Nodes {
			if n, err := x.Stored(mine.Place()); err != nil || n != 1 {
				t.Errorf("node %d holds %d versions, %v", x.Index, n, err)
			}
		}
		last := versionOf(t, simulation(t), person, now.Add(time.Second), "by exchange", time.Time{})
		if _, err := net.Nodes[5].StoreRegister(ctx, last); err != nil {
			t.Fatal(err)
		}
		fresh := joinStock(ctx, t, net, simulation(t), 101)
		defer fresh.close()
		if got, err := fresh.kad.GetValue(ctx, mine.Key()); err != nil || string(got) != string(last.Bytes()) {
			t.Errorf("a stock client that knew nothing reads %x, %v", got, err)
		}
	})
}

// A put that is refused gets no answer on kad-dht's wire, and changes nothing.
func TestValues_refusalsAreNoEchoes(t *testing.T) {
	simulate(t, nodetest.Config{Nodes: 6, Links: nodetest.LinksConfig{Seed: 72}}, func(ctx context.Context, net *nodetest.Network) {
		s := joinStock(ctx, t, net, simulation(t), 100)
		defer s.close()
		person, stranger := records.KeyFromSeed([32]byte{9}), records.KeyFromSeed([32]byte{8})
		id := records.RegisterID{User: person.User(), Name: records.Profile}
		now := time.Now()
		stands := versionOf(t, simulation(t), person, now, "stands", now.Add(time.Hour))
		if _, err := net.Nodes[1].StoreRegister(ctx, stands); err != nil {
			t.Fatal(err)
		}
		older := versionOf(t, simulation(t), person, now.Add(-time.Minute), "older", time.Time{})
		of := func(b []byte, i int) []byte {
			out := append([]byte{}, b...)
			out[i] ^= 1
			return out
		}
		to := net.Nodes[0].PeerID()
		if err := s.put(ctx, to, id.Key(), stands.Bytes()); err != nil {
			t.Errorf("the same again: %v", err)
		}
		theirs := records.RegisterID{User: stranger.User(), Name: records.Profile}
		for name, m := range map[string][]byte{
			"older":                putValue(id.Key(), id.Key(), older.Bytes()),
			"wrong owner":          putValue(theirs.Key(), theirs.Key(), older.Bytes()),
			"under another name":   putValue("/identity/"+person.User().Multibase(), "/identity/"+person.User().Multibase(), stands.Bytes()),
			"two keys":             putValue(id.Key(), theirs.Key(), stands.Bytes()),
			"trailing bytes":       putValue(id.Key(), id.Key(), append(append([]byte{}, stands.Bytes()...), 0)),
			"damaged":              putValue(id.Key(), id.Key(), of(stands.Bytes(), 100)),
			"damaged signature":    putValue(id.Key(), id.Key(), of(stands.Bytes(), len(stands.Bytes())-1)),
			"nothing":              putValue(id.Key(), id.Key(), nil),
			"another namespace":    putValue("/name/ada", "/name/ada", stands.Bytes()),
			"too large":            putValue(id.Key(), id.Key(), make([]byte, records.MaxRecord+1)),
			"from the future":      putValue(id.Key(), id.Key(), versionOf(t, simulation(t), person, now.Add(time.Hour), "ahead", time.Time{}).Bytes()),
			"expired and superior": putValue(theirs.Key(), theirs.Key(), versionOf(t, simulation(t), stranger, now.Add(-time.Hour), "late", now.Add(-time.Minute)).Bytes()),
		} {
			if answer, err := s.ask(ctx, to, m); err == nil {
				t.Errorf("%s: answered %x", name, answer)
			}
		}
		if got := value(ctx, t, net.Nodes[4], id); got != "stands" {
			t.Errorf("%q stands", got)
		}
		if n, err := net.Nodes[0].Stored(theirs.Place()); err != nil || n != 0 {
			t.Errorf("a stranger's register holds %d, %v", n, err)
		}
	})
}

// Nodes far from a key neither hold it nor say that there is nothing: whoever asks
// them is led to those who do.
func TestValues_farStoresRefused(t *testing.T) {
	// In neighbourhoods of 2 some nodes are two bits away from any key, however ids fall.
	network, err := records.NewNetwork("sparse", records.Params{Neighbourhood: 2, Capacity: 64})
	if err != nil {
		t.Fatal(err)
	}
	counters := make([]*prometheus.Registry, 20)
	tune := func(i int, c *node.Config) {
		counters[i] = prometheus.NewRegistry()
		c.Metrics = counters[i]
	}
	simulate(t, nodetest.Config{Nodes: len(counters), Network: network, Links: nodetest.LinksConfig{Seed: 73}, Tune: tune}, func(ctx context.Context, net *nodetest.Network) {
		s := joinStock(ctx, t, net, network, 100)
		defer s.close()
		now := time.Now()
		far, near := 0, 0
		for i := range 3 {
			person := records.KeyFromSeed([32]byte{byte(i), 5})
			id := records.RegisterID{User: person.User(), Name: records.Profile}
			v := versionOf(t, network, person, now, "x", time.Time{})
			for _, x := range net.Nodes {
				err := s.put(ctx, x.PeerID(), id.Key(), v.Bytes())
				held, storeErr := x.Stored(id.Place())
				if storeErr != nil {
					t.Fatal(storeErr)
				}
				if (err == nil) != (held == 1) || err == nil && !x.Member(id.Place()) {
					t.Errorf("node %d, a member %t, answers %v and holds %d", x.Index, x.Member(id.Place()), err, held)
				}
				if err == nil {
					near++
				} else {
					far++
				}
			}
			if got, err := s.kad.GetValue(ctx, id.Key()); err != nil || string(got) != string(v.Bytes()) {
				t.Errorf("read %x, %v", got, err)
			}
		}
		if near == 0 || far == 0 {
			t.Errorf("%d puts were near and %d far: nothing is shown", near, far)
		}
		counted := map[string]float64{} // as the nodes tell Prometheus
		for _, c := range counters {
			for name, count := range gather(t, c) {
				counted[name] += count
			}
		}
		for name, want := range map[string]int{
			"starling_dht_values_total{kept}": near, "starling_dht_values_total{refused}": far, "starling_dht_served_questions_total{put}": near + far,
		} {
			if got := counted[name]; got < float64(want) { // the client gives what it read to those who lack it
				t.Errorf("%s is %.0f, want at least %d", name, got, want)
			}
		}
		if got := counted["starling_dht_served_questions_total{get}"]; got < 3 {
			t.Errorf("three registers were read, and %.0f questions counted", got)
		}
	})
}
