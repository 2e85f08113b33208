package node

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/archive"
)

// Selection says which records are exported: those of one of the users or with one
// of the tags, or all if it names none.
type Selection struct {
	Users []records.User // authors
	Tags  []records.Tag  // of posts
}

func (s Selection) takes(r *records.Record) bool {
	if len(s.Users)+len(s.Tags) == 0 || slices.Contains(s.Users, r.Author()) {
		return true
	}
	post, _, _ := r.Post()
	return slices.ContainsFunc(post.Tags, func(t records.Tag) bool { return slices.Contains(s.Tags, t) })
}

// exportBuffer gathers entries of some hundred bytes each to writes worth making.
const exportBuffer = 64 << 10

// tellEvery is how many records go by between two words of progress.
const tellEvery = 256

// Export writes an archive of what is in the store and selected, as it is when it is
// reached, with at most one record in memory. A record that is damaged is counted in
// the archive's totals and missing from it. Without an error the archive is complete.
// Progress is told how many records were looked at, unless it is nil.
func (s *Store) Export(ctx context.Context, to io.Writer, sel Selection, progress func(records int64)) (archive.Totals, error) {
	buffered := bufio.NewWriterSize(to, exportBuffer)
	w, err := archive.NewWriter(buffered, archive.Header{Network: s.network.ID(), Made: records.MillisOf(s.now())})
	if err != nil {
		return archive.Totals{}, err
	}
	seen, unreadable := int64(0), uint64(0)
	for k, err := range s.db.Kept() {
		if seen++; progress != nil && seen%tellEvery == 0 {
			progress(seen)
		}
		var damaged *datastore.CorruptError
		switch {
		case ctx.Err() != nil:
			return archive.Totals{}, ctx.Err()
		case errors.As(err, &damaged):
			unreadable++
			continue
		case err != nil:
			return archive.Totals{}, err
		case !sel.takes(k.Record):
			continue
		}
		if e := entryOf(k); len(e.Standings) > 0 {
			if err := w.Write(e); err != nil {
				return archive.Totals{}, err
			}
		}
	}
	totals, err := w.Close(unreadable)
	if err == nil {
		err = buffered.Flush()
	}
	return totals, err
}

// entryOf is a record as an archive has it. What only waits at a place to be carried
// down belongs below, and stands there in the archive.
func entryOf(k datastore.Kept) archive.Entry {
	e := archive.Entry{Bytes: k.Record.Bytes()}
	at := map[records.Place]datastore.Class{}
	for _, s := range k.Stands {
		p := s.Place
		if !s.Counts {
			p = p.ChildFor(k.Record)
		}
		if c, twice := at[p]; !twice || s.Class > c {
			at[p] = s.Class
		}
	}
	for p, c := range at {
		if s, fits := archive.StandingAt(k.Record, p, classes[c]); fits {
			e.Standings = append(e.Standings, s)
		}
	}
	return e
}

// classes are the store's as archives write them.
var classes = map[datastore.Class]archive.Class{
	datastore.Cached: archive.Cached, datastore.Followed: archive.Followed, datastore.Held: archive.Held, datastore.Own: archive.Own,
}

// classOf is the way back. That something is the owner's is no archive's to say: it
// shows in the signature.
func classOf(c archive.Class) (datastore.Class, error) {
	for stored, written := range classes {
		if written == c {
			return min(stored, datastore.Held), nil
		}
	}
	return 0, fmt.Errorf("class %d of an archive is none of the store's", c)
}
