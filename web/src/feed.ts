// A timeline that is read and heard: the network's part of timeline.ts.
import { effect, signal } from '@preact/signals'
import { api, parse, problemOf } from './api'
import { pause } from './health'
import { returned } from './node'
import { isPost } from './route'
import { arrive, blank, fresh, gap, older, reveal, type Timeline } from './timeline'
import type { Post, Problem } from './types'

export type Hearing = 'off' | 'waiting' | 'live'

const together = 80 // ms in which posts that arrive are shown at once: a burst costs one drawing
const steady = 10_000 // ms after which a stream counts as having worked
const quiet = 60_000 // ms hidden after which a tab stops listening: browsers allow six connections to a node

export class Feed {
  readonly timeline = signal<Timeline>(blank)
  readonly reading = signal(false)
  readonly failure = signal<Problem | null>(null) // of the last page asked for
  readonly hearing = signal<Hearing>('off')
  /** hold tells whether new posts are to wait rather than push the others down. */
  hold = () => false

  private stream: EventSource | null = null
  private arrived: Post[] = []
  private showing: ReturnType<typeof setTimeout> | undefined
  private retry: ReturnType<typeof setTimeout> | undefined
  private failures = 0
  private opened = Infinity // when the stream did, in ms
  private reads = new AbortController()
  private ends: (() => void)[] = []

  constructor(readonly source: string) {}

  /** open reads the newest page and listens, until close. */
  open(): void {
    this.reads = new AbortController()
    this.listen()
    void this.refresh()
    let hiding: ReturnType<typeof setTimeout> | undefined
    const visibility = () => {
      clearTimeout(hiding)
      if (document.hidden) hiding = setTimeout(() => this.deaf(), quiet)
      else if (this.stream === null) this.resume()
    }
    document.addEventListener('visibilitychange', visibility)
    let times = returned.peek()
    const back = effect(() => {
      if (returned.value === times) return
      times = returned.value
      this.deaf()
      this.resume()
    })
    this.ends = [() => clearTimeout(hiding), () => document.removeEventListener('visibilitychange', visibility), back]
  }

  close(): void {
    for (const end of this.ends) end()
    this.ends = []
    this.reads.abort()
    this.deaf()
  }

  /** refresh reads the newest page anew. */
  refresh = async (): Promise<void> => this.read(null, (page) => fresh(this.timeline.value, page))

  /** older reads the next page. */
  older = async (): Promise<void> => {
    const { next } = this.timeline.value
    if (next !== null && !this.reading.value) await this.read(next, (page) => older(this.timeline.value, page))
  }

  reveal = (): void => {
    this.timeline.value = reveal(this.timeline.value)
  }

  /** take takes in a version that this page wrote itself. */
  take(post: Post): void {
    this.timeline.value = arrive(this.timeline.value, post, false)
  }

  private async read(before: string | null, become: (page: Awaited<ReturnType<typeof api.page>>) => Timeline): Promise<void> {
    const { signal: ended } = this.reads
    this.reading.value = true
    try {
      const page = await api.page(this.source, before, ended)
      if (ended.aborted) return
      this.timeline.value = become(page)
      this.failure.value = null
    } catch (err) {
      if (!ended.aborted) this.failure.value = problemOf(err)
    } finally {
      if (!ended.aborted) this.reading.value = false
    }
  }

  private resume(): void {
    this.listen()
    void this.refresh()
  }

  private listen(): void {
    clearTimeout(this.retry)
    this.hearing.value = 'waiting'
    const stream = new EventSource(api.stream(this.source))
    this.stream = stream
    stream.onopen = () => {
      this.opened = Date.now()
      this.hearing.value = 'live'
    }
    stream.addEventListener('post', (e: MessageEvent<string>) => {
      this.arrived.push(parse(e.data) as Post)
      this.showing ??= setTimeout(this.show, together)
    })
    stream.addEventListener('gap', (e: MessageEvent<string>) => {
      this.timeline.value = gap(this.timeline.value, Number((parse(e.data) as { missed?: number }).missed ?? 0))
      if (!this.hold()) void this.refresh() // what is read closes it
    })
    stream.addEventListener('end', () => this.again())
    // The node's own word "error" and a broken connection are the same event. A browser
    // connects again by itself, from the last event, unless it was refused.
    stream.onerror = (e) => {
      this.hearing.value = 'waiting'
      if (e instanceof MessageEvent || stream.readyState === EventSource.CLOSED) this.again()
    }
  }

  private show = (): void => {
    this.showing = undefined
    const hold = this.hold()
    this.timeline.value = this.arrived.splice(0).reduce((t, p) => arrive(t, p, hold), this.timeline.value)
  }

  private again(): void {
    this.deaf()
    this.hearing.value = 'waiting'
    if (Date.now() - this.opened > steady) this.failures = 0
    this.opened = Infinity
    this.retry = setTimeout(() => this.resume(), pause(this.failures++, Math.random()))
  }

  private deaf(): void {
    clearTimeout(this.retry)
    clearTimeout(this.showing)
    if (this.arrived.length > 0) this.show()
    this.showing = undefined
    this.stream?.close()
    this.stream = null
    this.hearing.value = 'off'
  }
}

const most = 12 // timelines kept in memory, so that going back shows them at once
const feeds = new Map<string, Feed>()

/** feedOf is the timeline of a source, as it was when it was last looked at. */
export function feedOf(source: string): Feed {
  const feed = feeds.get(source) ?? new Feed(source)
  feeds.delete(source)
  feeds.set(source, feed)
  for (const [old] of feeds) {
    if (feeds.size <= most) break
    feeds.delete(old)
  }
  return feed
}

/** forget drops all timelines, as when somebody signs out. */
export function forget(): void {
  feeds.clear()
}

/** spread gives a version of a post that was written here to the timelines that it stands in. */
export function spread(post: Post): void {
  const places = new Set(['home', post.author, ...post.tags.map((t) => `#${t}`), ...post.mentions.map((u) => `@${u}`)])
  for (const [source, feed] of [...feeds]) { // who hears of it may open others
    const has = (id: string | null) => feed.timeline.value.shown.some((p) => p.id === id)
    const sameThread = isPost(source) && (source === post.reply_to || has(post.reply_to))
    if (places.has(source) || sameThread || has(post.id)) feed.take(post)
  }
}
