package main

import (
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/node/journal"
	"github.com/starling-social/starling/records"
)

// settings are all that an owner can set. Every key can stand in the file, in the
// environment and on the command line; `help` is what the file says of it, and
// `empty` what an empty one means.
type settings struct {
	Profile profile `toml:"profile" help:"What the other settings begin with: default, server (a public address; announces and dials no private ones), local (nodes of one machine or one house) or lowpower (a small computer)."`
	Data    string  `toml:"data" help:"Directory of keys and posts." empty:"the user's data directory"`

	Network networkSettings `toml:"network" help:"The network to be part of."`
	Reach   reachSettings   `toml:"reach" help:"Ways to be reached behind address translation."`
	Store   storeSettings   `toml:"store" help:"What is kept on disk."`
	Limits  limitSettings   `toml:"limits" help:"Connections, memory, pace."`
	API     apiSettings     `toml:"api" help:"What the other commands and your own page talk to."`
	Public  publicSettings  `toml:"public" help:"Where strangers may read, as on a web site. Nothing of yours is shown there and nothing can be changed."`
	Admin   adminSettings   `toml:"admin" help:"Metrics and profiles, for those who look after the node."`
	Trace   traceSettings   `toml:"trace" help:"Traces of publishing, reading, watching and healing, for OpenTelemetry. They hold counts, never content."`
	Log     logSettings     `toml:"log" help:"What the node says on standard error."`
}

type networkSettings struct {
	Name       string   `toml:"name" help:"Network. \"main\" is the public one; every other name is a test network, without proof of work."`
	Listen     []string `toml:"listen" help:"Multiaddrs to listen on; port 0 takes any free one."`
	Announce   []string `toml:"announce" help:"Multiaddrs to announce, for a node behind a published port." empty:"what is observed"`
	Bootstrap  []string `toml:"bootstrap" help:"Multiaddrs ending in /p2p/… of nodes to join by, or @ and a file with one in each line." empty:"those known from before; without any, a network of one"`
	Addresses  string   `toml:"address_file" help:"File to write the node's own addresses into when it is ready, for others to join by: see bootstrap." empty:"none"`
	Client     bool     `toml:"client" help:"Neither hold nor relay anything for others."`
	PublicOnly bool     `toml:"public_only" help:"Announce and dial no private addresses."`
	PerIPGroup int      `toml:"per_ip_group" help:"Nodes of one IPv4 /16 or IPv6 /32 in the routing table. 0 is the network's own limit."`
}

type reachSettings struct {
	PortMap      bool `toml:"port_map" help:"Ask the router for a port (UPnP, NAT-PMP)."`
	AutoNAT      bool `toml:"autonat" help:"Learn from others which addresses they reach (AutoNATv2)."`
	HolePunch    bool `toml:"hole_punch" help:"Meet through a relay, then connect directly (DCUtR)."`
	RelayService bool `toml:"relay_service" help:"Relay for others, within libp2p's limits."`
	RelayClient  bool `toml:"relay_client" help:"Be reached through a relay when nothing else works."`
}

type storeSettings struct {
	Quota     byteSize `toml:"quota" help:"Above it only your own posts are taken in. 0 is no bound."`
	FreeSpace byteSize `toml:"free_space" help:"Of the disk, left free by what others want stored. 0 is a tenth of it, at most 2GiB."`
	Cache     byteSize `toml:"cache" help:"Copies of places that many read, kept for others. 0 keeps none."`
	Scrub     duration `toml:"scrub" help:"Time in which all that is kept is read once, to find and mend what the disk damaged."`
}

type limitSettings struct {
	ConnsLow     int      `toml:"connections_low" help:"Connections left after some were closed because there were too many."`
	ConnsHigh    int      `toml:"connections_high" help:"Connections that are too many. A new one is left alone for a quarter of a second for each of these, at most a minute."`
	Door         int      `toml:"door" help:"Verified records remembered of those that came in, and as many of those read from disk; at most 9 KiB each."`
	HealInterval duration `toml:"heal_interval" help:"Time between two comparisons with neighbours, or up to a quarter less."`
	MendRate     byteSize `toml:"mend_rate" help:"Bytes a second moved where a neighbour or we lack what both should hold."`
	PutTimeout   duration `toml:"put_timeout" help:"Time for a member to acknowledge on disk."`
	FetchTimeout duration `toml:"fetch_timeout" help:"Time for a member to answer a round of a timeline."`
}

type apiSettings struct {
	Listen       string   `toml:"listen" help:"Host:port, on loopback. Anywhere else it needs token_file, and a proxy before it for TLS." empty:"127.0.0.1:7827 if it is free"`
	Hosts        []string `toml:"hosts" help:"Names besides the address by which browsers may ask for it, with or without a port; others are refused."`
	TokenFile    string   `toml:"token_file" help:"File of the token that programs show, of mode 0600; made if it is not there." empty:"a new token at each start, for this machine alone"`
	PostsPerHour int      `toml:"posts_per_hour" help:"Posts that your programs may publish in an hour, half of them at once; edits and deletions count less. 0 is no bound."`
}

