package testnet

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/starling-social/starling/records"
)

// Line is one post of a stream, one JSON object a line.
type Line struct {
	ID       int      `json:"id"`
	Time     int64    `json:"time"`   // Unix ms
	Author   int      `json:"author"` // a number that stands for one
	Text     string   `json:"text"`
	Tags     []string `json:"tags"`
	Mentions []int    `json:"mentions"` // authors
	ReplyTo  *int     `json:"reply_to"` // id of an earlier line
}

// maxLine is the longest line taken, in bytes: the longest text, each byte perhaps
// a \u escape, and its names.
const maxLine = 64 << 10

// ErrStream is the reason of every refusal of a stream.
var ErrStream = errors.New("not a stream of posts")

// ReadStream reads the first limit lines, or all if limit is 0, of a stream that
// may be gzipped. The first line that is not a post ends it with an error that
// says which it is.
func ReadStream(r io.Reader, limit int) ([]Line, error) {
	plain := bufio.NewReaderSize(r, maxLine)
	if magic, err := plain.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(plain)
		if err != nil {
			return nil, fmt.Errorf("%w: gzip: %w", ErrStream, err)
		}
		plain = bufio.NewReaderSize(z, maxLine)
	}
	s := stream{reader: plain, known: map[int]bool{}}
	for limit == 0 || len(s.lines) < limit {
		more, err := s.next()
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", len(s.lines)+1, err)
		}
		if !more {
			break
		}
	}
	if len(s.lines) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrStream)
	}
	return s.lines, nil
}

type stream struct {
	reader *bufio.Reader
	lines  []Line
	known  map[int]bool // ids of lines
}

// next reads one line; false at the end.
func (s *stream) next() (bool, error) {
	b, err := s.reader.ReadSlice('\n')
	switch {
	case errors.Is(err, io.EOF) && len(b) == 0:
		return false, nil
	case errors.Is(err, bufio.ErrBufferFull):
		return false, fmt.Errorf("%w: longer than %d bytes", ErrStream, maxLine)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return false, fmt.Errorf("%w: the file ends in the middle; was it copied whole?", ErrStream)
	case err != nil && !errors.Is(err, io.EOF):
		return false, fmt.Errorf("%w: %w", ErrStream, err)
	}
	var l Line
	if err := json.Unmarshal(b, &l); err != nil {
		return false, fmt.Errorf("%w: %w", ErrStream, err)
	}
	if err := s.check(l); err != nil {
		return false, fmt.Errorf("%w: %w", ErrStream, err)
	}
	s.known[l.ID] = true
	s.lines = append(s.lines, l)
	return true, nil
}

func (s *stream) check(l Line) error {
	switch {
	case s.known[l.ID]:
		return fmt.Errorf("id %d appears twice", l.ID)
	case l.Time < 0 || l.Time > int64(records.MaxMillis):
		return fmt.Errorf("time %d is not in Unix milliseconds", l.Time)
	case len(l.Text) > records.MaxText:
		return fmt.Errorf("text of %d bytes, at most %d", len(l.Text), records.MaxText)
	case l.ReplyTo != nil && !s.known[*l.ReplyTo]:
		return fmt.Errorf("reply_to %d names no earlier line", *l.ReplyTo)
	}
	for _, t := range l.Tags {
		if _, err := records.NormalizeTag(t); err != nil {
			return err
		}
	}
	return nil
}
