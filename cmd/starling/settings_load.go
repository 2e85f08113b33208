package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
)

// A setting is one key, with where its value came from.
type setting struct {
	key    string // network.listen
	help   string
	empty  string // what an empty value means
	origin string
	value  reflect.Value
}

// A source of settings other than the file: a variable or a flag.
type source struct{ key, value, origin string }

const originDefault = "default"

// configured is what is set, and by whom.
type configured struct {
	settings

	all  []setting // of the settings, in the order of the file
	file string    // where the file is, or would be; empty if nowhere
}

// load puts together what is set: flags over environment over file over the defaults
// of the profile. The file is the one that is named, or else that of the user, which
// need not exist.
func load(file string, environ []string, flags []source) (*configured, error) {
	c := &configured{settings: defaults(profileDefault), file: file}
	c.all = list(&c.settings)
	named := file != ""
	if !named {
		c.file = userConfig()
	}
	variables, err := c.variables(environ)
	if err != nil {
		return nil, err
	}
	content, err := c.read(named)
	if err != nil {
		return nil, err
	}
	written, err := parse(c.file, content)
	if err != nil {
		return nil, err
	}
	sources := slices.Concat(variables, flags)
	if err := c.begin(written, sources); err != nil {
		return nil, err
	}
	for _, w := range written {
		if err := c.write(w); err != nil {
			return nil, err
		}
	}
	for _, s := range sources {
		if err := c.set(s); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// begin sets everything to the defaults of the profile that is set last.
func (c *configured) begin(file []written, sources []source) error {
	for _, w := range file {
		if w.key == "profile" {
			if err := c.write(w); err != nil {
				return err
			}
		}
	}
	for _, s := range sources {
		if s.key == "profile" {
			if err := c.set(s); err != nil {
				return err
			}
		}
	}
	usual, of := defaults(profileDefault), defaults(c.Profile)
	plain, special := list(&usual), list(&of)
	for i := range c.all {
		if s := &c.all[i]; s.key != "profile" && !reflect.DeepEqual(plain[i].value.Interface(), special[i].value.Interface()) {
			s.value.Set(special[i].value)
			s.origin = "profile " + string(c.Profile)
		}
	}
	return nil
}

// maxConfig bounds the file: a hundred times what `config init` writes.
const maxConfig = 1 << 20

// read is the content of the file.
func (c *configured) read(named bool) ([]byte, error) {
	if c.file == "" {
		return nil, nil
	}
	info, err := os.Stat(c.file)
	if errors.Is(err, os.ErrNotExist) && !named {
		return nil, nil
	}
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no file") // a pipe would be waited for
	}
	if err != nil {
		return nil, usage("configuration %s: %w", c.file, err)
	}
	f, err := os.Open(c.file)
	if err != nil {
		return nil, usage("configuration: %w", err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(b) > maxConfig {
		err = fmt.Errorf("more than %d bytes", maxConfig)
	}
	if err != nil {
		return nil, usage("configuration %s: %w", c.file, err)
	}
	return bytes.TrimPrefix(b, []byte("\ufeff")), nil // what some editors begin with
}

// unknown says that there is no such key, and which is most like it.
func (c *configured) unknown(key string) string {
	said := fmt.Sprintf("there is no setting %.80q", key)
	if near := c.nearest(key); near != "" {
		said += fmt.Sprintf("; did you mean %q?", near)
	}
	return said
}

// set takes in a variable or a flag.
func (c *configured) set(s source) error {
	k := c.at(s.key)
	if k == nil {
		return usage("%s: %s", s.origin, c.unknown(s.key))
	}
	if err := setText(k.value, s.value); err != nil {
		return usage("%s: %w", s.origin, err)
	}
	k.origin = s.origin
	return nil
}

// write takes in what is written in the file.
func (c *configured) write(w written) error {
	if w.value == (noKeys{}) && c.table(w.key) {
		return nil // it says nothing
	}
	k := c.at(w.key)
	if k == nil {
		return usage("%s: %s", w.place, c.unknown(w.key))
	}
	if err := setAny(k.value, w.value); err != nil {
		return usage("%s: %s: %w", w.place, w.key, err)
	}
	k.origin = w.place
	return nil
}

// table tells whether there are settings below a key.
func (c *configured) table(key string) bool {
	return slices.ContainsFunc(c.all, func(s setting) bool { return strings.HasPrefix(s.key, key+".") })
}

// at is the setting of a key, nil if there is none.
func (c *configured) at(key string) *setting {
	for i := range c.all {
		if c.all[i].key == key {
			return &c.all[i]
		}
	}
	return nil
}

// originOf is where the value of a key came from.
func (c *configured) originOf(key string) string { return c.at(key).origin }

// list is every key of s, in order.
func list(s *settings) []setting {
	var all []setting
	walk(reflect.ValueOf(s).Elem(), "", func(key string, f reflect.StructField, v reflect.Value) {
		if f.Type.Kind() != reflect.Struct {
			all = append(all, setting{key: key, help: f.Tag.Get("help"), empty: f.Tag.Get("empty"), origin: originDefault, value: v})
		}
	})
	return all
}

// walk visits the keys and tables of a struct, each table before what is in it.
func walk(v reflect.Value, prefix string, visit func(key string, f reflect.StructField, v reflect.Value)) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key := prefix + f.Tag.Get("toml")
		visit(key, f, v.Field(i))
		if f.Type.Kind() == reflect.Struct {
			walk(v.Field(i), key+".", visit)
		}
	}
}

// userConfig is where the user's file is looked for; empty without a home.
func userConfig() string {
	if dir := os.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) && runtime.GOOS != "windows" {
		return filepath.Join(dir, "starling", "config.toml")
	}
	dir, err := os.UserConfigDir()
	if err != nil || !filepath.IsAbs(dir) {
		return ""
	}
	return filepath.Join(dir, "starling", "config.toml")
}
