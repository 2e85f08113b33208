package protocol

import (
	"time"

	"github.com/starling-social/starling/records"
)

// Sizes. Memory that a peer can make us hold follows from these and from the
// counts below.
const (
	// MaxRequest bounds the frame of a request: a put of 31 of the largest
	// records, or of 500 usual ones.
	MaxRequest = 256 << 10
	// MaxReply bounds one frame of a reply: a bucket of 64 of the largest records
	// and its witnesses.
	MaxReply = 1 << 20
	// MaxAnswer bounds all frames of the answer to one fetch: eight of the largest
	// buckets, or a hundred usual ones. What does not fit is refused as too large.
	MaxAnswer = 4 << 20
	// MaxSentence bounds the words of a refusal, which a person may have to read.
	MaxSentence = 256
)

// Counts within one request.
const (
	MaxPutRecords   = 256 // what healing moves at once; publishing sends one
	MaxPutEntries   = 512 // a post has at most 8 places, and on average two levels of them
	MaxQueries      = 256 // the widest round of a timeline asks about a hundred places
	MaxQueryRecords = 256 // the greatest bucket capacity a network can have
	MaxRoots        = 256 // what one reader follows at one member; the rest goes on another stream
)

// Requests in work. One costs a unit for every 16 KiB of its frame that it
// begins, so these bound bytes as well as counts.
const (
	RequestUnit       = 16 << 10
	MaxInFlight       = 64   // per stream: at 100 ms of round trip, 640 posts a second to one peer; 1 MiB
	MaxInFlightPeer   = 128  // per peer, over all its streams; 2 MiB
	MaxInFlightServer = 4096 // of all peers; 64 MiB
)

// Streams that others opened. An idle one costs about 12 KiB.
const (
	MaxStreamsPeer   = 16   // one for requests and some to follow on; what is above is reset unread
	MaxStreamsServer = 4096 // about 50 MiB
	MaxFollowsPeer   = 8    // of these
	MaxFollowsServer = 3072 // of these, so that followers leave room for requests
)

// Replies that were made and not yet taken by their reader.
const (
	MaxReplyBytesPeer   = 4 << 20  // one whole answer
	MaxReplyBytesServer = 64 << 20 // of all peers together, small ones not counted
	SmallReply          = 4 << 10  // counts for its peer alone, so that slow readers of buckets cannot hold up acknowledgements
)

// What is remembered of arrivals, so that a follower can resume.
const (
	MaxArrivals       = 256      // per root: at one post a second four minutes, enough for a dropped connection
	MaxArrivalBytes   = 32 << 20 // of all roots together: 64,000 usual posts
	MaxFollowedRoots  = 1 << 16  // of all followers together; 300 B each while nothing arrives
	MaxRootsPeer      = 1024     // of one peer's streams together
	MaxArrivalsSeen   = 1 << 16  // record ids by which a second arrival is known; 12 MiB
	FollowBatchBytes  = 64 << 10 // records in one frame to a follower, so that one that reads slowly is noticed early
	FollowKeepAlive   = 30 * time.Second
	FollowSilence     = 75 * time.Second // two keep-alives and some: the member is gone
	FollowReopenLimit = 3                // attempts in a row to reopen a broken follow stream
)

// Reconciliation, which only nodes may ask for. A peer has one request of it in work
// at a time and then rests, for ReconcileRest times as long as that took and until
// its answers have come at ReconcileRate: so it costs a quarter of a core at most,
// and no more bytes than a member is worth. Who has had as much as the other side
// stores, and ReconcileLeast, within ReconcileAnew, goes on at a share of ReconcileSpare:
// what a new member lacks it gets at once, and who asks for everything again and again
// gets next to nothing.
const (
	MaxReconcileMessage = 128 << 10       // 7,000 ranges
	MaxReconcileAnswer  = 384 << 10       // 4,000 elements that the other side lacks, or 25,000 sums
	MaxReconcileItems   = 1 << 17         // elements read for one message, or 8,000 fingerprints: some 100 ms
	MaxReconcileTime    = 2 * time.Second // for one message, on whatever disk; the rest is asked again
	MaxReconcileRounds  = 1024            // messages of one session: a million elements to somebody who has none take 300
	MaxReconcilesServer = 4               // requests in work, of all peers
	ReconcileRest       = 3
	ReconcileRate       = 4 << 20   // bytes a second
	ReconcileSpare      = 100 << 10 // bytes a second, of all peers together
	ReconcileLeast      = 1 << 20   // bytes
	ReconcileAnew       = 24 * time.Hour
)

