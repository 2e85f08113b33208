package starling

import (
	_ "github.com/cockroachdb/pebble/v2"
	_ "github.com/google/btree"
	_ "github.com/hashicorp/golang-lru/v2"
	_ "github.com/ipfs/go-datastore"
	_ "github.com/libp2p/go-libp2p"
	_ "github.com/libp2p/go-libp2p-kad-dht"
	_ "github.com/libp2p/go-libp2p-kbucket"
	_ "github.com/libp2p/go-libp2p-pubsub"
	_ "github.com/libp2p/go-libp2p-record"
	_ "github.com/mr-tron/base58"
	_ "github.com/multiformats/go-multiaddr"
	_ "github.com/schollz/progressbar/v3"
	_ "github.com/spf13/cobra"
	_ "github.com/zeebo/blake3"
	_ "go.uber.org/goleak"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/term"
	_ "golang.org/x/text/cases"
	_ "google.golang.org/protobuf/proto"
	_ "pgregory.net/rapid"
)
