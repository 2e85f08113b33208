package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	ds "github.com/ipfs/go-datastore"

	"github.com/starling-social/starling/datastore"
)

// A Specimen is a store of which bits are flipped, each time of a copy.
type Specimen struct {
	load  *load
	files *vfs.MemFS
	kinds map[string][]string // files by what they are
	names []string            // of the kinds
}

// last is written last: of the end of a log after a crash nobody can tell damage from
// what was never written.
var last = ds.NewKey("/last")

// NewSpecimen writes a store of so many authors and leaves it closed, or as a crash does.
func NewSpecimen(ctx context.Context, authors int, closed bool) (*Specimen, error) {
	l, err := newLoad()
	if err != nil {
		return nil, err
	}
	mem := vfs.NewCrashableMem()
	half := authors / 2
	for _, part := range [][2]int{{0, half}, {half, authors}} { // closing makes tables of the first
		s, err := l.open(mem, dir)
		if err == nil {
			err = l.run(ctx, s, part[0], part[1], 1000)
		}
		if err == nil {
			err = s.Datastore().Put(ctx, last, []byte("last"))
		}
		if err != nil {
			return nil, err
		}
		crashed := whole(mem)
		if err := s.Close(); err != nil {
			return nil, err
		}
		if !closed && part[1] == authors {
			mem = crashed
		}
	}
	names, err := mem.List(dir)
	if err != nil {
		return nil, err
	}
	sp := &Specimen{load: l, files: mem, kinds: map[string][]string{}}
	for _, name := range names {
		info, err := mem.Stat(dir + "/" + name)
		if err != nil {
			return nil, err
		}
		if info.Size() > 0 {
			sp.kinds[kind(name)] = append(sp.kinds[kind(name)], name)
		}
	}
	for k := range sp.kinds {
		sp.names = append(sp.names, k)
	}
	slices.Sort(sp.names)
	return sp, nil
}

func kind(name string) string {
	if prefix, _, ok := strings.Cut(name, "-"); ok {
		return prefix
	}
	return name[strings.LastIndexByte(name, '.')+1:]
}

func whole(mem *vfs.MemFS) *vfs.MemFS {
	return mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 0))})
}

// Flip is what one flipped bit came to.
type Flip struct {
	Kind    string        // of file
	Noticed bool          // and the store was made anew
	Lost    int           // records to be fetched again
	Silent  int           // of these, in silence
	Took    time.Duration // to open, read all, and write again
}

// Flip flips a bit of a copy, somewhere in a file of some kind, opens it, reads all and
// writes.
func (sp *Specimen) Flip(ctx context.Context, random *rand.Rand) (f Flip, err error) {
	files := whole(sp.files)
	f.Kind = sp.names[random.IntN(len(sp.names))]
	name := sp.kinds[f.Kind][random.IntN(len(sp.kinds[f.Kind]))]
	if err := flip(files, dir+"/"+name, random); err != nil {
		return f, err
	}
	began := time.Now()
	s, err := sp.load.open(files, dir)
	if err != nil {
		return f, fmt.Errorf("%s: %w", name, err)
	}
	for wrong := s.Verify(); ; wrong = s.Verify() { // reads all, until nothing is wrong
		err := s.Datastore().Put(ctx, last, nil)
		if wrong == nil && err == nil {
			break
		}
		if time.Since(began) > time.Minute || err != nil && !errors.Is(err, datastore.ErrCorrupt) {
			return f, errors.Join(fmt.Errorf("%s: not serving again: %w", name, errors.Join(wrong, err)), s.Close())
		}
	}
	f.Took = time.Since(began)
	f.Lost = missing(s, sp.load.acknowledged)
	select {
	case <-s.Harmed():
		f.Noticed = true
	default:
		f.Silent = f.Lost
	}
	return f, s.Close()
}

func flip(files vfs.FS, name string, random *rand.Rand) error {
	f, err := files.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	at, b := random.Int64N(info.Size()), make([]byte, 1)
	if _, err = f.ReadAt(b, at); err == nil {
		b[0] ^= 1 << random.IntN(8)
		_, err = f.WriteAt(b, at)
	}
	return errors.Join(err, f.Close())
}
