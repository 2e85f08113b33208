package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode"

	"golang.org/x/term"

	"github.com/starling-social/starling/node/api"
)

// errReaderGone means that nobody reads what is printed any more, as behind
// "| head". That is no failure.
var errReaderGone = errors.New("standard output is closed")

// printer writes lines of text or JSON.
type printer struct {
	file   *os.File
	colour bool
}

func newPrinter(f *os.File) *printer {
	return &printer{file: f, colour: colourful(f)}
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// fancy tells whether f is a terminal that can do more than print.
func fancy(f *os.File) bool { return isTerminal(f) && os.Getenv("TERM") != "dumb" }

// colourful tells whether it may do so in colours; see https://no-color.org.
func colourful(f *os.File) bool { return fancy(f) && os.Getenv("NO_COLOR") == "" }

// line prints one line of text, or several.
func (p *printer) line(format string, args ...any) error {
	return p.write(fmt.Appendf(nil, format+"\n", args...))
}

// object prints v as one line of JSON.
func (p *printer) object(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // nobody puts this into a page; people read it
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("encode output: %w", err)
	}
	return p.write([]byte(escape(b.String(), jsonEscape)))
}

func (p *printer) write(b []byte) error {
	_, err := p.file.Write(b)
	if errors.Is(err, syscall.EPIPE) {
		return errReaderGone
	}
	if err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// Styles of text on a terminal.
const (
	bold = "\x1b[1m"
	dim  = "\x1b[2m"
)

func (p *printer) styled(style, s string) string {
	if !p.colour {
		return s
	}
	return style + s + "\x1b[0m"
}

// printable is s without anything that steers a terminal or makes text read in
// another order than it is written; such characters appear as Go would write them.
// Line breaks and tabs stay.
func printable(s string) string {
	return escape(strings.ToValidUTF8(s, "\ufffd"), func(r rune) string {
		if r < 0x100 {
			return fmt.Sprintf(`\x%02x`, r)
		}
		return fmt.Sprintf(`\u%04x`, r)
	})
}

// jsonEscape writes a rune so that it reads as the same in JSON. encoding/json has
// done so for those below a space.
func jsonEscape(r rune) string { return fmt.Sprintf(`\u%04x`, r) }

func escape(s string, as func(rune) string) string {
	if !strings.ContainsFunc(s, steers) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if steers(r) {
			b.WriteString(as(r))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// steers tells control characters, C1 included, and those that set the direction
// of text, which all fit 16 bits.
func steers(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// post prints a post for people.
func (p *printer) post(post api.Post) error {
	var b strings.Builder
	note := ""
	switch {
	case post.Deleted:
		note = "  deleted"
	case post.Rev>>16 > uint64(post.Created):
		note = "  edited"
	}
	fmt.Fprintf(&b, "%s  %s%s\n", p.styled(bold, post.Author), clock(post.Created), note)
	for line := range strings.Lines(printable(post.Text)) {
		b.WriteString("  " + strings.TrimSuffix(line, "\n") + "\n")
	}
	if post.ReplyTo != nil {
		fmt.Fprintf(&b, "  %s\n", p.styled(dim, "in reply to "+*post.ReplyTo))
	}
	fmt.Fprintf(&b, "  %s\n", p.styled(dim, post.ID))
	return p.line("%s", b.String())
}

func clock(ms int64) string { return time.UnixMilli(ms).Local().Format("2006-01-02 15:04") }

// receipt prints where a record went.
func (p *printer) receipt(done string, r api.Receipt) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", done, p.styled(bold, r.ID))
	for _, place := range r.Places {
		fmt.Fprintf(&b, "  %-8s %s  on %d of %d nodes\n", place.Kind, base(place), place.Stored, place.Wanted)
	}
	return p.write([]byte(b.String()))
}

// base is what a place is about, as people write it; keys are cut short.
func base(p api.Place) string {
	switch {
	case p.Kind == "tag":
		return "#" + p.Base
	case strings.HasPrefix(p.Base, "did:"), len(p.Base) <= 16:
		return p.Base
	default:
		return p.Base[:16] + "…"
	}
}
