package dht

import "github.com/libp2p/go-libp2p/core/peer"

// Moved says that p turned out to hold another region than was believed. What it
// told of its prefix is forgotten, so that the next search for members asks again.
func (d *DHT) Moved(p peer.ID) {
	d.surveys.mu.Lock()
	defer d.surveys.mu.Unlock()
	for _, s := range d.surveys.kept.Values() {
		s.told.drop(p)
	}
}

func (t *told) drop(p peer.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.bits, p)
}
