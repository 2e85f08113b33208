package datastore

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A migration brings a store from one format to the next, one batch at a time. It
// begins with no cursor and is done when it returns none; what it returns is written
// with the batch, so that after a crash it goes on from there.
type migration func(v snapshot, cursor []byte, b *batch) (next []byte, err error)

// migrations stand under the format that they begin with.
var migrations = map[uint64]migration{1: countClasses}

// keyMigration is where the migration that is under way has come to.
var keyMigration = []byte("mmigration")

// migrate brings a store of an older format up to this version's.
func migrate(m kv, from, to uint64, steps map[uint64]migration) error {
	for from < to {
		done, err := migrateOnce(m, from, steps[from])
		if err != nil {
			return fmt.Errorf("migrate from format %d to %d: %w", from, from+1, err)
		}
		if done {
			from++
		}
	}
	return nil
}

func migrateOnce(m kv, from uint64, step migration) (done bool, err error) {
	v, err := m.snapshot()
	if err != nil {
		return false, err
	}
	cursor, err := v.get(keyMigration)
	var b batch
	var next []byte
	if err == nil || errors.Is(err, errNoKey) {
		next, err = step(v, cursor, &b)
	}
	v.close()
	if err != nil {
		return false, err
	}
	if next == nil {
		b.set(keyFormat, binary.AppendUvarint(nil, from+1))
		b.remove(keyMigration)
	} else {
		b.set(keyMigration, next)
	}
	durable, err := m.apply(&b)
	if err == nil {
		err = durable()
	}
	return next == nil, err
}

// countClasses is the way from format 1 to 2, in which statistics tell the classes
// apart. What was there before is held: the numbers that have a class since are such
// that it reads so.
func countClasses(v snapshot, _ []byte, b *batch) (next []byte, err error) {
	value, err := v.get(keyStats)
	if err != nil {
		return nil, fmt.Errorf("read statistics: %w", err)
	}
	const oldSize = 8 * 6
	if len(value) != oldSize {
		return nil, fmt.Errorf("read statistics: %w: %d bytes", errValue, len(value))
	}
	s, err := parseStats(append(value, make([]byte, statsSize-oldSize)...))
	if err != nil {
		return nil, err
	}
	s.Class[Held] = Use{Records: s.Records, Bytes: s.Bytes}
	for _, section := range []byte{sectionSum, sectionDamaged, sectionNode} {
		err := v.scan(under([]byte{section}), func(key, value []byte) bool {
			s.Class[Held].Bytes -= int64(len(key) + len(value))
			return true
		})
		if err != nil {
			return nil, fmt.Errorf("add up what has no class: %w", err)
		}
	}
	b.set(keyStats, s.value())
	return nil, nil
}
