package gossip

import (
	"sync"

	"github.com/starling-social/starling/records"
)

// Event is what a watcher is told: a post, or that some were missed in this place.
type Event struct {
	Record *records.Record // nil when Missed is not 0
	Missed int             // how many posts were missed because the watcher did not take them in time
}

// queue holds what a watcher has not taken yet: at most room records, and a gap wherever some were left out. It never
// blocks who fills it. One goroutine at a time may take.
type queue struct {
	room  int
	ready chan struct{} // holds one token when there may be something to take

	mu      sync.Mutex // protects all below
	events  []Event    // no two gaps in a row, so at most twice room
	records int        // of the events
}

func newQueue(room int) *queue { return &queue{room: room, ready: make(chan struct{}, 1)} }

// put adds a record, or one more to the gap at the end.
func (q *queue) put(r *records.Record) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.records < q.room {
		q.records++
		q.events = append(q.events, Event{Record: r})
	} else {
		q.miss()
	}
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

func (q *queue) miss() {
	if last := len(q.events) - 1; last >= 0 && q.events[last].Missed > 0 {
		q.events[last].Missed++
		return
	}
	q.events = append(q.events, Event{Missed: 1})
}

// take returns the oldest event, if there is one.
func (q *queue) take() (Event, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.events) == 0 {
		return Event{}, false
	}
	e := q.events[0]
	q.events[0] = Event{}
	q.events = q.events[1:]
	if e.Record != nil {
		q.records--
	}
	return e, true
}
