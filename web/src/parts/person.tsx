// A person: seven birds made of the key, a name, and the piece of the key that
// tells two people of one name apart.
import { nameOf, profileOf } from '../people'
import { sha256 } from '../ring'
import { me } from '../node'
import { toUser } from '../route'
import { keyPart } from '../text'

const faces = new Map<string, Uint8Array>()
const mostFaces = 1000

function hashOf(user: string): Uint8Array {
  let hash = faces.get(user)
  if (hash === undefined) {
    if (faces.size >= mostFaces) faces.clear()
    hash = sha256(new TextEncoder().encode(user))
    faces.set(user, hash)
  }
  return hash
}

export function Avatar({ user, size = 40 }: { user: string; size?: number }) {
  const h = hashOf(user)
  const hue = Math.round((h[0]! * 360) / 256)
  const birds = Array.from({ length: 7 }, (_, i) => ({ x: 8 + (h[1 + 2 * i]! / 255) * 24, y: 8 + (h[2 + 2 * i]! / 255) * 24, r: 3 + (h[16 + i]! / 255) * 5.5 }))
  return (
    <svg class="avatar" viewBox="0 0 40 40" width={size} height={size} aria-hidden="true" focusable="false">
      <rect width="40" height="40" rx="12" fill={`hsl(${hue} 38% 34%)`} />
      {birds.map((b, i) => (
        <path
          key={i}
          fill={`hsl(${(hue + 20 + 35 * (i % 3)) % 360} 75% ${70 + 6 * (i % 4)}%)`}
          d={`M${(b.x - b.r).toFixed(1)} ${b.y.toFixed(1)}Q${b.x.toFixed(1)} ${b.y.toFixed(1)} ${b.x.toFixed(1)} ${(b.y - b.r).toFixed(1)}Q${b.x.toFixed(1)} ${b.y.toFixed(1)} ${(b.x + b.r).toFixed(1)} ${b.y.toFixed(1)}Q${b.x.toFixed(1)} ${b.y.toFixed(1)} ${b.x.toFixed(1)} ${(b.y + b.r).toFixed(1)}Q${b.x.toFixed(1)} ${b.y.toFixed(1)} ${(b.x - b.r).toFixed(1)} ${b.y.toFixed(1)}Z`}
        />
      ))}
    </svg>
  )
}

/** Name is a link to somebody. Names are not unique, so a piece of the key is part of it. */
export function Name({ user, link = true }: { user: string; link?: boolean }) {
  const name = nameOf(profileOf(user).value)
  const inner = (
    <>
      {name !== '' && (
        <bdi class="given" dir="auto">
          {name}
        </bdi>
      )}
      <span class={name === '' ? 'given keypart-alone' : 'keypart'}>{keyPart(user)}</span>
      {user === me.value && <span class="you">you</span>}
    </>
  )
  return link ? (
    <a class="name" href={toUser(user)} title={user}>
      {inner}
    </a>
  ) : (
    <span class="name">{inner}</span>
  )
}
