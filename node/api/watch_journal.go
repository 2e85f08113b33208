package api

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/starling-social/starling/node"
)

// A journal is bounded twice: by what is worth going back for, and by what all of them
// may take in memory.
const (
	journalEvents = 1024
	journalBytes  = 512 << 10 // of text; some 500 posts, and 128 MiB if all topics are full
	pastPosts     = 50        // shown to whoever begins, newest first
	maxBurst      = 64 << 10  // bytes written to a watcher in one go
)

// Reasons why posts may be missing from what a watcher hears.
const (
	gapSlow    = "slow"      // it read more slowly than posts arrived
	gapAway    = "away"      // it was away for longer than what arrives is kept
	gapRestart = "restarted" // the node was started anew meanwhile
	gapNetwork = "network"   // the node itself did not keep up
)

// A journal is the newest of what arrived for a watch of the node, in order of arrival.
// Those who watch read it at their own pace; it waits for none of them. It is not safe
// for concurrent use.
type journal struct {
	run, topic uint64
	entries    []*entry
	next       uint64 // of the entry that comes
	bytes      int    // of the entries' text
	cut        uint64 // next, when the oldest entry was last dropped
	began      int64  // Unix ms
}

// An entry is one event, encoded once for all who hear it.
type entry struct {
	seq  uint64
	at   int64 // Unix ms at which it arrived
	post *Post // nil for a gap
	text string
	past string // data of the post for those who come later; empty until one does
}

func newJournal(run, topic uint64, now time.Time) *journal {
	return &journal{run: run, topic: topic, next: 1, began: now.UnixMilli()}
}

// append takes in what the node heard.
func (j *journal) append(e node.Event, now time.Time) {
	in := &entry{seq: j.next, at: now.UnixMilli()}
	j.next++
	out := event{id: mark{j.run, j.topic, in.seq, allShown, in.at}.String()}
	if e.Record == nil {
		out.name, out.data = eventGap, Gap{Missed: e.Missed, Reason: gapNetwork}
	} else {
		p := postOf(e.Record)
		in.post = &p
		live := p
		live.Live = &e.Live
		out.name, out.data = eventPost, live
	}
	in.text = out.encode()
	j.entries = append(j.entries, in)
	j.bytes += len(in.text)
	for len(j.entries) > journalEvents || j.bytes > journalBytes && len(j.entries) > 1 {
		j.bytes -= len(j.entries[0].text)
		j.entries = slices.Delete(j.entries, 0, 1)
		j.cut = j.next
	}
}

// now is the mark of whoever has heard everything.
func (j *journal) now() mark {
	m := mark{j.run, j.topic, j.next - 1, allShown, j.began}
	if n := len(j.entries); n > 0 {
		m.at = j.entries[n-1].at
	}
	return m
}

// begin is where a watcher begins that comes with the id of the last event it had, and
// the gap that it has to be told of first.
func (j *journal) begin(last string) (mark, *Gap) {
	from := j.now()
	from.shown = 0
	if last == "" {
		return from, nil
	}
	had, err := parseMark(last)
	switch {
	case err != nil:
		return from, &Gap{Reason: gapRestart}
	case had.run != j.run || had.seq >= j.next && had.topic == j.topic:
		return from, &Gap{Reason: gapRestart, Since: had.at}
	case had.topic != j.topic:
		return from, &Gap{Reason: gapAway, Since: had.at}
	case had.shown >= 0 && had.seq+1 < j.cut: // what was there then is not known any more
		return from, &Gap{Reason: gapAway, Since: had.at}
	default:
		return had, nil
	}
}

// after writes what a watcher at a mark has not heard, up to so many posts and about
// maxBurst bytes, and moves the mark. Of a watcher that had heard something before, why
// says how it came to miss what is not kept any more.
func (j *journal) after(m *mark, posts int, why string) (text string, written int) {
	var b strings.Builder
	if m.shown >= 0 {
		past := j.past(m.seq)
		for m.shown < len(past) && written < posts && b.Len() < maxBurst {
			e := past[m.shown]
			m.shown++
			b.WriteString("id: " + m.String() + "\n" + e.asPast())
			written++
		}
		if m.shown < len(past) {
			return b.String(), written
		}
		m.shown = allShown
	}
	if oldest := j.next - uint64(len(j.entries)); m.seq+1 < oldest {
		gap := Gap{Missed: int(oldest - m.seq - 1), Reason: why, Since: m.at}
		m.seq = oldest - 1
		b.WriteString(event{eventGap, m.String(), gap}.encode())
	}
	for _, e := range j.entries[len(j.entries)-int(j.next-1-m.seq):] {
		if written >= posts || b.Len() >= maxBurst {
			break
		}
		b.WriteString(e.text)
		m.seq, m.at = e.seq, e.at
		if e.post != nil {
			written++
		}
	}
	return b.String(), written
}

// past are the newest posts of what had arrived by some time, newest first, each in its
// newest version, without those deleted.
func (j *journal) past(seq uint64) []*entry {
	newest := map[string]*entry{}
	for _, e := range j.entries {
		if e.post == nil || e.seq > seq {
			continue
		}
		if known := newest[e.post.ID]; known == nil || known.post.Rev < e.post.Rev {
			newest[e.post.ID] = e
		}
	}
	var out []*entry
	for _, e := range newest {
		if !e.post.Deleted {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(b.post.Created, a.post.Created), cmp.Compare(a.post.ID, b.post.ID))
	})
	return out[:min(len(out), pastPosts)]
}

// asPast is the event without its id, for those to whom the post is not new.
func (e *entry) asPast() string {
	if e.past == "" {
		p, live := *e.post, false
		p.Live = &live
		e.past = event{name: eventPost, data: p}.encode()
	}
	return e.past
}
