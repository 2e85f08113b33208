package api

import (
	"errors"
	"strconv"
	"strings"
)

// A mark is how far a watcher has come. It is the id of every event, so that whoever
// comes back with it (Last-Event-ID) goes on where it was.
type mark struct {
	run   uint64 // of the server: after a restart nothing of before is known
	topic uint64 // within the run
	seq   uint64 // of the last event taken in; 0 for none
	shown int    // posts shown of what was there at seq; all, once it is negative
	at    int64  // Unix ms at which seq arrived
}

const allShown = -1

// String is for clients to send back and not to look into.
func (m mark) String() string {
	fields := []string{
		strconv.FormatUint(m.run, 36), strconv.FormatUint(m.topic, 36), strconv.FormatUint(m.seq, 36),
		"", strconv.FormatInt(m.at, 36),
	}
	if m.shown >= 0 {
		fields[3] = strconv.Itoa(m.shown)
	}
	return strings.Join(fields, ".")
}

var errMark = errors.New("not the id of an event")

// parseMark reads what String wrote.
func parseMark(s string) (m mark, err error) {
	fields := strings.Split(s, ".")
	if len(s) > 80 || len(fields) != 5 {
		return mark{}, errMark
	}
	var errs [5]error
	m.run, errs[0] = strconv.ParseUint(fields[0], 36, 64)
	m.topic, errs[1] = strconv.ParseUint(fields[1], 36, 64)
	m.seq, errs[2] = strconv.ParseUint(fields[2], 36, 64)
	m.at, errs[4] = strconv.ParseInt(fields[4], 36, 64)
	if m.shown = allShown; fields[3] != "" {
		m.shown, errs[3] = strconv.Atoi(fields[3])
	}
	if errors.Join(errs[:]...) != nil || m.String() != s {
		return mark{}, errMark
	}
	return m, nil
}
