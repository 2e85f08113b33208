package model

import (
	"container/heap"
	"encoding/binary"
	"hash/fnv"
	"time"
)

// A clock is virtual time and what is to happen in it. What is due at one instant
// happens in the order in which it was asked for.
type clock struct {
	now   time.Duration
	asked uint64
	queue queue
	trace uint64 // of all that was noted so far
}

type event struct {
	at    time.Duration
	order uint64
	do    func()
}

// after has something done when d has passed.
func (c *clock) after(d time.Duration, do func()) {
	c.asked++
	heap.Push(&c.queue, event{c.now + max(d, 0), c.asked, do})
}

// run lets time pass until an instant, and all that is due by then happen.
func (c *clock) run(until time.Duration) {
	for len(c.queue) > 0 && c.queue[0].at <= until {
		e := heap.Pop(&c.queue).(event)
		c.now = e.at
		e.do()
	}
	c.now = until
}

// date is the present for rules that ask for one.
func (c *clock) date() time.Time { return time.Unix(0, 0).Add(c.now) }

// note adds something that happened to the trace.
func (c *clock) note(what byte, who int, value int) {
	var b [33]byte
	binary.BigEndian.PutUint64(b[:], c.trace)
	binary.BigEndian.PutUint64(b[8:], uint64(c.now))
	binary.BigEndian.PutUint64(b[16:], uint64(who))
	binary.BigEndian.PutUint64(b[24:], uint64(value))
	b[32] = what
	h := fnv.New64a()
	_, _ = h.Write(b[:]) // never fails
	c.trace = h.Sum64()
}

// queue is the events to come, a heap.
type queue []event

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(e any)   { *q = append(*q, e.(event)) }
func (q *queue) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = event{}
	*q = old[:len(old)-1]
	return e
}
