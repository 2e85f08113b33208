package archive_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/archive"
	"github.com/starling-social/starling/records/golden"
)

// The package starts no goroutine.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var header = archive.Header{Network: "test.01234567", Made: 1_795_000_000_000}

type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// write is the archive of some entries.
func write(t fataler, entries []archive.Entry, unreadable uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := archive.NewWriter(&b, header)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(unreadable); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read is what can be read of an archive, and why no more; io.EOF when it is complete.
func read(from io.Reader) (got []archive.Entry, totals archive.Totals, err error) {
	r, err := archive.NewReader(from)
	if err != nil {
		return nil, totals, err
	}
	for {
		e, err := r.Next()
		if err != nil {
			return got, r.Totals(), err
		}
		got = append(got, archive.Entry{Bytes: bytes.Clone(e.Bytes), Standings: e.Standings})
	}
}

func equal(a, b []archive.Entry) bool {
	return slices.EqualFunc(a, b, func(a, b archive.Entry) bool {
		return bytes.Equal(a.Bytes, b.Bytes) && slices.Equal(a.Standings, b.Standings)
	})
}

// drawEntries are entries as a store could have them, of few bytes.
func drawEntries(t *rapid.T) []archive.Entry {
	standing := rapid.Custom(func(t *rapid.T) archive.Standing {
		return archive.Standing{
			Root:  rapid.Uint8Range(0, records.MaxPlaces-1).Draw(t, "root"),
			Level: rapid.Uint8().Draw(t, "level"),
			Class: archive.Class(rapid.Uint8Range(0, uint8(archive.Own)).Draw(t, "class")),
		}
	})
	place := func(s archive.Standing) [2]uint8 { return [2]uint8{s.Root, s.Level} }
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) archive.Entry {
		return archive.Entry{
			Bytes:     rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "bytes"),
			Standings: rapid.SliceOfNDistinct(standing, 1, 6, place).Draw(t, "standings"),
		}
	}), 0, 6).Draw(t, "entries")
}

// What is written is read, whatever pieces it arrives in.
func TestArchive_roundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want, unreadable := drawEntries(t), rapid.Uint64().Draw(t, "unreadable")
		b := write(t, want, unreadable)
		got, totals, err := read(iotest.HalfReader(bytes.NewReader(b)))
		if !errors.Is(err, io.EOF) || !equal(got, want) {
			t.Fatalf("read %v, %v; wrote %v", got, err, want)
		}
		if int(totals.Entries) != len(want) || totals.Unreadable != unreadable {
			t.Fatalf("totals %+v of %d entries", totals, len(want))
		}
	})
}

// Wherever an archive ends before its end, or one of its bits is another, all before
// is read as it was written, and the error says where the first frame is that is not.
func TestArchive_damage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawEntries(t)
		b := write(t, want, 0)
		at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
		hurt := bytes.Clone(b[:at])
		if rapid.Bool().Draw(t, "flip") {
			hurt = bytes.Clone(b)
			hurt[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		}
		got, _, err := read(bytes.NewReader(hurt))
		if len(got) > len(want) || !equal(got, want[:len(got)]) {
			t.Fatalf("read %v of %v", got, want)
		}
		var damage *archive.DamageError
		switch {
		case at < len("starling archive 1\n"):
			if !errors.Is(err, archive.ErrNotArchive) && !errors.Is(err, archive.ErrNewer) {
				t.Fatalf("without its first line: %v", err)
			}
		case !errors.As(err, &damage):
			t.Fatalf("damaged at %d: %v", at, err)
		case damage.Offset > int64(at) || damage.After != int64(len(got)):
			t.Fatalf("damaged at %d: %v, after %d entries", at, damage, len(got))
		case damage.Offset != int64(len(write(t, want[:len(got)], 0))-trailer) && len(got) > 0:
			t.Fatalf("damaged at %d: frame at %d, %d entries end elsewhere", at, damage.Offset, len(got))
		}
	})
}

const trailer = 1 + 3*8 + 32

// Frames of one archive are none of another, in another order or left out, and
// nothing follows the end.
func TestArchive_frames(t *testing.T) {
	entry := func(text string) archive.Entry {
		return archive.Entry{Bytes: []byte(text), Standings: []archive.Standing{{Class: archive.Held}}}
	}
	size := 1 + 2 + 4 + 2 + 3 + 8
	b := write(t, []archive.Entry{entry("anna"), entry("bert"), entry("cleo")}, 0)
	head := len(b) - trailer - 3*size
	part := func(i int) []byte { return b[head+i*size : head+(i+1)*size] }
	end := b[len(b)-trailer:]
	for name, c := range map[string]struct {
		bytes []byte
		read  int
		cut   bool
	}{
		"in another order": {slices.Concat(b[:head], part(1), part(0), part(2), end), 0, false},
		"twice":            {slices.Concat(b[:head], part(0), part(0), part(1), part(2), end), 1, false},
		"one left out":     {slices.Concat(b[:head], part(0), part(2), end), 1, false},
		"the last left out": {
			slices.Concat(b[:head], part(0), part(1), end), 2, false,
		},
		"no end":            {b[:len(b)-trailer], 3, true},
		"half an end":       {b[:len(b)-1], 3, true},
		"more than one end": {slices.Concat(b, end), 3, false},
		"another begins":    {slices.Concat(b, b), 3, false},
	} {
		got, _, err := read(bytes.NewReader(c.bytes))
		var damage *archive.DamageError
		if len(got) != c.read || !errors.As(err, &damage) || errors.Is(err, archive.ErrCut) != c.cut {
			t.Errorf("%s: %d entries, %v; want %d", name, len(got), err, c.read)
		}
	}
}

