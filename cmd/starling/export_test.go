package main

import "slices"

// Runnable are the command lines of all commands that do something. Help, which is text
// and nothing else, is none.
func Runnable() (paths []string) {
	root, _ := newRoot()
	for _, c := range slices.Collect(commands(root)) {
		if c.Runnable() && !c.HasSubCommands() && c.Name() != "help" {
			paths = append(paths, c.CommandPath())
		}
	}
	return paths
}
