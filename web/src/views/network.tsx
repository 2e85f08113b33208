// How my node stands in the network: on the ring, what it holds, how it heals.
import { useEffect, useState } from 'preact/hooks'
import { problemOf } from '../api'
import { share, told } from '../health'
import { lookAtPeers, now, peers, state, status } from '../node'
import { Trouble } from '../parts/notice'
import { Ring } from '../parts/ring'
import { Loading } from '../parts/list'
import { Heading } from './frame'
import type { Peer, Problem, Status } from '../types'
import { ago, count, number, size, span } from '../words'

const often = 4_000 // ms

export function Network() {
  const [problem, setProblem] = useState<Problem | null>(null)
  const [pointed, setPointed] = useState<string | null>(null)
  useEffect(() => {
    const look = () => {
      if (!document.hidden) lookAtPeers().then(() => setProblem(null), (err) => setProblem(problemOf(err)))
    }
    look()
    const timer = setInterval(look, often)
    return () => clearInterval(timer)
  }, [])
  const s = status.value
  return (
    <>
      <Heading title="Network" side={<span class={`dot ${state.value}`}>{told[state.value].word}</span>} />
      {problem && state.value !== 'offline' && <Trouble problem={problem} />}
      {s === null ? (
        <Loading />
      ) : (
        <>
          <p class="lead">{summary(s)}</p>
          <Ring status={s} peers={peers.value} pointed={pointed} point={setPointed} />
          <Figures status={s} />
          <Holdings status={s} />
          <Healing status={s} />
          <Peers peers={peers.value} pointed={pointed} point={setPointed} />
          <p class="fine">
            Starling {s.version} on network <bdi>{s.network}</bdi>, running for {span(s.uptime_s)}.
          </p>
        </>
      )}
    </>
  )
}

function summary(s: Status): string {
  if (s.peers === 0) return 'Your node has not met any other yet. Give it an address of one: starling run --bootstrap ADDRESS.'
  return `Your node is connected to ${count(s.peers, 'other')} in a network of about ${number(Math.max(1, s.size))}. ${share(s)}`
}

function Figures({ status: s }: { status: Status }) {
  const figures: [string, string][] = [
    ['Neighbourhood', count(s.members, 'node')],
    ['Shared prefix', count(s.prefix - s.narrowed, 'bit')],
    ['Connected', count(s.peers, 'peer')],
    ['Routing table', count(s.routing.table, 'node')],
    ['Records', number(s.records)],
    ['On disk', size(s.store_bytes)],
  ]
  return (
    <dl class="figures">
      {figures.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

function Holdings({ status: s }: { status: Status }) {
  const { own_bytes, held_bytes, followed_bytes, cached_bytes } = s.kept
  const classes = [
    { name: 'Yours', what: 'what you wrote', bytes: own_bytes },
    { name: 'Held', what: 'what your node is responsible for', bytes: held_bytes },
    { name: 'Followed', what: 'copies of what you follow', bytes: followed_bytes },
    { name: 'Cached', what: 'copies of what many read', bytes: cached_bytes },
  ]
  const all = Math.max(1, classes.reduce((sum, c) => sum + c.bytes, 0))
  let at = 0
  return (
    <section class="panel" aria-labelledby="holdings">
      <h2 id="holdings">What it keeps</h2>
      <svg class="stack" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
        {classes.map((c, i) => {
          const from = at
          at += (100 * c.bytes) / all
          return <rect key={c.name} class={`class-${i}`} x={from} y="0" width={Math.max(0, at - from)} height="4" />
        })}
      </svg>
      <ul class="legend">
        {classes.map((c, i) => (
          <li key={c.name}>
            <svg viewBox="0 0 10 10" width="10" height="10" aria-hidden="true">
              <rect class={`class-${i}`} width="10" height="10" rx="3" />
            </svg>
            <b>{c.name}</b> <span>{c.what}</span> <span class="amount">{size(c.bytes)}</span>
          </li>
        ))}
      </ul>
      {s.narrowed > 0 && (
        <p class="wrong">
          One part in {number(2 ** s.narrowed)} of what its neighbours hold, all of that part: <code>{s.short_of}</code> leaves no room for more.
        </p>
      )}
      <p class="fine">{s.store_quota > 0 ? `${size(s.store_bytes)} of ${size(s.store_quota)} that it may use.` : 'No quota is set.'}</p>
    </section>
  )
}

function Healing({ status: s }: { status: Status }) {
  const h = s.healing
  const last = h.compared === null ? null : Date.parse(h.compared)
  return (
    <section class="panel" aria-labelledby="healing">
      <h2 id="healing">How it heals</h2>
      <p>
        {h.filling
          ? 'Your node is taking its share in from its neighbours, and answers readers when it has it.'
          : last === null
            ? 'It has not compared what it keeps with a neighbour yet.'
            : `It last compared all that it keeps with a neighbour ${last > now.value - 45_000 ? 'just now' : `${ago(last, now.value)} ago`}.`}
      </p>
      <dl class="figures">
        <div>
          <dt>Neighbours to compare with</dt>
          <dd>{number(h.neighbours)}</dd>
        </div>
        <div>
          <dt>Mended here</dt>
          <dd>
            {count(h.taken, 'entry', 'entries')} <small>{size(h.taken_bytes)}</small>
          </dd>
        </div>
        <div>
          <dt>Mended elsewhere</dt>
          <dd>
            {count(h.given, 'entry', 'entries')} <small>{size(h.given_bytes)}</small>
          </dd>
        </div>
      </dl>
      {s.twin && <p class="wrong">Another node runs with this node’s key: others take the two for one. Stop one of them, move its node.key away and start it again.</p>}
      {s.planted > 0 && <p class="wrong">{count(s.planted, 'place')} looked as if nodes had been made for it. Nothing is lost while one honest node answers.</p>}
      {s.routing.banned > 0 && <p class="fine">{count(s.routing.banned, 'node')} that gave wrong answers: not dealt with for now.</p>}
    </section>
  )
}

function Peers({ peers, pointed, point }: { peers: Peer[]; pointed: string | null; point: (id: string | null) => void }) {
  const sorted = [...peers].sort((a, b) => Number(b.member) - Number(a.member) || (a.rtt_ms ?? Infinity) - (b.rtt_ms ?? Infinity))
  if (sorted.length === 0) return null
  return (
    <section class="panel" aria-labelledby="peers">
      <h2 id="peers">Peers</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Table of peers">
        <table>
          <thead>
            <tr>
              <th scope="col">Node</th>
              <th scope="col">Neighbour</th>
              <th scope="col">Over</th>
              <th scope="col">Who called</th>
              <th scope="col" class="amount">
                Round trip
              </th>
            </tr>
          </thead>
          <tbody>
            {sorted.map((p) => (
              <tr key={p.peer_id} class={pointed === p.peer_id ? 'pointed' : ''} onMouseEnter={() => point(p.peer_id)} onMouseLeave={() => point(null)}>
                <td>
                  <code title={`${p.peer_id} ${p.addr}`}>…{p.peer_id.slice(-8)}</code>
                </td>
                <td>{p.member ? 'yes' : 'no'}</td>
                <td>
                  <bdi>{p.transport}</bdi>
                </td>
                <td>{p.inbound ? 'it' : 'we'}</td>
                <td class="amount">{p.rtt_ms === null ? '—' : `${p.rtt_ms < 10 ? p.rtt_ms.toFixed(1) : Math.round(p.rtt_ms)} ms`}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}
