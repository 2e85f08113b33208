package records_test

import (
	"bytes"
	"errors"
	"strconv"
	"testing"

	"github.com/starling-social/starling/records"
)

type recordVector struct {
	Description string         `json:"description"`
	Kind        string         `json:"kind"`
	Author      hexBytes       `json:"author"`
	AuthorSeed  hexBytes       `json:"author_seed"`
	Device      hexBytes       `json:"device,omitempty"` // the signer, when a device signs
	DeviceSeed  hexBytes       `json:"device_seed,omitempty"`
	Epoch       string         `json:"epoch,omitempty"`
	Created     records.Millis `json:"created"`
	Rev         string         `json:"rev"` // decimal: more than 53 bits
	Expires     records.Millis `json:"expires"`
	Deleted     bool           `json:"deleted"`
	Payload     hexBytes       `json:"payload"` // with the work at its end
	Envelope    hexBytes       `json:"envelope"`
	ItemKey     hexBytes       `json:"item_key"`
	ID          hexBytes       `json:"record_id"`
	Digest      hexBytes       `json:"digest"`
	Roots       []hexBytes     `json:"roots"` // bytes of the places at level 0
}

func recordVectorOf(description string, author records.Key, r *records.Record) recordVector {
	u, seed := r.Author(), author.Seed()
	key, id, digest := r.ItemKey(), r.ID(), r.Digest()
	v := recordVector{
		Description: description, Kind: r.Kind().String(), Author: u[:], AuthorSeed: seed[:],
		Created: r.Created(), Rev: strconv.FormatUint(uint64(r.Rev()), 10), Expires: r.Expires(), Deleted: r.Deleted(),
		Payload: payloadOf(r.Bytes()), Envelope: r.Bytes(), ItemKey: key[:], ID: id[:], Digest: digest[:],
	}
	for _, p := range r.Roots() {
		v.Roots = append(v.Roots, p.Bytes())
	}
	return v
}

func payloadOf(envelope []byte) []byte {
	payload, _ := records.Payload(envelope)
	return payload
}

// recordVectors are every sample, signed by its author, and one signed by a device.
func recordVectors(t *testing.T) (vectors []recordVector) {
	author, device := person(0), person(9)
	for _, s := range samples(t) {
		vectors = append(vectors, recordVectorOf(s.name, author, seal(t, testNet, author, s.draft)))
	}
	cert := records.Certify(testNet, author, device.User(), 1<<40)
	r, err := records.Seal(t.Context(), testNet, records.Signer{Key: device, Author: author.User(), Certificate: &cert}, samples(t)[0].draft)
	if err != nil {
		t.Fatal(err)
	}
	v := recordVectorOf("post signed by a device", author, r)
	u, seed := device.User(), device.Seed()
	v.Device, v.DeviceSeed, v.Epoch = u[:], seed[:], strconv.FormatUint(cert.Epoch, 10)
	return append(vectors, v)
}

// Envelope, item key, record id and digest of every kind, from fixed seeds.
func TestVectors_records(t *testing.T) {
	for _, v := range match(t, "golden/records.json", recordVectors(t)) {
		r, err := records.Open(v.Envelope, testNet, noon.Add(records.MaxAhead))
		if err != nil {
			t.Errorf("%s: %v", v.Description, err)
			continue
		}
		key, id, digest := r.ItemKey(), r.ID(), r.Digest()
		if !bytes.Equal(key[:], v.ItemKey) || !bytes.Equal(id[:], v.ID) || !bytes.Equal(digest[:], v.Digest) || !bytes.Equal(payloadOf(r.Bytes()), v.Payload) {
			t.Errorf("%s: opened as another", v.Description)
		}
	}
}

// Two samples that are versions of one thing share the item key, and no others do.
func TestVectors_itemKeys(t *testing.T) {
	versions := map[string]string{"post, edited": "post", "post, deleted": "post", "post without text": "post", "post signed by a device": "post", "reaction, taken back": "reaction"}
	seen := map[string]string{}
	for _, v := range recordVectors(t) {
		name := v.Description
		if of, ok := versions[name]; ok {
			name = of
		}
		if other, ok := seen[string(v.ItemKey)]; ok && other != name {
			t.Errorf("%s has the item key of %s", v.Description, other)
		}
		seen[string(v.ItemKey)] = name
	}
}

type certificateVector struct {
	Description string   `json:"description"`
	Network     string   `json:"network"`
	AuthorSeed  hexBytes `json:"author_seed"`
	Device      hexBytes `json:"device"`
	Epoch       string   `json:"epoch"`
	Signature   hexBytes `json:"signature"`
}

func TestVectors_certificates(t *testing.T) {
	author, device := person(0), person(9)
	seed, u := author.Seed(), device.User()
	var vectors []certificateVector
	for _, n := range []records.Network{testNet, records.MainNetwork()} {
		for _, epoch := range []uint64{0, 1, 1<<64 - 1} {
			c := records.Certify(n, author, u, epoch)
			if !c.Verify(n, author.User()) {
				t.Errorf("certificate in %s at epoch %d does not hold", n, epoch)
			}
			vectors = append(vectors, certificateVector{
				"a device key, certified in " + n.Name, n.ID(), seed[:], u[:], strconv.FormatUint(epoch, 10), c.Signature[:],
			})
		}
	}
	match(t, "golden/certificates.json", vectors)
}

