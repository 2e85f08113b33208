package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

func newConfig(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Show, check or write the configuration",
		Long: `A node needs no configuration. What can be set stands in one TOML file, in the
environment or on the command line; the later of these wins. A key "quota" in the
table "store" is $STARLING_STORE__QUOTA and --set store.quota=…; items of a list are
separated by commas there. The file is --config, else $STARLING_CONFIG, else
config.toml in your configuration directory.`,
		Example: `  starling config init
  starling config show --effective
  starling config validate`,
	}
	c.AddCommand(newConfigInit(a), newConfigShow(a), newConfigValidate(a))
	return c
}

func newConfigInit(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "init [FILE | -]",
		Short: "Write a file with every setting, explained and commented out",
		Long: `Write a configuration file with every setting, what it means and its default, all
commented out: where it is looked for, to a file, or with - to standard output. A file
that is there is left alone.`,
		Example: `  starling config init
  starling config init -`,
		Args:              arguments(0, 1, "at most one file"),
		ValidArgsFunction: filesOnly,
		RunE: func(_ *cobra.Command, args []string) error {
			file := a.configFile()
			if len(args) == 1 {
				file = args[0]
			}
			switch file {
			case "":
				return usage("no directory for a configuration; name a file, or - for standard output")
			case "-":
				return a.made(file, template(), strings.TrimSuffix(template(), "\n"))
			}
			if err := writeNew(file, template()); err != nil {
				return err
			}
			return a.made(file, "", printable(file))
		},
	}
}

// made says which file was made; of standard output, what would be in it.
func (a *app) made(file, content, text string) error {
	if a.json {
		return a.out.object(struct {
			File    string `json:"file"`
			Content string `json:"content,omitempty"`
		}{file, content})
	}
	return a.out.line("%s", text)
}

// writeNew makes a file, and its directory, and no other's.
func writeNew(file, content string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return usage("%s is there already; remove it first, or name another", file)
	}
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	_, err = io.WriteString(f, content)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("configuration: %w", err), os.Remove(file))
	}
	return nil
}

// template is the file that `config init` writes.
func template() string {
	var b strings.Builder
	b.WriteString("# Configuration of a Starling node. Everything here is optional; what is commented\n" +
		"# out is the default. 'starling config show' says what is in force, and why.\n")
	s := defaults(profileDefault)
	walk(reflect.ValueOf(&s).Elem(), "", func(key string, f reflect.StructField, v reflect.Value) {
		b.WriteString("\n# " + wrapped(f.Tag.Get("help"), "# ") + "\n")
		if f.Type.Kind() == reflect.Struct {
			b.WriteString("[" + key + "]\n")
			return
		}
		if empty := f.Tag.Get("empty"); empty != "" {
			b.WriteString("# Empty: " + wrapped(empty, "# ") + ".\n")
		}
		_, last, nested := strings.Cut(key, ".")
		if !nested {
			last = key
		}
		b.WriteString("# " + strings.ReplaceAll(last+" = "+literal(v), "\n", "\n# ") + "\n")
	})
	return b.String()
}

// wrapped breaks a sentence after 84 characters, the next line after a prefix.
func wrapped(s, prefix string) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(s) {
		switch {
		case column > 0 && column+1+len(word) > 84:
			b.WriteString("\n" + prefix)
			column = 0
		case column > 0:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}

func newConfigShow(a *app) *cobra.Command {
	var effective bool
	c := &cobra.Command{
		Use:   "show",
		Short: "Show what is set, and where",
		Long: `Show the settings that are not the default, with where each came from; with
--effective all of them.`,
		Example: `  starling config show
  starling config show --effective --json`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			c, err := a.configured()
			if err != nil {
				return err
			}
			return a.showSettings(c, effective)
		},
	}
	c.Flags().BoolVar(&effective, "effective", false, "show defaults too")
	return c
}

