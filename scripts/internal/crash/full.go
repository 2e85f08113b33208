package crash

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/starling-social/starling/datastore"
)

// Full is what a full disk came to.
type Full struct {
	Acknowledged int
	Refused      int
	Unread       int           // of what was acknowledged, while the disk was full
	Lost         int           // of it, in the end
	Longest      time.Duration // that a refused write took
	Resumed      time.Duration // from when there was room again to the first write
}

// foreign is how many bytes others have on the disk, and give back.
const foreign = 16 << 20

// Fill fills a small disk with a store, and then to the last byte; writes on for a
// while, opens the store again on the full disk, makes room, and looks at what is left.
func Fill(ctx context.Context, disk string, tries int) (f Full, err error) {
	l, err := newLoad()
	if err != nil {
		return f, err
	}
	at, theirs := filepath.Join(disk, dir), filepath.Join(disk, "somebody else's")
	if err := os.WriteFile(theirs, make([]byte, foreign), 0o600); err != nil {
		return f, err
	}
	s, err := l.open(nil, at)
	if err != nil {
		return f, err
	}
	for round := 0; l.refused == 0; round++ {
		if err := l.run(ctx, s, 64*round, 64*round+64, 4000); err != nil {
			return f, errors.Join(err, s.Close())
		}
	}
	if err := fill(filepath.Join(disk, "the rest")); err != nil {
		return f, errors.Join(err, s.Close())
	}
	for again := range 2 {
		longest, err := l.insist(ctx, s, 1_000_000+again*tries, tries)
		if f.Longest = max(f.Longest, longest); err != nil {
			return f, errors.Join(err, s.Close())
		}
		f.Unread = max(f.Unread, missing(s, l.acknowledged))
		if again == 1 {
			break
		}
		if err := s.Close(); err != nil {
			return f, err
		}
		if s, err = l.open(nil, at); err != nil {
			return f, fmt.Errorf("open on a full disk: %w", err)
		}
	}
	if err := os.Remove(theirs); err != nil {
		return f, err
	}
	if f.Resumed, err = l.resume(ctx, s); err != nil {
		return f, errors.Join(err, s.Close())
	}
	if err := s.Close(); err != nil {
		return f, err
	}
	if s, err = l.open(nil, at); err != nil {
		return f, err
	}
	f.Acknowledged, f.Refused, f.Lost = len(l.acknowledged), l.refused, missing(s, l.acknowledged)
	return f, errors.Join(s.Verify(), s.Close())
}

// fill takes all that is free on a disk.
func fill(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	for chunk := make([]byte, 1<<20); len(chunk) > 0; {
		if _, err := f.Write(chunk); err != nil {
			chunk = chunk[:len(chunk)/2]
		}
	}
	return f.Close()
}

// insist tries to write, and tells how long the longest refusal took.
func (l *load) insist(ctx context.Context, s *datastore.Store, from, tries int) (longest time.Duration, err error) {
	for i := range tries {
		began := time.Now()
		before := l.refused
		if err := l.run(ctx, s, from+i, from+i+1, 4000); err != nil {
			return longest, err
		}
		if l.refused > before {
			longest = max(longest, time.Since(began))
		}
	}
	return longest, nil
}

// resume writes until that succeeds again.
func (l *load) resume(ctx context.Context, s *datastore.Store) (time.Duration, error) {
	began := time.Now()
	for i := 2_000_000; ctx.Err() == nil; i++ {
		before := len(l.acknowledged)
		if err := l.run(ctx, s, i, i+1, 4000); err != nil {
			return 0, err
		}
		if len(l.acknowledged) > before {
			return time.Since(began), nil
		}
	}
	return 0, ctx.Err()
}
