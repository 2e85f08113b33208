package nodetest

// Slow has all that a node sends take its time from now on: so many bytes a second to
// each other node, over all connections to it. One that dribbles a byte a second is
// there, and of no use.
func (l *Links) Slow(node, bytesPerSecond int) {
	before := *l.shape.Load()
	l.Shape(func(from, to int) Link {
		k := before(from, to)
		if from == node {
			k.Bandwidth = bytesPerSecond
		}
		return k
	})
}
