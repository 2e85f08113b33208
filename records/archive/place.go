package archive

import (
	"fmt"

	"github.com/starling-social/starling/records"
)

// StandingAt is p as the entry of r has it; false if r does not belong there.
func StandingAt(r *records.Record, p records.Place, c Class) (Standing, bool) {
	for i, root := range r.Roots() {
		if root == p.Root() && root.At(p.Level(), r) == p {
			return Standing{Root: uint8(i), Level: uint8(p.Level()), Class: c}, true
		}
	}
	return Standing{}, false
}

// Place is the place of a standing of r, to which r belongs.
func (s Standing) Place(r *records.Record) (records.Place, error) {
	roots := r.Roots()
	if int(s.Root) >= len(roots) {
		return records.Place{}, fmt.Errorf("root %d of %d: %w", s.Root, len(roots), records.ErrMisplaced)
	}
	p := roots[s.Root].At(int(s.Level), r)
	if p.Level() != int(s.Level) {
		return records.Place{}, fmt.Errorf("level %d of %s: %w", s.Level, roots[s.Root], records.ErrMisplaced)
	}
	return p, nil
}
