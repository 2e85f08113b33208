//go:build unix

package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starling-social/starling/records"
)

var someone = records.KeyFromSeed([32]byte{9}).User()

// A command line that makes no sense ends with 2, says what to do, and neither
// needs a node nor makes anything on disk.
func TestUsage(t *testing.T) {
	t.Parallel()
	post := records.Ref{Author: someone}.String()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"unknown command":      {[]string{"frobnicate"}, "no command"},
		"slip in a command":    {[]string{"timelin", "me"}, "'starling timeline'"},
		"slip below a command": {[]string{"profile", "ste"}, "'starling profile set'"},
		"unknown flag":         {[]string{"status", "--verbose"}, "--verbose"},
		"slip in a flag":       {[]string{"timeline", "me", "--limt", "3"}, "--limit?"},
		"unknown short flag":   {[]string{"status", "-x"}, "--help"},
		"flag of another":      {[]string{"status", "--jsn"}, "--json?"},
		"man nowhere":          {[]string{"man"}, "one directory"},
		"completion of what":   {[]string{"completion", "sh"}, "bash"},
		"flag without value":   {[]string{"post", "x", "--tag"}, "--tag"},
		"number that is none":  {[]string{"timeline", "me", "--limit", "abc"}, "--limit \"abc\": want a whole number;"},
		"time that is none":    {[]string{"put", "a", "x", "--ttl", "soon"}, "48h"},
		"help on a slip":       {[]string{"help", "timelin"}, "'starling timeline'"},
		"help below a slip":    {[]string{"help", "config", "shw"}, "'starling config show'"},
		"argument too many":    {[]string{"status", "now"}, "no arguments"},
		"text without quotes":  {[]string{"post", "hello", "world"}, "quotes"},
		"empty text":           {[]string{"post", ""}, "empty"},
		"blank text":           {[]string{"post", " \n\t"}, "empty"},
		"empty input":          {[]string{"post"}, "empty"},
		"4097 bytes":           {[]string{"post", strings.Repeat("x", 4097)}, "4096"},
		"not UTF-8":            {[]string{"post", "\xff"}, "UTF-8"},
		"tag with a blank":     {[]string{"post", "x", "--tag", "a b"}, "--tag"},
		"mention of a name":    {[]string{"post", "x", "--mention", "ann"}, "--mention"},
		"reply to nothing":     {[]string{"post", "x", "--reply-to", "7"}, "--reply-to"},
		"edit of nothing":      {[]string{"edit", "7", "x"}, "post id"},
		"edit with no text":    {[]string{"edit", post, ""}, "empty"},
		"delete without post":  {[]string{"delete"}, "one post"},
		"delete of nothing":    {[]string{"delete", "../../etc"}, "post id"},
		"timeline without tag": {[]string{"timeline"}, "quotes"},
		"timeline of a word":   {[]string{"timeline", "go"}, "#tag"},
		"two timelines":        {[]string{"timeline", "me", "#go"}, "one hashtag"},
		"limit 0":              {[]string{"timeline", "me", "--limit", "0"}, "--limit"},
		"limit -1":             {[]string{"timeline", "me", "--limit=-1"}, "--limit"},
		"limit 2^63":           {[]string{"timeline", "me", "--limit", "9223372036854775808"}, "--limit"},
		"forged cursor":        {[]string{"timeline", "me", "--before", "AAAA"}, "--before"},
		"home and a tag":       {[]string{"timeline", "#go", "--home"}, "either --home"},
		"watch home and more":  {[]string{"watch", "me", "--home"}, "either --home"},
		"mentions of a word":   {[]string{"timeline", "@ann"}, "did:key"},
		"follow nothing":       {[]string{"follow"}, "one hashtag"},
		"follow two":           {[]string{"follow", "me", "#go"}, "one hashtag"},
		"follow a word":        {[]string{"follow", "go"}, "#tag"},
		"follow a thread":      {[]string{"follow", post}, "watch it"},
		"unfollow a word":      {[]string{"unfollow", "go"}, "#tag"},
		"put nothing":          {[]string{"put"}, "a name and one text"},
		"put under a path":     {[]string{"put", "../etc", "x"}, "a-z"},
		"put and delete":       {[]string{"put", "--delete", "a", "x"}, "either --delete"},
		"put in the past":      {[]string{"put", "a", "x", "--ttl=-1s"}, "--ttl"},
		"put with a word":      {[]string{"put", "a", "x", "--party", "ann"}, "--party"},
		"get of a word":        {[]string{"get", "ann", "a"}, "did:key"},
		"get of no name":       {[]string{"get", "me"}, "a user"},
		"history of a word":    {[]string{"history", "ann", "a"}, "did:key"},
		"consent to nothing":   {[]string{"consent", "me", "a"}, "one text"},
		"profile of a script":  {[]string{"profile", "set", "--link", "javascript:x"}, "link"},
		"profile of a word":    {[]string{"profile", "get", "ann"}, "did:key"},
		"claim with a blank":   {[]string{"name", "claim", "a b"}, "letters"},
		"find nobody":          {[]string{"name", "find"}, "one name"},
		"following whom":       {[]string{"following", "me"}, "no arguments"},
		"watch nothing":        {[]string{"watch"}, "at least one"},
		"watch limit 0":        {[]string{"watch", "me", "--limit", "0"}, "--limit"},
		"export nowhere":       {[]string{"export"}, "one file"},
		"export to a folder":   {[]string{"export", "/"}, "directory"},
		"export of JSON":       {[]string{"export", "-", "--json"}, "--json"},
		"export a tag of two":  {[]string{"export", "x", "--tag", "a b"}, "hashtag"},
		"export of somebody":   {[]string{"export", "x", "--user", "ann"}, "user"},
		"import of nothing":    {[]string{"import"}, "one file"},
		"import of a folder":   {[]string{"import", "/"}, "no file"},
		"db of nothing":        {[]string{"db", "frobnicate"}, "no command"},
		"verify what":          {[]string{"db", "verify", "now"}, "no arguments"},
		"network name":         {[]string{"run", "--network", "My Net"}, "--network"},
		"open API":             {[]string{"run", "--api", "0.0.0.0:7827"}, "this machine alone"},
		"API without port":     {[]string{"run", "--api", "127.0.0.1"}, "--api"},
		"bad multiaddr":        {[]string{"run", "--listen", "127.0.0.1:4001"}, "multiaddr"},
		"bootstrap without id": {[]string{"run", "--bootstrap", "/ip4/127.0.0.1/tcp/4001"}, "/p2p/"},
		"slip in config":       {[]string{"config", "vlidate"}, "'starling config validate'"},
		"config that is none":  {[]string{"status", "--config", "/dev/null"}, "no file"},
		"unknown setting":      {[]string{"run", "--set", "store.qota=1GiB"}, "store.quota"},
		"setting without =":    {[]string{"run", "--set", "store.quota"}, "key=value"},
		"cache without a unit": {[]string{"run", "--cache", "16"}, "512MiB"},
		"private and public":   {[]string{"run", "--profile", "server", "--bootstrap", "/ip4/10.0.0.1/tcp/1/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5"}, "private"},
		"network of one node":  {[]string{"testnet", "--nodes", "1"}, "want 2"},
		"network of too many":  {[]string{"testnet", "--nodes", "100000"}, "want 2"},
		"no neighbours":        {[]string{"testnet", "--neighbourhood", "0"}, "neighbourhoods"},
		"no posts":             {[]string{"testnet", "--limit", "0"}, "--limit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			r := u.want(t, 2, c.args...)
			if !strings.Contains(r.errors, c.want) || !strings.HasPrefix(r.errors, "starling: ") || r.out != "" || len(r.errors) > 1000 {
				t.Errorf("said %q%q, want a word of %q", r.out, r.errors, c.want)
			}
			if _, err := os.Stat(u.data); !os.IsNotExist(err) {
				t.Errorf("made a data directory: %v", err)
			}
		})
	}
}

