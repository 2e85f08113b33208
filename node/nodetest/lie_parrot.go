package nodetest

import (
	"crypto/rand"

	starling "github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// Parrot lies where records are asked for, and where fingerprints are it gives
// those of the truth, so that it seems to agree with the honest members.
func Parrot(l Lie) Lie {
	return func(truth starling.ServedStore) starling.ServedStore {
		lying := l(truth)
		return told{merge: lying.Merge, bucket: func(q records.Query) (records.Bucket, error) {
			if q.Print {
				return truth.Bucket(q)
			}
			return lying.Bucket(q)
		}}
	}
}

// Babble shows the truth and claims another fingerprint each time it is asked, so
// that everybody's work never seems to be done.
func Babble() Lie {
	return func(truth starling.ServedStore) starling.ServedStore {
		return told{merge: truth.Merge, bucket: func(q records.Query) (records.Bucket, error) {
			b, err := truth.Bucket(q)
			b.Fingerprint.Count = 1
			_, _ = rand.Read(b.Fingerprint.Sum[:])
			return b, err
		}}
	}
}
