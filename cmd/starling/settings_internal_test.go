package main

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// configOf makes a configuration file.
func configOf(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "starling.toml")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Flags win over the environment, that over the file, that over the profile, and each
// value knows where it came from.
func TestLoad_whoWins(t *testing.T) {
	file := configOf(t, "profile = 'lowpower'\n[store]\nquota = '3GiB'\nfree_space = '1GiB'\n[network]\nlisten = ['/ip4/0.0.0.0/tcp/1']\n[log]\nlevel = 'debug'\n")
	c, err := load(file, []string{
		"STARLING_STORE__FREE_SPACE=2GiB", "STARLING_NETWORK__BOOTSTRAP=/dns4/a/tcp/1/p2p/x, /dns4/b/tcp/1/p2p/y",
		"STARLING_LIMITS__HEAL_INTERVAL=90s", "STARLING_CONFIG=ignored", "HOME=/",
		"STARLING_SERVICE_HOST=10.0.0.1", "STARLING_PORT_4001_TCP=tcp://10.0.0.1:4001",
	}, []source{{"limits.heal_interval", "5m", "--set limits.heal_interval"}})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string][2]string{
		"profile":                {`"lowpower"`, file + ":1"},
		"store.quota":            {`"3GiB"`, file + ":3"},
		"store.cache":            {`"0"`, "profile lowpower"},
		"store.free_space":       {`"2GiB"`, "$STARLING_STORE__FREE_SPACE"},
		"network.listen":         {`["/ip4/0.0.0.0/tcp/1"]`, file + ":6"},
		"network.name":           {`"main"`, originDefault},
		"limits.heal_interval":   {`"5m"`, "--set limits.heal_interval"},
		"limits.put_timeout":     {`"10s"`, originDefault},
		"reach.relay_service":    {"false", "profile lowpower"},
		"log.level":              {`"debug"`, file + ":8"},
		"limits.connections_low": {"48", "profile lowpower"},
	} {
		for _, s := range c.all {
			if s.key == key && (literal(s.value) != want[0] || s.origin != want[1]) {
				t.Errorf("%s is %s by %s, want %s by %s", key, literal(s.value), s.origin, want[0], want[1])
			}
		}
	}
	if len(c.Network.Bootstrap) != 2 || c.Network.Bootstrap[1] != "/dns4/b/tcp/1/p2p/y" {
		t.Errorf("bootstrap %q", c.Network.Bootstrap)
	}
	if c.Limits.HealInterval != duration(5*time.Minute) || c.Log.Level.Of("any") != slog.LevelDebug {
		t.Errorf("%+v", c.settings)
	}
}

// A slip ends with the line or the name it stands at, and what may have been meant.
func TestLoad_slips(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		env  []string
		set  []source
		want []string
	}{
		"unknown key":          {file: "[store]\nqota = '1GiB'\n", want: []string{":2:", `"store.qota"`, `"store.quota"`}},
		"key without table":    {file: "quota = '1GiB'\n", want: []string{":1:", `"store.quota"`}},
		"unknown table":        {file: "[strore]\nquota = '1GiB'\n", want: []string{`"store.quota"`}},
		"unknown empty table":  {file: "[log]\n[strore]\n", want: []string{":2:", `"strore"`}},
		"a table for a value":  {file: "[store]\nquota = {}\n", want: []string{":2:", "store.quota", "8GiB"}},
		"wrong type":           {file: "[network]\nclient = 'yes'\n", want: []string{":2:", "network.client"}},
		"list for a string":    {file: "data = ['/a']\n", want: []string{":1:", "data"}},
		"size without a unit":  {file: "[store]\nquota = '20'\n", want: []string{":2:", "512MiB"}},
		"size too large":       {file: "[store]\nquota = '99999999999TiB'\n", want: []string{":2:", "512MiB"}},
		"not TOML":             {file: "store: 1\n", want: []string{":1:"}},
		"a key twice":          {file: "data = 'a'\ndata = 'b'\n", want: []string{":2:", "data", "line 1"}},
		"an inline table":      {file: "[log]\nlevel = 'info'\n[store]\nquota = { a = 1 }\n", want: []string{":4:", `"store.quota.a"`, `"store.quota"`}},
		"a table of tables":    {file: "[[store]]\nquota = '1GiB'\n", want: []string{":1:", `"store"`}},
		"unknown profile":      {file: "profile = 'fast'\n", want: []string{":1:", "lowpower"}},
		"unknown variable":     {env: []string{"STARLING_STORE__QOTA=1GiB"}, want: []string{"$STARLING_STORE__QOTA", "$STARLING_STORE__QUOTA"}},
		"nothing like it":      {env: []string{"STARLING_FROBNICATE_ALL=1"}, want: []string{"config show"}},
		"bad variable":         {env: []string{"STARLING_LIMITS__DOOR=many"}, want: []string{"$STARLING_LIMITS__DOOR", "whole number"}},
		"bad boolean":          {env: []string{"STARLING_NETWORK__CLIENT=ja"}, want: []string{"true or false"}},
		"unknown flag key":     {set: []source{{"stor.quota", "1GiB", "--set stor.quota"}}, want: []string{"--set stor.quota", `"store.quota"`}},
		"bad profile variable": {env: []string{"STARLING_PROFILE=fast"}, want: []string{"$STARLING_PROFILE", "lowpower"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(configOf(t, c.file), c.env, c.set)
			var bad usageError
			if !errors.As(err, &bad) {
				t.Fatalf("got %v", err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%v: want a word of %q", err, w)
				}
			}
		})
	}
}

