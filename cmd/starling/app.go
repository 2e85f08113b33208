package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"

	"github.com/starling-social/starling/node/api"
)

// app is what the commands share: the flags that all of them take, and where they
// print.
type app struct {
	data string
	json bool
	out  *printer
}

// dir is the data directory: --data, $STARLING_DATA, or the user's own.
func (a *app) dir() (string, error) {
	dir := a.data
	if dir == "" {
		dir = os.Getenv("STARLING_DATA")
	}
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
