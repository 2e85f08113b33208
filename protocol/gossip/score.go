package gossip

import (
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Thresholds of a peer's score. Below 0 it is in no mesh: whatever it is pushed it gets late, by name. A free-rider stands
// between -30 and -20 and stays at that; the rest is for offences.
const (
	noOffers   = -40  // offers by name are neither made nor taken: 2 offences, or 1 by a free-rider
	noPosts    = -80  // own posts are not sent there: 3 offences
	noHearing  = -120 // nothing is heard: 4 offences
	noExchange = 1000 // above every score: peers that a peer names are never dialled
)

// P7, what pubsub itself holds against a peer: coming back to a mesh too early, and posts offered by name and not given.
// An honest peer makes one offer a heartbeat, so one that is too busy to keep any is counted 65 at most and is no longer
// asked; one that makes three a second is counted three times as many, and is not heard.
const (
	misbehaviourWeight    = -0.1
	misbehaviourThreshold = 40
	misbehaviourFor       = 5 * time.Minute
)

// colocationWeight is what the square of the peers too many at one address costs each of them.
const colocationWeight = -5

// scoring makes the ledger the score. Of pubsub's own parts it keeps P6 and P7. P1 to P4 are left out, because a peer can
// stand in 256 topics at once: the good it does in some would make up for the harm in one, and every look at a score,
// some thousands a second on an idle node, would add up them all.
func scoring(standing func(peer.ID) float64, peersPerIP int) (*pubsub.PeerScoreParams, *pubsub.PeerScoreThresholds) {
	params := &pubsub.PeerScoreParams{
		Topics:                    map[string]*pubsub.TopicScoreParams{},
		AppSpecificScore:          standing,
		AppSpecificWeight:         1,
		BehaviourPenaltyWeight:    misbehaviourWeight,
		BehaviourPenaltyThreshold: misbehaviourThreshold,
		BehaviourPenaltyDecay:     pubsub.ScoreParameterDecay(misbehaviourFor),
		DecayInterval:             pubsub.DefaultDecayInterval,
		DecayToZero:               pubsub.DefaultDecayToZero,
		RetainScore:               forgetAfter,
		SeenMsgTTL:                time.Second, // of records that only P3 and P4 would read
	}
	if peersPerIP > 0 {
		params.IPColocationFactorWeight = colocationWeight
		params.IPColocationFactorThreshold = peersPerIP
	}
	return params, &pubsub.PeerScoreThresholds{
		GossipThreshold:   noOffers,
		PublishThreshold:  noPosts,
		GraylistThreshold: noHearing,
		AcceptPXThreshold: noExchange,
		// A mesh whose median peer has brought nothing of late tries others.
		OpportunisticGraftThreshold: creditPerPost,
	}
}
