package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A composition is what compose.yaml says of the services that run here.
type composition struct {
	Services map[string]service `yaml:"services"`
}

// A service is one container.
type service struct {
	User        string            `yaml:"user"`
	ReadOnly    bool              `yaml:"read_only"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Ports       []string          `yaml:"ports"`
	Volumes     []string          `yaml:"volumes"`
	Tmpfs       []string          `yaml:"tmpfs"`
}

// An image is what the Dockerfile says of how a container of it runs.
type image struct {
	entrypoint, command, health []string
	user                        string
	env                         []string
	folders                     []string // of its own: those that it copies
}

// variable is what Compose replaces: ${NAME} or ${NAME:-default}.
var variable = regexp.MustCompile(`\$\{(\w+)(?::-([^}]*))?\}`)

// readComposition reads compose.yaml with these variables set.
func readComposition(path string, set map[string]string) (c composition, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	text := variable.ReplaceAllStringFunc(string(b), func(whole string) string {
		m := variable.FindStringSubmatch(whole)
		if v, ok := set[m[1]]; ok {
			return v
		}
		return m[2]
	})
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

var (
	instruction = regexp.MustCompile(`(?m)^(ENTRYPOINT|CMD|USER|ENV|HEALTHCHECK|COPY)\s+((?:.*\\\n)*.*)$`)
	list        = regexp.MustCompile(`\[.*\]`)
)

// readImage reads the last stage of a Dockerfile.
func readImage(path string) (i image, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return i, err
	}
	text := string(b)
	text = text[strings.LastIndex(text, "\nFROM "):]
	for _, m := range instruction.FindAllStringSubmatch(text, -1) {
		words := func() (out []string) {
			if jerr := json.Unmarshal([]byte(list.FindString(m[2])), &out); jerr != nil {
				err = errors.Join(err, fmt.Errorf("%s: %s %s: %w", path, m[1], m[2], jerr))
			}
			return out
		}
		switch m[1] {
		case "ENTRYPOINT":
			i.entrypoint = words()
		case "CMD":
			i.command = words()
		case "HEALTHCHECK":
			i.health = words()
		case "USER":
			i.user = m[2]
		case "ENV":
			i.env = append(i.env, m[2])
		case "COPY":
			if fields := strings.Fields(m[2]); strings.Contains(m[2], "--chown=") {
				i.folders = append(i.folders, fields[len(fields)-1])
			}
		}
	}
	return i, err
}
