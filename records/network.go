package records

import (
	"encoding/hex"
	"fmt"
)

// MainName is the name of the public network.
const MainName = "main"

// Params are the numbers that all nodes of a network must share. Nodes with
// other numbers are in another network: the numbers are part of its id.
type Params struct {
	WorkBits      int // leading zero bits that the smallest record must prove; 20 is about a tenth of a core-second
	PuzzleBits    int // leading zero bits of a node's hashed public key; 20 is about 20 core-seconds, once
	Neighbourhood int // K, the least number of nodes that hold a place; all but one of them may fail between two heals
	Capacity      int // records in a bucket before its slot splits
}

// Limits of Params, so that a typing error cannot make a network nobody can
// afford to use or whose answers do not fit a frame.
const (
	maxWorkBits      = 40
	maxPuzzleBits    = 40
	maxNeighbourhood = 256
	maxCapacity      = 256
)

// Network is a network: a name and its parameters. Networks share wires and
// never mix, because the id is part of every signature, protocol and topic. Only
// the functions below make one: its fields are for reading, since the id is made
// of them once.
type Network struct {
	Name   string
	Params Params
	id     string
}

// NewNetwork checks name (1 to 32 of a-z, 0-9 and -) and params.
func NewNetwork(name string, params Params) (Network, error) {
	if !validNetworkName(name) {
		return Network{}, fmt.Errorf("%w: %q", ErrNotNetwork, name)
	}
	for _, c := range []struct {
		what          string
		v, low, limit int
	}{
		{"work", params.WorkBits, 0, maxWorkBits},
		{"node puzzle", params.PuzzleBits, 0, maxPuzzleBits},
		{"neighbourhood", params.Neighbourhood, 1, maxNeighbourhood},
		{"capacity", params.Capacity, 1, maxCapacity},
	} {
		if c.v < c.low || c.v > c.limit {
			return Network{}, fmt.Errorf("network %s: %s of %d: want %d to %d", name, c.what, c.v, c.low, c.limit)
		}
	}
	return Network{Name: name, Params: params, id: networkID(name, params)}, nil
}

// MainNetwork is the public network with production numbers.
func MainNetwork() Network {
	return mustNetwork(MainName, Params{WorkBits: 20, PuzzleBits: 20, Neighbourhood: 16, Capacity: 64})
}

// TestNetwork is a network of the given name without work or node puzzle and
// with neighbourhoods of at least 4.
func TestNetwork(name string) (Network, error) {
	return NewNetwork(name, Params{Neighbourhood: 4, Capacity: 64})
}

// NamedNetwork is the main network for its name, else a test network.
func NamedNetwork(name string) (Network, error) {
	if name == MainName {
		return MainNetwork(), nil
	}
	return TestNetwork(name)
}

// ID is the name and the first 8 hexadecimal digits of the hash of the
// parameters, as it stands in protocol ids, topics and signatures.
func (n Network) ID() string { return n.id }

func (n Network) String() string { return n.id }

func networkID(name string, p Params) string {
	var m material
	for _, v := range []int{p.WorkBits, p.PuzzleBits, p.Neighbourhood, p.Capacity} {
		m.number(uint64(v))
	}
	m.count(len(ladder))
	for _, l := range ladder {
		m.number(uint64(l.length))
	}
	h := purposeNetwork.sum(m)
	return name + "." + hex.EncodeToString(h[:4])
}

func mustNetwork(name string, p Params) Network {
	n, err := NewNetwork(name, p)
	if err != nil {
		panic(err) // only reached with constants of this package
	}
	return n
}

func validNetworkName(s string) bool {
	if len(s) < 1 || len(s) > 32 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
