package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// What is written in the file: a key in full, and where it stands.
type written struct {
	key   string
	value any
	place string // file:line
}

// parse takes a file apart, in the order of its lines. Whether there are such keys is
// not its business.
func parse(file string, content []byte) (all []written, err error) {
	lines, err := keyLines(file, content)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := toml.Unmarshal(content, &tree); err != nil {
		return nil, notTOML(file, err)
	}
	flatten(tree, "", func(key string, value any) {
		all = append(all, written{key: key, value: value, place: fmt.Sprintf("%s:%d", file, lineOf(lines, key))})
	})
	slices.SortFunc(all, func(v, w written) int { return lineOf(lines, v.key) - lineOf(lines, w.key) })
	return all, nil
}

// keyLines are the lines on which keys stand. No key stands on two.
func keyLines(file string, content []byte) (map[string]int, error) {
	lines := map[string]int{}
	var p unstable.Parser
	p.Reset(content)
	table := ""
	for p.NextExpression() {
		e := p.Expression()
		if e.Kind != unstable.KeyValue && e.Kind != unstable.Table && e.Kind != unstable.ArrayTable {
			continue
		}
		var parts []string
		line := 0
		for it := e.Key(); it.Next(); {
			part := it.Node()
			parts = append(parts, string(part.Data))
			line = 1 + bytes.Count(content[:part.Raw.Offset], []byte("\n"))
		}
		key := strings.Join(parts, ".")
		if e.Kind != unstable.KeyValue {
			table = key + "."
			lines[key] = line
			continue
		}
		if first, twice := lines[table+key]; twice {
			return nil, usage("%s:%d: %s is set on line %d already", file, line, table+key, first)
		}
		lines[table+key] = line
	}
	return lines, nil // what is no TOML, toml.Unmarshal says better
}

// lineOf is where a key stands, or the inline table that it is in.
func lineOf(lines map[string]int, key string) int {
	for key != "" {
		if line, ok := lines[key]; ok {
			return line
		}
		key = key[:max(strings.LastIndex(key, "."), 0)]
	}
	return 1
}

// noKeys is the value of a table without any.
type noKeys struct{}

// flatten visits what is no table, and tables with nothing in them.
func flatten(tree map[string]any, prefix string, visit func(key string, value any)) {
	for name, v := range tree {
		below, table := v.(map[string]any)
		switch {
		case table && len(below) > 0:
			flatten(below, prefix+name+".", visit)
		case table:
			visit(prefix+name, noKeys{})
		default:
			visit(prefix+name, v)
		}
	}
}

// notTOML says where in the file something is wrong.
func notTOML(file string, err error) error {
	var e *toml.DecodeError
	if !errors.As(err, &e) {
		return usage("%s: %w", file, err)
	}
	line, _ := e.Position()
	return usage("%s:%d: %s", file, line, strings.TrimPrefix(e.Error(), "toml: "))
}
