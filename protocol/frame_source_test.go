package protocol_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/starling-social/starling/protocol"
)

// stubborn is a stream that takes a number of deadlines and no more.
type stubborn struct {
	io.Reader
	deadlines int
}

var errDeadline = errors.New("the stream has no deadlines")

func (s *stubborn) SetReadDeadline(time.Time) error {
	if s.deadlines--; s.deadlines < 0 {
		return errDeadline
	}
	return nil
}

// A stream whose deadlines cannot be set is not read: its peer could hold the reader
// for ever.
func TestFrameReader_noDeadline(t *testing.T) {
	for deadlines := range 2 { // of the length, and of the body
		r, w := io.Pipe()
		go func() { _, _ = w.Write([]byte{5}) }()
		frames := protocol.NewFrameReader(&stubborn{r, deadlines}, 100, time.Hour)
		if b, err := frames.Next(); !errors.Is(err, errDeadline) {
			t.Errorf("after %d deadlines: %q, %v", deadlines, b, err)
		}
		_ = r.Close()
	}
	if err := protocol.NewFrameReader(&stubborn{}, 100, time.Hour).WaitForEver(); !errors.Is(err, errDeadline) {
		t.Errorf("without one to take back: %v", err)
	}
}

// nothing is a stream that neither waits nor ends.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

// A stream that breaks says why, before a frame and within one; one that gives nothing
// is not asked for ever.
func TestFrameReader_brokenStream(t *testing.T) {
	reset := errors.New("reset by peer")
	for _, begun := range []string{"", "\x05", "\x05bod"} {
		for _, c := range []struct {
			rest io.Reader
			want error
		}{{iotest.ErrReader(reset), reset}, {nothing{}, io.ErrNoProgress}} {
			src := source{io.MultiReader(strings.NewReader(begun), c.rest)}
			if b, err := protocol.NewFrameReader(src, 100, time.Minute).Next(); !errors.Is(err, c.want) {
				t.Errorf("after %q: %q, %v; want %v", begun, b, err, c.want)
			}
		}
	}
}
