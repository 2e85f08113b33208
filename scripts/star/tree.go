package star

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Tree is what the rules look at: the packages of one module, and for the rules
// about what is reached, who imports whom.
type Tree struct {
	Module   string
	Packages []Package           // by path
	Imports  map[string][]string // of non-test code, by full import path
}

// Package is one folder with Go files.
type Package struct {
	Path  string // from the root of the module; "" is the root
	Files []File
}

// File is one Go file, whatever its build tags.
type File struct {
	Name      string // from the root of the module
	Test      bool
	Generated bool
	Lines     int
	Package   string // what its package clause says
	Doc       string // the comment on the package clause
	Imports   []string
	Uses      []Use
}

// Use is something named in a file that a ban can speak of.
type Use struct {
	What string
	Line int
}

// Read parses the module whose files fsys holds. Hidden folders, testdata and
// modules of their own are left out.
func Read(fsys fs.FS, module string) (*Tree, error) {
	packages := make(map[string]*Package)
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if skipped(fsys, name) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		file, err := readFile(fsys, name, module)
		if err != nil {
			return err
		}
		dir := strings.TrimPrefix(path.Dir(name), ".")
		if packages[dir] == nil {
			packages[dir] = &Package{Path: dir}
		}
		packages[dir].Files = append(packages[dir].Files, file)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", module, err)
	}
	tree := &Tree{Module: module}
	for _, dir := range slices.Sorted(maps.Keys(packages)) {
		tree.Packages = append(tree.Packages, *packages[dir])
	}
	return tree, nil
}

func skipped(fsys fs.FS, dir string) bool {
	if dir == "." {
		return false
	}
	if strings.HasPrefix(path.Base(dir), ".") || path.Base(dir) == "testdata" {
		return true
	}
	_, err := fs.Stat(fsys, path.Join(dir, "go.mod"))
	return err == nil
}

func readFile(fsys fs.FS, name, module string) (File, error) {
	source, err := fs.ReadFile(fsys, name)
	if err != nil {
		return File{}, err
	}
	set := token.NewFileSet()
	syntax, err := parser.ParseFile(set, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return File{}, err
	}
	file := File{
		Name:      name,
		Test:      strings.HasSuffix(name, "_test.go"),
		Generated: ast.IsGenerated(syntax),
		Lines:     set.File(syntax.Pos()).LineCount(),
		Package:   syntax.Name.Name,
		Doc:       syntax.Doc.Text(),
	}
	named := make(map[string]string)
	for _, spec := range syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return File{}, fmt.Errorf("%s: import %s: %w", name, spec.Path.Value, err)
		}
		file.Imports = append(file.Imports, imported)
		named[localName(spec, imported)] = strings.TrimPrefix(imported, module+"/")
	}
	file.Uses = uses(set, syntax, named)
	return file, nil
}

// localName is what a file calls an import. Without a name of its own we guess
// the last element of the path that is not a major version, which holds for the
// standard library and for this repository.
func localName(spec *ast.ImportSpec, imported string) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	base := path.Base(imported)
	if _, err := strconv.Atoi(strings.TrimPrefix(base, "v")); err == nil {
		base = path.Base(path.Dir(imported))
	}
	return base
}

// uses lists what a file takes from its imports, its go statements and its
// init functions.
func uses(set *token.FileSet, syntax *ast.File, named map[string]string) []Use {
	var found []Use
	add := func(what string, at token.Pos) {
		found = append(found, Use{What: what, Line: set.Position(at).Line})
	}
	ast.Inspect(syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			add("go", n.Pos())
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" {
				add("func init", n.Pos())
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && named[x.Name] != "" {
				add(named[x.Name]+"."+n.Sel.Name, n.Pos())
			}
		}
		return true
	})
	return found
}