// Without a node the other commands say so and how to start one; they make nothing.
func TestUsage_noNode(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	post := records.Ref{Author: someone}.String()
	for _, args := range [][]string{
		{"post", "x"},
		{"edit", post, "x"},
		{"delete", post},
		{"timeline", "me"},
		{"watch", "me"},
		{"follow", "me"},
		{"unfollow", "me"},
		{"following"},
		{"timeline", "--home"},
		{"watch", "--home"},
		{"peers"},
		{"status"},
	} {
		if r := u.want(t, 3, append(args, "--json")...); !strings.Contains(r.errors, "starling run") || r.out != "" {
			t.Errorf("%v: %s%s", args, r.out, r.errors)
		}
	}
	for _, args := range [][]string{{"id"}, {"export", filepath.Join(t.TempDir(), "x")}, {"db", "stats"}, {"db", "verify"}, {"db", "compact"}} {
		if r := u.want(t, 1, append(args, "--json")...); !strings.Contains(r.errors, "starling run") || r.out != "" {
			t.Errorf("%v: %s%s", args, r.out, r.errors)
		}
	}
	if _, err := os.Stat(u.data); !os.IsNotExist(err) {
		t.Errorf("made a data directory: %v", err)
	}
}

// 4096 bytes are a post, from an argument or with a line break behind it.
func TestUsage_longestText(t *testing.T) {
	t.Parallel()
	u, text := newUser(t), strings.Repeat("x", 4096)
	u.want(t, 3, "post", text)
	u.says(text+"\n").want(t, 3, "post", "-")
	u.says(text+"x\n").want(t, 2, "post")
	u.says(text+"\n\n").want(t, 2, "post")
	u.says(strings.Repeat(text, 10_000)).want(t, 2, "post")
}

// The data directory is the user's own unless said otherwise; without a home the
// command says how to say.
func TestUsage_dataDirectory(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	for name, c := range map[string]struct {
		env  []string
		args []string
		want string
	}{
		"home":        {[]string{"HOME=" + home}, nil, filepath.Join(home, ".local/share/starling")},
		"XDG":         {[]string{"HOME=" + home, "XDG_DATA_HOME=" + home + "/xdg"}, nil, home + "/xdg/starling"},
		"XDG, no dir": {[]string{"HOME=" + home, "XDG_DATA_HOME=xdg"}, nil, filepath.Join(home, ".local/share/starling")},
		"variable":    {[]string{"HOME=" + home, "STARLING_DATA=" + home + "/var"}, nil, home + "/var"},
		"flag":        {[]string{"STARLING_DATA=" + home + "/var"}, []string{"--data", home + "/a b\nc"}, home + `/a b`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := user{env: append(c.env, "PATH="+os.Getenv("PATH"))}
			if r := u.want(t, 1, append([]string{"id"}, c.args...)...); !strings.Contains(r.errors, c.want) {
				t.Errorf("said %q, want %q in it", r.errors, c.want)
			}
		})
	}
	for _, args := range [][]string{{"id"}, {"run"}, {"status"}} {
		if r := (user{}).want(t, 2, args...); !strings.Contains(r.errors, "--data") {
			t.Errorf("%v without a home: %s", args, r.errors)
		}
	}
	user{}.want(t, 0, "version")
}
