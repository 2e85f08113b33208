// Which view the address names. Everything stands behind the #, so what is read
// never reaches a server, a log or a referrer.

export type Route =
  | { view: 'home' | 'mentions' | 'network' | 'profile' | 'nowhere' }
  | { view: 'tag'; tag: string }
  | { view: 'user'; user: string }
  | { view: 'thread'; post: string }
  | { view: 'name'; name: string }

export const isUser = (text: string) => /^did:key:z[1-9A-HJ-NP-Za-km-z]{40,80}$/.test(text)
export const isPost = (text: string) => /^p[A-Za-z0-9_-]{64,128}$/.test(text)
const isTag = (text: string) => /^[\p{L}\p{M}\p{N}_]{1,64}$/u.test(text)

export function routeOf(hash: string): Route {
  const [view = '', ...rest] = hash.replace(/^#?\/?/, '').split('/')
  const name = decoded(rest.join('/'))
  switch (view) {
    case '':
    case 'home':
      return { view: 'home' }
    case 'mentions':
    case 'network':
    case 'profile':
      return { view }
    case 'tag':
      return isTag(name) ? { view, tag: name } : { view: 'nowhere' }
    case 'user':
      return isUser(name) ? { view, user: name } : { view: 'nowhere' }
    case 'post':
      return isPost(name) ? { view: 'thread', post: name } : { view: 'nowhere' }
    case 'name':
      return name !== '' ? { view, name } : { view: 'nowhere' }
    default:
      return { view: 'nowhere' }
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}

const to = (view: string, name: string) => `#/${view}/${encodeURIComponent(name)}`
export const toTag = (tag: string) => to('tag', tag)
export const toUser = (user: string) => to('user', user)
export const toPost = (post: string) => to('post', post)
export const toName = (name: string) => to('name', name)

/** toSource leads to what can be followed: #tag, a user, @ and a user. */
export function toSource(source: string): string {
  if (source.startsWith('#')) return toTag(source.slice(1))
  return source.startsWith('@') ? '#/mentions' : toUser(source)
}

/** sought is where what somebody typed into the search field leads; null if nowhere. */
export function sought(text: string): string | null {
  const t = text.trim()
  if (t === '') return null
  if (isUser(t)) return toUser(t)
  if (isPost(t)) return toPost(t)
  if (t.startsWith('@')) return isUser(t.slice(1)) ? toUser(t.slice(1)) : t.length > 1 ? toName(t.slice(1)) : null
  const tag = t.replace(/^#/, '').normalize('NFKC').toLowerCase()
  return isTag(tag) ? toTag(tag) : null
}

/** codeOf is the sign-in code in an address that `starling web` printed, or the code itself. */
export function codeOf(text: string): string | null {
  const found = /(?:#|^)code=([A-Za-z0-9_-]{16,256})$/.exec(text.trim()) ?? /^([A-Za-z0-9_-]{16,256})$/.exec(text.trim())
  return found?.[1] ?? null
}
