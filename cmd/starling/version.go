package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/starling-social/starling/node"
)

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version of this program",
		Long:  `Show the version, what it was built from and by, and for which system.`,
		Example: `  starling version
  starling version --json`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			commit := commit()
			if a.json {
				return a.out.object(struct {
					Version  string `json:"version"`
					Commit   string `json:"commit"` // empty when not built from a repository
					Go       string `json:"go"`
					Platform string `json:"platform"`
				}{node.Version, commit, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH})
			}
			if commit != "" {
				commit = " (" + commit + ")"
			}
			return a.out.line("starling %s%s, %s, %s/%s", node.Version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
	}
}

// commit is what the program was built from, if Go was told.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	revision, changed := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+"
		}
	}
	return revision + changed
}
