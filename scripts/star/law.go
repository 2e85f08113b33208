// Package star checks that the repository keeps the shape it promises: which
// package may import which, what a package must never use, and a few bounds on
// names and lengths.
//
// It owns the checking. The promise itself, a [Law], stands in star_test.go at
// the root of the repository, each rule with its reason. It judges the syntax of
// all Go files, whatever their build tags, and for what is reached through others
// the import graph that `go list` tells.
//
// It starts no goroutine. A [Fault] is a broken rule; an error means that the
// repository could not be read.
package star

import "strings"

// Law is the shape that a repository promises to keep.
type Law struct {
	// Arrows names every unit and the units that it may import. A package belongs
	// to the longest unit that its path begins with, and within a unit may import
	// what it likes.
	Arrows map[string][]string
	// TestArrows names units that tests of every unit may import as well.
	TestArrows []string
	// Imports are import paths that must not be written in a file.
	Imports []Ban
	// Reaches are import paths that must not be reached through others either.
	Reaches []Ban
	// Uses are what must not be named in a file: "time.Now", "records.Restore" (our
	// own packages by their path in the repository), "go" for the statement,
	// "func init".
	Uses []Ban
	// Names are words that no folder and no package is called.
	Names []Ban
	// Lines is the most that a file not generated may have.
	Lines int
	// Depth is how many folders deep a package may lie, save those below Deep.
	Depth int
	Deep  []string
}

// Ban forbids things in some packages. Packages and import paths are patterns as
// the go command has them: "x" is x alone, "x/..." is x and all below, "..." is all.
type Ban struct {
	What   []string
	In     []string
	Except []string
	Beside []string // files for which it does not hold
	Tests  bool     // test files too
	Why    string
}

// holds tells whether the ban speaks of a package, or of its tests.
func (b Ban) holds(pkg string, test bool) bool {
	return (b.Tests || !test) && matchAny(b.In, pkg) && !matchAny(b.Except, pkg)
}

func matchAny(patterns []string, path string) bool {
	for _, p := range patterns {
		if match(p, path) {
			return true
		}
	}
	return false
}

func match(pattern, path string) bool {
	if pattern == "..." {
		return true
	}
	above, all := strings.CutSuffix(pattern, "/...")
	return path == above || all && strings.HasPrefix(path, above+"/")
}
