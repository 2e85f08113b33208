package main

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// pkg is one package with fuzz targets.
type pkg struct {
	path    string // from the root of the module
	tests   string // those that run beside the targets
	targets []target
}

// target is one fuzz target, and the decoders that it is for.
type target struct {
	name     string
	decoders []string
}

// parse reads the list: a package on a line of its own, its targets indented below.
func parse(text string) (packages []pkg, err error) {
	for i, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		indented := strings.HasPrefix(line, "\t")
		switch {
		case len(fields) == 0 || strings.HasPrefix(line, "#"):
		case !indented && len(fields) == 2:
			packages = append(packages, pkg{path: fields[0], tests: fields[1]})
		case indented && len(fields) > 1 && strings.HasSuffix(fields[0], ":") && len(packages) > 0:
			last := &packages[len(packages)-1]
			last.targets = append(last.targets, target{strings.TrimSuffix(fields[0], ":"), fields[1:]})
		default:
			return nil, fmt.Errorf("line %d of the list is neither a package nor a target: %.80q", i+1, line)
		}
	}
	return packages, nil
}

// choose are the packages with these paths, all when there are none.
func choose(packages []pkg, paths []string) (chosen []pkg, err error) {
	if len(paths) == 0 {
		return packages, nil
	}
	for _, path := range paths {
		i := slices.IndexFunc(packages, func(p pkg) bool { return p.path == strings.TrimPrefix(strings.TrimSuffix(path, "/"), "./") })
		if i < 0 {
			return nil, fmt.Errorf("%w: %s", errUsage, path)
		}
		chosen = append(chosen, packages[i])
	}
	return chosen, nil
}

// disagreements says where the list and the code name different things.
func disagreements(tree fs.FS, packages []pkg) (wrong []string, err error) {
	there, err := fuzzTargets(tree)
	if err != nil {
		return nil, err
	}
	listed := map[string]bool{}
	for _, p := range packages {
		extents, err := functions(tree, p.path)
		if err != nil {
			return nil, err
		}
		for _, t := range p.targets {
			listed[p.path+"."+t.name] = true
			for _, name := range t.decoders {
				if _, ok := extents[name]; !ok {
					wrong = append(wrong, fmt.Sprintf("%s has no function %s", p.path, name))
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(there)) {
		if !listed[name] {
			wrong = append(wrong, name+" is not in the list, with the decoders that it is for")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(listed)) {
		if !there[name] {
			wrong = append(wrong, name+" is no fuzz target")
		}
	}
	return wrong, nil
}

var declared = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)

// fuzzTargets are those of all packages, as path.name.
func fuzzTargets(tree fs.FS) (map[string]bool, error) {
	found := map[string]bool{}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || len(name) > 1 && strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		source, err := fs.ReadFile(tree, name)
		for _, m := range declared.FindAllSubmatch(source, -1) {
			found[path.Dir(name)+"."+string(m[1])] = true
		}
		return err
	})
	return found, err
}
