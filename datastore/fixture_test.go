package datastore_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/starling-social/starling/records"
)

// smallNetwork has buckets so small that a few records fill a ladder.
func smallNetwork(t testing.TB) records.Network {
	t.Helper()
	n, err := records.NewNetwork("datastore-small", records.Params{Neighbourhood: 4, Capacity: 3})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// epoch is the time of the first test record, at the start of a slot of every
// level of the ladder.
const epoch = records.Millis(40 * 336 * 24 * time.Hour / time.Millisecond)

// levelHour is where test posts, one a minute, do not fill a bucket.
const levelHour = records.LevelMonth + 4

// A writer seals test records: the same ones whenever asked in the same order.
type writer struct {
	t       testing.TB
	network records.Network
	salt    uint64
}

func newWriter(t testing.TB, n records.Network) *writer { return &writer{t: t, network: n} }

func author(i int) records.Key {
	return records.KeyFromSeed([32]byte{0: byte(i), 1: byte(i >> 8), 31: 1})
}

func (w *writer) seal(k records.Key, d records.Draft) *records.Record {
	w.t.Helper()
	r, err := records.Seal(context.Background(), w.network, records.AuthorSigner(k), d)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// post is a new post, made at a time.
func (w *writer) post(k records.Key, at records.Millis, text string, tags ...records.Tag) *records.Record {
	w.t.Helper()
	w.salt++
	var salt [8]byte
	binary.BigEndian.PutUint64(salt[:], w.salt)
	d, err := records.NewPost(at, salt, records.PostHead{Tags: tags}, records.PostBody{Text: text})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.seal(k, d)
}

// edit is the next version of a post.
func (w *writer) edit(k records.Key, r *records.Record, text string) *records.Record {
	w.t.Helper()
	d, err := records.EditPost(r, r.Rev().Millis()+1, records.PostBody{Text: text})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.seal(k, d)
}

// remove is the version that deletes a post.
func (w *writer) remove(k records.Key, r *records.Record) *records.Record {
	w.t.Helper()
	return w.seal(k, records.Tombstone(r, r.Rev().Millis()+1))
}

// react is one person's reaction to a post.
func (w *writer) react(k records.Key, to *records.Record, at records.Millis) *records.Record {
	w.t.Helper()
	head := records.ReactionHead{Target: to.Ref(), Class: 1}
	return w.seal(k, records.Draft{Head: head, Created: at, Rev: records.RevAt(at), Body: []byte{}})
}

// posts are n posts of one author, a minute apart, with one tag.
func (w *writer) posts(n int) []*records.Record {
	w.t.Helper()
	var out []*records.Record
	for i := range n {
		at := epoch + records.Millis(i)*60_000
		out = append(out, w.post(author(1), at, fmt.Sprintf("post %d of many", i), "tag"))
	}
	return out
}

// putsAt offers each record to the place of a level in every ladder it is on.
func putsAt(level int, rs ...*records.Record) []records.Put {
	var puts []records.Put
	for _, r := range rs {
		for _, root := range r.Roots() {
			puts = append(puts, records.Put{Place: root.At(level, r), Record: r})
		}
	}
	return puts
}
