package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
)

func newDB(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "db",
		Short: "Look after the store of your node",
		Long:  `Look into the store of your node, check it, and make its files smaller.`,
		Example: `  starling db stats
  starling db verify`,
	}
	c.AddCommand(newDBStats(a), newDBVerify(a), newDBCompact(a))
	return c
}

func newDBStats(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "stats",
		Short: "Show what is in the store, and for whom",
		Long: `Show what is in the store: records and the bytes that they take, by whom they are kept
for. Whether the node runs or not. What is kept for one reason adds up to less than
all: the rest is the store's own upkeep.`,
		Example: `  starling db stats
  starling db stats --json`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withVault(c.Context(), "", func(v vault) error {
				s, err := v.StoreStats(c.Context())
				if err != nil {
					return err
				}
				return a.stats(s)
			})
		},
	}
}

func (a *app) stats(s api.StoreStats) error {
	if a.json {
		return a.out.object(s)
	}
	return a.out.line(`network    %s
records    %d at %d places, in %d entries
bytes      %s in records and indexes, %s in files
own        %d records, %s
held       %d records, %s
followed   %d records, %s
cached     %d records, %s
on the way %d, to be carried further down
damaged    %d, to be fetched again from others`,
		s.NetworkID, s.Records, s.Places, s.Entries, size(s.Bytes), size(s.Files),
		s.Own.Records, size(s.Own.Bytes), s.Held.Records, size(s.Held.Bytes),
		s.Followed.Records, size(s.Followed.Bytes), s.Cached.Records, size(s.Cached.Bytes), s.Displaced, s.Damaged)
}

func newDBVerify(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Read the whole store and check it",
		Long: `Read everything in the store of a node that does not run, and check it: every record
against its digest, and every index, sum and number that is kept up to date against
the records. Exit status 1 when something is wrong.`,
		Example: `  starling db verify`,
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			return a.withStore("", func(s *node.Store) error {
				stats, err := s.Stats()
				if err == nil {
					err = s.Verify()
				}
				if err != nil {
					return err
				}
				if a.json {
					return a.out.object(api.StoreStatsOf(stats))
				}
				return a.out.line("all of %d records and %d entries are as they were written", stats.Records, stats.Entries)
			})
		},
	}
}

func newDBCompact(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "compact",
		Short: "Make the files of the store no larger than they need be",
		Long: `Have the store of a node that does not run merge its files, so that what was replaced
and dropped takes no more room on disk. It takes as much time and free space as a
copy of the store. A running node does the same, bit by bit.`,
		Example: `  starling db compact`,
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			var before, after int64
			err := a.withStore("", func(s *node.Store) error {
				stats, err := s.Stats()
				before = stats.Files
				if err != nil {
					return err
				}
				return s.Compact(c.Context())
			})
			if err == nil {
				err = a.withStore("", func(s *node.Store) error { // files go when it is closed
					stats, err := s.Stats()
					after = stats.Files
					return err
				})
			}
			if err != nil && c.Context().Err() != nil {
				return errors.New("interrupted: nothing is lost, and what is merged stays so")
			}
			if err != nil {
				return err
			}
			return a.compacted(before, after)
		},
	}
}

func (a *app) compacted(before, after int64) error {
	if a.json {
		return a.out.object(struct {
			Before int64 `json:"before"`
			After  int64 `json:"after"`
		}{before, after})
	}
	return a.out.line("files took %s and take %s", size(before), size(after))
}
