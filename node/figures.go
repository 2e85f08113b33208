package node

import (
	"math"
	"runtime"
	"slices"
	"time"

	"github.com/starling-social/starling/protocol/exchange"
)

// figures are what can be read off a node. docs/metrics.md is made of them.
func figures() []figure {
	return slices.Concat(nodeFigures(), ringFigures(), storeFigures(), upkeepFigures(), servedFigures(), gossipFigures(), healFigures(), hotFigures())
}

func nodeFigures() []figure {
	return []figure{
		gauges("starling_build_info", "What runs: 1, with version, version of Go and wire name of the network.", func(i *instant, say tell) {
			say(1, Version, runtime.Version(), i.NetworkID)
		}, "version", "goversion", "network"),
		gauge("starling_start_time_seconds", "When the node was made, Unix time by its own clock.", func(i *instant) float64 { return unix(i.started) }),
		gauge("starling_clock_seconds", "What the node takes for the present, Unix time.", func(i *instant) float64 { return unix(i.at) }),
		gauge("starling_ready", "1 when the node can do its work.", func(i *instant) float64 { return truth(i.health.Ready) }),
		gauge("starling_twin", "1 while others say that another node runs with this node's identity.", func(i *instant) float64 { return truth(i.Twin) }),
		gauges("starling_ailment", "1 for each reason why the node is not ready.", func(i *instant, say tell) {
			for _, code := range Ailments() {
				is := slices.ContainsFunc(i.health.Reasons, func(a Ailment) bool { return a.Code == code })
				say(truth(is), string(code))
			}
		}, "reason"),
		gauge("starling_peers", "Connected peers.", func(i *instant) float64 { return float64(i.Peers) }),
		counters("starling_limits_reached_total", "Times that a limit was reached, by the setting; records.followed is in GET /v1/limits, libp2p scales with the machine's memory.", func(i *instant, say tell) {
			for which, w := range brimWords {
				say(float64(i.brims[which]), w.setting)
			}
		}, "setting"),
		gauge("starling_followed_sources", "Hashtags and users that the owner follows.", func(i *instant) float64 { return float64(i.followed) }),
	}
}

func ringFigures() []figure {
	return []figure{
		gauge("starling_network_nodes", "Nodes in the network, estimated.", func(i *instant) float64 { return i.Size }),
		gauge("starling_neighbourhood_prefix_length", "Leading bits of its coordinate that all that the node holds shares.", func(i *instant) float64 { return float64(i.Prefix) }),
		gauge("starling_neighbourhood_share_ratio", "Part of what its neighbourhood holds that the node holds: 1, or a half or less because there is no room for all of it.", func(i *instant) float64 { return math.Exp2(-float64(i.Narrowed)) }),
		gauge("starling_neighbourhood_members", "Known members of the node's neighbourhood, itself included.", func(i *instant) float64 { return float64(i.Members) }),
		gauge("starling_routing_table_nodes", "Nodes in the routing table.", func(i *instant) float64 { return float64(i.Routing.Table) }),
		gauge("starling_routing_table_waiting_nodes", "Nodes that wait for a place in the routing table.", func(i *instant) float64 { return float64(i.Routing.Pending) }),
		gauge("starling_routing_table_ip_groups", "IP groups that the nodes of the routing table come from.", func(i *instant) float64 { return float64(i.Routing.Groups) }),
		counter("starling_routing_table_refused_total", "Times that a node was kept out of the routing table because its IP group was full.", func(i *instant) float64 { return float64(i.Routing.Refused) }),
		gauge("starling_banned_nodes", "Nodes that are not dealt with for now.", func(i *instant) float64 { return float64(i.Routing.Banned) }),
		counter("starling_planted_places_total", "Places whose neighbourhood looked made for them, once an hour each.", func(i *instant) float64 { return float64(i.Planted) }),
		gauge("starling_planted_last_timestamp_seconds", "When a neighbourhood last looked made for a place, Unix time; 0 for never.", func(i *instant) float64 { return unix(i.PlantedAt) }),
		counter("starling_dht_hops_total", "Nodes asked one after the other, in all searches of the network together.", func(i *instant) float64 { return float64(i.dht.Hops) }),
		counters("starling_dht_questions_total", "Questions to other nodes' routing tables, by kind.", func(i *instant, say tell) {
			say(float64(i.dht.Finds), "find")
			say(float64(i.dht.Pings), "ping")
		}, "kind"),
		counters("starling_dht_served_questions_total", "Questions of others to this node's routing table and for registers through kad-dht, by kind.", func(i *instant, say tell) {
			say(float64(i.dht.Served.Pings), "ping")
			say(float64(i.dht.Served.Finds), "find")
			say(float64(i.dht.Served.Gets), "get")
			say(float64(i.dht.Served.Puts), "put")
		}, "kind"),
		counters("starling_dht_values_total", "Registers that others put through kad-dht, by outcome.", func(i *instant, say tell) {
			say(float64(i.ValuesKept), "kept")
			say(float64(i.ValuesRefused), "refused")
		}, "outcome"),
	}
}

