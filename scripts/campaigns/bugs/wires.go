package main

// ofWires are bugs in what others may do to us.
func ofWires() []bug {
	return []bug{
		one("a neighbourhood of fewer than k", "protocol/dht/prefix.go",
			"far < k || near < k {", "far < k-1 || near < k-1 {", "TestNextPrefix_keepsTheCount"),
		one("the prefix goes by the estimate alone", "protocol/dht/prefix.go",
			"far < k || near < k {", "near < 0 {", "TestPrefixLength_cases"),
		one("the prefix trembles with the estimate", "protocol/dht/prefix.go",
			"	v.size *= sizeSlack\n", "", "TestNextPrefix_hysteresis"),
		one("one look is enough to change the prefix", "protocol/dht/rule.go",
			"return max(current, min(r.suggested, before))", "return max(current, max(r.suggested, before))", "TestRule_looksTwice"),
		one("a node takes what is others' to hold", "protocol/exchange/serveput.go",
			"	if !x.member(p.Coordinate()) {", "	if false {", "TestPut_membersOnly"),
		one("subscriptions are not filtered", "protocol/gossip/gossip.go",
			"		pubsub.WithSubscriptionFilter(&filter{shards: g.shardOf, ledger: g.ledger}),\n", "", "TestGossip_subscriptionFlood"),
		one("a post is announced on any shard", "protocol/gossip/validate.go",
			"	if !slices.Contains(shardsOf(r), shard) {", "	if !slices.Contains(append(shardsOf(r), shard), shard) {", "TestGossip_refuses"),
		one("the API answers to any Host", "node/api/guard.go",
			"	if !g.hosts.include(r) {", "	if !g.hosts.include(r) && r.Host == \"\" {", "TestGuard_hosts"),
		one("any token will do", "node/api/guard.go",
			"subtle.ConstantTimeCompare(want[:], got[:]) == 1", "subtle.ConstantTimeCompare(want[:], got[:]) >= 0", "TestGuard_token"),
	}
}
