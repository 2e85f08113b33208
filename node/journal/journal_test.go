package journal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/node/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// page is what was written so far.
type page struct {
	mu sync.Mutex // protects b
	b  bytes.Buffer
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.Write(b)
}

func (p *page) lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Split(strings.TrimSuffix(p.b.String(), "\n"), "\n")
}

// say is how libraries speak, with any text.
func say(log *slog.Logger, text string) {
	_ = log.Handler().Handle(context.Background(), slog.NewRecord(time.Now(), slog.LevelInfo, text, 0))
}

// pass lets virtual time pass.
func pass(d time.Duration) {
	<-time.NewTimer(d).C
	synctest.Wait()
}

func levels(t *testing.T, text string) (l journal.Levels) {
	t.Helper()
	if err := l.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return l
}

// Each part has its level, and those that say nothing of theirs that of all.
func TestJournal_levels(t *testing.T) {
	var out page
	j := journal.New(journal.Config{Writer: &out, Levels: levels(t, "warn,heal=debug,dht=error")})
	defer j.Close()
	log := j.Logger()
	for _, part := range []string{"heal", "dht", "store"} {
		of := log.With(journal.PartKey, part)
		of.Debug("low")
		of.Info("middle")
		of.Warn("high")
	}
	log.Info("of no part")
	got := strings.Join(out.lines(), "\n")
	for _, want := range []string{"debug heal: low", "info  heal: middle", "warn  heal: high", "warn  store: high"} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q", want)
		}
	}
	if n := len(out.lines()); n != 4 {
		t.Errorf("%d lines:\n%s", n, got)
	}
	j.SetLevels(levels(t, "info"))
	log.Info("of no part")
	if n := len(out.lines()); n != 5 {
		t.Errorf("%d lines after the levels changed", n)
	}
}

// What is said again and again is one line, and then one for each window with how
// often; the last attributes are shown, and debug is told in full.
func TestJournal_repeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out page
		j := journal.New(journal.Config{Writer: &out, Levels: levels(t, "debug")})
		log := j.Logger().With(journal.PartKey, "store")
		for i := range 100 {
			log.Warn("disk is slow", "took", i)
		}
		log.With(journal.PartKey, "other").Warn("disk is slow")
		log.Error("disk is slow")
		if n := len(out.lines()); n != 3 {
			t.Fatalf("%d lines at once: %q", n, out.lines())
		}
		pass(journal.Window + time.Second)
		got := out.lines()
		if len(got) != 4 || !strings.HasSuffix(got[3], "disk is slow  took=99  (repeated 99 times)") {
			t.Errorf("after a window: %q", got)
		}
		log.Warn("disk is slow", "took", 100) // within the next window
		pass(journal.Window + time.Second)
		if got = out.lines(); len(got) != 5 || !strings.HasSuffix(got[4], "(repeated once)") {
			t.Errorf("in the next window: %q", got)
		}
		pass(2 * journal.Window)
		log.Warn("disk is slow", "took", 101)
		for range 10 {
			log.Debug("again")
		}
		if n := len(out.lines()); n != 16 {
			t.Errorf("%d lines after a pause", n)
		}
		log.Warn("disk is slow", "took", 102)
		j.Close()
		if got = out.lines(); len(got) != 17 || !strings.Contains(got[16], "took=102") {
			t.Errorf("at the end: %q", got)
		}
		log.Error("too late")
		if n := len(out.lines()); n != 17 {
			t.Error("written after it was closed")
		}
	})
}

// Each limit that is reached has its line, however often another one is.
func TestJournal_settings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out page
		j := journal.New(journal.Config{Writer: &out})
		log := j.Logger()
		for range 100 {
			log.Warn("limit reached", journal.SettingKey, "requests.watches", "detail", "too many")
		}
		log.Warn("limit reached", journal.SettingKey, "api.posts_per_hour")
		got := out.lines()
		if len(got) != 2 || !strings.Contains(got[0], "setting=requests.watches") || !strings.Contains(got[1], "setting=api.posts_per_hour") {
			t.Errorf("written: %q", got)
		}
		j.Close()
		if got = out.lines(); len(got) != 3 || !strings.HasSuffix(got[2], "setting=requests.watches detail=\"too many\"  (repeated 99 times)") {
			t.Errorf("at the end: %q", got)
		}
	})
}

// A library that says something else each time fills no memory and loses no line.
func TestJournal_manyMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out page
		j := journal.New(journal.Config{Writer: &out})
		defer j.Close()
		log := j.Logger()
		const many = 5000
		for i := range many {
			say(log, strings.Repeat("x", i%71)+string(rune('0'+i)))
		}
		if n := len(out.lines()); n != many {
			t.Errorf("%d lines of %d", n, many)
		}
	})
}

// Programs get JSON, with a number for what was repeated; journald gets priorities.
func TestJournal_json(t *testing.T) {
	var out page
	j := journal.New(journal.Config{Writer: &out, JSON: true, Priorities: true})
	log := j.Logger().With(journal.PartKey, "dht")
	log.Info("joined", "err", errors.New("level\":\"ERROR"))
	log.Warn("slow")
	log.Warn("slow")
	log.Error("broken", "after", 3*time.Second)
	j.Close()
	want := []struct{ prefix, level, msg string }{{"<6>", "INFO", "joined"}, {"<4>", "WARN", "slow"}, {"<3>", "ERROR", "broken"}, {"<4>", "WARN", "slow"}}
	for i, line := range out.lines() {
		var got struct {
			Level, Msg, Part string
			After            string
			Repeated         int
		}
		rest, ok := strings.CutPrefix(line, want[i].prefix)
		if err := json.Unmarshal([]byte(rest), &got); !ok || err != nil || got.Level != want[i].level || got.Msg != want[i].msg || got.Part != "dht" {
			t.Errorf("line %d: %s, %v", i, line, err)
		}
		if i == 2 && got.After != "3s" {
			t.Errorf("a duration: %s", line)
		}
		if i == 3 && got.Repeated != 1 {
			t.Errorf("repeated: %s", line)
		}
	}
}

// Whatever is said is one line, and steers no terminal.
func TestJournal_oneLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var out page
		j := journal.New(journal.Config{Writer: &out})
		s := rapid.String().Draw(t, "s")
		say(j.Logger(), s)
		j.Logger().With(s, s).WithGroup(s).Info("said", s, s, "group", slog.GroupValue(slog.String(s, s)), "err", errors.New(s))
		j.Close()
		b := out.b.String()
		if n := strings.Count(b, "\n"); n != 2 {
			t.Fatalf("%d lines", n)
		}
		for _, r := range b {
			if r < ' ' && r != '\n' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u202e' || r == '\u2028' {
				t.Fatalf("%q holds %U", b, r)
			}
		}
	})
}

// Levels are read as they are written, and what is none says what to write.
func TestLevels(t *testing.T) {
	for in, want := range map[string]string{
		"info": "info", "debug": "debug", "WARN": "warn", "heal=debug": "info,heal=debug",
		"error, store=info ,dht=warn": "error,dht=warn,store=info",
	} {
		l := levels(t, in)
		if l.String() != want {
			t.Errorf("%q is %q, want %q", in, l, want)
		}
		if again := levels(t, l.String()); again.String() != want {
			t.Errorf("%q is read as %q", want, again)
		}
	}
	for in, want := range map[string]string{"": "debug, info", "loud": "debug, info", "info,heal": "debug, info", "info,=debug": "part before", "info,debug": "comes first", "heal=": "debug, info"} {
		var l journal.Levels
		if err := l.UnmarshalText([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want a word of %q", in, err, want)
		}
	}
}
