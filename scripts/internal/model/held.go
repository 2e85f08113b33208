package model

import "math/bits"

// A held is a set of keys, which are numbered by where they lie on the ring.
type held []uint64

func newHeld(keys int) held { return make(held, (keys+63)/64) }

func (h held) has(key int) bool { return h[key/64]>>(key%64)&1 == 1 }
func (h held) add(key int)      { h[key/64] |= 1 << (key % 64) }
func (h held) drop(key int)     { h[key/64] &^= 1 << (key % 64) }

func (h held) count() (n int) {
	for _, w := range h {
		n += bits.OnesCount64(w)
	}
	return n
}

// lacking are the keys from low to high that o has and h has not, in order.
func (h held) lacking(o held, low, high int) (keys []int) {
	for i := low / 64; i < len(h) && i*64 < high; i++ {
		for w := o[i] &^ h[i]; w != 0; w &= w - 1 {
			if key := i*64 + bits.TrailingZeros64(w); key >= low && key < high {
				keys = append(keys, key)
			}
		}
	}
	return keys
}