func (a *app) showSettings(c *configured, effective bool) error {
	var rows strings.Builder
	table := tabwriter.NewWriter(&rows, 0, 0, 2, ' ', 0)
	for _, s := range c.all {
		if s.origin == originDefault && !effective {
			continue
		}
		if a.json {
			value := s.value.Interface()
			if text, ok := value.(fmt.Stringer); ok {
				value = text.String() // 8GiB rather than a number
			}
			if err := a.out.object(struct {
				Key    string `json:"key"`
				Value  any    `json:"value"`
				Origin string `json:"origin"`
			}{s.key, value, s.origin}); err != nil {
				return err
			}
			continue
		}
		value := strings.Join(strings.Fields(literal(s.value)), " ")
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", s.key, printable(s.origin), printable(value)) // which may be long
	}
	_ = table.Flush() // into memory
	switch {
	case a.json:
		return nil
	case rows.Len() == 0:
		return a.out.line("Everything is the default; see --effective.")
	default:
		return a.out.line("%s", strings.TrimSuffix(rows.String(), "\n"))
	}
}

func newConfigValidate(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "validate [FILE]",
		Short: "Check the configuration without starting anything",
		Long: `Check a file, or what is in force, as 'starling run' would. Exit status 2 says that
something is wrong, and standard error what.`,
		Example: `  starling config validate starling.toml`,
		Args:    arguments(0, 1, "at most one file"),

		ValidArgsFunction: filesOnly,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				a.config = args[0]
			}
			c, err := a.configured()
			if err != nil {
				return err
			}
			if err := c.check(); err != nil {
				return err
			}
			if a.json {
				return a.out.object(struct {
					Valid bool `json:"valid"`
				}{true})
			}
			return a.out.line("The configuration is valid.")
		},
	}
}

// check tells what is wrong with values that can be read, and who set them.
func (c *configured) check() error {
	if _, err := records.NamedNetwork(c.Network.Name); err != nil {
		return usage("network.name (%s): %w", c.originOf("network.name"), err)
	}
	if err := c.checkListeners(); err != nil {
		return err
	}
	for _, s := range c.all {
		if err := s.check(); err != nil {
			return usage("%s (%s): %w", s.key, s.origin, err)
		}
	}
	if err := checkParts(c.Log.Level); err != nil {
		return usage("log.level (%s): %w", c.originOf("log.level"), err)
	}
	if _, err := c.Trace.endpoint(os.Getenv); err != nil {
		return usage("trace.endpoint (%s): %w", c.originOf("trace.endpoint"), err)
	}
	if c.Limits.ConnsHigh < c.Limits.ConnsLow {
		return usage("limits.connections_high (%s) is below limits.connections_low (%s)", c.originOf("limits.connections_high"), c.originOf("limits.connections_low"))
	}
	return c.checkAddrs()
}

// checkAddrs looks at each list of addresses by itself, so that it is known whose slip
// it is.
func (c *configured) checkAddrs() error {
	bootstrap, err := c.bootstraps()
	if err != nil {
		return usage("network.bootstrap (%s): %w", c.originOf("network.bootstrap"), err)
	}
	for _, list := range []struct {
		key string
		of  node.Config
	}{
		{"network.listen", node.Config{Listen: c.Network.Listen}},
		{"network.announce", node.Config{Announce: c.Network.Announce}},
		{"network.bootstrap", node.Config{Bootstrap: bootstrap, PublicOnly: c.Network.PublicOnly}},
	} {
		if err := list.of.CheckAddrs(); err != nil {
			return usage("%s (%s): %w", list.key, c.originOf(list.key), err)
		}
	}
	return nil
}

// maxSize is more than a disk has: a slip in the unit.
const maxSize = 1 << 50

// check bounds the numbers.
func (s setting) check() error {
	switch v := s.value.Interface().(type) {
	case byteSize:
		if v < 0 || v > maxSize {
			return fmt.Errorf("%s: want 0 to %s", v, byteSize(maxSize))
		}
		if v == 0 && s.key == "limits.mend_rate" {
			return errors.New("without any, nothing is ever mended")
		}
	case duration:
		if v <= 0 {
			return fmt.Errorf("%s: want more than 0", v)
		}
	case int:
		least := 1
		if s.key == "network.per_ip_group" || s.key == "api.posts_per_hour" {
			least = 0
		}
		if v < least || v > 1<<20 {
			return fmt.Errorf("%d: want %d to %d", v, least, 1<<20)
		}
	}
	return nil
}
