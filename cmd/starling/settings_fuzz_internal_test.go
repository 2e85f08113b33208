package main

import (
	"encoding"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Whatever is in a file of settings, it is read to its end, or what is wrong is said in
// a line that begins with the file's name.
func FuzzSettings(f *testing.F) {
	for _, content := range []string{
		"", "profile = 'lowpower'\n[store]\nquota = '3GiB'\n[network]\nlisten = ['/ip4/0.0.0.0/tcp/1']\nclient = true\n[limits]\ndoor = 3\n",
		"store: 1\n", "data = 'a'\ndata = 'b'\n", "[[store]]\nquota = '1GiB'\n", "[log]\n[strore]\n", "[store]\nquota = {}\n",
		"[store]\nquota = { a = 1 }\n", "[store]\nquota = 20\n", "[store]\nquota = 0\n", "[network]\nclient = 'yes'\nlisten = [1]\n", "\ufeffdata = 'a'\r\n",
		"[network]\nlisten = [1]\n", "[log]\n[log]\n", "[limits]\ndoor = true\n", "[network]\nlisten = 1\n", "[limits]\ndoor = 1.5\n",
	} {
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content string) {
		file := configOf(t, content)
		_, err := load(file, nil, nil)
		var bad usageError
		if err != nil && (!errors.As(err, &bad) || !strings.HasPrefix(err.Error(), file)) {
			t.Fatalf("%q: %v", content, err)
		}
	})
}

// Whatever is read as a value is written in a form that is read as the same.
func FuzzValues(f *testing.F) {
	for _, text := range []string{"default", "json", "512MiB", "0", "20", "1.5GiB", "99999999999TiB", "-1B", "90s", "1h0m0s", "soon", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, pair := range [][2]encoding.TextUnmarshaler{
			{new(profile), new(profile)}, {new(logFormat), new(logFormat)}, {new(byteSize), new(byteSize)}, {new(duration), new(duration)},
		} {
			if pair[0].UnmarshalText([]byte(text)) != nil {
				continue
			}
			written := asText(pair[0])
			if err := pair[1].UnmarshalText([]byte(written)); err != nil || asText(pair[1]) != written {
				t.Fatalf("%T: %q is written as %q: %v", pair[0], text, written, err)
			}
		}
	})
}

func asText(v encoding.TextUnmarshaler) string {
	switch v := v.(type) {
	case *profile:
		return string(*v)
	case *logFormat:
		return string(*v)
	default:
		return fmt.Sprint(v)
	}
}