// A head that is none, or of another time.
func TestNewReader_refuses(t *testing.T) {
	good := write(t, nil, 0)
	for name, c := range map[string]struct {
		bytes []byte
		want  error
	}{
		"nothing":       {nil, archive.ErrNotArchive},
		"a text":        {[]byte("hello, world, this is a text and no archive"), archive.ErrNotArchive},
		"another line":  {[]byte("starling archives\n"), archive.ErrNotArchive},
		"a later form":  {append([]byte("starling archive 2\n"), good[19:]...), archive.ErrNewer},
		"cut in a name": {good[:22], archive.ErrCut},
	} {
		if _, err := archive.NewReader(bytes.NewReader(c.bytes)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// What breaks while an archive is read is no damage to it.
func TestReader_failure(t *testing.T) {
	broken := errors.New("the cable is out")
	b := write(t, []archive.Entry{{Bytes: []byte("x"), Standings: []archive.Standing{{}}}}, 0)
	for _, at := range []int{0, 10, 40, len(b) - 70, len(b) - 10, len(b)} {
		_, _, err := read(io.MultiReader(bytes.NewReader(b[:at]), iotest.ErrReader(broken)))
		var damage *archive.DamageError
		if !errors.Is(err, broken) || errors.As(err, &damage) {
			t.Errorf("after %d bytes: %v", at, err)
		}
	}
}

// Nothing is written that would not be read.
func TestWriter_refuses(t *testing.T) {
	w, err := archive.NewWriter(io.Discard, header)
	if err != nil {
		t.Fatal(err)
	}
	one := []archive.Standing{{}}
	for name, e := range map[string]archive.Entry{
		"no bytes":      {Standings: one},
		"many bytes":    {Bytes: make([]byte, records.MaxRecord+1), Standings: one},
		"no place":      {Bytes: []byte("x")},
		"many places":   {Bytes: []byte("x"), Standings: make([]archive.Standing, 1025)},
		"a place twice": {Bytes: []byte("x"), Standings: []archive.Standing{{Level: 1}, {Level: 1, Class: archive.Own}}},
		"root 8":        {Bytes: []byte("x"), Standings: []archive.Standing{{Root: 8}}},
		"class 4":       {Bytes: []byte("x"), Standings: []archive.Standing{{Class: 4}}},
	} {
		if err := w.Write(e); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	for _, network := range []string{"", string(make([]byte, 65))} {
		if _, err := archive.NewWriter(io.Discard, archive.Header{Network: network}); err == nil {
			t.Errorf("network of %d bytes: written", len(network))
		}
	}
}

// The bytes of an archive are pinned.
func TestVectors_archive(t *testing.T) {
	type standing struct {
		Root  uint8 `json:"root"`
		Level uint8 `json:"level"`
		Class uint8 `json:"class"`
	}
	type entry struct {
		Bytes     string     `json:"bytes"`
		Standings []standing `json:"standings"`
	}
	vector := struct {
		About      string  `json:"about"`
		Network    string  `json:"network"`
		Made       uint64  `json:"made"`
		Entries    []entry `json:"entries"`
		Unreadable uint64  `json:"unreadable"`
		Archive    string  `json:"archive"`
	}{
		About: "entries are not records here: their bytes are text", Network: header.Network, Made: uint64(header.Made), Unreadable: 3,
		Entries: []entry{{"one", []standing{{0, 0, 2}}}, {"two", []standing{{0, 2, 3}, {1, 0, 0}, {1, 2, 1}}}},
	}
	var entries []archive.Entry
	for _, e := range vector.Entries {
		var standings []archive.Standing
		for _, s := range e.Standings {
			standings = append(standings, archive.Standing{Root: s.Root, Level: s.Level, Class: archive.Class(s.Class)})
		}
		entries = append(entries, archive.Entry{Bytes: []byte(e.Bytes), Standings: standings})
	}
	vector.Archive = hexadecimal(write(t, entries, vector.Unreadable))
	golden.Match(t, "golden/archive.json", vector)
}

// The head can be looked at before anything is decided.
func TestPeek(t *testing.T) {
	want := []archive.Entry{{Bytes: []byte("x"), Standings: []archive.Standing{{}}}}
	for _, entries := range [][]archive.Entry{nil, want} {
		h, whole, err := archive.Peek(iotest.OneByteReader(bytes.NewReader(write(t, entries, 0))))
		if err != nil || h != header {
			t.Fatalf("%+v, %v", h, err)
		}
		if got, _, err := read(whole); !errors.Is(err, io.EOF) || !equal(got, entries) {
			t.Fatalf("%v, %v", got, err)
		}
	}
	if _, _, err := archive.Peek(bytes.NewReader([]byte("no archive"))); !errors.Is(err, archive.ErrNotArchive) {
		t.Error(err)
	}
	broken := errors.New("the cable is out")
	if _, _, err := archive.Peek(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Error(err)
	}
}
