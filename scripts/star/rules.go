package star

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Fault is one place where the law is broken.
type Fault struct {
	Where string // file, file:line or package
	What  string
	Why   string
}

func (f Fault) String() string { return fmt.Sprintf("%s: %s\n\twhy not: %s", f.Where, f.What, f.Why) }

// Judge lists what in the tree breaks the law.
func (l Law) Judge(t *Tree) []Fault {
	return slices.Concat(
		l.arrows(t), l.imports(t), l.reaches(t), l.uses(t),
		l.names(t), l.lengths(t), l.depths(t), comments(t),
	)
}

const (
	whyArrows = "imports form a star: an arrow that the picture lacks ties two parts together that are understood, " +
		"tested and changed apart; let the consumer declare the methods it needs, and node hand over what has them"
	whyHomeless = "a package is one noun with one responsibility and a place in the picture; find its unit, or draw it in star_test.go"
	whyComment  = "a reader enters by the package comment: what it owns, what it does not, its goroutines, its errors"
	whyLines    = "a file is one thing, read from top to bottom"
	whyDepth    = "two folders are all that a reader has to remember"
)

func (l Law) arrows(t *Tree) []Fault {
	var faults []Fault
	for _, pkg := range t.Packages {
		from, known := l.unit(pkg.Path)
		if !known && pkg.Path != "" {
			faults = append(faults, Fault{Where: pkg.Path, What: "belongs to no unit", Why: whyHomeless})
			continue
		}
		for _, file := range pkg.Files {
			allowed := append([]string{from}, l.Arrows[from]...)
			if file.Test {
				allowed = append(allowed, l.TestArrows...)
			}
			for _, imported := range file.Imports {
				inner, ours := strings.CutPrefix(imported, t.Module+"/")
				if to, _ := l.unit(inner); ours && !slices.Contains(allowed, to) {
					faults = append(faults, Fault{Where: file.Name, What: from + " imports " + inner, Why: whyArrows})
				}
			}
		}
	}
	return faults
}

// unit is the longest unit that a path lies in.
func (l Law) unit(pkg string) (string, bool) {
	for at := pkg; at != "." && at != ""; at = path.Dir(at) {
		if _, ok := l.Arrows[at]; ok {
			return at, true
		}
	}
	return "", false
}

func (l Law) imports(t *Tree) []Fault {
	var faults []Fault
	each(t, l.Imports, func(ban Ban, _ Package, file File) {
		for _, imported := range file.Imports {
			if matchAny(ban.What, imported) {
				faults = append(faults, Fault{Where: file.Name, What: "imports " + imported, Why: ban.Why})
			}
		}
	})
	return faults
}

func (l Law) uses(t *Tree) []Fault {
	var faults []Fault
	each(t, l.Uses, func(ban Ban, _ Package, file File) {
		for _, use := range file.Uses {
			if slices.Contains(ban.What, use.What) && !file.Generated {
				where := fmt.Sprintf("%s:%d", file.Name, use.Line)
				faults = append(faults, Fault{Where: where, What: use.What, Why: ban.Why})
			}
		}
	})
	return faults
}

// each calls f with every ban and every file it holds for.
func each(t *Tree, bans []Ban, f func(Ban, Package, File)) {
	for _, ban := range bans {
		for _, pkg := range t.Packages {
			for _, file := range pkg.Files {
				if ban.holds(pkg.Path, file.Test) && !slices.Contains(ban.Beside, file.Name) {
					f(ban, pkg, file)
				}
			}
		}
	}
}

// reaches follows the import graph and shows the way to what is banned.
func (l Law) reaches(t *Tree) []Fault {
	var faults []Fault
	for _, ban := range l.Reaches {
		for _, start := range slices.Sorted(maps.Keys(t.Imports)) {
			inner, ours := strings.CutPrefix(start, t.Module+"/")
			if !ours || !ban.holds(inner, false) {
				continue
			}
			if way := t.way(start, ban.What); way != nil {
				faults = append(faults, Fault{Where: inner, What: "reaches " + strings.Join(way, " -> "), Why: ban.Why})
			}
		}
	}
	return faults
}

// way is a shortest chain of imports from a package to one of the targets.
func (t *Tree) way(start string, targets []string) []string {
	from := map[string]string{start: ""}
	for queue := []string{start}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if at != start && matchAny(targets, at) {
			var way []string
			for ; at != ""; at = from[at] {
				way = append(way, at)
			}
			slices.Reverse(way)
			return way
		}
		for _, next := range t.Imports[at] {
			if _, seen := from[next]; !seen {
				from[next] = at
				queue = append(queue, next)
			}
		}
	}
	return nil
}

func (l Law) names(t *Tree) []Fault {
	var faults []Fault
	each(t, l.Names, func(ban Ban, pkg Package, file File) {
		words := append(strings.Split(pkg.Path, "/"), strings.TrimSuffix(file.Package, "_test"))
		for _, word := range words {
			if slices.Contains(ban.What, word) {
				faults = append(faults, Fault{Where: file.Name, What: "is in a package named " + word, Why: ban.Why})
				return
			}
		}
	})
	return faults
}

func (l Law) lengths(t *Tree) []Fault {
	var faults []Fault
	for _, pkg := range t.Packages {
		for _, file := range pkg.Files {
			if file.Lines > l.Lines && !file.Generated {
				what := fmt.Sprintf("has %d lines, %d more than a file may have", file.Lines, file.Lines-l.Lines)
				faults = append(faults, Fault{Where: file.Name, What: what, Why: whyLines})
			}
		}
	}
	return faults
}

func (l Law) depths(t *Tree) []Fault {
	var faults []Fault
	for _, pkg := range t.Packages {
		if depth := strings.Count(pkg.Path, "/") + 1; depth > l.Depth && !matchAny(l.Deep, pkg.Path) {
			faults = append(faults, Fault{Where: pkg.Path, What: fmt.Sprintf("lies %d folders deep", depth), Why: whyDepth})
		}
	}
	return faults
}

// comments finds packages without a comment, and those with more than one, of
// which a reader would see whichever file sorts first.
func comments(t *Tree) []Fault {
	var faults []Fault
	for _, pkg := range t.Packages {
		var said []string
		code := false
		for _, file := range pkg.Files {
			code = code || !file.Test
			if !file.Test && file.Doc != "" {
				said = append(said, path.Base(file.Name))
			}
		}
		where := cmp.Or(pkg.Path, ".")
		switch {
		case code && len(said) == 0:
			faults = append(faults, Fault{Where: where, What: "has no package comment", Why: whyComment})
		case len(said) > 1:
			faults = append(faults, Fault{Where: where, What: "has a package comment in each of " + strings.Join(said, ", "), Why: whyComment})
		}
	}
	return faults
}
