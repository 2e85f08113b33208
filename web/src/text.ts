// What somebody wrote, taken apart for showing. Everything that comes from others
// is shown as text nodes; a link is made only of what is certain to be one.

export type Token =
  | { kind: 'text'; text: string }
  | { kind: 'tag'; text: string; tag: string }
  | { kind: 'user'; text: string; user: string }
  | { kind: 'link'; text: string; href: string; host: string }

// Neither links nor hashtags go on over control and format characters: those turn
// the direction of text, or show nothing.
const parts = /(?<![\p{L}\p{N}:])(https?:\/\/[^\s\p{C}<>"]+)|#([\p{L}\p{M}\p{N}_]+)|@?(did:key:z[1-9A-HJ-NP-Za-km-z]{40,80})/giu

/** tokens takes a text apart. Of its hashtags only those are links that the post is found by. */
export function tokens(text: string, tags: readonly string[]): Token[] {
  const out: Token[] = []
  let at = 0
  const plain = (to: number) => {
    if (to > at) out.push({ kind: 'text', text: text.slice(at, to) })
  }
  for (const found of text.matchAll(parts)) {
    const token = tokenOf(found, tags)
    if (token === null) continue
    plain(found.index)
    out.push(token)
    at = found.index + token.text.length
  }
  plain(text.length)
  return out
}

function tokenOf([whole, url, word, user]: RegExpMatchArray, tags: readonly string[]): Token | null {
  if (url !== undefined) return linkOf(trimmed(url))
  if (user !== undefined) return { kind: 'user', text: whole, user }
  const tag = foldings(word ?? '').find((t) => tags.includes(t))
  return tag === undefined ? null : { kind: 'tag', text: whole, tag }
}

/** foldings are the forms under which a node may know a hashtag that somebody wrote. */
export function foldings(word: string): string[] {
  const t = word.normalize('NFKC')
  return [t.toLowerCase(), t.toUpperCase().toLowerCase()].map((f) => f.normalize('NFKC'))
}

// trimmed leaves to the sentence what is the sentence's.
function trimmed(url: string): string {
  for (;;) {
    const last = url.at(-1) ?? ''
    const open = last === ')' ? '(' : last === ']' ? '[' : ''
    const closes = open !== '' && url.split(open).length < url.split(last).length
    if (!closes && !/[.,;:!?'’”»…*_~]/.test(last)) return url
    url = url.slice(0, -last.length)
  }
}

function linkOf(text: string): Token | null {
  const url = webAddress(text)
  return url && { kind: 'link', text, href: url.href, host: strange(text, url) }
}

/** webAddress is what may be linked to: http or https, and no name before an @ that passes for the host. */
export function webAddress(text: string): URL | null {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    return null
  }
  const web = url.protocol === 'https:' || url.protocol === 'http:'
  return web && url.username === '' && url.password === '' && url.hostname !== '' ? url : null
}

// strange is the host as the network sees it, where that is not what is written.
function strange(text: string, url: URL): string {
  return text.toLowerCase().includes(`//${url.hostname}`) ? '' : url.hostname
}

/** oneLine makes a name of what somebody calls themselves: no controls, no towers of marks, not long. */
export function oneLine(text: string, most = 40): string {
  const clean = text
    .replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, '')
    .replace(/\s+/g, ' ')
    .replace(/(\p{M}{3})\p{M}+/gu, '$1')
    .trim()
  const letters = [...clean]
  return letters.length > most ? letters.slice(0, most - 1).join('') + '…' : clean
}

/** visible shows control characters, and those that turn the direction of text, as what they are. */
export function visible(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g, (c) => {
    const code = c.charCodeAt(0)
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? '\u2421' : '\u25af'
  })
}

/** bytes is the size of a text as the node counts it. */
export function bytes(text: string): number {
  return new TextEncoder().encode(text).length
}

/** keyPart is the piece of a key that stands behind a name, so that two Anns differ. */
export function keyPart(user: string): string {
  return user.replace(/^did:key:z6Mk/, '').slice(0, 6)
}

/** wordAt is the hashtag that is being written at a place of a text, without its #. */
export function wordAt(text: string, at: number): { from: number; word: string } | null {
  const found = /(?:^|[^\p{L}\p{M}\p{N}_&/#])#([\p{L}\p{M}\p{N}_]{0,64})$/u.exec(text.slice(0, at))
  return found ? { from: at - (found[1] ?? '').length, word: found[1] ?? '' } : null
}
