// Package crash kills the store while it writes and looks for what it had
// acknowledged.
//
// A trial starts a child process, the same program under another environment,
// that merges posts, edits and deletions and reports every acknowledgement on a
// pipe. The parent kills it with SIGKILL after some acknowledgements, chosen at
// random, opens the store again and checks that each record acknowledged so far,
// in this cycle or any before, is there in that version or a newer one, and that
// what the store keeps up to date still agrees with what it holds.
//
// It is used by the campaign of that name and by an ordinary test. It starts
// goroutines only in the child.
package crash

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/records"
)

// mostBeforeKill is how many acknowledgements a child lives to see, at most.
const mostBeforeKill = 400

// Network is the one whose records the trials store.
func Network() (records.Network, error) { return records.TestNetwork("crash") }

// A Trial is a store that is killed again and again.
type Trial struct {
	dir          string
	network      records.Network
	command      func(ctx context.Context, cycle int) *exec.Cmd
	random       *rand.Rand
	cycles       int
	acknowledged map[records.ItemKey]acknowledgement
	dropped      map[records.Place]bool
}

// An acknowledgement is what the child was told is on disk.
type acknowledgement struct {
	place records.Place
	rev   records.Rev
	id    records.ID
}

// Report is what one cycle came to.
type Report struct {
	Acknowledged int // by the child that was killed
	Checked      int // acknowledged since the first cycle, all of them looked for
	Lost         int // of these, missing, unreadable or older than acknowledged
	Returned     int // places where something is again though it was dropped
}

// New is a trial in an empty directory. The command runs [Child] there with the
// number of the cycle.
func New(dir string, random *rand.Rand, command func(ctx context.Context, cycle int) *exec.Cmd) (*Trial, error) {
	n, err := Network()
	if err != nil {
		return nil, err
	}
	return &Trial{dir: dir, network: n, command: command, random: random, acknowledged: map[records.ItemKey]acknowledgement{}, dropped: map[records.Place]bool{}}, nil
}

// Cycle runs a child, kills it and looks at what it left.
func (t *Trial) Cycle(ctx context.Context) (Report, error) {
	t.cycles++
	n, err := t.killOne(ctx, 1+t.random.IntN(mostBeforeKill))
	if err != nil {
		return Report{}, fmt.Errorf("cycle %d: %w", t.cycles, err)
	}
	lost, returned, err := t.check()
	if err != nil {
		return Report{}, fmt.Errorf("cycle %d, after the kill: %w", t.cycles, err)
	}
	return Report{Acknowledged: n, Checked: len(t.acknowledged), Lost: lost, Returned: returned}, nil
}

// killOne runs a child until it has acknowledged so many, kills it and hears it
// out: what stands in the pipe was acknowledged too.
func (t *Trial) killOne(ctx context.Context, after int) (heard int, err error) {
	cmd := t.command(ctx, t.cycles)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if err := t.hear(lines.Text()); err != nil {
			break // cut short by the kill
		}
		if heard++; heard == after {
			if err := cmd.Process.Kill(); err != nil {
				return heard, err
			}
		}
	}
	_ = cmd.Wait() // it was killed, and says so
	if heard < after {
		return heard, fmt.Errorf("child ended by itself after %d of %d acknowledgements: %s", heard, after, complaint.String())
	}
	return heard, nil
}

// check opens the store as a node would and looks for everything.
func (t *Trial) check() (lost, returned int, err error) {
	s, err := datastore.Open(datastore.Config{Dir: t.dir, Network: t.network})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	buckets := map[records.Place]map[records.ID]bool{}
	for key, a := range t.acknowledged {
		if buckets[a.place] == nil {
			if buckets[a.place], err = bucket(s, a.place); err != nil {
				return 0, 0, err
			}
		}
		r, err := s.Record(key)
		if err != nil || r.Rev() < a.rev || r.Rev() == a.rev && r.ID() != a.id || !buckets[a.place][r.ID()] {
			lost++
		}
	}
	for p := range t.dropped {
		there, err := bucket(s, p)
		if err != nil {
			return 0, 0, err
		}
		if len(there) > 0 {
			returned++
		}
	}
	return lost, returned, agrees(s)
}

// bucket is what can be read of a place.
func bucket(s *datastore.Store, p records.Place) (map[records.ID]bool, error) {
	b, err := s.Bucket(records.Query{Place: p, Before: records.Newest, Limit: s.Network().Capacity(p)})
	if err != nil {
		return nil, err
	}
	ids := map[records.ID]bool{}
	for _, r := range b.Records {
		ids[r.ID()] = true
	}
	return ids, nil
}

// agrees tells whether the fingerprint that the store keeps is that of its
// entries, and each of these leads to the version that it names.
func agrees(s *datastore.Store) error {
	var want records.Fingerprint
	for e, err := range s.All() {
		if err != nil {
			return err
		}
		want = want.Plus(records.Element(e.Coordinate, e.Key, e.ID))
		if r, err := s.Record(e.Key); err != nil || r.ID() != e.ID {
			return fmt.Errorf("entry of version %s in %s: the record is another, or %w", e.ID, e.Place, err)
		}
	}
	got, err := s.Fingerprint(records.Coordinate{}, 0)
	if err == nil && got != want {
		err = fmt.Errorf("fingerprint counts %d entries, there are %d, or others", got.Count, want.Count)
	}
	return err
}

// hear takes in one line of a child.
func (t *Trial) hear(line string) error {
	if place, ok := strings.CutPrefix(line, "dropped "); ok {
		return t.hearDropped(place)
	}
	var key, id, place []byte
	var rev uint64
	if _, err := fmt.Sscanf(line, "%x %x %d %x.", &key, &id, &rev, &place); err != nil || len(key) != 32 || len(id) != 32 || !strings.HasSuffix(line, ".") {
		return fmt.Errorf("line %q: %w", line, err)
	}
	p, err := records.ParsePlace(place)
	if err != nil {
		return err
	}
	a := acknowledgement{place: p, rev: records.Rev(rev), id: records.ID(id)}
	if held, known := t.acknowledged[records.ItemKey(key)]; !known || a.rev > held.rev {
		t.acknowledged[records.ItemKey(key)] = a
	}
	return nil
}

func (t *Trial) hearDropped(line string) error {
	var place []byte
	if _, err := fmt.Sscanf(line, "%x.", &place); err != nil || !strings.HasSuffix(line, ".") {
		return fmt.Errorf("dropped %q: %w", line, err)
	}
	p, err := records.ParsePlace(place)
	if err == nil {
		t.dropped[p] = true
	}
	return err
}

func tell(out io.Writer, p records.Put) error {
	key, id := p.Record.ItemKey(), p.Record.ID()
	_, err := fmt.Fprintf(out, "%x %x %d %x.\n", key[:], id[:], uint64(p.Record.Rev()), p.Place.Bytes())
	return err
}
