package main

import (
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"os"
	"slices"
	"strings"

	golog "github.com/ipfs/go-log/v2"
	"github.com/libp2p/go-libp2p/gologshim"
	"go.uber.org/zap/zapcore"

	"github.com/starling-social/starling/node/journal"
)

// logParts are the parts that speak in the log, and what of.
var logParts = [...]struct{ name, about string }{
	{"api", "what programs of the owner ask"},
	{"carry", "records on their way further down, places made known to their parents"},
	{"dht", "who is in the network and responsible for what"},
	{"exchange", "requests from and to other nodes"},
	{"follow", "what is followed and watched"},
	{"go", "what Go's libraries write to the standard log"},
	{"gossip", "posts as they are announced"},
	{"heal", "comparing with neighbours, handing over"},
	{"history", "versions of registers"},
	{partLibp2p, "libp2p itself; errors alone unless a level is named for it"},
	{"node", "start, end, and what belongs to no other part"},
	{"publish", "posts on their way to those who keep them"},
	{"read", "timelines, and copies of hot places"},
	{"store", "the database and its disk"},
}

const partLibp2p = "libp2p"

// checkParts finds slips in the names of parts.
func checkParts(l journal.Levels) error {
	var names []string
	for _, p := range logParts {
		names = append(names, p.name)
	}
	for _, part := range l.Parts() {
		if slices.Contains(names, part) {
			continue
		}
		said := fmt.Errorf("there is no part %.40q; there are %s", part, strings.Join(names, ", "))
		if near := nearestOf(part, names); near != "" {
			said = fmt.Errorf("there is no part %.40q; did you mean %q?", part, near)
		}
		return said
	}
	return nil
}

// journal writes what the node has to say: text for people, JSON for programs.
func (s logSettings) journal(f *os.File) *journal.Journal {
	levels := s.Level
	if !slices.Contains(levels.Parts(), partLibp2p) {
		levels = levels.With(partLibp2p, slog.LevelError) // what it warns of is mostly what peers do
	}
	c := journal.Config{Writer: f, Levels: levels, Colour: colourful(f), JSON: s.Format == logJSON}
	if s.Format == logAuto {
		c.JSON = !isTerminal(f)
		c.Priorities = c.JSON && toJournald(f)
	}
	if c.JSON {
		c.Writer = escaping{f}
	}
	return journal.New(c)
}

// escaping writes out what JSON leaves as it is and a terminal would obey.
type escaping struct{ w io.Writer }

func (e escaping) Write(b []byte) (int, error) {
	if _, err := io.WriteString(e.w, escape(string(b), jsonEscape)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// adoptLibraries has the libraries below a node write into its log. They keep their
// loggers in the process, so this is the program's to do and not a node's.
func adoptLibraries(log *slog.Logger) {
	libp2p := log.With(journal.PartKey, partLibp2p)
	gologshim.SetDefaultHandler(libp2p.Handler())
	core := zapCore{libp2p}
	lowest := zapcore.DebugLevel
	for lowest < zapcore.ErrorLevel && !core.Enabled(lowest) {
		lowest++
	}
	golog.SetupLogging(golog.Config{Level: golog.LogLevel(lowest)}) // a lower one than the core's is complained of
	golog.SetPrimaryCore(core)
	stdlog.SetFlags(0)
	stdlog.SetOutput(slog.NewLogLogger(log.With(journal.PartKey, "go").Handler(), slog.LevelWarn).Writer())
}