type publicSettings struct {
	Listen  string   `toml:"listen" help:"IP address:port." empty:"nowhere"`
	Hosts   []string `toml:"hosts" help:"Names besides the address by which browsers may ask for it, with or without a port; others are refused."`
	Proxies []string `toml:"proxies" help:"Addresses or prefixes of proxies before it, such as 10.0.0.0/8; X-Forwarded-For is believed from them alone."`
}

type adminSettings struct {
	Listen    string   `toml:"listen" help:"Host:port, on loopback. Anywhere else it needs token_file." empty:"nowhere"`
	Hosts     []string `toml:"hosts" help:"Names besides the address by which it may be asked for, with or without a port."`
	TokenFile string   `toml:"token_file" help:"File of the token that must be shown, of mode 0600; made if it is not there." empty:"none is asked for, on loopback"`
}

type traceSettings struct {
	Endpoint string `toml:"endpoint" help:"URL of a collector that takes OTLP over HTTP, such as http://127.0.0.1:4318. What OTEL_* variables say of sampling, headers and resource is obeyed." empty:"as OTEL_EXPORTER_OTLP_ENDPOINT says, else nowhere"`
}

type logSettings struct {
	Level  journal.Levels `toml:"level" help:"debug, info, warn or error; for some parts another, such as info,heal=debug,dht=warn."`
	Format logFormat      `toml:"format" help:"text, json, or auto: text on a terminal, else JSON."`
}

// defaults are the settings of a profile.
func defaults(p profile) settings {
	c := node.Default()
	s := settings{
		Profile: p,
		Network: networkSettings{Name: records.MainName, Listen: c.Listen},
		Reach:   reachSettings{PortMap: c.PortMap, AutoNAT: c.AutoNAT, HolePunch: c.HolePunch, RelayService: c.RelayService, RelayClient: c.RelayClient},
		Store:   storeSettings{Quota: byteSize(c.StoreQuota), FreeSpace: byteSize(c.FreeSpace), Cache: byteSize(c.Cache), Scrub: duration(c.Scrub)},
		Limits: limitSettings{
			ConnsLow: c.ConnsLow, ConnsHigh: c.ConnsHigh, Door: c.DoorSize,
			HealInterval: duration(c.HealInterval), MendRate: byteSize(c.MendRate),
			PutTimeout: duration(c.PutTimeout), FetchTimeout: duration(c.FetchTimeout),
		},
		API: apiSettings{PostsPerHour: api.Creates},
		Log: logSettings{Format: logAuto},
	}
	switch p {
	case profileServer:
		s.Network.PublicOnly = true
		s.Reach.PortMap, s.Reach.RelayClient = false, false
		s.Limits.ConnsLow, s.Limits.ConnsHigh = 400, 600
	case profileLocal:
		s.Reach = reachSettings{}
	case profileLowPower:
		s.Reach.RelayService = false
		s.Store.Quota, s.Store.Cache = 1<<30, 0
		s.Limits.ConnsLow, s.Limits.ConnsHigh, s.Limits.Door = 48, 72, 1024
		s.Limits.HealInterval, s.Limits.MendRate = duration(10*time.Minute), 256<<10
	case profileDefault:
	}
	return s
}

// apply tells a node what is set. Keys, network and log are the caller's.
func (s *settings) apply(c *node.Config) {
	c.Listen, c.Announce, c.Bootstrap = s.Network.Listen, s.Network.Announce, s.Network.Bootstrap
	c.Client, c.PublicOnly, c.PerIPGroup = s.Network.Client, s.Network.PublicOnly, s.Network.PerIPGroup
	c.PortMap, c.AutoNAT, c.HolePunch = s.Reach.PortMap, s.Reach.AutoNAT, s.Reach.HolePunch
	c.RelayService, c.RelayClient = s.Reach.RelayService, s.Reach.RelayClient
	c.StoreQuota, c.FreeSpace, c.Cache = int64(s.Store.Quota), int64(s.Store.FreeSpace), int64(s.Store.Cache)
	c.Scrub = time.Duration(s.Store.Scrub)
	c.ConnsLow, c.ConnsHigh, c.DoorSize = s.Limits.ConnsLow, s.Limits.ConnsHigh, s.Limits.Door
	c.HealInterval, c.MendRate = time.Duration(s.Limits.HealInterval), int(s.Limits.MendRate)
	c.PutTimeout, c.FetchTimeout = time.Duration(s.Limits.PutTimeout), time.Duration(s.Limits.FetchTimeout)
}
