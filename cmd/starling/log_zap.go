package main

import (
	"context"
	"log/slog"

	"go.uber.org/zap/zapcore"
)

// zapCore hands lines of go-log, which kad-dht writes, to ours.
type zapCore struct{ log *slog.Logger }

func (c zapCore) Enabled(l zapcore.Level) bool {
	return c.log.Enabled(context.Background(), levelOf(l))
}

func (c zapCore) With(fields []zapcore.Field) zapcore.Core {
	return zapCore{c.log.With(attrs(fields)...)}
}

func (c zapCore) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return to.AddCore(e, c)
	}
	return to
}

func (c zapCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	r := slog.NewRecord(e.Time, levelOf(e.Level), e.Message, 0)
	r.AddAttrs(slog.String("logger", e.LoggerName))
	r.Add(attrs(fields)...)
	return c.log.Handler().Handle(context.Background(), r)
}

func (zapCore) Sync() error { return nil }

// attrs are fields of zap as slog has them.
func attrs(fields []zapcore.Field) (out []any) {
	for _, f := range fields {
		e := zapcore.NewMapObjectEncoder()
		f.AddTo(e)
		for key, v := range e.Fields {
			out = append(out, slog.Any(key, v))
		}
	}
	return out
}

// levelOf is the level of slog; those above zap's error end a process or a
// goroutine, and are errors here too.
func levelOf(l zapcore.Level) slog.Level {
	switch {
	case l < zapcore.InfoLevel:
		return slog.LevelDebug
	case l < zapcore.WarnLevel:
		return slog.LevelInfo
	case l < zapcore.ErrorLevel:
		return slog.LevelWarn
	default:
		return slog.LevelError
	}
}
