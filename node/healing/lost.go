package healing

// Lost notes that anything may be missing of what is held: comparisons so far, and
// those under way, count no more, and nothing is answered for until others have.
func (l *Ledger) Lost() {
	l.Grown(-1) // from less than there can be
	l.bits = noRegion
}
