package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/starling-social/starling/node/api"
)

// app is what the commands share: the flags that all of them take, and where they
// print.
type app struct {
	data   string
	config string // file
	json   bool
	out    *printer
	flags  []source // settings that the command line sets
}

// configured is what is set by file, environment and command line.
func (a *app) configured() (*configured, error) {
	flags := slices.Clone(a.flags)
	if a.data != "" {
		flags = append(flags, source{"data", a.data, "--data"})
	}
	return load(a.namedConfig(), os.Environ(), flags)
}

// namedConfig is the file that the owner named; empty if none.
func (a *app) namedConfig() string {
	if a.config != "" {
		return a.config
	}
	return os.Getenv(envFile)
}

// configFile is where the file is looked for; empty if nowhere.
func (a *app) configFile() string {
	if named := a.namedConfig(); named != "" {
		return named
	}
	return userConfig()
}

// dir is the data directory: as it is set, or the user's own.
func (a *app) dir() (string, error) {
	c, err := a.configured()
	if err != nil {
		return "", err
	}
	return c.dir()
}

func (c *configured) dir() (string, error) {
	dir := c.Data
	if dir == "" {
		base, err := userData()
		if err != nil {
			return "", usage("no directory to keep data in: %w; say where with --data DIR", err)
		}
		dir = filepath.Join(base, "starling")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", usage("data directory %q: %w; give a full path with --data", dir, err)
	}
	return abs, nil
}

// userData is where this system keeps data of a user's programs.
func userData() (string, error) {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return dir, nil
	}
	if dir := os.Getenv("LocalAppData"); runtime.GOOS == "windows" && dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(home) {
		return "", errors.New("the home directory is not an absolute path")
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support"), nil
	}
	return filepath.Join(home, ".local", "share"), nil
}

// withNode has do talk to the node that runs on the data directory.
func (a *app) withNode(do func(*api.Client) error) error {
	dir, err := a.dir()
	if err != nil {
		return err
	}
	n, err := api.Dial(dir)
	if err != nil {
		return err
	}
	defer n.Close()
	return do(n)
}
