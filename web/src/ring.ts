// Where a node stands on the ring: its coordinate is the SHA-256 of its peer id,
// and a neighbourhood is all nodes whose coordinates share their first bits.
// crypto.subtle exists only where the page came over a secure channel, so the hash is here.
import { base58 } from './ids'

const fraction = (x: number) => Math.floor((x - Math.floor(x)) * 2 ** 32) >>> 0
const primes = Array.from({ length: 312 }, (_, i) => i).filter((n) => n > 1 && ![2, 3, 5, 7, 11, 13, 17].some((p) => p < n && n % p === 0))
const start = primes.slice(0, 8).map((p) => fraction(Math.sqrt(p)))
const rounds = primes.map((p) => fraction(Math.cbrt(p)))

/** sha256 is FIPS 180-4. */
export function sha256(message: Uint8Array): Uint8Array {
  const padded = new Uint8Array((((message.length + 8) >> 6) + 1) << 6)
  padded.set(message)
  padded[message.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 4, message.length << 3)
  view.setUint32(padded.length - 8, Math.floor(message.length / 2 ** 29))
  const h = Uint32Array.from(start)
  const w = new Uint32Array(64)
  const turn = (x: number, n: number) => (x >>> n) | (x << (32 - n))
  for (let at = 0; at < padded.length; at += 64) {
    for (let i = 0; i < 64; i++) {
      if (i < 16) {
        w[i] = view.getUint32(at + 4 * i)
        continue
      }
      const a = w[i - 15]!, b = w[i - 2]!
      w[i] = w[i - 16]! + (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3)) + w[i - 7]! + (turn(b, 17) ^ turn(b, 19) ^ (b >>> 10))
    }
    let [a, b, c, d, e, f, g, k] = h as unknown as [number, number, number, number, number, number, number, number]
    for (let i = 0; i < 64; i++) {
      const t1 = (k + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + rounds[i]! + w[i]!) | 0
      const t2 = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0
      ;[k, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0]
    }
    ;[a, b, c, d, e, f, g, k].forEach((x, i) => (h[i] = h[i]! + x))
  }
  const out = new DataView(new ArrayBuffer(32))
  h.forEach((x, i) => out.setUint32(4 * i, x))
  return new Uint8Array(out.buffer)
}

/** placeOf is where on the ring a peer stands, from 0 to just under 1; null for what is no peer id. */
export function placeOf(peer: string): number | null {
  const id = base58(peer)
  return id && new DataView(sha256(id).buffer).getUint32(0) / 2 ** 32
}

/** region is the part of the ring whose coordinates share so many bits with a place. */
export function region(place: number, bits: number): { from: number; to: number } {
  const parts = 2 ** bits
  const from = Math.floor(place * parts) / parts
  return { from, to: from + 1 / parts }
}

/** prefixText is the shared bits as people write them. */
export function prefixText(place: number, bits: number): string {
  return bits === 0 ? '' : Math.floor(place * 2 ** bits).toString(2).padStart(bits, '0')
}

/** onRing is a point of a circle round the origin; place 0 is at the top, going right. */
export function onRing(place: number, radius: number): { x: number; y: number } {
  const angle = 2 * Math.PI * place
  return { x: round(radius * Math.sin(angle)), y: round(-radius * Math.cos(angle)) }
}

/** arc is the path of an SVG along a circle from one place to another. */
export function arc(from: number, to: number, radius: number): string {
  const whole = to - from >= 1
  const a = onRing(from, radius)
  const end = whole ? from + 0.5 : to
  const b = onRing(end, radius)
  const far = end - from > 0.5 ? 1 : 0
  const path = `M${a.x} ${a.y}A${radius} ${radius} 0 ${far} 1 ${b.x} ${b.y}`
  return whole ? `${path}A${radius} ${radius} 0 0 1 ${a.x} ${a.y}` : path
}

const round = (x: number) => Math.round(x * 100) / 100