type workVector struct {
	Description string   `json:"description"`
	Network     string   `json:"network"`
	WorkBits    int      `json:"work_bits"`
	Payload     hexBytes `json:"payload"`
	Size        int      `json:"size"`
	Places      int      `json:"places"`
	Want        int      `json:"want_bits"`
	Seed        hexBytes `json:"seed"`
	Proven      int      `json:"proven_bits"`
}

// What a payload of given size and number of places must prove, and what it does.
func TestVectors_work(t *testing.T) {
	n, err := records.NewNetwork("work", records.Params{WorkBits: 8, Neighbourhood: 4, Capacity: 64})
	if err != nil {
		t.Fatal(err)
	}
	var vectors []workVector
	for _, s := range samples(t)[:8] {
		r := seal(t, n, person(0), s.draft)
		payload := payloadOf(r.Bytes())
		seed, proven := records.Proof(n, payload)
		vectors = append(vectors, workVector{
			s.name, n.ID(), 8, payload, len(payload), len(r.Roots()), n.WorkBits(len(payload), len(r.Roots())), seed[:], proven,
		})
	}
	for _, v := range match(t, "golden/work.json", vectors) {
		if v.Proven < v.Want {
			t.Errorf("%s proves %d bits of %d", v.Description, v.Proven, v.Want)
		}
	}
}

type stateVector struct {
	Description string     `json:"description"`
	Capacity    int        `json:"capacity"`
	Place       hexBytes   `json:"place"`
	Envelopes   []hexBytes `json:"envelopes"` // in any order
	Bucket      []hexBytes `json:"bucket"`    // record ids, oldest first
	Witnesses   []hexBytes `json:"witnesses"` // record ids, oldest first
	Bound       string     `json:"bound"`     // a cursor, empty when the bucket has room
	Count       string     `json:"fingerprint_count"`
	Sum         hexBytes   `json:"fingerprint_sum"`
}

// The state of places of both ladders with room for two records.
func TestVectors_states(t *testing.T) {
	n := small(t, 2)
	author, created := person(0), records.MillisOf(noon)
	var posts, reactions []*records.Record
	for i := range 6 {
		at := created - records.Millis(i*i)*5*3600_000
		posts = append(posts, seal(t, n, author, draftPost(t, i, at, records.PostHead{})))
		reactions = append(reactions, seal(t, n, person(i), records.Draft{
			Head: records.ReactionHead{Target: records.Ref{Key: records.ItemKey{7}}, Class: 1}, Rev: records.RevAt(created), Body: []byte{},
		}))
	}
	posts = append(posts, seal(t, n, author, records.Tombstone(posts[1], created)))
	user, set := records.UserPlace(author.User()), records.ReactionsPlace(records.ItemKey{7})
	vectors := []stateVector{
		stateVectorOf(n, "root of a user: witnesses alone", user, posts),
		stateVectorOf(n, "month of a user, a post deleted", user.At(records.LevelMonth, posts[0]), posts),
		stateVectorOf(n, "reactions", set, reactions),
		stateVectorOf(n, "reactions, fewer than fit", set, reactions[:1]),
	}
	match(t, "golden/states.json", vectors)
}

func stateVectorOf(n records.Network, description string, p records.Place, rs []*records.Record) stateVector {
	s := records.NewState(n, p)
	v := stateVector{Description: description, Capacity: n.Capacity(p), Place: p.Bytes()}
	for _, r := range rs {
		if records.Fits(r, p) != nil {
			continue
		}
		s.Merge(r)
		v.Envelopes = append(v.Envelopes, r.Bytes())
	}
	b := s.Bucket(records.Query{Before: records.Newest, Limit: 256})
	v.Bucket, v.Witnesses = idsOldestFirst(b.Records), idsOldestFirst(b.Witnesses)
	if bound := s.Bound(); bound != (records.Position{}) {
		v.Bound = bound.Cursor()
	}
	v.Count, v.Sum = strconv.FormatUint(b.Fingerprint.Count, 10), b.Fingerprint.Sum[:]
	return v
}

func idsOldestFirst(newestFirst []*records.Record) []hexBytes {
	out := make([]hexBytes, len(newestFirst))
	for i, r := range newestFirst {
		id := r.ID()
		out[len(out)-1-i] = id[:]
	}
	return out
}

type refusalVector struct {
	Description string   `json:"description"`
	Network     string   `json:"network"`
	Now         int64    `json:"now"`
	Envelope    hexBytes `json:"envelope"`
	Reason      string   `json:"reason"`
}

// reasons are the names that vectors give to refusals.
var reasons = map[string]error{
	"too large": records.ErrTooLarge, "malformed": records.ErrMalformed, "wrong network": records.ErrWrongNetwork,
	"work": records.ErrWork, "future": records.ErrFuture, "certificate": records.ErrCertificate, "signature": records.ErrSignature,
}

// Every way to be refused: the cases of refusals_test.go.
func TestVectors_recordsInvalid(t *testing.T) {
	var vectors []refusalVector
	for _, c := range refusals(t) {
		vectors = append(vectors, refusalVector{c.name, c.network.ID(), c.now.UnixMilli(), c.envelope, nameOf(c.reason)})
	}
	match(t, "invalid/records.json", vectors)
}

func nameOf(reason error) string {
	for name, err := range reasons {
		if errors.Is(reason, err) {
			return name
		}
	}
	return ""
}
