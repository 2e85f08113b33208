// A stock js-libp2p client of kad-dht, as any JavaScript program has one: of ours it has
// the protocol's name and the namespaces. It reads what it is to do from standard input,
//
//   {"protocol", "wire": "ws" or "tcp", "nodes": [multiaddr with /p2p/, …],
//    "steps": [{"step", "do": "put" or "get", "key", "value"}, …]}
//
// with values in base64, and prints one JSON line for each step:
//
//   put: {"step", "stored": peers that echoed the value, "refused": peers that did not,
//         "errors": the names of their errors}
//   get: {"step", "value": null if there is none}
//
// One client writes and another reads, so that none reads back what it has in memory.
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { json } from 'node:stream/consumers'

// Some of these packages use it, though they allow a Node.js 20 that has it not.
Promise.withResolvers ??= () => {
  const out = {}
  out.promise = new Promise((resolve, reject) => Object.assign(out, { resolve, reject }))
  return out
}

const wires = { ws: webSockets, tcp }
const namespaces = ['profile', 'service']
const forEach = (value) => Object.fromEntries(namespaces.map((name) => [name, value]))

const client = (plan) => createLibp2p({
  transports: [wires[plan.wire]()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: {
    identify: identify(),
    ping: ping(),
    dht: kadDHT({
      protocol: plan.protocol,
      clientMode: true,
      validators: forEach(async () => {}), // who reads verifies records himself
      selectors: forEach(() => 0),
      peerInfoMapper: passthroughMapper // else addresses of this machine are left out
    })
  }
})

const bytes = (text) => new Uint8Array(Buffer.from(text))

// A lookup goes from the nodes in the routing table to nodes nearer by, and to no others:
// only who has met all nodes puts to all of them.
async function meet (libp2p, nodes) {
  const table = libp2p.services.dht.routingTable
  const all = new Promise((resolve) => {
    table.addEventListener('peer:add', () => { if (table.size >= nodes.length) resolve() })
  })
  await Promise.all(nodes.map((node) => libp2p.dial(multiaddr(node))))
  await all
}

// A put's events tell of each peer what became of it. What fails before the value is
// sent, such as a dial, is no refusal.
async function put (dht, { step, key, value }) {
  const outcomes = new Map()
  for await (const event of dht.put(bytes(key), new Uint8Array(Buffer.from(value, 'base64')))) {
    if (event.name === 'SEND_QUERY' && event.messageName === 'PUT_VALUE') {
      outcomes.set(event.to.toString(), null)
    } else if (event.name === 'PEER_RESPONSE' && event.messageName === 'PUT_VALUE') {
      outcomes.set(event.from.toString(), 'stored')
    } else if (event.name === 'QUERY_ERROR' && outcomes.has(event.from.toString())) {
      outcomes.set(event.from.toString(), event.error.name)
    }
  }
  const all = [...outcomes.values()]
  const errors = all.filter((outcome) => outcome !== 'stored')
  return { step, stored: all.length - errors.length, refused: errors.length, errors: [...new Set(errors)].sort() }
}

async function get (dht, { step, key }) {
  let value = null
  for await (const event of dht.get(bytes(key))) {
    if (event.name === 'VALUE') value = Buffer.from(event.value).toString('base64')
  }
  return { step, value }
}

const plan = await json(process.stdin)
const writer = await client(plan)
const reader = await client(plan)
try {
  await Promise.all([meet(writer, plan.nodes), meet(reader, plan.nodes)])
  for (const step of plan.steps) {
    const told = step.do === 'put' ? await put(writer.services.dht, step) : await get(reader.services.dht, step)
    console.log(JSON.stringify(told))
  }
} finally {
  await Promise.all([writer.stop(), reader.stop()])
}
