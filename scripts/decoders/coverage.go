package main

import (
	"bytes"
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/tools/cover"
)

// extent is where a function stands.
type extent struct {
	file     string // without its folder
	from, to position
}

type position struct{ line, column int }

func (p position) before(q position) bool {
	return p.line < q.line || p.line == q.line && p.column < q.column
}

// functions are those of a package, a method as Type.method.
func functions(tree fs.FS, dir string) (map[string]extent, error) {
	files, err := fs.Glob(tree, path.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	found := map[string]extent{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := fs.ReadFile(tree, name)
		if err != nil {
			return nil, err
		}
		set := token.NewFileSet()
		syntax, err := parser.ParseFile(set, name, source, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		at := func(p token.Pos) position { return position{set.Position(p).Line, set.Position(p).Column} }
		for _, d := range syntax.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				found[fullName(f)] = extent{path.Base(name), at(f.Pos()), at(f.End())}
			}
		}
	}
	return found, nil
}

func fullName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	of := f.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	if name, ok := of.(*ast.Ident); ok {
		return name.Name + "." + f.Name.Name
	}
	return "(generic)." + f.Name.Name // no decoder is a method of one
}

// profile is what a run of tests of one package reached, by file without its folder.
type profile map[string][]cover.ProfileBlock

// coverage is what was reached of one function.
type coverage struct{ statements, reached int }

func (c coverage) share() float64 {
	if c.statements == 0 {
		return 1
	}
	return float64(c.reached) / float64(c.statements)
}

// String is whole percents, 100 only if it is all.
func (c coverage) String() string { return fmt.Sprintf("%d %%", int(100*c.share())) }

func (p profile) of(e extent) (c coverage) {
	for _, b := range p[e.file] {
		from, to := position{b.StartLine, b.StartCol}, position{b.EndLine, b.EndCol}
		if from.before(e.from) || e.to.before(to) {
			continue
		}
		c.statements += b.NumStmt
		if b.Count > 0 {
			c.reached += b.NumStmt
		}
	}
	return c
}

// profiles are what the fuzz targets of a package reach with their seeds and corpora,
// and what they do together with the tests beside them.
func profiles(ctx context.Context, p pkg) (seeds, both profile, err error) {
	dir, err := os.MkdirTemp("", "decoders")
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left is the system's to clean
	binary := filepath.Join(dir, "test")
	if err := command(ctx, ".", "go", "test", "-c", "-cover", "-o", binary, "./"+p.path); err != nil {
		return nil, nil, err
	}
	tests := func(pattern string) (profile, error) {
		out := filepath.Join(dir, "profile")
		if err := command(ctx, p.path, binary, "-test.short", "-test.run", pattern, "-test.coverprofile", out); err != nil {
			return nil, err
		}
		return readProfile(out)
	}
	if seeds, err = tests("^Fuzz"); err != nil {
		return nil, nil, err
	}
	both, err = tests("^Fuzz|" + p.tests)
	return seeds, both, err
}

func command(ctx context.Context, dir, name string, args ...string) error {
	c := exec.CommandContext(ctx, name, args...) //nolint:gosec // go, and the tests that it built
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

func readProfile(name string) (profile, error) {
	files, err := cover.ParseProfiles(name)
	if err != nil {
		return nil, err
	}
	p := profile{}
	for _, f := range files {
		p[path.Base(f.FileName)] = f.Blocks
	}
	return p, nil
}
