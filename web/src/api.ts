// The node's HTTP interface: the only thing that this page ever talks to.
import type { Claim, Followed, Limits, Page, Peer, Post, Problem, Profile, Receipt, Session, Status, UserProfile, Version } from './types'

/** Refused is an answer that is a problem, or none at all (status 0). */
export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title)
  }
  get code(): string {
    return this.problem.code
  }
}

/** silent is the problem of a node that does not answer. */
export const silent: Problem = { title: 'Your node does not answer', status: 0, code: 'offline' }

export function problemOf(err: unknown): Problem {
  return err instanceof Refused ? err.problem : { title: String(err), status: 0, code: 'internal' }
}

/**
 * parse reads JSON whose revisions have more digits than a number can hold: they
 * become strings. A quote inside of a JSON string is escaped, so only a key matches.
 */
export function parse(text: string): unknown {
  return JSON.parse(text.replace(/"rev":\s*(\d+)/g, '"rev":"$1"'))
}

/** newerRev tells whether a decimal revision is greater than another. */
export function newerRev(a: string, b: string): boolean {
  return a.length !== b.length ? a.length > b.length : a > b
}

interface Request {
  method?: string
  body?: string
  headers?: Record<string, string>
  signal?: AbortSignal
}

/** onRefused hears every problem, so that an ended session is noticed wherever it shows. */
export const heard: { refused: (p: Problem) => void } = { refused: () => {} }

async function ask<T>(path: string, request: Request = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json', ...request.headers }
  if (request.body !== undefined) headers['Content-Type'] = 'application/json'
  let status: number, ok: boolean, text: string
  try {
    const answer = await fetch(path, { cache: 'no-store', credentials: 'same-origin', redirect: 'error', ...request, headers })
    ;({ status, ok } = answer)
    text = await answer.text()
  } catch (err) {
    if (request.signal?.aborted) throw err
    heard.refused(silent)
    throw new Refused(silent)
  }
  let value: unknown
  try {
    value = text === '' ? undefined : parse(text)
  } catch {
    value = undefined
  }
  if (ok) return value as T
  const told = (value ?? {}) as Partial<Problem>
  const problem: Problem = { ...told, title: String(told.title ?? `The node answered ${status}`), status, code: String(told.code ?? `http_${status}`) }
  heard.refused(problem)
  throw new Refused(problem)
}

const post = (path: string, body: unknown, headers: Record<string, string> = {}) => ({ path, request: { method: 'POST', body: JSON.stringify(body), headers } })
const e = encodeURIComponent

export const api = {
  session: () => ask<Session>('/v1/session'),
  limits: () => ask<Limits>('/v1/limits'),
  signIn: (code: string) => {
    const { path, request } = post('/v1/session', { code })
    return ask<Session | undefined>(path, request)
  },
  signOut: () => ask<void>('/v1/session', { method: 'DELETE' }),

  status: () => ask<Status>('/v1/status'),
  peers: () => ask<{ peers: Peer[] }>('/v1/peers'),

  /** page reads one page of a timeline: 'home', or a source as the node names them. */
  page(source: string, before: string | null, signal: AbortSignal): Promise<Page> {
    const q = new URLSearchParams({ limit: '30' })
    if (source !== 'home') q.set('source', source)
    if (before !== null) q.set('before', before)
    return ask<Page>(`${source === 'home' ? '/v1/home' : '/v1/timeline'}?${q}`, { signal })
  },
  /** stream is where the same timeline is heard live. */
  stream: (source: string) => (source === 'home' ? '/v1/home/watch' : `/v1/watch?source=${e(source)}`),

  post: (id: string) => ask<Post>(`/v1/posts/${e(id)}`),
  publish(text: string, replyTo: string | null, tags: string[], key: string): Promise<Receipt> {
    const { path, request } = post('/v1/posts', { text, ...(replyTo ? { reply_to: replyTo } : {}), ...(tags.length ? { tags } : {}) }, { 'Idempotency-Key': key })
    return ask<Receipt>(path, request)
  },
  edit: (id: string, text: string) => ask<Receipt>(`/v1/posts/${e(id)}`, { method: 'PUT', body: JSON.stringify({ text }) }),
  remove: (id: string) => ask<Receipt>(`/v1/posts/${e(id)}`, { method: 'DELETE' }),

  following: async () => (await ask<{ following: Followed[] }>('/v1/following')).following,
  follow: (source: string) => ask<Followed>(`/v1/following/${e(source)}`, { method: 'PUT' }),
  unfollow: (source: string) => ask<void>(`/v1/following/${e(source)}`, { method: 'DELETE' }),

  profile: (user: string) => ask<UserProfile>(`/v1/profiles/${e(user)}?first=true`),
  ownProfile: () => ask<UserProfile>('/v1/profiles/me'),
  /** putProfile writes the next version after rev; '0' when none stands. */
  putProfile(profile: Profile, rev: string): Promise<{ register: Version; stored: number; wanted: number }> {
    if (!/^\d+$/.test(rev)) throw new Error(`revision ${rev}`)
    const body = JSON.stringify(profile).replace(/}$/, `,"expect":${rev}}`)
    return ask('/v1/profiles/me', { method: 'PUT', body })
  },
  names: (nickname: string) => ask<{ claims: Claim[] }>(`/v1/names/${e(nickname)}`),
  tags: (prefix: string) => ask<{ tags: string[] }>(`/v1/tags?prefix=${e(prefix)}`),
}
