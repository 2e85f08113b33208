package model

// memberBytes is what asking one member for a fingerprint takes, both ways.
const memberBytes = 100

// shed drops what others hold now, as node/shed.go does: what lies outside of a
// node's region and a bit, once a majority of the members there, and a neighbourhood's
// worth of them, hold it. The others are given it.
func (w *World) shed(n *node) {
	n.shedTo = min(n.shedTo, n.bits)
	if n.shedTo == n.bits || n.bits < 2 || n.deaf {
		return
	}
	complete := true
	for key, at := range w.words {
		if n.held.has(key) && shared(n.word, at) < n.bits-1 {
			complete = w.handOver(n, key) && complete
		}
	}
	if complete {
		n.shedTo = n.bits
	}
}

func (w *World) handOver(n *node, key int) bool {
	members := w.ring.members(w.words[key], w.Neighbourhood)
	hold := 0
	for _, m := range members {
		if m.up && !m.deaf && m.held.has(key) {
			hold++
		}
	}
	w.sum.Talked += int64(len(members) * memberBytes)
	if hold >= max(len(members)/2+1, min(len(members), w.Neighbourhood)) {
		n.held.drop(key)
		w.sum.Dropped++
		w.note('d', n.number, key)
		return true
	}
	for _, m := range members {
		if m.up && !m.deaf {
			w.receive(m, n, key)
		}
	}
	return false
}
