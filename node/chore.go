package node

// A chore is what a node does once each time that its region has become smaller: some
// of what it took in while that was larger is others' business then. The zero chore is
// due for every region but the whole ring.
type chore struct{ bits int } // of the region that it was last done for, or of a larger one since

// grown notes how many bits the region has. Fewer than when the chore was done make
// it due as soon as there are more again.
func (c *chore) grown(bits int) { c.bits = min(c.bits, bits) }

// due tells whether it has to be done for a region of so many bits.
func (c *chore) due(bits int) bool {
	c.grown(bits)
	return c.bits != bits
}

// done notes that it has been.
func (c *chore) done(bits int) { c.bits = bits }
