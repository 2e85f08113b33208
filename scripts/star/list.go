package star

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
)

// List asks the go command, in the module's folder, who imports whom among
// everything that its packages are built from.
func List(ctx context.Context, dir string) (map[string][]string, error) {
	list := exec.CommandContext(ctx, "go", "list", "-e", "-deps", "-json=ImportPath,Imports", "./...")
	list.Dir = dir
	out, err := list.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	if err := list.Start(); err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	imports, err := decode(out)
	if err = errors.Join(err, list.Wait()); err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	return imports, nil
}

func decode(out io.Reader) (map[string][]string, error) {
	imports := make(map[string][]string)
	for from := json.NewDecoder(out); ; {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		switch err := from.Decode(&pkg); {
		case errors.Is(err, io.EOF):
			return imports, nil
		case err != nil:
			return nil, err
		}
		imports[pkg.ImportPath] = pkg.Imports
	}
}
