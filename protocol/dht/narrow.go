package dht

import "github.com/starling-social/starling/records"

// A node that has no room for all that its neighbourhood holds takes a longer prefix
// than the rule says, and so holds half, or a quarter. Nothing else changes for it: it
// knows the same nodes, who hold all that it does and more, and the rule goes by them
// as before, so that nobody's prefix depends on how much room somebody else has. Others
// learn of it as they learn any prefix, with its next answer.

// Narrow takes a prefix that is longer than the rule says by so many bits, from now on.
func (d *DHT) Narrow(bits int) {
	d.mu.Lock()
	changed := d.narrowed != bits
	d.narrowed = max(0, bits)
	d.mu.Unlock()
	if changed {
		d.notice()
	}
}

// Narrowed is by how many bits our prefix is longer than the rule says.
func (d *DHT) Narrowed() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.narrowed
}

// ruled is our prefix as the rule says.
func (d *DHT) ruled() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.prefix
}

// Surrounds tells whether c would be ours to hold if there were room for everything:
// we serve, and it shares the prefix that the rule says.
func (d *DHT) Surrounds(c records.Coordinate) bool {
	return d.server && d.self.at.SharedBits(c) >= d.ruled()
}

// notice has whoever waits for it learn that our neighbourhood is another.
func (d *DHT) notice() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}
