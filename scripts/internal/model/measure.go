package model

import "math"

// Readable is how many of the keys some member of their neighbourhood shows now.
func (w *World) Readable() (n int) {
	for key, at := range w.words {
		for _, m := range w.ring.members(at, w.Neighbourhood) {
			if m.shows(key, at) {
				n++
				break
			}
		}
	}
	return n
}

// shows tells whether a node that is asked for a key shows it. What it came to hold
// it shows when it has compared it; what it never had to hold, if it has it.
func (n *node) shows(key int, at uint64) bool {
	bits := shared(n.word, at)
	return n.up && !n.deaf && n.held.has(key) && (bits < n.bits || n.ledger.Answers(bits) || len(n.neighbours) == 0)
}

// Holders is how many nodes that are up hold each key.
func (w *World) Holders() []int {
	out := make([]int, len(w.keys))
	for _, n := range w.ring {
		for key := range out {
			if n.held.has(key) {
				out[key]++
			}
		}
	}
	return out
}

// Lost is how many keys nobody who is up holds.
func (w *World) Lost() (n int) {
	for _, holders := range w.Holders() {
		if holders == 0 {
			n++
		}
	}
	return n
}

// Lacking is how many copies are missing: of keys that somebody still holds, at nodes
// that are to hold them.
func (w *World) Lacking() (n int) {
	holders := w.Holders()
	for key, at := range w.words {
		if holders[key] == 0 {
			continue
		}
		for _, m := range w.ring {
			if m.joined && !m.deaf && shared(m.word, at) >= m.bits && !m.held.has(key) {
				n++
			}
		}
	}
	return n
}

// Neighbourhoods are how many nodes there are in the neighbourhood of each key.
func (w *World) Neighbourhoods() []int {
	out := make([]int, len(w.keys))
	for key, at := range w.words {
		out[key] = len(w.ring.members(at, w.Neighbourhood))
	}
	return out
}

// Expected is how many keys are lost on average when each node dies with the same
// chance and nobody heals: chance to the power of a key's holders, of all keys.
func (w *World) Expected(chance float64) (lost float64) {
	for _, holders := range w.Holders() {
		lost += math.Pow(chance, float64(holders))
	}
	return lost
}

// Copies is how many copies of keys there are, on nodes that are up or may return.
func (w *World) Copies() (n int) {
	for _, x := range w.nodes {
		n += x.held.count()
	}
	return n
}
