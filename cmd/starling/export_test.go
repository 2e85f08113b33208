package main

import "slices"

// Runnable are the command lines of all commands that do something.
func Runnable() (paths []string) {
	root, _ := newRoot()
	for _, c := range slices.Collect(commands(root)) {
		if c.Runnable() && !c.HasSubCommands() {
			paths = append(paths, c.CommandPath())
		}
	}
	return paths
}
