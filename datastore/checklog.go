package datastore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/record"
)

// A log whose end cannot be read was cut short by a crash, or is damaged. A batch is
// written only once the one before is on disk ([Store.apply]), so where another begins
// after the end, it is damage. Pebble asks more: that a later chunk says up to where the
// log had been synced. But what it writes there leaves out whole blocks (2.1.7), and in
// the first log of a database it writes nothing of the kind, so that much of a log could
// be lost in silence.

// The header of a chunk: checksum (4), length (2), type (1) and number of the log (4),
// little endian. Some have more, which the checksum covers all the same.
const chunkHeader = 11

// sinceSync is how much longer the headers are that say up to where the log was synced.
const sinceSync = 8

// beginnings are the types of chunks with which a record begins, with what their headers
// have besides.
var beginnings = map[byte]int{5: 0, 6: 0, 9: sinceSync, 10: sinceSync}

// checkLogs looks for damage in logs, from which Pebble would take what follows for
// never written.
func (h *home) checkLogs(names []string) error {
	for _, name := range names {
		number, err := strconv.ParseUint(strings.TrimSuffix(name, ".log"), 10, 32)
		if err != nil || !strings.HasSuffix(name, ".log") {
			continue
		}
		if err := h.checkLog(name, number); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (h *home) checkLog(name string, number uint64) error {
	f, err := h.fs.Open(h.path(name))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	end, err := endOfLog(f, number)
	if err != nil || end < 0 {
		return err
	}
	block := make([]byte, logBlock)
	for from := end / logBlock * logBlock; ; from += logBlock {
		n, err := f.ReadAt(block, from)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		for at := max(0, int(end-from)+1); at+chunkHeader <= n; at++ {
			if begins(block[at:n], uint32(number)) {
				return fmt.Errorf("%w: it cannot be read at %d and goes on at %d", ErrCorrupt, end, from+int64(at))
			}
		}
		if n < logBlock {
			return nil
		}
	}
}

// endOfLog is where a log that does not end as it should cannot be read any more; -1
// for one that does.
func endOfLog(f io.Reader, number uint64) (int64, error) {
	r := logReader(record.NewReader, f, number)
	for {
		at := r.Offset()
		next, err := r.Next()
		if errors.Is(err, io.EOF) {
			return -1, nil
		}
		if err == nil {
			_, err = io.Copy(io.Discard, next)
		}
		switch {
		case err == nil:
		case record.IsInvalidRecord(err), errors.Is(err, record.ErrUnexpectedEOF):
			return at, nil
		default: // Pebble says so itself
			return -1, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// begins tells whether a record of a log begins here.
func begins(b []byte, number uint32) bool {
	more, begin := beginnings[b[6]]
	end := chunkHeader + more + int(binary.LittleEndian.Uint16(b[4:]))
	if !begin || binary.LittleEndian.Uint32(b[7:]) != number || end > len(b) {
		return false
	}
	sum := crc32.Checksum(b[6:end], castagnoli)
	return binary.LittleEndian.Uint32(b) == (sum>>15|sum<<17)+0xa282ead8
}
