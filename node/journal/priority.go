package journal

import "bytes"

// priority is what journald takes for the importance of a line of JSON. The level is
// the second field that slog writes, after the time, which holds no quotation mark.
func priority(line []byte) string {
	_, level, _ := bytes.Cut(line, []byte(`"level":"`))
	switch {
	case bytes.HasPrefix(level, []byte("ERROR")):
		return "<3>"
	case bytes.HasPrefix(level, []byte("WARN")):
		return "<4>"
	case bytes.HasPrefix(level, []byte("DEBUG")):
		return "<7>"
	default:
		return "<6>"
	}
}
