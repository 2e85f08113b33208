// A timeline as one person sees it: values and what becomes of them. No network,
// no clock; feed.ts brings both.
import { newerRev } from './api'
import type { Page, Post, Problem } from './types'

export interface Timeline {
  shown: Post[] // the newest first
  waiting: Post[] // arrived while the reader was reading further down
  next: string | null // where older posts begin; null at the end
  gap: boolean // posts may be missing: the node said so
  missed: number // so many, at least
  problem: Problem | null // why posts may be missing
  loaded: boolean // the first page is there
}

export const blank: Timeline = { shown: [], waiting: [], next: null, gap: false, missed: 0, problem: null, loaded: false }

/** before orders posts as timelines do: the newest first, ids to tell equals apart. */
export function before(a: Post, b: Post): number {
  return b.created - a.created || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}

/** merged has every post once, in the newest of its versions. Deleted ones are kept: so they stay deleted. */
function merged(have: Post[], more: Post[]): Post[] {
  const byId = new Map(have.map((p) => [p.id, p]))
  for (const p of more) {
    const old = byId.get(p.id)
    if (old === undefined || newerRev(p.rev, old.rev)) byId.set(p.id, p)
  }
  return [...byId.values()].sort(before)
}

/** arrive takes in a version heard live. With hold, a post that would push others down waits. */
export function arrive(t: Timeline, p: Post, hold: boolean): Timeline {
  const at = (list: Post[]) => list.some((q) => q.id === p.id)
  if (at(t.shown)) return { ...t, shown: merged(t.shown, [p]) }
  const newest = t.shown[0]
  if (at(t.waiting) || (hold && !p.deleted && (newest === undefined || before(p, newest) < 0))) {
    return { ...t, waiting: merged(t.waiting, [p]) }
  }
  return { ...t, shown: merged(t.shown, [p]) }
}

/** older appends what a timeline has before its last page. */
export function older(t: Timeline, page: Page): Timeline {
  return { ...t, shown: merged(t.shown, page.posts), next: page.next, problem: page.problem ?? t.problem }
}

/**
 * fresh takes in the newest page. Where it does not reach down to what is known
 * already, there is a hole: then what is known goes, and is read again further down.
 */
export function fresh(t: Timeline, page: Page): Timeline {
  const known = new Set([...t.shown, ...t.waiting].map((p) => p.id))
  const reaches = page.next === null || page.posts.some((p) => known.has(p.id))
  const base = { ...t, gap: false, missed: 0, problem: page.problem ?? null, loaded: true }
  if (!t.loaded || !reaches) {
    const heard = t.loaded ? [] : t.shown // live posts may be sooner than the first page
    return { ...base, shown: merged(page.posts, heard), waiting: [], next: page.next }
  }
  return { ...base, shown: merged(merged(t.shown, t.waiting), page.posts), waiting: [] }
}

/** reveal shows what waited. */
export function reveal(t: Timeline): Timeline {
  return { ...t, shown: merged(t.shown, t.waiting), waiting: [] }
}

/** gap notes that posts may be missing, and how many at least if that is known. */
export function gap(t: Timeline, missed: number): Timeline {
  return { ...t, gap: true, missed: t.missed + (missed > 0 ? missed : 0) }
}

/** living are the posts to show in a list. */
export function living(posts: Post[]): Post[] {
  return posts.filter((p) => !p.deleted)
}

export interface Branch {
  post: Post
  replies: Branch[]
}

/**
 * branches makes a thread of its posts: the first post and, under each post, what
 * answers it, its author's own continuation first, then by age. Answers to posts
 * that are not here (yet) stand apart.
 */
export function branches(posts: Post[]): { root: Branch | null; apart: Branch[] } {
  const all = new Map(posts.map((p) => [p.id, { post: p, replies: [] as Branch[] }]))
  let root: Branch | null = null
  const apart: Branch[] = []
  for (const b of all.values()) {
    const parent = b.post.reply_to === null ? undefined : all.get(b.post.reply_to)
    if (parent !== undefined && parent !== b) parent.replies.push(b)
    else if (b.post.reply_to === null && root === null) root = b
    else apart.push(b)
  }
  for (const b of all.values()) {
    const own = (x: Branch) => (x.post.author === b.post.author ? 0 : 1)
    b.replies.sort((x, y) => own(x) - own(y) || before(y.post, x.post))
  }
  apart.sort((x, y) => before(y.post, x.post))
  return { root, apart: apart.filter(grown) }
}

// grown leaves out what is deleted and has nothing under it.
function grown(b: Branch): boolean {
  return !b.post.deleted || b.replies.some(grown)
}
