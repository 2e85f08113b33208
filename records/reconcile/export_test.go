package reconcile

// MaxOpen is how many ranges a session keeps.
const MaxOpen = maxOpen

// Open is how many it does keep.
func (s *Session) Open() int { return len(s.open) }
