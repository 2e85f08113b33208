package datastore

import "github.com/starling-social/starling/records"

// Harm is what the disk damaged and the store no longer has, so that it is fetched
// from others again.
type Harm struct {
	Everything bool            // records may be missing anywhere: the database was made anew
	Places     []records.Place // else, where some are
}

// maxHarmed is how many places are told apart.
const maxHarmed = 1024

func (h Harm) plus(other Harm) Harm {
	h.Everything = h.Everything || other.Everything
	h.Places = append(h.Places, other.Places...)
	if h.Everything || len(h.Places) > maxHarmed {
		return Harm{Everything: true}
	}
	return h
}

// Harmed gives what was harmed since it was last asked, as one. What nobody asks for
// is not kept over a restart.
func (s *Store) Harmed() <-chan Harm { return s.harmed }

// harm adds to what is to be told. Only the committer calls it, or who opens the store.
func (s *Store) harm(h Harm) {
	select {
	case before := <-s.harmed:
		h = before.plus(h)
	default:
	}
	s.harmed <- h
}
