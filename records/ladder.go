package records

import "time"

// The time ladder. Level 0 is all time; every length below is a whole multiple
// of the next, so a slot lies in exactly one slot of the level above. Slots are
// aligned to Unix time 0. From level minuteLevel+1 on, a slot is split by the
// nibbles of the item key, as a radix ladder is from its root.
var ladder = [...]struct {
	name   string
	length Millis
}{
	{"all", 0},
	{"year", days(336)},
	{"month", days(28)},
	{"week", days(7)},
	{"day", days(1)},
	{"6h", Millis(6 * time.Hour / time.Millisecond)},
	{"hour", Millis(time.Hour / time.Millisecond)},
	{"15m", Millis(15 * time.Minute / time.Millisecond)},
	{"5m", Millis(5 * time.Minute / time.Millisecond)},
	{"minute", Millis(time.Minute / time.Millisecond)},
}

// Levels of the time ladder that rules and readers speak of.
const (
	LevelRoot   = 0
	LevelYear   = 1
	LevelMonth  = 2
	minuteLevel = len(ladder) - 1
	nibbles     = 2 * len(ItemKey{}) // of a whole key: below that nothing can be split
)

func days(n int) Millis { return Millis(n) * Millis(24*time.Hour/time.Millisecond) }

// span is the length of a slot at a level of the time ladder; all of time at the
// root, a minute below the minutes.
func span(level int) Millis {
	switch {
	case level == LevelRoot:
		return MaxMillis
	case level > minuteLevel:
		return ladder[minuteLevel].length
	default:
		return ladder[level].length
	}
}

// Capacity is how many records a bucket holds before the rest goes to its
// children. The root and the years of a user, a tag or a mention hold none: they
// are permanent indexes of which years and months have anything, while the
// records move to another part of the ring every month.
func (n Network) Capacity(p Place) int {
	switch {
	case p.kind.indexed() && p.level <= LevelYear:
		return 0
	case p.kind == PlaceRegister:
		return 1
	default:
		return n.Params.Capacity
	}
}

// prefixOf keeps the first n nibbles of k.
func prefixOf(k ItemKey, n int) (p ItemKey) {
	copy(p[:(n+1)/2], k[:(n+1)/2])
	if n%2 == 1 {
		p[n/2] &= 0xf0
	}
	return p
}

// withNibble is k with the n-th nibble, which is zero, set.
func withNibble(k ItemKey, n int, nibble byte) ItemKey {
	if n%2 == 0 {
		nibble <<= 4
	}
	k[n/2] |= nibble
	return k
}
