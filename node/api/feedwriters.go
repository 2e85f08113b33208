package api

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"strings"
	"time"
)

// The texts of a feed come from strangers. encoding/xml and encoding/json escape them,
// and replace what no document may have, such as control characters. RSS alone has a
// field that readers take for HTML: there a text is escaped as HTML first.

// rss is a document of RSS 2.0 (https://www.rssboard.org/rss-specification).
type rss struct {
	XMLName xml.Name   `xml:"rss"`
	Version string     `xml:"version,attr"`
	Atom    string     `xml:"xmlns:atom,attr"`
	DC      string     `xml:"xmlns:dc,attr"`
	Channel rssChannel `xml:"channel"`
}

type rssChannel struct {
	Title       string    `xml:"title"`
	Link        string    `xml:"link"`
	Description string    `xml:"description"`
	Built       string    `xml:"lastBuildDate"`
	Self        atomLink  `xml:"atom:link"`
	Items       []rssItem `xml:"item"`
}

type rssItem struct {
	Title       string   `xml:"title"`
	Link        string   `xml:"link"`
	GUID        rssGUID  `xml:"guid"`
	Description string   `xml:"description"` // HTML
	Author      string   `xml:"dc:creator"`
	Published   string   `xml:"pubDate"`
	Tags        []string `xml:"category"`
}

type rssGUID struct {
	PermaLink bool   `xml:"isPermaLink,attr"`
	ID        string `xml:",chardata"`
}

func writeRSS(f feed) ([]byte, error) {
	out := rss{
		Version: "2.0", Atom: "http://www.w3.org/2005/Atom", DC: "http://purl.org/dc/elements/1.1/",
		Channel: rssChannel{
			Title: f.title, Link: f.home, Description: f.title, Built: f.updated.Format(time.RFC1123Z),
			Self: atomLink{Rel: "self", Href: f.self, Type: "application/rss+xml"},
		},
	}
	for _, i := range f.items {
		out.Channel.Items = append(out.Channel.Items, rssItem{
			Title: i.title, Link: i.link, GUID: rssGUID{ID: i.id},
			Description: strings.ReplaceAll(html.EscapeString(i.text), "\n", "<br>\n"),
			Author:      shortName(i.author), Published: i.published.Format(time.RFC1123Z), Tags: i.tags,
		})
	}
	return encodeXML(out)
}

// atom is a document of RFC 4287.
type atom struct {
	XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	ID      string      `xml:"id"`
	Title   atomText    `xml:"title"`
	Updated string      `xml:"updated"`
	Links   []atomLink  `xml:"link"`
	Entries []atomEntry `xml:"entry"`
}

type atomText struct {
	Type string `xml:"type,attr"`
	Text string `xml:",chardata"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr"`
	Href string `xml:"href,attr"`
	Type string `xml:"type,attr,omitempty"`
}

type atomEntry struct {
	ID        string     `xml:"id"`
	Title     atomText   `xml:"title"`
	Published string     `xml:"published"`
	Updated   string     `xml:"updated"`
	Author    atomAuthor `xml:"author"`
	Link      atomLink   `xml:"link"`
	Tags      []atomTag  `xml:"category"`
	Content   atomText   `xml:"content"`
}

type atomAuthor struct {
	Name string `xml:"name"`
	URI  string `xml:"uri"`
}

type atomTag struct {
	Term string `xml:"term,attr"`
}

func writeAtom(f feed) ([]byte, error) {
	out := atom{
		ID: f.id, Title: atomText{"text", f.title}, Updated: f.updated.Format(time.RFC3339Nano),
		Links: []atomLink{{Rel: "self", Href: f.self, Type: "application/atom+xml"}, {Rel: "alternate", Href: f.home}},
	}
	for _, i := range f.items {
		e := atomEntry{
			ID: i.id, Title: atomText{"text", i.title}, Content: atomText{"text", i.text},
			Published: i.published.Format(time.RFC3339Nano), Updated: i.updated.Format(time.RFC3339Nano),
			Author: atomAuthor{shortName(i.author), i.author}, Link: atomLink{Rel: "alternate", Href: i.link},
		}
		for _, t := range i.tags {
			e.Tags = append(e.Tags, atomTag{t})
		}
		out.Entries = append(out.Entries, e)
	}
	return encodeXML(out)
}

func encodeXML(v any) ([]byte, error) {
	b := bytes.NewBufferString(xml.Header)
	e := xml.NewEncoder(b)
	e.Indent("", " ")
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("write feed: %w", err)
	}
	return append(b.Bytes(), '\n'), nil
}

// jsonFeed is a document of https://www.jsonfeed.org/version/1.1/.
type jsonFeed struct {
	Version string         `json:"version"`
	Title   string         `json:"title"`
	Home    string         `json:"home_page_url"`
	Self    string         `json:"feed_url"`
	Items   []jsonFeedItem `json:"items"`
}

type jsonFeedItem struct {
	ID        string           `json:"id"`
	URL       string           `json:"url"`
	Text      string           `json:"content_text"`
	Published string           `json:"date_published"`
	Updated   string           `json:"date_modified"`
	Authors   []jsonFeedAuthor `json:"authors"`
	Tags      []string         `json:"tags,omitempty"`
}

type jsonFeedAuthor struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

func writeJSONFeed(f feed) ([]byte, error) {
	out := jsonFeed{Version: "https://jsonfeed.org/version/1.1", Title: f.title, Home: f.home, Self: f.self, Items: []jsonFeedItem{}}
	for _, i := range f.items {
		out.Items = append(out.Items, jsonFeedItem{
			ID: i.id, URL: i.link, Text: i.text, Tags: i.tags,
			Published: i.published.Format(time.RFC3339Nano), Updated: i.updated.Format(time.RFC3339Nano),
			Authors: []jsonFeedAuthor{{shortName(i.author), i.author}},
		})
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("write feed: %w", err)
	}
	return append(b, '\n'), nil
}
