package journal

import (
	"bytes"
	"context"
	"encoding"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// text writes lines for people:
//
//	10:31:21 warn  dht: no node answers  asked=3 err="dial: refused"
//
// It quotes what is not plainly printable, so that nothing from others steers a
// terminal or breaks a line in two.
type text struct {
	out    *lines
	colour bool
	part   string
	group  string // before the keys of what follows: "a.b."
	attrs  string // written already
}

// Enabled is always: the journal has asked before.
func (t *text) Enabled(context.Context, slog.Level) bool { return true }

// Handle writes one line.
func (t *text) Handle(_ context.Context, r slog.Record) error {
	var b bytes.Buffer
	at := r.Time
	if at.IsZero() {
		at = time.Now()
	}
	b.WriteString(t.styled(dim, at.Local().Format(time.TimeOnly)))
	b.WriteString(" " + t.styled(styles[name(r.Level)], fmt.Sprintf("%-5s", name(r.Level))) + " ")
	if t.part != "" {
		b.WriteString(t.styled(dim, plain(t.part)+":") + " ")
	}
	b.WriteString(plain(r.Message))
	var tail, repeated strings.Builder
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == RepeatedKey {
			repeated.WriteString("  (repeated " + times(a.Value.Int64()) + ")")
			return true
		}
		t.attr(&tail, t.group, a)
		return true
	})
	if pairs := strings.TrimSpace(t.attrs + tail.String()); pairs != "" {
		b.WriteString("  " + t.styled(dim, pairs))
	}
	b.WriteString(repeated.String() + "\n")
	_, err := t.out.Write(b.Bytes())
	return err
}

func times(n int64) string {
	if n == 1 {
		return "once"
	}
	return strconv.FormatInt(n, 10) + " times"
}

// WithAttrs is t with more at the end of each line; the part moves to its front.
func (t *text) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *t
	var b strings.Builder
	for _, a := range attrs {
		if a.Key == PartKey && c.group == "" {
			c.part = a.Value.String()
			continue
		}
		c.attr(&b, c.group, a)
	}
	c.attrs += b.String()
	return &c
}

// WithGroup is t with a name before the keys to come.
func (t *text) WithGroup(name string) slog.Handler {
	c := *t
	if name != "" {
		c.group += name + "."
	}
	return &c
}

// attr writes key=value and a blank.
func (t *text) attr(b *strings.Builder, group string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, one := range v.Group() {
			t.attr(b, group, one)
		}
		return
	}
	if a.Equal(slog.Attr{}) {
		return
	}
	b.WriteString(quoted(group+a.Key) + "=" + quoted(shown(v)) + " ")
}

// shown is a value as people write it.
func shown(v slog.Value) string {
	switch v.Kind() {
	case slog.KindTime:
		return v.Time().Local().Format("2006-01-02 15:04:05")
	case slog.KindAny:
		switch x := v.Any().(type) {
		case encoding.TextMarshaler:
			if b, err := x.MarshalText(); err == nil {
				return string(b)
			}
		case fmt.Stringer, error:
			return fmt.Sprint(x)
		}
	case slog.KindBool, slog.KindDuration, slog.KindFloat64, slog.KindInt64, slog.KindString, slog.KindUint64, slog.KindGroup, slog.KindLogValuer:
	}
	return v.String()
}

// quoted puts quotes around what does not stand for itself.
func quoted(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r == ' ' || r == '"' || r == '=' || odd(r) }) {
		return strconv.Quote(s)
	}
	return s
}

// plain is s with what is not printable written out.
func plain(s string) string {
	if !strings.ContainsFunc(s, odd) {
		return s
	}
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}

func odd(r rune) bool { return !strconv.IsPrint(r) || r == unicode.ReplacementChar }

// Styles, as a terminal takes them.
const dim = "\x1b[2m"

var styles = map[string]string{"debug": dim, "info": "\x1b[32m", "warn": "\x1b[33m", "error": "\x1b[31m"}

func (t *text) styled(style, s string) string {
	if !t.colour {
		return s
	}
	return style + s + "\x1b[0m"
}
