package nodetest

import (
	"sync"
	"time"
)

// kind says what a segment does at the end it arrives at.
type kind uint8

const (
	hello  kind = iota // the dialler's handshake is done
	open               // a stream was opened
	taken              // a stream was accepted: room for another
	data               // bytes of a stream
	credit             // bytes of a stream were read: room for more
	fin                // a stream's sender is done
	reset              // a stream was aborted
	bye                // the connection was closed
)

// maxSegment bounds the data of one segment, so that streams share a slow link fairly.
const maxSegment = 16 << 10

// segment is a message between the ends of a connection.
type segment struct {
	at   time.Duration // when it arrives, unless one ahead of it does later
	kind kind
	n    uint32  // credit: bytes; reset, bye: the error code
	to   *stream // open, data, credit, fin, reset: the stream at the receiving end
	data []byte  // owned by the receiver
}

// wire carries segments from one end of a connection to the other, in order.
type wire struct {
	line *line
	to   *conn

	mu    sync.Mutex // protects all below
	queue []segment  // from head on: not yet delivered; none is before those ahead of it are
	head  int
	timer *time.Timer // set for the first segment, unless running or not flowing
	flow  flow
	since time.Duration // not flowing: since when something has waited
	// running is true while deliver is at work. There is one at a time, so order is kept,
	// and it alone moves the queue's elements.
	running bool
}

// send puts a segment on its way. It never blocks: windows and the accept backlog bound what can be under way.
func (w *wire) send(s segment) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.flow == severed {
		return
	}
	now := w.line.links.now()
	s.at = w.line.pass(now, len(s.data))
	w.queue = append(w.queue, s)
	if len(w.queue)-w.head > 1 {
		return // whoever delivers those before will see to this one
	}
	if w.flow != flowing {
		w.since = now
	}
	w.arm()
}

// arm sets the timer for the first segment.
func (w *wire) arm() {
	if w.running || w.flow != flowing || w.head == len(w.queue) {
		return
	}
	wait := w.queue[w.head].at - w.line.links.now()
	if w.timer == nil {
		w.timer = time.AfterFunc(wait, w.deliver)
		return
	}
	w.timer.Reset(wait)
}

// deliver hands over what has arrived. It holds no lock meanwhile, for the receiver may send.
func (w *wire) deliver() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running {
		return
	}
	w.running = true
	for due := w.due(); len(due) > 0; due = w.due() {
		w.mu.Unlock()
		w.to.receive(due)
		clear(due)
		w.mu.Lock()
		w.compact()
	}
	w.running = false
	w.arm()
}

// due takes the segments that have arrived off the queue. They are the caller's until the next compact.
func (w *wire) due() []segment {
	if w.flow != flowing {
		return nil
	}
	first, now := w.head, w.line.links.now()
	for w.head < len(w.queue) && w.queue[w.head].at <= now {
		w.head++
	}
	return w.queue[first:w.head:w.head]
}

// compact gives back the room of delivered segments, and the memory of a burst.
func (w *wire) compact() {
	const keep = 64
	switch {
	case w.head == len(w.queue) && cap(w.queue) > keep:
		w.queue, w.head = nil, 0
	case w.head == len(w.queue), w.head > keep && w.head > len(w.queue)/2:
		rest := copy(w.queue, w.queue[w.head:])
		clear(w.queue[rest:])
		w.queue, w.head = w.queue[:rest], 0
	}
}

// set lets the wire carry or not.
func (w *wire) set(f flow) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f == w.flow {
		return
	}
	was := w.flow
	w.flow = f
	switch f {
	case flowing:
		w.restart(was)
	case severed:
		w.stop()
		w.queue, w.head = nil, 0
	default:
		if was == flowing {
			w.stop()
			w.since = w.line.links.now()
		}
	}
}

func (w *wire) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

// restart gives what waited a new time of arrival: one latency after it is sent again.
func (w *wire) restart(was flow) {
	again := w.line.links.now()
	if was == cut {
		again = nextAttempt(w.since, again, w.line.links.rto(w.line.direction))
	}
	arrival := again + w.line.links.describe(w.line.direction).Latency
	for i := w.head; i < len(w.queue); i++ {
		w.queue[i].at = max(w.queue[i].at, arrival)
	}
	w.arm()
}

// nextAttempt returns the first moment from now on at which a sender tries again that began at since and doubles its patience each time.
func nextAttempt(since, now, rto time.Duration) time.Duration {
	for at := since; ; rto = min(2*rto, maxRTO) {
		if at += rto; at >= now {
			return at
		}
	}
}
