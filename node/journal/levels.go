package journal

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

// Levels say how much is told: of all parts, which is the level of "", and of some of
// them more or less. Their text is "info" or "info,heal=debug,dht=warn". Nil is info
// for all.
type Levels map[string]slog.Level

// At is one level for all parts.
func At(l slog.Level) Levels { return Levels{"": l} }

// Of is the level of a part.
func (l Levels) Of(part string) slog.Level {
	if own, ok := l[part]; ok {
		return own
	}
	return l[""] // info is 0
}

// With is l with a level for one part.
func (l Levels) With(part string, level slog.Level) Levels {
	out := maps.Clone(l)
	if out == nil {
		out = Levels{}
	}
	out[part] = level
	return out
}

// Parts are those with a level of their own, sorted.
func (l Levels) Parts() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(l)), func(part string) bool { return part == "" })
}

// String is what UnmarshalText reads.
func (l Levels) String() string {
	all := []string{name(l[""])}
	for _, part := range l.Parts() {
		all = append(all, part+"="+name(l[part]))
	}
	return strings.Join(all, ",")
}

// UnmarshalText reads a level for all parts, levels for some of them, or both, with
// commas between them.
func (l *Levels) UnmarshalText(b []byte) error {
	var out Levels
	for i, item := range strings.Split(string(b), ",") {
		part, text, own := strings.Cut(strings.TrimSpace(item), "=")
		if !own {
			part, text = "", part
		}
		level, ok := levelOf(strings.TrimSpace(text))
		part = strings.TrimSpace(part)
		switch {
		case !ok:
			return fmt.Errorf("%.40q: want debug, info, warn or error; or with parts, such as info,heal=debug", item)
		case own && part == "":
			return fmt.Errorf("%.40q: want a part before the =, such as heal=debug", item)
		case own:
			out = out.With(part, level)
		case i > 0:
			return fmt.Errorf("%.40q: the level of all parts comes first, and once, such as info,heal=debug", item)
		default:
			out = out.With("", level)
		}
	}
	*l = out
	return nil
}

// The levels, as people write them.
var names = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

func levelOf(text string) (slog.Level, bool) {
	l, ok := names[strings.ToLower(text)]
	return l, ok
}

// name is the level at or below l that has one.
func name(l slog.Level) string {
	switch {
	case l < slog.LevelInfo:
		return "debug"
	case l < slog.LevelWarn:
		return "info"
	case l < slog.LevelError:
		return "warn"
	default:
		return "error"
	}
}
