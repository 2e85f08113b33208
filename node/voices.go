package node

import "log/slog"

// voices are the loggers of what a node does, each under the name by which an
// operator asks for more or less of it.
type voices struct {
	carry, follow, heal, publish, read, store *slog.Logger
}

func newVoices(log *slog.Logger) voices {
	of := func(part string) *slog.Logger { return log.With("part", part) }
	return voices{
		carry: of("carry"), follow: of("follow"), heal: of("heal"),
		publish: of("publish"), read: of("read"), store: of("store"),
	}
}
