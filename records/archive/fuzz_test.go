package archive_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/archive"
)

// Whatever the bytes, reading ends, within its limits; and what is read to its end
// is what its entries are written as.
func FuzzReader(f *testing.F) {
	entries := []archive.Entry{
		{Bytes: []byte("one"), Standings: []archive.Standing{{Class: archive.Held}}},
		{Bytes: make([]byte, records.MaxRecord), Standings: []archive.Standing{{Level: 2}, {Root: 1, Class: archive.Own}}},
	}
	for n := range len(entries) + 1 {
		b := write(f, entries[:n], uint64(n))
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	for _, b := range unreadable() {
		f.Add(b)
	}
	small := write(f, []archive.Entry{{Bytes: []byte("x"), Standings: []archive.Standing{{Root: 1}, {Level: 2}}}}, 0)
	for n := range small {
		f.Add(small[:n]) // it ends wherever it can
	}
	f.Add(append(small, 0))
	f.Add([]byte("starling archive 2\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := archive.NewReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		var again bytes.Buffer
		w, err := archive.NewWriter(&again, r.Header())
		if err != nil {
			t.Fatalf("header %+v is read and not written: %v", r.Header(), err)
		}
		for {
			e, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			var damage *archive.DamageError
			if errors.As(err, &damage) {
				if damage.Offset > int64(len(b)) || damage.Offset < int64(again.Len()) {
					t.Fatalf("damage at %d of %d, after %d", damage.Offset, len(b), again.Len())
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Write(e); err != nil {
				t.Fatalf("entry %+v is read and not written: %v", e, err)
			}
		}
		if _, err := w.Close(r.Totals().Unreadable); err != nil || !bytes.Equal(again.Bytes(), b) {
			t.Fatalf("%x is read to its end, and written as %x, %v", b, again.Bytes(), err)
		}
	})
}
