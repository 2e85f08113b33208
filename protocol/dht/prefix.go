package dht

import "math"

// sizeSlack is by how much the estimated size must fall short before a prefix
// is shortened for it: estimates tremble by some 15 per cent.
const sizeSlack = 1.25

const (
	// toldMore and toldLess are by which factors the estimates of honest nodes may
	// differ from ours before their prefix is not believed. Too short a prefix costs
	// questions to nodes that hold less, too long a one is what liars want.
	toldMore = 1.15
	toldLess = 1.5
	// toldShort is how many bits shorter than the size allows an honest prefix may
	// be, because one of the halves is thin.
	toldShort = 2
)

// A view is what a node knows about who shares how much of its coordinate.
type view struct {
	size   float64 // estimated number of nodes in the network
	shared Census  // others that share exactly so many bits with us
	self   int     // 1 when we are a member ourselves, else 0
}

// prefixLength is the rule that every member applies to itself. From p = 0 the
// prefix grows by a bit while the network is large enough that the longer one
// may be expected to have k members and both halves of the present region have
// at least k members that are known. The estimate caps the prefix, the count
// keeps every neighbourhood at k or more.
func prefixLength(k int, v view) int {
	region := v.self
	for _, n := range v.shared {
		region += n
	}
	p := 0
	for ; p < maxPrefix; p++ {
		far := v.shared[p]
		near := region - far
		if v.size/math.Exp2(float64(p+1)) < float64(k) || far < k || near < k {
			break
		}
		region = near
	}
	return p
}

// nextPrefix is prefixLength with hysteresis: a missing member shortens the
// prefix at once, a smaller estimate only when it is smaller by sizeSlack.
func nextPrefix(current, k int, v view) int {
	next := prefixLength(k, v)
	if next >= current {
		return next
	}
	v.size *= sizeSlack
	return min(current, prefixLength(k, v))
}

// sizePrefix is the longest prefix that a network of that size allows: that k nodes
// may be expected to share.
func sizePrefix(k int, size float64) int {
	p := 0
	for p < maxPrefix && size/math.Exp2(float64(p+1)) >= float64(k) {
		p++
	}
	return p
}

// median is the middle one of three.
func median(a, b, c int) int {
	return max(min(a, b), min(max(a, b), c))
}