func servedFigures() []figure {
	return []figure{
		counters("starling_exchange_served_requests_total", "Requests of other nodes, by kind.", func(i *instant, say tell) {
			s := i.served
			say(float64(s.Puts), "put")
			say(float64(s.Fetches), "fetch")
			say(float64(s.Follows), "follow")
			say(float64(s.Reconciles), "reconcile")
			say(float64(s.Offers), "offer")
			say(float64(s.Questions), "status")
		}, "kind"),
		counters("starling_exchange_served_entries_total", "Records that other nodes put here, each at a place, by what became of it.", func(i *instant, say tell) {
			say(float64(i.served.Stored), "stored")
			say(float64(i.served.Held), "held")
			say(float64(i.served.Below), "below")
		}, "outcome"),
		counter("starling_exchange_served_buckets_total", "Buckets that other nodes were answered.", func(i *instant) float64 { return float64(i.served.Buckets) }),
		counters("starling_exchange_refusals_total", "Records, buckets and whole requests of other nodes that were refused, by why.", func(i *instant, say tell) {
			for c := exchange.Malformed; int(c) < exchange.Codes; c++ {
				say(float64(i.served.Refused[c]), labelOf(c))
			}
		}, "reason"),
		counter("starling_exchange_refused_streams_total", "Streams of other nodes that were not taken: too many, or of an offender.", func(i *instant) float64 { return float64(i.served.Turned) }),
		gauge("starling_exchange_streams", "Streams that other nodes have open.", func(i *instant) float64 { return float64(i.served.Streams) }),
		gauge("starling_exchange_followers", "Streams on which other nodes hear what arrives here.", func(i *instant) float64 { return float64(i.served.Followers) }),
		gauge("starling_exchange_load_ratio", "Share of the room for requests of others that is taken, 0 to 1.", func(i *instant) float64 { return i.served.Load }),
	}
}

func gossipFigures() []figure {
	return []figure{
		counter("starling_gossip_announced_total", "Own posts announced, once for each shard.", func(i *instant) float64 { return float64(i.live.Announced) }),
		counters("starling_gossip_heard_total", "Announcements of others, by what became of them.", func(i *instant, say tell) {
			say(float64(i.live.Delivered), "delivered")
			say(float64(i.live.Duplicates), "duplicate")
			say(float64(i.live.Ignored), "ignored")
			say(float64(i.live.Rejected), "rejected")
			say(float64(i.live.Unchecked), "unchecked")
		}, "outcome"),
		counter("starling_gossip_unsent_total", "Copies of announcements dropped because too many waited for a peer.", func(i *instant) float64 { return float64(i.live.Unsent) }),
		gauge("starling_gossip_relayed_shards", "Shards that the node relays for others.", func(i *instant) float64 { return float64(i.live.Relayed) }),
		gauge("starling_gossip_watched_shards", "Shards that the node listens to for its owner.", func(i *instant) float64 { return float64(i.live.Watched) }),
		gauge("starling_gossip_waiting_messages", "Messages in the queues to all peers.", func(i *instant) float64 { return float64(i.live.Waiting) }),
		gauge("starling_gossip_full_queues", "Queues to peers without room for own posts.", func(i *instant) float64 { return float64(i.live.Full) }),
	}
}

func healFigures() []figure {
	return []figure{
		gauge("starling_heal_filling", "1 while the node gathers what is to be held here and does not answer for all of it.", func(i *instant) float64 { return truth(i.Healing.Filling) }),
		gauge("starling_heal_last_timestamp_seconds", "When what is held was last compared to the end with a neighbour, Unix time; 0 for never.", func(i *instant) float64 { return unix(i.Healing.Compared) }),
		gauge("starling_heal_neighbours", "Neighbours to compare with.", func(i *instant) float64 { return float64(i.Mending.Neighbours) }),
		gauge("starling_heal_partners", "Neighbours that were compared with to the end since the region last grew.", func(i *instant) float64 { return float64(i.whole()) }),
		counters("starling_heal_entries_total", "Records, each at a place, that were taken from neighbours or given to them because one side lacked them.", func(i *instant, say tell) {
			say(float64(i.Healing.Taken), "taken")
			say(float64(i.Healing.Given), "given")
		}, "direction"),
		counters("starling_heal_bytes_total", "Bytes of records that were taken from neighbours or given to them, by healing and by repair of what is read.", func(i *instant, say tell) {
			say(float64(i.Mending.Taken), "taken")
			say(float64(i.Mending.Given), "given")
		}, "direction"),
		counter("starling_heal_dropped_places_total", "Places that are others' to hold now and were let go of.", func(i *instant) float64 { return float64(i.Healing.Dropped) }),
		gauge("starling_heal_limit_bytes_per_second", "Bytes a second that healing and repair may move.", func(i *instant) float64 { return float64(i.Mending.Rate) }),
	}
}

func hotFigures() []figure {
	return []figure{
		gauge("starling_hot_places", "Places of the node's neighbourhood that many read.", func(i *instant) float64 { return float64(i.Hot) }),
		gauge("starling_hot_copies", "Copies of places of the neighbourhood that many read, which other nodes keep, as far as they told.", func(i *instant) float64 { return float64(i.Copies) }),
		gauge("starling_cached_places", "Hot places of which the node keeps copies for others.", func(i *instant) float64 { return float64(i.Cached) }),
		gauge("starling_cached_bytes", "Bytes of the records in the hot places of which the node keeps copies.", func(i *instant) float64 { return float64(i.CachedSize) }),
	}
}

// whole is how many neighbours were compared with to the end.
func (i *instant) whole() (n int) {
	for _, p := range i.Mending.Compared {
		if p.Whole {
			n++
		}
	}
	return n
}

// unix is Unix time in seconds; 0 for never.
func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// truth is 1 or 0.
func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
