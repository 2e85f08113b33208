package api

import (
	"context"
	"log/slog"
	"net/http"
)

// The limits that can be reached, by their names in GET /v1/limits or, of what the
// owner sets, by the key of the setting. Whoever reaches one is told which it was, and
// so is the owner, in the log and in metrics.
const (
	limitPosts     = "api.posts_per_hour"
	limitQuota     = "store.quota"
	limitFloor     = "store.free_space"
	limitStrangers = "rates.stranger_requests_per_s"

	limitBody          = "requests.body_bytes"
	limitBodyTime      = "requests.body_s"
	limitAnswer        = "requests.answer_s"
	limitAtOnce        = "requests.at_once"
	limitAtOncePublic  = "requests.at_once_public"
	limitConns         = "requests.connections"
	limitWatches       = "requests.watches"
	limitWatchesPublic = "requests.watches_public"
	limitWatchesFrom   = "requests.watches_from"
	limitTopics        = "requests.watch_topics"
	limitTopicsPublic  = "requests.watch_topics_public"
	limitArchives      = "requests.archives"

	limitText     = "records.text_bytes"
	limitPlaces   = "records.places"
	limitRecord   = "records.record_bytes"
	limitFollowed = "records.followed"
)

// limitNames are all of them: what a label may be.
var limitNames = []string{
	limitPosts, limitQuota, limitFloor, limitStrangers,
	limitBody, limitBodyTime, limitAnswer, limitAtOnce, limitAtOncePublic, limitConns, limitWatches, limitWatchesPublic,
	limitWatchesFrom, limitTopics, limitTopicsPublic, limitArchives,
	limitText, limitPlaces, limitRecord, limitFollowed,
}

// settingKey is the attribute of a log line that names the limit. Lines about different
// ones are different lines, of which each is written once in a while.
const settingKey = "setting"

// refuse answers with what an error means.
func (s *Server) refuse(ctx context.Context, w http.ResponseWriter, err error) {
	p := problemOf(err)
	s.reached(callerOf(ctx), p)
	writeProblem(w, p)
}

// reached tells the owner of a problem if it is that a limit was reached. What strangers
// reach is there to be reached by them; what the owner's programs do, somebody should
// look at.
func (s *Server) reached(c caller, p *Problem) {
	level := slog.LevelInfo
	if c.owner {
		level = slog.LevelWarn
	}
	s.note(level, p.Limit, p.Detail)
}

// note tells the owner that a limit was reached; of none, nothing.
func (s *Server) note(level slog.Level, limit, detail string) {
	if limit == "" {
		return
	}
	s.metrics.reached(limit)
	s.Log.Log(context.Background(), level, "limit reached", settingKey, limit, "detail", detail)
}
