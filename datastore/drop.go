package datastore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/starling-social/starling/records"
)

// maxDrops is how many entries one batch drops, so that none makes others wait
// long: each costs about what a put does.
const maxDrops = maxPuts

// Drop takes everything of these places out of the store: their entries, what is
// on its way down from there, what was put aside as damaged there, and each
// record that then stands nowhere. A place of which nothing is here is none the
// less dropped. It returns when all of that is on disk.
//
// It asks nothing about the places: that nobody relies on this copy, because it
// was only cached or followed, is for the caller to know. What the node is
// responsible for is not his to drop, and what is on its way down from there
// might then be nowhere.
//
// Large drops go in several batches, from the largest position of a place to the
// smallest, so that what is left of one after an error, a crash or the end of ctx
// is a place like any other, with what it held longest.
func (s *Store) Drop(ctx context.Context, places []records.Place) error {
	left := make([]records.Coordinate, len(places))
	for i, p := range places {
		left[i] = p.Coordinate()
	}
	for len(left) > 0 {
		var done int // the committer's until it answers
		req, err := s.submit(ctx, maxDrops, func(g *group) (err error) {
			done, err = g.dropPlaces(left)
			return err
		})
		if err == nil {
			err = s.await(ctx, req)
		}
		if err != nil {
			return fmt.Errorf("drop %d places: %w", len(places), err)
		}
		left = left[done:]
	}
	return nil
}

// A cut is what one batch takes out of one place.
type cut struct {
	shelf *shelf
	tail  []entry // its largest
	whole bool    // nothing is left
}

// dropPlaces drops what it may of these places in one batch, and tells how many
// of them are done.
func (g *group) dropPlaces(all []records.Coordinate) (done int, err error) {
	cuts, done, err := g.planCuts(all)
	if err != nil {
		return 0, err
	}
	aside, err := g.allDamage()
	if err != nil {
		return 0, err
	}
	for _, c := range cuts {
		g.cut(c)
	}
	g.forgetDamage(aside, all[:done])
	return done, nil
}

// planCuts reads all that is needed to drop the first of these places, as many as
// go into one batch, and the end of the one after.
func (g *group) planCuts(all []records.Coordinate) (cuts []cut, whole int, err error) {
	for room := maxDrops; room > 0 && whole < len(all); whole++ {
		c, err := g.planCut(all[whole], room)
		if err != nil {
			return nil, 0, err
		}
		if c.shelf != nil {
			cuts = append(cuts, c)
		}
		if !c.whole {
			break
		}
		room -= max(1, len(c.tail)) // looking for what is not here costs too
	}
	return cuts, whole, nil
}

func (g *group) planCut(at records.Coordinate, most int) (cut, error) {
	s, err := g.loadedShelf(at)
	if errors.Is(err, errNoKey) {
		return cut{whole: true}, nil
	}
	if err != nil {
		return cut{}, err
	}
	from := max(0, len(s.entries)-most)
	c := cut{s, slices.Clone(s.entries[from:]), from == 0}
	for _, e := range c.tail {
		it, err := g.item(e.pos.Key) // a damaged one is put aside, and no longer in the place
		if err == nil && it.held() != nil && !it.stands(at) {
			err = g.putAside(e.pos.Key, it, it.record.Bytes()) // its list of places is damaged
		}
		if err != nil {
			return cut{}, err
		}
	}
	return c, nil
}

// cut takes the largest entries out of a place, the largest first. The others need
// no mending: a witness goes after all that it could leave its role to, and the
// bucket after all that could move up.
func (g *group) cut(c cut) {
	s := c.shelf
	for _, e := range slices.Backward(c.tail) {
		e, found := s.entryAt(e.pos)
		if !found {
			continue
		}
		if e.counts() {
			g.discount(s, e)
		}
		s.remove(e.pos)
		s.bucket = min(s.bucket, len(s.entries))
		g.items[e.pos.Key].leave(s.at)
	}
}

// allDamage is what is put aside, this batch included. Usually there is nothing.
func (g *group) allDamage() ([]Damage, error) {
	var all []Damage
	keep := func(key records.ItemKey, value []byte) {
		d, err := parseDamage(damagedKey(key), value)
		if err == nil { // else it was mended in this batch, or is itself damaged and names no place
			all = append(all, d)
		}
	}
	for key := range g.store.aside {
		if _, changed := g.damaged[key]; changed {
			continue
		}
		value, err := g.view.get(damagedKey(key))
		if err != nil && !errors.Is(err, errNoKey) && !errors.Is(err, ErrCorrupt) {
			return nil, fmt.Errorf("read what was put aside: %w", err)
		}
		keep(key, value)
	}
	for key, value := range g.damaged {
		keep(key, value)
	}
	return all, nil
}

// forgetDamage takes places off the lists of what was put aside, so that nobody
// mends what is no longer wanted.
func (g *group) forgetDamage(aside []Damage, gone []records.Coordinate) {
	for _, d := range aside {
		before := len(d.Places)
		d.Places = slices.DeleteFunc(d.Places, func(p records.Place) bool { return slices.Contains(gone, p.Coordinate()) })
		switch {
		case len(d.Places) == before:
		case len(d.Places) == 0:
			g.damaged[d.Key] = nil
		default:
			g.damaged[d.Key] = d.value()
		}
	}
}
