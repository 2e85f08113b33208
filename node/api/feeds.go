package api

import (
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

const feedPosts = 50

// A feedKind is one way to write a feed.
type feedKind struct {
	ending string // of its path
	kind   string // media type
	write  func(feed) ([]byte, error)
}

var feedKinds = []feedKind{
	{"rss", "application/rss+xml; charset=utf-8", writeRSS},
	{"atom", "application/atom+xml; charset=utf-8", writeAtom},
	{"json", "application/feed+json", writeJSONFeed},
}

// feed is a page of a timeline for feed readers. Its texts are as their authors wrote
// them: whoever writes it down escapes them.
type feed struct {
	id      string // the same for ever
	title   string
	self    string // where the feed is
	home    string // where people read it
	updated time.Time
	items   []feedItem
}

type feedItem struct {
	id        string // the same for ever
	title     string // of one line
	link      string
	text      string
	author    string
	published time.Time
	updated   time.Time
	tags      []string
}

func (s *Server) feedOperations(a *operations) {
	kinds := answer{text: "The newest posts, with ETag and Last-Modified."}
	for _, k := range feedKinds {
		kind, _, _ := strings.Cut(k.kind, ";")
		kinds.kinds = append(kinds.kinds, kind)
	}
	const text = "RSS 2.0, Atom (RFC 4287) or JSON Feed 1.1, by the ending of the path. A reader that sends back ETag or Last-Modified " +
		"gets 304 while nothing changed. Deleted posts are left out."
	stream(a, operation{
		route: "GET /feeds/tag/{file}", id: "getTagFeed", group: groupFeeds, answer: kinds, text: text,
		summary: "The feed of a hashtag", codes: []Code{CodeNotFound, CodeIncomplete},
	}, func(w http.ResponseWriter, r *http.Request, in *struct {
		File string `path:"file" doc:"A hashtag without #, a dot, and rss, atom or json." example:"starling.atom"`
	},
	) error {
		return s.serveFeed(w, r, in.File, func(name string) (node.Source, error) {
			t, err := records.NormalizeTag(name)
			return node.TagSource(t), err
		})
	})
	stream(a, operation{
		route: "GET /feeds/user/{file}", id: "getUserFeed", group: groupFeeds, answer: kinds, text: text,
		summary: "The feed of a user", codes: []Code{CodeNotFound, CodeIncomplete},
	}, func(w http.ResponseWriter, r *http.Request, in *struct {
		File string `path:"file" doc:"A user, a dot, and rss, atom or json." example:"did:key:z6Mk….json"`
	},
	) error {
		return s.serveFeed(w, r, in.File, func(name string) (node.Source, error) {
			u, err := node.ParseUser(name, s.Node.User())
			return node.UserSource(u), err
		})
	})
}

// serveFeed answers with the feed that a file names: what it is of, and how it is
// written.
func (s *Server) serveFeed(w http.ResponseWriter, r *http.Request, file string, of func(name string) (node.Source, error)) error {
	dot := max(strings.LastIndexByte(file, '.'), 0)
	for _, k := range feedKinds {
		if file[dot:] != "."+k.ending {
			continue
		}
		source, err := of(file[:dot])
		if err != nil {
			return err
		}
		f, err := s.readFeed(r, source)
		if err != nil {
			return err
		}
		b, err := k.write(f)
		if err != nil {
			return err
		}
		serveFresh(w, r, k.kind, f.updated, b)
		return nil
	}
	return problem(CodeNotFound, "a feed ends in .rss, .atom or .json, not %.40q", file[dot:])
}

func (s *Server) readFeed(r *http.Request, source node.Source) (feed, error) {
	page, err := pageOf(s.Node.Timeline(r.Context(), source, node.Range{Limit: feedPosts}), false, feedPosts)
	if err != nil {
		return feed{}, err
	}
	if page.Body.Problem != nil && len(page.Body.Posts) == 0 { // a reader would take it for a feed that lost all
		return feed{}, page.Body.Problem
	}
	site := "http://" + r.Host
	out := feed{
		id: "urn:starling:timeline:" + source.String(), title: source.String() + " on Starling",
		self: site + r.URL.EscapedPath(), home: site + "/", updated: time.Unix(0, 0).UTC(),
	}
	for _, p := range page.Body.Posts {
		if p.Deleted {
			continue
		}
		item := itemOf(p, site)
		if item.updated.After(out.updated) {
			out.updated = item.updated
		}
		out.items = append(out.items, item)
	}
	return out, nil
}

func itemOf(p Post, site string) feedItem {
	return feedItem{
		id: "urn:starling:post:" + p.ID, title: firstLine(p.Text), link: site + "/#/post/" + p.ID,
		text: p.Text, author: p.Author, tags: p.Tags,
		published: time.UnixMilli(p.Created).UTC(), updated: records.Rev(p.Rev).Millis().Time(),
	}
}

const maxTitle = 80 // characters

// firstLine is what to call a text that has no title.
func firstLine(text string) string {
	line, _, more := strings.Cut(strings.TrimSpace(text), "\n")
	line = strings.TrimSpace(line)
	if runes := []rune(line); len(runes) > maxTitle {
		line, more = strings.TrimSpace(string(runes[:maxTitle])), true
	}
	switch {
	case line == "":
		return "Without words"
	case more && utf8.ValidString(line):
		return line + " …"
	default:
		return line
	}
}

// shortName is what to call a user in a feed: the part of the key by which people are
// told apart.
func shortName(user string) string {
	if u, err := records.ParseUser(user); err == nil {
		return fmt.Sprintf("#%s", u.Fragment())
	}
	return user
}
