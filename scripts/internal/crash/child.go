package crash

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// callers is how many of a child's goroutines merge at the same time, so that
// there are groups to be cut in two.
const callers = 8

// Child merges records into the store in dir, and writes a line for each that is
// acknowledged, until it is killed. Cycles with other numbers merge other records.
func Child(ctx context.Context, dir string, cycle int, out io.Writer) error {
	n, err := Network()
	if err != nil {
		return err
	}
	s, err := datastore.Open(datastore.Config{Dir: dir, Network: n})
	if err != nil {
		return err
	}
	lines := &lineWriter{out: out}
	g, ctx := errgroup.WithContext(ctx)
	for i := range callers {
		w := &author{store: s, network: n, lines: lines, name: fmt.Sprintf("cycle%dauthor%dpost", cycle, i), key: records.KeyFromSeed([32]byte{0: byte(i), 1: byte(cycle), 2: byte(cycle >> 8), 3: 1})}
		g.Go(func() error { return w.run(ctx) })
	}
	return g.Wait()
}

// lineWriter writes whole lines.
type lineWriter struct {
	mu  sync.Mutex // protects out
	out io.Writer
}

func (l *lineWriter) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(line)
}

// An author posts, edits every third post and deletes every ninth. Every fifth is also
// put to the hour, day and week of a hashtag of its own, as healing does, and dropped
// there again every second time.
type author struct {
	store   *datastore.Store
	network records.Network
	lines   io.Writer
	name    string // unlike any other's, of any cycle
	key     records.Key
}

// Posts are two minutes apart, so that no bucket of an hour or a day overflows.
const (
	firstPost = records.Millis(1_600_000_000_000)
	interval  = records.Millis(120_000)
	levelHour = records.LevelMonth + 4
)

func (a *author) run(ctx context.Context) error {
	for i := 0; ; i++ {
		var salt [8]byte
		binary.BigEndian.PutUint64(salt[:], uint64(i))
		var head records.PostHead
		if i%5 == 0 {
			head.Tags = []records.Tag{records.Tag(a.name + strconv.Itoa(i))}
		}
		d, err := records.NewPost(firstPost+interval*records.Millis(i), salt, head, records.PostBody{Text: fmt.Sprint("post ", i)})
		if err != nil {
			return err
		}
		r, err := a.merge(ctx, d)
		if err == nil && i%5 == 0 {
			err = a.heal(ctx, r, head.Tags[0], i%10 == 0)
		}
		if err == nil && i%3 == 0 {
			if d, err = records.EditPost(r, r.Rev().Millis()+1, records.PostBody{Text: "edited"}); err == nil {
				r, err = a.merge(ctx, d)
			}
		}
		if err == nil && i%9 == 0 {
			_, err = a.merge(ctx, records.Tombstone(r, r.Rev().Millis()+1))
		}
		if err != nil {
			return err
		}
	}
}

// merge puts a record to its author's hour and reports it once that is acknowledged.
func (a *author) merge(ctx context.Context, d records.Draft) (*records.Record, error) {
	r, err := records.Seal(ctx, a.network, records.AuthorSigner(a.key), d)
	if err != nil {
		return nil, err
	}
	p := records.Put{Place: records.UserPlace(r.Author()).At(levelHour, r), Record: r}
	out, err := a.store.Merge(ctx, []records.Put{p})
	if err != nil {
		return nil, err
	}
	if out[0].Status != records.Stored {
		return nil, fmt.Errorf("put to %s is %s, want it stored", p.Place, out[0].Status)
	}
	return r, tell(a.lines, p)
}

// heal puts a record to several places of its hashtag at once, and drops it there.
func (a *author) heal(ctx context.Context, r *records.Record, t records.Tag, drop bool) error {
	tag := records.TagPlace(t)
	var puts []records.Put
	var places []records.Place
	for level := levelHour - 2; level <= levelHour; level++ {
		puts = append(puts, records.Put{Place: tag.At(level, r), Record: r})
		places = append(places, tag.At(level, r))
	}
	if _, err := a.store.MergeAs(ctx, datastore.Cached, puts); err != nil || !drop {
		return err
	}
	if err := a.store.Drop(ctx, places); err != nil {
		return err
	}
	for _, p := range places {
		if _, err := fmt.Fprintf(a.lines, "dropped %x.\n", p.Bytes()); err != nil {
			return err
		}
	}
	return nil
}
