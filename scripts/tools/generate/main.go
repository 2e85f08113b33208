// Command generate makes the Go code of every .proto file in the repository, as
// scripts/generate and scripts/check ask for.
//
// It parses the files itself, so nobody needs protoc, and hands them to the
// protoc-gen-go that go.mod pins beside it. With -check it writes nothing and
// fails when a file on disk is not what its source makes: hand-edited, forgotten,
// or made by another version.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"
)

const generatedSuffix = ".pb.go"

func main() {
	root := flag.String("root", ".", "the `directory` that imports between .proto files start from")
	check := flag.Bool("check", false, "write nothing; fail when a generated file is not up to date")
	flag.Parse()
	if err := run(context.Background(), *root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root string, check bool) error {
	sources, err := find(root, ".proto")
	if err != nil {
		return err
	}
	request, err := compile(ctx, root, sources)
	if err != nil {
		return err
	}
	made, err := generate(ctx, request)
	if err != nil {
		return err
	}
	if check {
		return compare(root, made)
	}
	return write(root, made)
}

// find lists the files below root whose names end in suffix, by their path from
// root. Hidden directories and testdata are none of ours.
func find(root, suffix string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(d.Name(), ".") && path != root
		if d.IsDir() && (hidden || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, suffix) {
			return nil
		}
		name, err := filepath.Rel(root, path)
		found = append(found, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for *%s: %w", suffix, err)
	}
	return found, nil
}

// compile parses the sources into what a protoc plug-in expects on its standard
// input: every file after the files that it imports.
func compile(ctx context.Context, root string, sources []string) (*pluginpb.CodeGeneratorRequest, error) {
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{root}}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(ctx, sources...)
	if err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	request := &pluginpb.CodeGeneratorRequest{
		FileToGenerate: sources,
		Parameter:      proto.String("paths=source_relative"),
	}
	seen := make(map[string]bool)
	for _, file := range files {
		appendAfterImports(request, file, seen)
	}
	return request, nil
}

func appendAfterImports(request *pluginpb.CodeGeneratorRequest, file linker.File, seen map[string]bool) {
	if seen[file.Path()] {
		return
	}
	seen[file.Path()] = true
	imports := file.Imports()
	for i := range imports.Len() {
		appendAfterImports(request, file.FindImportByPath(imports.Get(i).Path()), seen)
	}
	request.ProtoFile = append(request.ProtoFile, protoutil.ProtoFromFileDescriptor(file))
}

// generate runs the pinned plug-in. It must be started from within the module
// that pins it, which is where scripts/generate starts us.
func generate(ctx context.Context, request *pluginpb.CodeGeneratorRequest) ([]*pluginpb.CodeGeneratorResponse_File, error) {
	in, err := proto.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	plugin := exec.CommandContext(ctx, "go", "tool", "protoc-gen-go")
	plugin.Stdin, plugin.Stderr = bytes.NewReader(in), os.Stderr
	out, err := plugin.Output()
	if err != nil {
		return nil, fmt.Errorf("run protoc-gen-go: %w", err)
	}
	response := new(pluginpb.CodeGeneratorResponse)
	if err := proto.Unmarshal(out, response); err != nil {
		return nil, fmt.Errorf("decode answer of protoc-gen-go: %w", err)
	}
	if response.Error != nil {
		return nil, fmt.Errorf("protoc-gen-go: %s", response.GetError())
	}
	return response.GetFile(), nil
}

func write(root string, made []*pluginpb.CodeGeneratorResponse_File) error {
	for _, file := range made {
		if err := os.WriteFile(filepath.Join(root, file.GetName()), []byte(file.GetContent()), 0o644); err != nil {
			return fmt.Errorf("write generated file: %w", err)
		}
		fmt.Println(file.GetName())
	}
	return nil
}

// compare reports the files on disk that differ from what was made, and those
// that no source makes any more.
func compare(root string, made []*pluginpb.CodeGeneratorResponse_File) error {
	left, err := find(root, generatedSuffix)
	if err != nil {
		return err
	}
	orphan := make(map[string]bool)
	for _, name := range left {
		orphan[name] = true
	}
	var problems []error
	for _, file := range made {
		delete(orphan, file.GetName())
		held, err := os.ReadFile(filepath.Join(root, file.GetName()))
		switch {
		case err != nil:
			problems = append(problems, fmt.Errorf("%s has not been made; run scripts/generate", file.GetName()))
		case string(held) != file.GetContent():
			problems = append(problems, fmt.Errorf("%s is not what its source makes; run scripts/generate", file.GetName()))
		}
	}
	for name := range orphan {
		problems = append(problems, fmt.Errorf("%s has no source any more; delete it", name))
	}
	return errors.Join(problems...)
}
