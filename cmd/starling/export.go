package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/archive"
)

func newExport(a *app) *cobra.Command {
	var sel api.Selection
	mine := false
	c := &cobra.Command{
		Use:   "export FILE | -",
		Short: "Save what your node keeps to a file",
		Long: `Save the records that your node keeps, signed as they are, to an archive, or with - to
standard output: all of them, or with --mine, --user and --tag yours, those of some
users and those with some hashtags. Whether the node runs or not; a file that is
there already is replaced once the new one is complete.

What your node does not keep is not in the archive: it keeps what you wrote and
follow, and its share of everybody's posts. Your keys are not in it either: save
person.key of your data directory as well, somewhere safe, and node.key to come back
under the same address. The whole archive tells what you follow: it is readable by
you alone.`,
		Example: `  starling export backup.starling
  starling export --mine --tag birds - | zstd > mine.zst`,
		Args:              arguments(1, 1, "one file to write, or - for standard output"),
		ValidArgsFunction: filesOnly,
		RunE: func(c *cobra.Command, args []string) error {
			if mine {
				sel.Users = append(sel.Users, "me")
			}
			if _, err := sel.Of(records.User{}); err != nil {
				return usage("%w", err)
			}
			if err := a.checkOutput(args[0]); err != nil {
				return err
			}
			return a.withVault(c.Context(), "", func(v vault) error { return a.export(c.Context(), v, args[0], sel) })
		},
	}
	flags := c.Flags()
	flags.BoolVar(&mine, "mine", false, "what you wrote")
	flags.StringArrayVar(&sel.Users, "user", nil, "what a `user` wrote: did:key:… or me; may be repeated")
	flags.StringArrayVar(&sel.Tags, "tag", nil, "posts with a `hashtag`, with or without #; may be repeated")
	return c
}

// checkOutput finds slips before anything is read.
func (a *app) checkOutput(file string) error {
	info, err := os.Stat(file)
	switch {
	case file != "-" && err == nil && info.IsDir():
		return usage("%s is a directory: name a file in it", file)
	case file != "-":
		return nil
	case a.json:
		return usage("--json and an archive cannot share standard output: name a file")
	case term.IsTerminal(int(os.Stdout.Fd())):
		return usage("an archive is nothing to look at: name a file, or send it on with | or >")
	default:
		return nil
	}
}

func (a *app) export(ctx context.Context, v vault, file string, sel api.Selection) error {
	var totals archive.Totals
	write := func(to io.Writer) (err error) {
		bar := newBar("export", a.expected(ctx, v, sel), progressbar.OptionShowCount())
		totals, err = v.Export(ctx, to, sel, func(records int64) { show(bar, records) })
		finish(bar, err)
		return err
	}
	var err error
	if file == "-" {
		err = write(os.Stdout)
	} else {
		err = writeWhole(file, write)
	}
	if ctx.Err() != nil && err != nil {
		return errors.New("interrupted: nothing was saved")
	}
	if err != nil {
		return err
	}
	if totals.Unreadable > 0 {
		err = fmt.Errorf("%d records are damaged on this disk and not in the archive; a running node fetches them again from others", totals.Unreadable)
	}
	return errors.Join(a.exported(file, totals), err)
}

// expected is how many records will be gone through, as far as that can be told.
func (a *app) expected(ctx context.Context, v vault, sel api.Selection) int64 {
	stats, err := v.StoreStats(ctx)
	if err != nil || len(sel.Users)+len(sel.Tags) > 0 {
		return -1
	}
	return stats.Records
}

func (a *app) exported(file string, t archive.Totals) error {
	switch {
	case file == "-":
		return nil // it has said itself what it is
	case a.json:
		return a.out.object(struct {
			File       string `json:"file"`
			Records    uint64 `json:"records"`
			Places     uint64 `json:"places"`
			Unreadable uint64 `json:"unreadable"`
		}{file, t.Entries, t.Standings, t.Unreadable})
	default:
		return a.out.line("%d records in %s", t.Entries, printable(file))
	}
}

func newImport(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE | -",
		Short: "Bring an archive back into your node",
		Long: `Merge an archive that 'starling export' made into what your node keeps, from a file or
with - from standard input; whether the node runs or not. Every record is verified as
if it came from a stranger, and one that is not good hides no other. Nothing that is
newer here is replaced.

It may be stopped with ctrl-C and done again: what is there already changes nothing,
and it goes on. Of a file that was cut or damaged, what comes before the damage is
kept. Other nodes get what they lack from yours within minutes, as long as it runs.

On a new machine, put your person.key into the data directory first.`,
		Example: `  starling import backup.starling
  zstd -dc mine.zst | starling import -`,
		Args:              arguments(1, 1, "one file to read, or - for standard input"),
		ValidArgsFunction: filesOnly,
		RunE: func(c *cobra.Command, args []string) error {
			from, size, err := input(args[0])
			if err != nil {
				return err
			}
			defer func() { _ = from.Close() }() // nothing was written
			return a.importFrom(c.Context(), from, size)
		},
	}
}

// input is what to import, and how long it is; -1 where nobody knows.
func input(file string) (io.ReadCloser, int64, error) {
	if file == "-" {
		if term.IsTerminal(int(os.Stdin.Fd())) {
			return nil, 0, usage("an archive is nothing to type: name a file, or send it here with | or <")
		}
		return os.Stdin, -1, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, 0, fmt.Errorf("read archive: %w", err)
	}
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		return nil, 0, errors.Join(usage("%s is no file", file), err, f.Close())
	}
	if !info.Mode().IsRegular() {
		return f, -1, nil
	}
	return f, info.Size(), nil
}

// counter counts what is read.
type counter struct {
	io.Reader
	read int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.read += int64(n)
	return n, err
}

func (a *app) importFrom(ctx context.Context, from io.Reader, size int64) error {
	begin, rest, err := archive.Peek(from)
	if err != nil {
		return err
	}
	return a.withVault(ctx, begin.Network, func(v vault) error {
		counted := &counter{Reader: rest}
		bar := newBar("import", size, progressbar.OptionShowBytes(true), progressbar.OptionSetPredictTime(true))
		done, err := v.Import(ctx, counted, func(api.Imported) { show(bar, counted.read) })
		finish(bar, err)
		if err != nil && ctx.Err() != nil {
			err = errors.New("interrupted: import the same archive again to go on")
		}
		var p *api.Problem
		if errors.Is(err, node.ErrFull) || errors.As(err, &p) && p.Code == api.CodeFull {
			err = fmt.Errorf("%w: import the same archive again once there is room", err)
		}
		if done.Refused > 0 {
			err = errors.Join(err, refusals(done))
		}
		return errors.Join(a.imported(done), err)
	})
}

// refusals says why records were refused, as far as it is known.
func refusals(done api.Imported) error {
	err := fmt.Errorf("%d records were refused", done.Refused)
	for _, r := range done.Reasons {
		err = fmt.Errorf("%w\n  record %d: %s", err, r.Record, r.Reason)
	}
	return err
}

func (a *app) imported(done api.Imported) error {
	if a.json {
		return a.out.object(done)
	}
	return a.out.line("%d records imported, %d were here already", done.New, done.Had)
}

// show moves a bar, where there is one. One that cannot be drawn is no reason to stop.
func show(bar *progressbar.ProgressBar, at int64) {
	if bar != nil {
		_ = bar.Set64(at)
	}
}

func finish(bar *progressbar.ProgressBar, err error) {
	switch {
	case bar == nil:
	case err == nil:
		_ = bar.Finish()
	default:
		fmt.Fprintln(os.Stderr) // what follows stands below it
	}
}
