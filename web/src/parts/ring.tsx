// The ring of coordinates: where my node stands, which part is its to keep, and
// where those are that it is connected to.
import { arc, onRing, placeOf, prefixText, region } from '../ring'
import type { Peer, Status } from '../types'
import { count } from '../words'
import { BirdMark } from './logo'

const radius = 150

interface Props {
  status: Status
  peers: Peer[]
  pointed: string | null
  point: (id: string | null) => void
}

interface Spot {
  peer: Peer
  place: number
  x: number
  y: number
}

export function Ring({ status, peers, pointed, point }: Props) {
  const me = placeOf(status.peer_id)
  if (me === null) return null
  const spots: Spot[] = peers.flatMap((peer) => {
    const place = placeOf(peer.peer_id)
    return place === null ? [] : [{ peer, place, ...onRing(place, radius) }]
  })
  const mine = region(me, status.prefix)
  const at = onRing(me, radius)
  const members = spots.filter((s) => s.peer.member).length
  const shown = spots.find((s) => s.peer.peer_id === pointed)
  const bits = prefixText(me, status.prefix)
  return (
    <figure class="ring">
      <svg viewBox="-196 -196 392 392" role="img" aria-labelledby="ring-title">
        <title id="ring-title">
          {`Your node on the ring, connected to ${count(spots.length, 'node')}, of which ${members} are of its neighbourhood. The table below lists them.`}
        </title>
        <circle class="circle" r={radius} />
        {Array.from({ length: 64 }, (_, i) => {
          const a = onRing(i / 64, radius + 14), b = onRing(i / 64, radius + (i % 16 === 0 ? 22 : 17))
          return <path key={i} class="tick" d={`M${a.x} ${a.y}L${b.x} ${b.y}`} />
        })}
        <path class="mine" d={arc(mine.from, mine.to, radius)} />
        {spots.map((s) => (
          <path
            key={`to-${s.peer.peer_id}`}
            class={`wire${s.peer.member ? ' member' : ''}${pointed === s.peer.peer_id ? ' pointed' : ''}`}
            d={`M${at.x} ${at.y}Q${((at.x + s.x) * 0.18).toFixed(1)} ${((at.y + s.y) * 0.18).toFixed(1)} ${s.x} ${s.y}`}
          />
        ))}
        {spots.map((s) => (
          <g key={s.peer.peer_id} class={`spot${s.peer.member ? ' member' : ''}${pointed === s.peer.peer_id ? ' pointed' : ''}`} onMouseEnter={() => point(s.peer.peer_id)} onMouseLeave={() => point(null)}>
            <circle class="reach" cx={s.x} cy={s.y} r="14" />
            <circle class="body" cx={s.x} cy={s.y} r={s.peer.member ? 6.5 : 4.5} />
          </g>
        ))}
        <g class="me" transform={`translate(${at.x} ${at.y})`}>
          <circle class="halo" r="17" />
          <BirdMark />
        </g>
        <text class="inner" y="-4" text-anchor="middle">
          {shown ? `…${shown.peer.peer_id.slice(-8)}` : status.prefix === 0 ? 'the whole ring' : `prefix ${bits.length > 12 ? `${bits.slice(0, 12)}…` : bits}`}
        </text>
        <text class="inner small" y="16" text-anchor="middle">
          {shown ? words(shown) : `is its to keep, with ${Math.max(0, status.members - 1)} others`}
        </text>
      </svg>
      <figcaption>
        <span class="key-me">your node</span>
        <span class="key-mine">its part of the ring</span>
        <span class="key-member">neighbours</span>
        <span class="key-other">others</span>
      </figcaption>
    </figure>
  )
}

function words({ peer }: Spot): string {
  const rtt = peer.rtt_ms === null ? '' : `, ${peer.rtt_ms < 10 ? peer.rtt_ms.toFixed(1) : Math.round(peer.rtt_ms)} ms`
  return `${peer.member ? 'neighbour' : 'not a neighbour'}${rtt}`
}
