package main_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var signInAddress = regexp.MustCompile(`^http://127\.0\.0\.1:\d+/#code=[\w-]{43}$`)

// The page's address has a code behind the #, a new one each time, and the token is
// nowhere in it.
func TestWeb(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	n := u.node(t, on("/tcp/0")...)
	first := strings.TrimSpace(u.want(t, 0, "web").out)
	second := u.json(t, "web", "--print")[0].str("url")
	for _, address := range []string{first, second} {
		if !signInAddress.MatchString(address) || !strings.HasPrefix(address, "http://"+n.ready.str("api")+"/") {
			t.Errorf("address %q", address)
		}
	}
	if first == second {
		t.Error("the same code twice")
	}
}

// Beyond this machine a node answers only those who have a token that its owner keeps,
// and a file of one that others can read, or that is none, is not taken.
func TestRun_beyondLoopback(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	weak, open := t.TempDir()+"/weak", t.TempDir()+"/open"
	for file, mode := range map[string]os.FileMode{weak: 0o600, open: 0o644} {
		text := "password"
		if file == open {
			text = "9f86d081884c7d659a2feaa0c55ad015"
		}
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, args := range map[string][]string{
		"no token":       {"--api", "0.0.0.0:0"},
		"no token, IPv6": {"--api", "[::]:0"},
		"a weak one":     {"--api", "0.0.0.0:0", "--set", "api.token_file=" + weak},
		"a public one":   {"--api", "0.0.0.0:0", "--set", "api.token_file=" + open},
		"admin":          {"--api", "127.0.0.1:0", "--set", "admin.listen=0.0.0.0:0"},
	} {
		if got := u.want(t, 2, append([]string{"run", "--network", networkOf(t)}, append(args, on("/tcp/0")...)...)...); !strings.Contains(got.errors, "token") {
			t.Errorf("%s: %s", name, got.errors)
		}
	}
	file := t.TempDir() + "/token"
	u.node(t, append(on("/tcp/0"), "--api", "0.0.0.0:0", "--set", "api.token_file="+file)...)
	wantMode(t, file, 0o600)
	if got := u.json(t, "status"); got[0].str("network") == "" { // the other commands find it
		t.Errorf("status %v", got)
	}
}
