package journal

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Config is how a journal is written.
type Config struct {
	Writer io.Writer
	JSON   bool // else lines for people
	Colour bool // of lines for people
	Levels Levels

	// Priorities begins each line with <3> to <7>, the syslog priority by which
	// journald sorts what a service writes; see sd-daemon(3). Of JSON alone.
	Priorities bool
}

// Journal writes what the parts of a node say.
type Journal struct {
	levels atomic.Pointer[Levels]
	out    *lines
	said   *said
	format slog.Handler
}

// New makes a journal.
func New(c Config) *Journal {
	j := &Journal{out: &lines{w: c.Writer, priorities: c.Priorities && c.JSON}, said: &said{all: map[message]*saying{}}}
	j.SetLevels(c.Levels)
	if c.JSON {
		j.format = slog.NewJSONHandler(j.out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: readable})
	} else {
		j.format = &text{out: j.out, colour: c.Colour}
	}
	return j
}

// readable writes durations as text does, instead of as nanoseconds.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// Logger is where the parts write. Each says which it is by [PartKey].
func (j *Journal) Logger() *slog.Logger { return slog.New(handler{j: j, next: j.format}) }

// Levels are those in force.
func (j *Journal) Levels() Levels { return *j.levels.Load() }

// SetLevels changes the levels of all loggers.
func (j *Journal) SetLevels(l Levels) { j.levels.Store(&l) }

// Close writes what was counted. Afterwards nothing is written.
func (j *Journal) Close() {
	j.said.close()
	j.out.close()
}

// handler is a logger's: the journal, the part, and the attributes in next.
type handler struct {
	j    *Journal
	part string
	next slog.Handler
}

// Enabled tells whether the part is to be heard at that level.
func (h handler) Enabled(_ context.Context, l slog.Level) bool {
	return l >= h.j.levels.Load().Of(h.part)
}

// Handle writes a line, or counts it.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelInfo {
		return h.next.Handle(ctx, r)
	}
	write := func(r slog.Record) { _ = h.next.Handle(ctx, r) } // to whom would it be said?
	h.j.said.once(message{h.part, r.Message, settingOf(r), r.Level}, r, write)
	return nil
}

// settingOf is the setting that a line names; empty for none.
func settingOf(r slog.Record) (setting string) {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == SettingKey {
			setting = a.Value.String()
		}
		return setting == ""
	})
	return setting
}

// WithAttrs is a logger that says more, and perhaps of which part it is.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		if a.Key == PartKey {
			h.part = a.Value.String()
		}
	}
	h.next = h.next.WithAttrs(attrs)
	return h
}

// WithGroup is a logger whose attributes stand below a name.
func (h handler) WithGroup(name string) slog.Handler {
	h.next = h.next.WithGroup(name)
	return h
}

// message is what makes two lines alike: all but their attributes, of which only the
// setting counts.
type message struct {
	part, text, setting string
	level               slog.Level
}

// said remembers what was said within the last window.
type said struct {
	mu     sync.Mutex // protects all, closed
	all    map[message]*saying
	closed bool
}

// saying is a message that was written: how many came since, and the last of them.
type saying struct {
	count int
	last  slog.Record
	write func(slog.Record)
	timer *time.Timer
}

// once writes the first of a window and counts the others.
func (s *said) once(m message, r slog.Record, write func(slog.Record)) {
	s.mu.Lock()
	if k := s.all[m]; k != nil {
		k.count, k.last, k.write = k.count+1, r.Clone(), write
		s.mu.Unlock()
		return
	}
	if !s.closed && len(s.all) < maxMessages {
		s.all[m] = &saying{timer: time.AfterFunc(Window, func() { s.over(m) })}
	}
	s.mu.Unlock()
	write(r)
}

// over ends a window: nothing came, and the message is forgotten, or what came is
// written as one and the next window begins.
func (s *said) over(m message) {
	s.mu.Lock()
	k := s.all[m]
	if k == nil {
		s.mu.Unlock()
		return
	}
	if k.count == 0 {
		delete(s.all, m)
		s.mu.Unlock()
		return
	}
	write, r := k.write, k.repeated()
	k.count = 0
	k.timer.Reset(Window)
	s.mu.Unlock()
	write(r)
}

// repeated is the last of those that came, with how many they were.
func (k *saying) repeated() slog.Record {
	r := k.last
	r.AddAttrs(slog.Int(RepeatedKey, k.count))
	return r
}

func (s *said) close() {
	s.mu.Lock()
	all := s.all
	s.all, s.closed = map[message]*saying{}, true
	s.mu.Unlock()
	for _, k := range all {
		k.timer.Stop()
		if k.count > 0 {
			k.write(k.repeated())
		}
	}
}

// lines writes whole lines, one after another, until it is closed.
type lines struct {
	priorities bool

	mu     sync.Mutex // protects w, closed
	w      io.Writer
	closed bool
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return len(line), nil
	}
	if l.priorities {
		line = append([]byte(priority(line)), line...)
	}
	return l.w.Write(line)
}

func (l *lines) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}
