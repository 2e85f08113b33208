package model

// memberBytes is what asking one member for a fingerprint takes, both ways.
const memberBytes = 100

// shed gives the members of what a region has left what we took in for them, as
// node/bequeath.go does, and drops what others hold once its lease is over, as
// node/shed.go does. Here all members are asked and given either time.
func (w *World) shed(n *node) {
	if n.deaf {
		return
	}
	was, told := n.told, true
	for bits := range n.bits {
		over := n.leases.Over(bits, w.date(), false)
		if !over && bits < was {
			continue
		}
		clean := w.concede(n, bits, over)
		if over && clean {
			n.leases.Swept(bits, w.date())
		}
		told = told && (clean || bits < was)
	}
	if told {
		n.told = n.bits
	}
}

// concede goes through what shares just so many bits with a node, and tells whether a
// majority of the members there, and a neighbourhood's worth of them, hold all of it. The
// others are given it; what they hold is dropped, if that is due.
func (w *World) concede(n *node, bits int, drop bool) bool {
	clean := true
	for key, at := range w.words {
		if n.held.has(key) && shared(n.word, at) == bits {
			clean = w.handOver(n, key, drop) && clean
		}
	}
	return clean
}

func (w *World) handOver(n *node, key int, drop bool) bool {
	members := w.ring.members(w.words[key], w.Neighbourhood)
	hold := 0
	for _, m := range members {
		if m.up && !m.deaf && m.held.has(key) {
			hold++
		}
	}
	w.sum.Talked += int64(len(members) * memberBytes)
	if hold >= max(len(members)/2+1, min(len(members), w.Neighbourhood)) {
		if drop {
			n.held.drop(key)
			w.sum.Dropped++
			w.note('d', n.number, key)
		}
		return true
	}
	for _, m := range members {
		if m.up && !m.deaf {
			w.receive(m, n, key)
		}
	}
	return false
}
