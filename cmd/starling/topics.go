package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// newTopics are pages of help that belong to no command.
func newTopics() []*cobra.Command {
	return []*cobra.Command{
		{Use: "exit-codes", Short: "What the exit statuses mean", Long: "The exit status of every command:\n\n" + strings.TrimSuffix(exitTable(), "\n")},
		{Use: "logs", Short: "What the log of a node says, and how to hear more or less of it", Long: logTopic()},
		{Use: "environment", Short: "Variables that the commands look at", Long: environmentTopic},
	}
}

func logTopic() string {
	var b strings.Builder
	b.WriteString(`'starling run' writes its log to standard error: text on a terminal, JSON anywhere else,
with the priorities of syslog under systemd. log.level, or --log-level, is one of debug,
info, warn and error, or that and others for some parts:

  starling run --log-level info,heal=debug,dht=warn

What is said again and again is written once in ten seconds, and then with how often it
was said; debug lines all are. What peers do wrong is debug: it is not yours to mend.

The parts:

`)
	for _, p := range logParts {
		fmt.Fprintf(&b, "  %-9s %s\n", p.name, p.about)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

const environmentTopic = `The commands look at these variables of the environment:

  STARLING_DATA         directory of keys and posts, as --data
  STARLING_CONFIG       configuration file, as --config
  STARLING_TABLE__KEY   any other setting, such as STARLING_STORE__QUOTA=20GiB; items
                        of a list are separated by commas. 'starling config init -'
                        shows them all
  XDG_DATA_HOME         where the data directory is, unless it is named
  XDG_CONFIG_HOME       where the configuration file is, unless it is named
  NO_COLOR              if set to anything, no colours
  TERM=dumb             no colours, and no progress bars either
  JOURNAL_STREAM        set by systemd: the log goes to journald, with priorities`
