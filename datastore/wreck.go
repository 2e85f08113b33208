package datastore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/sstable"
)

// A wreck is the files of a database that is damaged, read without what would say
// how they belong together: every table and every log, as far as checksums vouch for
// it. Which of several values of a key is the newest their sequence numbers say.
type wreck struct {
	home  *home
	table sstable.ReaderOptions
	lost  int // files of which something could not be read
}

// A version says which of several values of a key is the newest.
type version struct {
	sequence uint64 // what a compaction has moved to the last level has 0
	file     uint64 // then the newer table has the newer value
}

func (v version) newer(w version) bool {
	if v.sequence != w.sequence {
		return v.sequence > w.sequence
	}
	return v.file > w.file
}

// A found is a write that was found in a wreck.
type found struct {
	key, value []byte // valid during the visit
	version
	removed bool
}

func openWreck(h *home) *wreck {
	o := options(newGuard(h.fs, h.log, func() {}))
	o.EnsureDefaults()
	return &wreck{home: h, table: o.MakeReaderOptions()}
}

// each visits all that can be read. It is called twice, so it must find the same.
func (w *wreck) each(visit func(found) error) error {
	names, err := w.home.fs.List(w.home.dir)
	if err != nil {
		return err
	}
	slices.Sort(names)
	w.lost = 0
	for _, name := range names {
		number, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSuffix(name, ".sst"), ".log"), 10, 64)
		if err != nil {
			continue
		}
		var stop visitError
		switch err := w.file(name, number, visit); {
		case errors.As(err, &stop):
			return stop.error
		case err != nil:
			w.lost++
			w.home.log.Warn("part of a file of the damaged store cannot be read", "file", name, "err", err)
		}
	}
	return nil
}

// visitError is what a visit ended with.
type visitError struct{ error }

// file visits what can be read of one file. What its reader panics over is damage.
func (w *wreck) file(name string, number uint64, visit func(found) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrCorrupt, r)
		}
	}()
	once := func(f found) error {
		f.file = number
		if err := visit(f); err != nil {
			return visitError{err}
		}
		return nil
	}
	if strings.HasSuffix(name, ".log") {
		return w.log(name, number, once)
	}
	return w.sst(name, once)
}

// sst visits a table from its beginning and, when it comes upon damage, from its end
// up to there.
func (w *wreck) sst(name string, visit func(found) error) error {
	f, err := w.home.fs.Open(w.home.path(name))
	if err != nil {
		return err
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	r, err := sstable.NewReader(context.Background(), readable, w.table)
	if err != nil {
		return errors.Join(err, readable.Close())
	}
	defer func() { _ = r.Close() }()
	last, damage := w.walk(r, nil, visit)
	if damage == nil || errors.As(damage, new(visitError)) {
		return damage
	}
	if _, err := w.walk(r, append(last, 0), visit); errors.As(err, new(visitError)) {
		return err
	}
	return damage
}

// walk visits a table forward, or down to a key, and returns the last one.
func (w *wreck) walk(r *sstable.Reader, downTo []byte, visit func(found) error) (last []byte, err error) {
	it, err := r.NewIter(sstable.NoTransforms, nil, nil, sstable.AssertNoBlobHandles)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	kv, next := it.First(), it.Next
	if downTo != nil {
		kv, next = it.Last(), it.Prev
	}
	for ; kv != nil; kv = next() {
		key := kv.K.UserKey
		if downTo != nil && bytes.Compare(key, downTo) < 0 {
			break
		}
		value, _, err := kv.Value(nil)
		if err != nil {
			return last, err
		}
		last = append(last[:0], key...)
		f := found{key: key, value: value, version: version{sequence: uint64(kv.K.SeqNum())}, removed: kv.K.Kind() != pebble.InternalKeyKindSet && kv.K.Kind() != pebble.InternalKeyKindSetWithDelete}
		if err := visit(f); err != nil {
			return last, err
		}
	}
	return last, it.Error()
}

// logBlock is the unit in which a log is written: after damage its reading goes on
// with the next.
const logBlock = 32 << 10

// log visits the batches of a log.
func (w *wreck) log(name string, number uint64, visit func(found) error) error {
	f, err := w.home.fs.Open(w.home.path(name))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var damage error
	for from := int64(0); from < info.Size(); {
		read, err := eachBatch(io.NewSectionReader(f, from, info.Size()-from), number, visit)
		switch {
		case errors.As(err, new(visitError)):
			return err
		case err == nil:
			return damage // the log's own end
		case !errors.Is(err, record.ErrUnexpectedEOF): // and that is how a log ends after a crash
			damage = err
		}
		from += (read/logBlock + 1) * logBlock
	}
	return damage
}

// eachBatch visits the batches of a log up to its end or its first damage, and tells
// how far that is.
func eachBatch(log io.Reader, number uint64, visit func(found) error) (read int64, err error) {
	r := logReader(record.NewReader, log, number)
	for {
		read = r.Offset()
		next, err := r.Next()
		if errors.Is(err, io.EOF) {
			return read, nil
		}
		var repr []byte
		if err == nil {
			repr, err = io.ReadAll(next)
		}
		if err == nil {
			err = eachWrite(repr, visit)
		}
		if err != nil {
			return read, err
		}
	}
}

// logReader is a reader of Pebble's logs, whose number has a type without a name here.
func logReader[N ~uint64](open func(io.Reader, N) *record.Reader, log io.Reader, number uint64) *record.Reader {
	return open(log, N(number))
}

func eachWrite(repr []byte, visit func(found) error) error {
	header, ok := batchrepr.ReadHeader(repr)
	if !ok {
		return fmt.Errorf("%w: batch of %d bytes", ErrCorrupt, len(repr))
	}
	writes := batchrepr.Read(repr)
	for sequence := uint64(header.SeqNum); ; sequence++ {
		kind, key, value, ok, err := writes.Next()
		if !ok || err != nil {
			return err
		}
		f := found{key: key, value: value, version: version{sequence: sequence}, removed: kind != pebble.InternalKeyKindSet}
		if err := visit(f); err != nil {
			return err
		}
	}
}
