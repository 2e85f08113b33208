package api

import (
	"context"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// Limits are all that the API and the records in it are bound by. Every name ends in
// its unit; what has none is a count.
type Limits struct {
	Requests RequestLimits `json:"requests" doc:"Of single requests and their answers."`
	Records  RecordLimits  `json:"records" doc:"Of what is published. They are the network's, the same on every node."`
	Rates    RateLimits    `json:"rates" doc:"Of requests in some time. Above them a request is answered with too_many_requests and Retry-After."`
}

// RequestLimits are those of single requests.
type RequestLimits struct {
	HeaderBytes    int     `json:"header_bytes" doc:"Request line and header."`
	BodyBytes      int     `json:"body_bytes" doc:"Body, archives aside: those are bounded record by record."`
	Depth          int     `json:"depth" doc:"Nesting of JSON in a body."`
	HeaderSeconds  float64 `json:"header_s" doc:"From the first byte to the end of the header."`
	BodySeconds    float64 `json:"body_s" doc:"From the first byte to the end of the body."`
	AnswerSeconds  float64 `json:"answer_s" doc:"For the node to do what was asked; then timeout."`
	WriteSeconds   float64 `json:"write_s" doc:"For a caller to take each part of an answer."`
	BeatSeconds    float64 `json:"heartbeat_s" doc:"Between signs of life in a watch."`
	AtOnce         int     `json:"at_once" doc:"Requests of the owner's being answered at once, watches aside; above that busy."`
	AtOncePublic   int     `json:"at_once_public" doc:"The same for strangers."`
	Watches        int     `json:"watches" doc:"Watches of the owner's open at once."`
	WatchesPublic  int     `json:"watches_public" doc:"The same for strangers."`
	WatchesFrom    int     `json:"watches_from" doc:"Watches of strangers open at once from one address, or one /64 of IPv6."`
	Topics         int     `json:"watch_topics" doc:"Different things that are watched at once."`
	TopicsPublic   int     `json:"watch_topics_public" doc:"Of these, what strangers can take."`
	Conns          int     `json:"connections" doc:"Connections to one listener; above that they are hung up on."`
	ConnsFrom      int     `json:"connections_from" doc:"Of these, from one address, or one /64 of IPv6."`
	Archives       int     `json:"archives" doc:"Archives being made or read at once."`
	PagePosts      int     `json:"page_posts" doc:"Posts of a page."`
	WatchSources   int     `json:"watch_sources" doc:"Timelines of one watch."`
	FeedPosts      int     `json:"feed_posts" doc:"Posts of a feed."`
	Tags           int     `json:"tags" doc:"Hashtags that a completion gives."`
	KeyBytes       int     `json:"idempotency_key_bytes" doc:"Idempotency-Key."`
	KeysRemembered int     `json:"idempotency_keys" doc:"Keys remembered; the oldest gives way."`
	KeySeconds     float64 `json:"idempotency_key_s" doc:"How long a key is remembered."`
}

// RecordLimits are those of records.
type RecordLimits struct {
	RecordBytes  int     `json:"record_bytes" doc:"A record whole, signed."`
	TextBytes    int     `json:"text_bytes" doc:"The text of a post, in UTF-8."`
	Places       int     `json:"places" doc:"Places of a post: its author, each hashtag, each mention, its thread, and what it goes on from."`
	TagRunes     int     `json:"tag_runes" doc:"Characters of a hashtag or nickname."`
	Facets       int     `json:"facets" doc:"Links, hashtags and mentions that readers can follow in a text."`
	LinkBytes    int     `json:"link_bytes" doc:"A link in a text."`
	NameRunes    int     `json:"profile_name_runes" doc:"Characters of a profile's name."`
	AboutBytes   int     `json:"profile_about_bytes" doc:"A profile's text."`
	ProfileLinks int     `json:"profile_links" doc:"Links of a profile."`
	Followed     int     `json:"followed" doc:"Sources that a node follows."`
	Claims       int     `json:"claims_shown" doc:"Claims of one nickname that are shown."`
	AheadSeconds float64 `json:"clock_ahead_s" doc:"How far ahead of the reader's clock a record may say it was made."`
}

// RateLimits are those of requests in some time.
type RateLimits struct {
	PostsPerHour     int     `json:"posts_per_hour" doc:"New posts of the owner's programs; 0 for no bound (api.posts_per_hour)."`
	CreateCost       int     `json:"create_cost" doc:"What a new post takes of the hour's budget, which is posts_per_hour times this."`
	UpdateCost       int     `json:"update_cost" doc:"What an edit, a register or a nickname takes of it."`
	DeleteCost       int     `json:"delete_cost" doc:"What a deletion takes of it."`
	StrangerBurst    int     `json:"stranger_burst" doc:"Requests that an address, or a /64 of IPv6, may make at once without a token."`
	StrangerRequests float64 `json:"stranger_requests_per_s" doc:"Requests a second that it may make after that."`
}

func (s *Server) limitOperations(a *operations) {
	add(a, operation{
		route: "GET /v1/limits", id: "getLimits", group: groupNode, ready: true,
		summary: "Everything that is bounded",
	}, s.limits)
}

func (s *Server) limits(context.Context, *nothing) (*body[Limits], error) {
	return &body[Limits]{Limits{
		Requests: RequestLimits{
			HeaderBytes: maxHeader, BodyBytes: maxBody, Depth: maxDepth,
			HeaderSeconds: headerTime.Seconds(), BodySeconds: bodyTime.Seconds(), AnswerSeconds: answerTime.Seconds(),
			WriteSeconds: writeTime.Seconds(), BeatSeconds: heartbeat.Seconds(),
			AtOnce: maxRequests, AtOncePublic: maxPublicRequests, Watches: maxWatches, WatchesPublic: maxPublicWatches, Archives: maxArchives,
			WatchesFrom: maxWatchesFrom, Topics: maxTopics, TopicsPublic: publicTopics, Conns: maxConns, ConnsFrom: maxConnsFrom,
			PagePosts: node.MaxTimeline, WatchSources: maxSources, FeedPosts: feedPosts, Tags: node.MaxTags,
			KeyBytes: node.MaxOnceKey, KeysRemembered: node.MaxOnce, KeySeconds: node.OnceTime.Seconds(),
		},
		Records: RecordLimits{
			RecordBytes: records.MaxRecord, TextBytes: records.MaxText, Places: records.MaxPlaces, TagRunes: records.MaxTagRunes,
			Facets: records.MaxFacets, LinkBytes: records.MaxLink,
			NameRunes: records.MaxProfileName, AboutBytes: records.MaxProfileAbout, ProfileLinks: records.MaxProfileLinks,
			Followed: node.MaxFollowed, Claims: node.MaxClaims, AheadSeconds: records.MaxAhead.Seconds(),
		},
		Rates: RateLimits{
			PostsPerHour: s.Creates, CreateCost: costCreate, UpdateCost: costUpdate, DeleteCost: costDelete,
			StrangerBurst: strangerBurst, StrangerRequests: strangerPace,
		},
	}}, nil
}
