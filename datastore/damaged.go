package datastore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/starling-social/starling/records"
)

// Damage is a record that did not match its digest, and the places where it
// stood. Merging it to one of them again, from whoever has it, mends that.
type Damage struct {
	Key    records.ItemKey
	Places []records.Place
	Bytes  []byte // what was found; empty if the disk would not give it
}

// putAside moves a damaged record out of the way: its places lose it, as if it
// had never come, and what was found is kept under a key of its own.
func (g *group) putAside(key records.ItemKey, it *item, found []byte) error {
	var shelves []*shelf
	for _, at := range it.at {
		s, err := g.loadedShelf(at)
		if errors.Is(err, errNoKey) {
			continue // the list of places is damaged too
		}
		if err != nil {
			return err
		}
		shelves = append(shelves, s)
	}
	d := Damage{Key: key, Bytes: found}
	for _, s := range shelves {
		i := slices.IndexFunc(s.entries, func(e entry) bool { return e.pos.Key == key })
		if i >= 0 {
			d.Places = append(d.Places, s.place)
			g.drop(s, s.entries[i].pos)
		}
	}
	it.record, it.at, it.dirty = nil, nil, true
	g.damaged[key] = d.value()
	g.harmed = append(g.harmed, d.Places...)
	g.store.log.Warn("record is damaged and put aside", "item_key", key, "places", len(d.Places))
	return nil
}

// quarantine puts aside what a read of a place came upon.
func (s *Store) quarantine(ctx context.Context, at records.Coordinate, found []bad) error {
	return s.do(ctx, func(g *group) error {
		for _, f := range found {
			if err := g.quarantine(at, f.pos); err != nil {
				return err
			}
		}
		return nil
	})
}

func (g *group) quarantine(at records.Coordinate, pos records.Position) error {
	s, err := g.loadedShelf(at)
	if err != nil {
		return err
	}
	it, err := g.item(pos.Key)
	if err != nil {
		return err
	}
	if _, found := s.entryAt(pos); !found || it.stands(at) {
		return nil // seen to already, or merged again
	}
	if it.held() != nil { // but it does not know that it stands here
		if err := g.putAside(pos.Key, it, it.record.Bytes()); err != nil {
			return err
		}
	}
	g.drop(s, pos)
	g.harmed = append(g.harmed, s.place)
	return nil
}

// Damaged lists what has been put aside and not been merged again since.
func (s *Store) Damaged() iter.Seq2[Damage, error] {
	return func(yield func(Damage, error) bool) {
		for p, err := range s.pages(under([]byte{sectionDamaged})) {
			var d Damage
			if err == nil {
				d, err = parseDamage(p.key, p.value)
			}
			if err != nil {
				yield(Damage{}, fmt.Errorf("list damaged records: %w", err))
				return
			}
			if !yield(d, nil) {
				return
			}
		}
	}
}

func (d Damage) value() []byte {
	v := binary.BigEndian.AppendUint16(nil, uint16(len(d.Places)))
	for _, p := range d.Places {
		b := p.Bytes()
		v = binary.BigEndian.AppendUint16(v, uint16(len(b)))
		v = append(v, b...)
	}
	return append(v, d.Bytes...)
}

func parseDamage(k, v []byte) (Damage, error) {
	if len(k) != recordKeySize || len(v) < 2 {
		return Damage{}, fmt.Errorf("%w: key of %d bytes, value of %d", errValue, len(k), len(v))
	}
	d := Damage{Key: records.ItemKey(k[1:])}
	n := binary.BigEndian.Uint16(v)
	v = v[2:]
	for range n {
		if len(v) < 2 || len(v) < 2+int(binary.BigEndian.Uint16(v)) {
			return Damage{}, fmt.Errorf("%w: place of a damaged record", errValue)
		}
		end := 2 + int(binary.BigEndian.Uint16(v))
		p, err := records.ParsePlace(v[2:end])
		if err != nil {
			return Damage{}, fmt.Errorf("%w: %w", errValue, err)
		}
		d.Places, v = append(d.Places, p), v[end:]
	}
	d.Bytes = append([]byte{}, v...)
	return d, nil
}
