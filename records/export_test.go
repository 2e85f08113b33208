package records

import "context"

// Forge makes the record that Seal would, without proof and signature, so that a
// test can have a hundred thousand of them.
func Forge(n Network, author User, d Draft) (*Record, error) {
	payload, err := d.encode(Signer{Author: author})
	if err != nil {
		return nil, err
	}
	r := &Record{}
	if _, err := parsePayload(payload, r); err != nil {
		return nil, err
	}
	r.bytes, r.id = payload, recordID(n, payload)
	return r, nil
}

// Contexts are the derive-key contexts by what they are for.
func Contexts() map[string]string {
	return map[string]string{
		"network parameters":  contextNetwork,
		"record id":           contextRecordID,
		"item key":            contextItemKey,
		"envelope digest":     contextDigest,
		"work seed":           contextWorkSeed,
		"work":                contextWork,
		"place location":      contextLocation,
		"fingerprint element": contextFingerprint,
		"post id check":       contextCheck,
	}
}

// Sum is the hash of b for the purpose of a context of [Contexts].
func Sum(context string, b []byte) [32]byte {
	for _, p := range []*purpose{
		purposeNetwork, purposeRecordID, purposeItemKey, purposeDigest, purposeWorkSeed, purposeWork, purposeLocation,
		purposeFingerprint, purposeCheck,
	} {
		if p.context == context {
			return p.sum(b)
		}
	}
	panic("no such purpose: " + context)
}

// Proof is the seed of the work at the end of a payload, and the bits it proves.
func Proof(n Network, payload []byte) (seed [32]byte, bits int) {
	return workSeed(n, payload), provenBits(n, payload)
}

// SealPayload signs any payload, whether or not it keeps the rules.
func SealPayload(n Network, k Key, payload []byte) []byte { return sealEnvelope(n, k, payload) }

// Prove writes the smallest nonce for want bits to the end of a payload.
func Prove(ctx context.Context, n Network, payload []byte, want int) error {
	return prove(ctx, n, payload, want)
}

// Payload cuts the payload out of an envelope.
func Payload(envelope []byte) (payload []byte, ok bool) {
	e, err := parseEnvelope(envelope)
	return e.payload, err == nil
}

// Signed is what the signature of a payload is over.
func Signed(n Network, payload []byte) []byte { return signed(n, payload) }