// Hot places: those that so many read that other nodes may answer for them too.
const (
	// HotReaders is how many peers ask a member about a place within HotWindow
	// before it says that the place is hot, and half of it when it no longer does. A
	// peer counts once: one alone makes nothing hot. Below this rate members give a
	// bucket a second between them, which is nothing to relieve.
	HotReaders = 32
	HotWindow  = time.Minute
	// MaxHeat bounds the places of which readers are counted, at 300 B each.
	MaxHeat = 4096
	// MinCopies is how many nodes a member names of a place that has just become
	// hot, and MaxCopies of one that four times as many read or more. Each then gives
	// sixteen buckets a minute in the members' stead, and costs them one bucket and a
	// few comparisons a minute.
	MinCopies = 4
	MaxCopies = 16
	// MaxCopiesNamed is how many of them, by lot, one answer names, so that readers
	// spread over all: two to ask and two for when those do not answer.
	MaxCopiesNamed = 4
	MaxCopyBytes   = 1 << 10 // of a signed peer record: eight addresses with certificate hashes
	MaxCopyAddrs   = 8       // in it: two families, four transports
	// CopyLease is how long a copy is named after it was last offered. When a copy
	// dies, readers learn that from the copy itself, at the cost of one wait. It is
	// to be offered again once every HotWindow.
	CopyLease = 2 * time.Minute
	// MaxOfferPlaces is how many places a node keeps copies of for one member.
	MaxOfferPlaces = 64
	// MaxOfferers bounds the nodes that a member names: with all of the above, 10 MiB
	// in the worst case.
	MaxOfferers = 512
)

// Times.
const (
	// OpenTimeout is for a connection, if there is none, and the stream.
	OpenTimeout = 10 * time.Second
	// RequestTimeout is the longest anyone waits for an answer, once there is room
	// for the request, and as long again for the room.
	RequestTimeout = 15 * time.Second
	// AnswerTimeout is when a request that nobody answered condemns its stream,
	// although others on it were answered: twice the longest wait.
	AnswerTimeout = 30 * time.Second
	// ClientIdle is when an unused stream is closed by the side that opened it, so
	// that asking a hundred nodes now and then does not keep a hundred streams.
	ClientIdle = time.Minute
	// ServerIdle is when the other side does, later, so that a client never sends
	// into a stream that is being closed.
	ServerIdle = 2 * time.Minute
	// ReplyRoomWait is how long a fetch waits for others to take their replies
	// before it is refused as busy.
	ReplyRoomWait = 2 * time.Second
)

// Questions of kad-dht's, from whoever speaks it. A stream carries one at a time, so that
// streams bound what is in work, and a put is as much work as one by the exchange.
const (
	// MaxKadRequest bounds a question: a put of the largest record, under the longest
	// key, twice. The library alone would make room for 4 MiB before it reads.
	MaxKadRequest    = 16 << 10
	MaxKadStreams    = 4096 // of all peers; 70 MiB, were all of them to put at once
	MaxKadStreamsPer = 32   // of one: js-libp2p opens one for each question
)

// MaxOffences is how many records that no honest node sends (forged, damaged,
// without their work) a peer may put within OffenceWindow before its streams are
// reset until the window has passed. Not zero: versions differ, disks rot.
const (
	MaxOffences   = 64
	OffenceWindow = time.Minute
)

const (
	frameTime     = 10 * time.Second // for a frame of any size, once it has begun
	frameTimeRate = 32 << 10         // bytes a second on top: a bad mobile connection
)

// FrameTime is how long n bytes of a frame may take to come or go.
func FrameTime(n int) time.Duration {
	return frameTime + time.Duration(n)*time.Second/frameTimeRate
}

// A largest record, its place and all else about it must fit a request, and a
// bucket's largest page a reply.
var (
	_ [MaxRequest - records.MaxRecord - records.MaxPlaceBytes - 64]struct{}
	_ [MaxReply - 64*records.MaxRecord]struct{}
)
