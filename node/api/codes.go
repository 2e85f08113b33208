package api

import "net/http"

// Code names a kind of problem. Programs branch on it: a code keeps its meaning and
// its status between versions.
type Code string

// The codes; kinds says of each what it means and what to do.
const (
	CodeBadRequest   Code = "bad_request"
	CodeUnauthorized Code = "unauthorized"
	CodeForbidden    Code = "forbidden"
	CodeNotFound     Code = "not_found"
	CodeMethod       Code = "method_not_allowed"
	CodeNotYours     Code = "not_yours"
	CodeDeleted      Code = "deleted"
	CodeTooLarge     Code = "too_large"
	CodeTooSlow      Code = "too_slow"
	CodeMediaType    Code = "not_json"
	CodeKeyReused    Code = "key_reused"
	CodeNotArchive   Code = "not_archive"
	CodeOtherNetwork Code = "other_network"
	CodeDamaged      Code = "damaged"
	CodeFull         Code = "full"
	CodeThread       Code = "not_followable"
	CodeManyFollowed Code = "many_followed"
	CodeConflict     Code = "conflict"
	CodeHaveNewer    Code = "have_newer"
	CodeTooOld       Code = "too_old"
	CodeExpired      Code = "expired"
	CodeBusy         Code = "busy"
	CodeManyRequests Code = "too_many_requests"
	CodeNoQuorum     Code = "no_quorum"
	CodeIncomplete   Code = "incomplete"
	CodeStopping     Code = "stopping"
	CodeTimeout      Code = "timeout"
	CodeInternal     Code = "internal"
)

// kind is what a code means to who meets it.
type kind struct {
	status int
	title  string
	remedy string // what to do
}

var kinds = map[Code]kind{
	CodeBadRequest: {
		http.StatusBadRequest, "The request makes no sense",
		"Correct what errors and detail name. The same request fails again.",
	},
	CodeUnauthorized: {
		http.StatusUnauthorized, "The token is missing or wrong",
		"Send Authorization: Bearer with the token in api.json of the data directory; it changes when the node starts.",
	},
	CodeForbidden: {
		http.StatusForbidden, "This address serves its owner alone",
		"Call the node by a name it knows (see api.hosts), and not from a page of another origin.",
	},
	CodeNotFound: {
		http.StatusNotFound, "There is no such thing",
		"Look at the id or path. What was published a moment ago elsewhere may be found a little later.",
	},
	CodeMethod: {
		http.StatusMethodNotAllowed, "The route has other methods",
		"Use one of those in the header Allow.",
	},
	CodeNotYours: {
		http.StatusForbidden, "It is another's",
		"Only its author changes a post or a register.",
	},
	CodeDeleted: {
		http.StatusConflict, "The post was deleted",
		"A deleted post stays deleted. Publish a new one.",
	},
	CodeTooLarge: {
		http.StatusRequestEntityTooLarge, "That is too much",
		"GET /v1/limits has the limits of bodies, texts, and hashtags and mentions of a post.",
	},
	CodeTooSlow: {
		http.StatusRequestTimeout, "The request took too long to arrive",
		"Send it faster: GET /v1/limits says how long it may take.",
	},
	CodeMediaType: {
		http.StatusUnsupportedMediaType, "The body must be application/json",
		"Send the header Content-Type: application/json.",
	},
	CodeKeyReused: {
		http.StatusUnprocessableEntity, "The idempotency key was used for another request",
		"Take a new key for a new post, and the same key only to repeat the same request.",
	},
	CodeNotArchive: {
		http.StatusUnsupportedMediaType, "The body must be an archive",
		"Send what GET /v1/store/archive gives, with its Content-Type; of a newer version, update the node first.",
	},
	CodeOtherNetwork: {
		http.StatusConflict, "The archive is of another network",
		"Records of one network are worth nothing in another.",
	},
	CodeDamaged: {
		http.StatusUnprocessableEntity, "The archive is damaged",
		"What stands before the damage was merged, see imported. Use another copy for the rest.",
	},
	CodeFull: {
		http.StatusInsufficientStorage, "The store has no room",
		"Make room on the disk or raise store.quota. What was merged before is kept, see imported.",
	},
	CodeThread: {
		http.StatusUnprocessableEntity, "This cannot be followed",
		"Follow its author or a hashtag, or watch the thread.",
	},
	CodeManyFollowed: {
		http.StatusConflict, "The follow list is full",
		"Unfollow something first.",
	},
	CodeConflict: {
		http.StatusConflict, "Another version stands",
		"Look at stands, decide anew, and expect its rev.",
	},
	CodeHaveNewer: {
		http.StatusConflict, "A newer version stands",
		"Look at stands, and write again if it should still be replaced.",
	},
	CodeTooOld: {
		http.StatusConflict, "A version of a later epoch stands",
		"A key of a later epoch wrote stands: this one writes there no more.",
	},
	CodeExpired: {
		http.StatusGone, "The version has expired",
		"Its owner has to write a new one.",
	},
	CodeBusy: {
		http.StatusServiceUnavailable, "Too many requests at once",
		"Wait as long as Retry-After says, then repeat the request.",
	},
	CodeManyRequests: {
		http.StatusTooManyRequests, "Too many requests for now",
		"Wait as long as Retry-After says. GET /v1/limits has the rates.",
	},
	CodeNoQuorum: {
		http.StatusServiceUnavailable, "Too few members acknowledged",
		"Some may have it, see receipt. Repeat a post with the same Idempotency-Key; anything else just as it was.",
	},
	CodeIncomplete: {
		http.StatusServiceUnavailable, "A part of the network did not answer",
		"What is there is right. Read again later for the rest.",
	},
	CodeStopping: {
		http.StatusServiceUnavailable, "The node is stopping",
		"Come back when it runs again.",
	},
	CodeTimeout: {
		http.StatusGatewayTimeout, "The network took too long",
		"Repeat the request; a post with the same Idempotency-Key, because it may have been published.",
	},
	CodeInternal: {
		http.StatusInternalServerError, "The node has a fault",
		"Please report it with what the node's log says.",
	},
}
