package main

import (
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"
)

// logger writes what the node has to say: text for people, JSON for programs.
func (s logSettings) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: s.Level}
	asJSON := s.Format == logJSON
	if f, ok := w.(*os.File); ok && s.Format == logAuto {
		asJSON = !term.IsTerminal(int(f.Fd()))
	}
	if asJSON {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