// Files that are none are refused and not waited for; one that nobody named need not
// be there.
func TestLoad_files(t *testing.T) {
	big := configOf(t, strings.Repeat("# much\n", maxConfig/7+1))
	for name, file := range map[string]string{"missing": big + "x", "directory": filepath.Dir(big), "too large": big, "device": os.DevNull} {
		if _, err := load(file, nil, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	if _, err := load("", nil, nil); err != nil {
		t.Error(err)
	}
	if _, err := load(configOf(t, "\ufeffdata = 'a'\r\n[log]\r\nlevel = 'info'\r\n"), nil, nil); err != nil {
		t.Errorf("as some editors write it: %v", err)
	}
}

// What `config init` writes is the defaults, as it stands and with every key switched on.
func TestTemplate_isTheDefaults(t *testing.T) {
	commented := template()
	var on strings.Builder
	for line := range strings.Lines(commented) {
		bare := strings.TrimPrefix(line, "# ")
		key, _, assigns := strings.Cut(bare, " = ")
		if assigns && !strings.Contains(key, " ") || strings.HasPrefix(bare, "  \"") || strings.HasPrefix(bare, "]") {
			line = bare
		}
		on.WriteString(line)
	}
	for name, content := range map[string]string{"commented": commented, "switched on": on.String()} {
		c, err := load(configOf(t, content), nil, nil)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, content)
		}
		want := defaults(profileDefault)
		for i, s := range list(&want) {
			got := c.all[i]
			if literal(got.value) != literal(s.value) {
				t.Errorf("%s: %s is %s, want %s", name, s.key, literal(got.value), literal(s.value))
			}
			if isSet := got.origin != originDefault; isSet != (name == "switched on") {
				t.Errorf("%s: %s is by %s", name, s.key, got.origin)
			}
		}
		if err := c.check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for line := range strings.Lines(commented) {
		if len(line) > 90 {
			t.Errorf("a line of %d characters: %s", len(line), line)
		}
	}
}

// Every profile is one that a node takes.
func TestProfiles_valid(t *testing.T) {
	for _, p := range []profile{profileDefault, profileServer, profileLocal, profileLowPower} {
		c, err := load(configOf(t, ""), []string{"STARLING_PROFILE=" + string(p)}, nil)
		if err != nil || c.check() != nil || c.Profile != p {
			t.Errorf("%s: %v, %v", p, err, c.check())
		}
	}
}

func TestCheck_bounds(t *testing.T) {
	for set, word := range map[string]string{
		"limits.connections_low=0":               "want 1",
		"limits.connections_low=500":             "connections_high",
		"limits.heal_interval=0s":                "more than 0",
		"limits.mend_rate=0":                     "mended",
		"store.quota=2048TiB":                    "want 0 to",
		"network.per_ip_group=-1":                "want 0 to",
		"network.name=My Net":                    "network.name",
		"api.listen=0.0.0.0:1":                   "api.listen",
		"network.listen=127.0.0.1:1":             "network.listen (--set network.listen): ",
		"network.bootstrap=/ip4/127.0.0.1/tcp/1": "network.bootstrap (--set network.bootstrap): ",
		"network.announce=nowhere":               "network.announce (--set network.announce): ",
		"log.level=info,haal=debug":              `"heal"`,
		"log.level=loud":                         "debug",
	} {
		key, value, _ := strings.Cut(set, "=")
		c, err := load(configOf(t, ""), nil, []source{{key, value, "--set " + key}})
		if err == nil {
			err = c.check()
		}
		if err == nil || exitCode(err) != exitUsage || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v, want a word of %q", set, err, word)
		}
	}
}

// Sizes and times are read as they are written.
func TestValues_roundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := byteSize(rapid.Int64Range(0, maxSize).Draw(t, "size"))
		var got byteSize
		if err := got.UnmarshalText([]byte(want.String())); err != nil || got != want {
			t.Fatalf("%s is read as %s, %v", want, got, err)
		}
		wait := duration(rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, "duration"))
		var again duration
		if err := again.UnmarshalText([]byte(wait.String())); err != nil || again != wait {
			t.Fatalf("%s is read as %s, %v", wait, again, err)
		}
	})
	for v, want := range map[duration]string{
		duration(3 * time.Minute): "3m", duration(time.Hour): "1h", duration(90 * time.Second): "1m30s",
		duration(10 * time.Second): "10s", duration(100 * time.Minute): "1h40m", duration(20 * time.Minute): "20m",
	} {
		if v.String() != want {
			t.Errorf("%s, want %s", v, want)
		}
	}
}

// Every key has something said of it, and a value of a kind that can be set.
func TestSettings_complete(t *testing.T) {
	s := defaults(profileDefault)
	for _, k := range list(&s) {
		if k.help == "" || !strings.HasSuffix(k.help, ".") {
			t.Errorf("%s: %q", k.key, k.help)
		}
		copied := reflect.New(k.value.Type()).Elem()
		text := strings.Trim(literal(k.value), `"`)
		if k.value.Kind() == reflect.Slice {
			text = strings.Join(k.value.Interface().([]string), ",")
		}
		if err := setText(copied, text); err != nil || literal(copied) != literal(k.value) {
			t.Errorf("%s: %s is set to %s, %v", k.key, literal(k.value), literal(copied), err)
		}
	}
}
