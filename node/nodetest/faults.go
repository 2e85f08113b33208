package nodetest

import "time"

// Partition splits the network: nodes of different groups cannot talk. Nodes that no group names form one more group.
// It replaces the partition before.
func (l *Links) Partition(groups ...[]int) {
	l.change(func() {
		l.parts = make(map[int]int)
		for i, group := range groups {
			for _, node := range group {
				l.parts[node] = i + 1
			}
		}
	})
}

// Heal ends the partition and every cut. Killed nodes stay dead and paused ones frozen.
func (l *Links) Heal() {
	l.change(func() {
		l.parts = nil
		clear(l.cuts)
	})
}

// Cut stops what from sends to to. The other direction carries on.
func (l *Links) Cut(from, to int) {
	l.change(func() { l.cuts[direction{from, to}] = struct{}{} })
}

// Mend ends a cut.
func (l *Links) Mend(from, to int) {
	l.change(func() { delete(l.cuts, direction{from, to}) })
}

// Kill takes a node away without a goodbye, as when its machine loses power. Its connections never carry again, also if it is
// revived, and its host, which the caller should close now, is cut off from everybody.
func (l *Links) Kill(node int) {
	l.change(func() {
		l.nodeLocked(node).killed = true
		for p := range l.pairs {
			if p.joins(node) {
				p.severed = true
			}
		}
	})
}

// Revive lets a killed node be reached again: a new host may be started on it.
func (l *Links) Revive(node int) {
	l.change(func() { l.nodeLocked(node).killed = false })
}

// Pause freezes a node as seen by others, until Resume.
func (l *Links) Pause(node int) {
	l.change(func() { l.nodeLocked(node).paused = true })
}

// Resume ends a pause.
func (l *Links) Resume(node int) {
	l.change(func() { l.nodeLocked(node).paused = false })
}

// flow says whether a wire carries.
type flow uint8

const (
	flowing flow = iota
	frozen       // an end is paused: what waits goes on when it resumes
	cut          // what waits goes on at the first attempt after the mending
	severed      // for ever
)

// change makes a change to the faults and tells all connections.
func (l *Links) change(apply func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	apply()
	for p := range l.pairs {
		l.settleLocked(p)
	}
}

// settleLocked lets both wires of a pair carry or not, and its clock run while either does not.
func (l *Links) settleLocked(p *pair) {
	healthy := true
	for _, w := range p.wires {
		f := l.flowLocked(w.line.direction)
		if p.severed {
			f = severed
		}
		w.set(f)
		healthy = healthy && f == flowing
	}
	switch {
	case healthy && p.fatal != nil:
		p.fatal.Stop()
		p.fatal = nil
	case !healthy && p.fatal == nil:
		p.expires = l.now() + l.cfg.Timeout
		p.fatal = time.AfterFunc(l.cfg.Timeout, p.expire)
	}
}

func (l *Links) flowLocked(d direction) flow {
	from, to := l.nodeLocked(d.from), l.nodeLocked(d.to)
	_, isCut := l.cuts[d]
	switch {
	case from.killed, to.killed, isCut, l.parts[d.from] != l.parts[d.to]:
		return cut
	case from.paused, to.paused:
		return frozen
	default:
		return flowing
	}
}

// connected tells whether two nodes can exchange packets now.
func (l *Links) connected(a, b int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flowLocked(direction{a, b}) == flowing && l.flowLocked(direction{b, a}) == flowing
}
