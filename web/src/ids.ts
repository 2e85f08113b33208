// What ids say by themselves: a peer id its key, a post id its author.

const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

/** base58 reads a peer id; null where it is none. */
export function base58(text: string): Uint8Array | null {
  if (text === '' || text.length > 128) return null
  let n = 0n
  for (const c of text) {
    const digit = alphabet.indexOf(c)
    if (digit < 0) return null
    n = n * 58n + BigInt(digit)
  }
  const out: number[] = []
  for (; n > 0n; n >>= 8n) out.unshift(Number(n & 0xffn))
  for (let i = 0; text[i] === '1'; i++) out.unshift(0)
  return Uint8Array.from(out)
}

function toBase58(bytes: Uint8Array): string {
  let n = 0n
  for (const b of bytes) n = (n << 8n) | BigInt(b)
  let out = ''
  for (; n > 0n; n /= 58n) out = alphabet[Number(n % 58n)] + out
  for (let i = 0; bytes[i] === 0; i++) out = `1${out}`
  return out
}

const postBytes = 72 // version, author's key, time, item key, check
const ed25519 = [0xed, 0x01] // as multicodec names the kind of key

/** authorOf is who wrote a post, by its id alone; null for what is no id. */
export function authorOf(post: string): string | null {
  let bytes: Uint8Array
  try {
    bytes = Uint8Array.from(atob(post.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0))
  } catch {
    return null
  }
  return bytes.length === postBytes ? `did:key:z${toBase58(Uint8Array.of(...ed25519, ...bytes.slice(1, 33)))}` : null
}
