package main

import (
	"regexp"
	"strings"
)

const (
	envPrefix = "STARLING_"
	envFile   = envPrefix + "CONFIG" // names the file
)

// orchestrated are the variables that Kubernetes sets for a service of our name.
var orchestrated = regexp.MustCompile(`^STARLING_(PORT|SERVICE_HOST|SERVICE_PORT)(_|$)`)

// variables are the settings in the environment: STARLING_DATA, STARLING_STORE__QUOTA.
// One that is no key is a slip, and would be one that nobody notices.
func (c *configured) variables(environ []string) ([]source, error) {
	var out []source
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, envPrefix) || name == envFile || orchestrated.MatchString(name) {
			continue
		}
		key := strings.ReplaceAll(strings.ToLower(name[len(envPrefix):]), "__", ".")
		s := source{key, value, "$" + name}
		if c.at(key) == nil {
			near := c.nearest(key)
			if near == "" {
				return nil, usage("%s: there is no such setting; 'starling config show --effective' lists them", s.origin)
			}
			return nil, usage("%s: there is no such setting; did you mean $%s?", s.origin, variable(near))
		}
		out = append(out, s)
	}
	return out, nil
}

// variable is the name of a key in the environment.
func variable(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "__"))
}

// nearest is the key that is most like one that is none; empty if none is like it.
func (c *configured) nearest(key string) (best string) {
	least := max(2, len(key)/3) + 1
	for _, s := range c.all {
		d := edits(key, s.key)
		if _, last, nested := strings.Cut(s.key, "."); nested && !strings.Contains(key, ".") {
			d = min(d, edits(key, last)) // the table was left out
		}
		if d < least {
			best, least = s.key, d
		}
	}
	return best
}

// nearestOf is the word that is most like one that is none; empty if none is like it.
func nearestOf(word string, among []string) (best string) {
	least := max(2, len(word)/3) + 1
	for _, w := range among {
		if d := edits(word, w); d < least {
			best, least = w, d
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	if len(a) > 100 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
