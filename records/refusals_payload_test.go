package records_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/pb"
)

// badPayloads break a rule of the payload itself, or of its encoding.
func badPayloads(t *testing.T) []refusal {
	message := func(name string, change func(*pb.Payload)) refusal {
		p := plainPayload(t)
		change(p)
		return refused(name, records.ErrMalformed, sealMessage(t, p))
	}
	raw := func(name string, payload ...[]byte) refusal {
		return refused(name, records.ErrMalformed, records.SealPayload(testNet, person(0), slices.Concat(payload...)))
	}
	fields := mustMarshal(t, plainPayload(t))
	field := func(num protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), v)
	}
	text := func(num protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, num, protowire.BytesType), s)
	}
	mimic := plainPayload(t)
	mimic.Kind, mimic.Head = pb.Kind_KIND_FOLLOW, mustMarshal(t, &pb.FollowHead{Followed: mimic.Author})
	mimic.Body = noWork
	bodiless := plainPayload(t)
	bodiless.Body = nil
	var unknown []byte // to a certificate
	for num := range protowire.Number(65) {
		unknown = append(unknown, text(num+10, "")...)
	}
	return []refusal{
		raw("payload that is empty"),
		raw("payload without work", fields),
		raw("payload whose work has wire type 0", fields, field(15, 0), make([]byte, 7)),
		raw("payload of work alone", noWork),
		raw("work inside the body", mustMarshal(t, mimic)),
		raw("work inside an unknown field", fields, text(14, string(noWork))),
		raw("work twice", fields, noWork, noWork),
		raw("a field behind the work that ends like it", fields, noWork, text(16, string(noWork))),
		raw("field 16 before the work", fields, text(16, ""), noWork),
		raw("fields in descending order", fields[2:], fields[:2], noWork),
		raw("a field twice", fields[:2], fields, noWork),
		raw("an unknown field twice", fields, text(10, ""), text(10, ""), noWork),
		raw("more than 64 fields", fields[:36], text(3, string(unknown)), fields[36:], noWork),
		raw("a group", fields, []byte{10<<3 | 3, 10<<3 | 4}, noWork),
		raw("field 0", []byte{0, 0}, fields, noWork),
		raw("a tag of 33 bits", fields, []byte{0x82, 0x80, 0x80, 0x80, 0x10, 0}, noWork),
		raw("a varint that is too long", []byte{1 << 3, 0x81, 0}, fields[2:], noWork),
		raw("a varint of 11 bytes", []byte{1 << 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, fields[2:], noWork),
		raw("a zero that is not to be written", mustMarshal(t, bodiless), []byte{7 << 3, 0}, noWork),
		raw("a kind of 33 bits", field(1, 1<<32|1), fields[2:], noWork),
		raw("a kind with another wire type", []byte{1<<3 | 2, 1, 1}, fields[2:], noWork),
		raw("a length that runs past the end", fields, []byte{10<<3 | 2, 0x20}, noWork),
		raw("a length of 2^64-1", fields, []byte{10<<3 | 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, noWork),
		message("kind 0", func(p *pb.Payload) { p.Kind = 0 }),
		message("kind 8", func(p *pb.Payload) { p.Kind = 8 }),
		message("kind -1", func(p *pb.Payload) { p.Kind = -1 }),
		message("kind 257", func(p *pb.Payload) { p.Kind = 257 }),
		message("no author", func(p *pb.Payload) { p.Author = nil }),
		message("author of 31 bytes", func(p *pb.Payload) { p.Author = p.GetAuthor()[:31] }),
		message("no salt", func(p *pb.Payload) { p.Salt = nil }),
		message("salt of 9 bytes", func(p *pb.Payload) { p.Salt = make([]byte, 9) }),
		message("created after the revision", func(p *pb.Payload) { p.Created++ }),
		message("created beyond 48 bits", func(p *pb.Payload) { p.Created, p.Rev = 1<<48, 1<<64-1 }),
		message("expires beyond 48 bits", func(p *pb.Payload) { p.Expires = 1 << 48 }),
		message("expires when it was created", func(p *pb.Payload) { p.Expires = p.GetCreated() }),
	}
}

// badContents break a rule of their kind.
func badContents(t *testing.T) []refusal {
	head := func(name string, k pb.Kind, m proto.Message) refusal {
		p := plainPayload(t)
		p.Kind, p.Head = k, mustMarshal(t, m)
		return refused(name, records.ErrMalformed, sealMessage(t, p))
	}
	post := func(name string, h *pb.PostHead) refusal { return head(name, pb.Kind_KIND_POST, h) }
	body := func(name string, b *pb.PostBody) refusal {
		p := plainPayload(t)
		bob := person(1).User()
		p.Head, p.Body = mustMarshal(t, &pb.PostHead{Tags: []string{"go"}, Mentions: [][]byte{bob[:]}}), mustMarshal(t, b)
		return refused(name, records.ErrMalformed, sealMessage(t, p))
	}
	facet := func(name string, fs ...*pb.Facet) refusal {
		return body(name, &pb.PostBody{Text: "é is a text", Facets: fs})
	}
	link := func(start, end uint32, to string) *pb.Facet {
		return &pb.Facet{Start: start, End: end, Meaning: &pb.Facet_Link{Link: to}}
	}
	raw := func(name string, b []byte) refusal {
		p := plainPayload(t)
		p.Body = b
		return refused(name, records.ErrMalformed, sealMessage(t, p))
	}
	users := func(n ...int) (out [][]byte) {
		for _, i := range n {
			u := person(i).User()
			out = append(out, u[:])
		}
		slices.SortFunc(out, bytes.Compare)
		return out
	}
	ref := func(change func(*pb.Reference)) *pb.Reference {
		r := &pb.Reference{Author: users(1)[0], Created: 1, Key: make([]byte, 32)}
		change(r)
		return r
	}
	good := ref(func(*pb.Reference) {})
	soul := func(u records.User) string { return "own/" + u.Multibase() + "/x" }
	const a = "https://a"
	return []refusal{
		post("tag that is not folded", &pb.PostHead{Tags: []string{"Go"}}),
		post("tag that is empty", &pb.PostHead{Tags: []string{""}}),
		post("tags that descend", &pb.PostHead{Tags: []string{"b", "a"}}),
		post("tag twice", &pb.PostHead{Tags: []string{"a", "a"}}),
		post("mention of 31 bytes", &pb.PostHead{Mentions: [][]byte{make([]byte, 31)}}),
		post("mentions that descend", &pb.PostHead{Mentions: [][]byte{users(1, 2)[1], users(1, 2)[0]}}),
		post("mention twice", &pb.PostHead{Mentions: users(1, 1)}),
		post("thread without parent", &pb.PostHead{Root: good}),
		post("parent without thread", &pb.PostHead{Parent: good}),
		post("reference to nothing", &pb.PostHead{Root: &pb.Reference{}, Parent: good}),
		post("reference beyond 48 bits of time", &pb.PostHead{Root: good, Parent: ref(func(r *pb.Reference) { r.Created = 1 << 48 })}),
		post("reference by 33 bytes", &pb.PostHead{Root: good, Parent: ref(func(r *pb.Reference) { r.Key = make([]byte, 33) })}),
		post("nine places", &pb.PostHead{Tags: []string{"a", "b", "c", "d", "e", "f", "g", "h"}}),
		post("nine places, one of them the sequel's", &pb.PostHead{
			Tags: []string{"a", "b", "c", "d", "e", "f"}, Root: good, Parent: ref(func(r *pb.Reference) { r.Author = users(0)[0] }),
		}),
		post("thousand tags", &pb.PostHead{Tags: slices.Repeat([]string{"a"}, 1000)}),
		body("text of 4097 bytes", &pb.PostBody{Text: strings.Repeat("x", records.MaxText+1)}),
		raw("text that is not UTF-8", []byte{1<<3 | 2, 1, 0xff}),
		raw("text twice", []byte{1<<3 | 2, 1, 'a', 1<<3 | 2, 1, 'a'}),
		raw("text that is empty and written", []byte{1<<3 | 2, 0}),
		raw("facet with two meanings", []byte{2<<3 | 2, 8, 2 << 3, 1, 3<<3 | 2, 1, 'a', 5<<3 | 2, 1, 'a'}),
		raw("facet that starts beyond 32 bits", []byte{1<<3 | 2, 1, 'a', 2<<3 | 2, 8, 1 << 3, 0x80, 0x80, 0x80, 0x80, 0x10, 2 << 3, 1}),
		facet("facet beyond the text", link(0, 13, a)),
		facet("facet that is empty", link(3, 3, a)),
		facet("facet that ends before it starts", link(5, 4, a)),
		facet("facet that ends at 2^32-1", link(0, 1<<32-1, a)),
		facet("facet that starts within a character", link(1, 3, a)),
		facet("facet that ends within a character", link(0, 1, a)),
		facet("facets that overlap", link(0, 4, a), link(3, 5, a)),
		facet("facets that descend", link(5, 6, a), link(3, 4, a)),
		facet("facet without a meaning", &pb.Facet{End: 2}),
		facet("facet with an empty tag", &pb.Facet{End: 2, Meaning: &pb.Facet_Tag{}}),
		facet("facet of a tag that the post lacks", &pb.Facet{End: 2, Meaning: &pb.Facet_Tag{Tag: "gone"}}),
		facet("facet of a mention that the post lacks", &pb.Facet{End: 2, Meaning: &pb.Facet_Mention{Mention: users(2)[0]}}),
		facet("facet of a mention of 31 bytes", &pb.Facet{End: 2, Meaning: &pb.Facet_Mention{Mention: make([]byte, 31)}}),
		facet("facet that runs a script", link(0, 2, "javascript:alert(1)")),
		body("65 facets", &pb.PostBody{Text: strings.Repeat("x", 65), Facets: manyFacets(65)}),
		head("reaction of class 0", pb.Kind_KIND_REACTION, &pb.ReactionHead{Target: good}),
		head("reaction of class 256", pb.Kind_KIND_REACTION, &pb.ReactionHead{Target: good, Class: 256}),
		head("reaction to nothing", pb.Kind_KIND_REACTION, &pb.ReactionHead{Class: 1}),
		head("follow of 31 bytes", pb.Kind_KIND_FOLLOW, &pb.FollowHead{Followed: make([]byte, 31)}),
		head("register of an unknown name", pb.Kind_KIND_REGISTER, &pb.RegisterHead{Name: "other"}),
		head("register of a service with a slash", pb.Kind_KIND_REGISTER, &pb.RegisterHead{Name: "service/a/b"}),
		head("nickname that is not folded", pb.Kind_KIND_NAME, &pb.NameHead{Nickname: "Ada"}),
		head("field without a name", pb.Kind_KIND_GRAPH, &pb.GraphHead{Soul: "pub/x"}),
		head("field of 129 bytes", pb.Kind_KIND_GRAPH, &pb.GraphHead{Soul: "pub/x", Field: strings.Repeat("f", 129)}),
		head("field with a control character", pb.Kind_KIND_GRAPH, &pb.GraphHead{Soul: "pub/x", Field: "\x1b"}),
		head("soul without a class", pb.Kind_KIND_GRAPH, &pb.GraphHead{Soul: "x", Field: "f"}),
		head("soul of 257 bytes", pb.Kind_KIND_GRAPH, &pb.GraphHead{Soul: "pub/" + strings.Repeat("x", 253), Field: "f"}),
		head("soul of somebody else", pb.Kind_KIND_GRAPH, &pb.GraphHead{Soul: soul(person(1).User()), Field: "f"}),
		head("protected soul of somebody else", pb.Kind_KIND_SEALED, &pb.SealedHead{Soul: "sec" + soul(person(1).User())[3:], Epoch: 1}),
	}
}

func manyFacets(n uint32) (fs []*pb.Facet) {
	for i := range n {
		fs = append(fs, &pb.Facet{Start: i, End: i + 1, Meaning: &pb.Facet_Tag{Tag: "go"}})
	}
	return fs
}
