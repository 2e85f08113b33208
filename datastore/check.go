package datastore

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/record"
)

// What Pebble's markers are called: a number that grows follows, and what they mark.
const (
	formatMarker   = "marker.format-version."
	manifestMarker = "marker.manifest."
)

// check looks, before a database is opened, for room and for what Pebble would
// misread. That is a database of a version that is yet to come; one without the marker
// that names its manifest, which it would take for none at all; and a manifest with
// damage in it, which it would take for the end and remove all tables named later.
func (h *home) check(readOnly bool) error {
	space, err := h.space()
	if err == nil && !readOnly && space.free < space.reserve() {
		err = fmt.Errorf("%w: %d bytes of disk are free", ErrFull, space.free)
	}
	if err != nil {
		return err
	}
	names, err := h.fs.List(h.dir)
	if err != nil {
		return err
	}
	if format, err := strconv.ParseUint(marked(names, formatMarker), 10, 64); err == nil && format > uint64(pebble.FormatNewest) {
		return fmt.Errorf("%w: format %d of the database, this version knows up to %d", ErrNewer, format, pebble.FormatNewest)
	}
	if manifest := marked(names, manifestMarker); manifest != "" {
		return errors.Join(h.checkManifest(manifest), h.checkLogs(names))
	}
	for _, name := range names {
		if kindOf(name) != fileVital {
			return fmt.Errorf("%w: there is %s, and nothing that says what it belongs to", ErrCorrupt, name)
		}
	}
	return nil
}

// marked is what the last marker of a kind marks.
func marked(names []string, marker string) (what string) {
	last := uint64(0)
	for _, name := range names {
		rest, ok := strings.CutPrefix(name, marker)
		count, value, found := strings.Cut(rest, ".")
		number, err := strconv.ParseUint(count, 10, 64)
		if ok && found && err == nil && number >= last {
			last, what = number, value
		}
	}
	return what
}

// checkManifest reads a manifest to its end. One that the loss of power cut short
// cannot be told from a damaged one, and is treated as such.
func (h *home) checkManifest(name string) error {
	f, err := h.fs.Open(h.path(name))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	r := logReader(record.NewReader, f, 0)
	for {
		edit, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			_, err = io.Copy(io.Discard, edit)
		}
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrCorrupt, name, err)
		}
	}
}
