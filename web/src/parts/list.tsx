// A timeline on the page: posts, what is live about it, and the way to older ones.
import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import type { Feed, Hearing } from '../feed'
import { state } from '../node'
import { living } from '../timeline'
import { count } from '../words'
import { Trouble } from './notice'
import { PostCard } from './post'
import { waiting as counted } from '../views/frame'

const itself = 3 // pages that come by themselves; then the reader asks, and can reach what is below

/** useFeed opens a timeline while it is looked at. */
export function useFeed(feed: Feed): void {
  useEffect(() => {
    feed.hold = () => scrollY > 120
    feed.open()
    return () => feed.close()
  }, [feed])
}

export function Live({ feed }: { feed: Feed }) {
  const words: Record<Hearing, string> = { live: 'live', waiting: 'listening again…', off: 'not live' }
  const hearing = state.value === 'offline' ? 'off' : feed.hearing.value
  return (
    <span class={`live ${hearing}`} title={hearing === 'live' ? 'New posts appear by themselves' : 'New posts do not appear until your node answers'}>
      {words[hearing]}
    </span>
  )
}

/** News tells of posts that wait above, and of what was missed. */
export function News({ feed }: { feed: Feed }) {
  const { waiting, gap, missed, loaded } = feed.timeline.value
  const n = living(waiting).length
  useEffect(() => {
    counted.value = n
    return () => {
      counted.value = 0
    }
  }, [n])
  const show = () => {
    feed.reveal()
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches
    scrollTo({ top: 0, behavior: calm ? 'auto' : 'smooth' })
    document.querySelector<HTMLElement>('[data-post]')?.focus({ preventScroll: true })
  }
  return (
    <div class="news" aria-live="polite">
      {n > 0 && (
        <button type="button" class="new-posts" data-act="reveal" onClick={show}>
          {count(n, 'new post')}
        </button>
      )}
      {gap && loaded && (
        <div class="gap">
          {missed > 0 ? `At least ${count(missed, 'post')} went by and ${missed === 1 ? 'is' : 'are'} not shown here.` : 'Posts may be missing here.'}
          <button type="button" onClick={() => void feed.refresh()}>
            Read again
          </button>
        </div>
      )}
    </div>
  )
}

export function List({ feed, label, empty }: { feed: Feed; label: string; empty: ComponentChildren }) {
  const t = feed.timeline.value
  const posts = living(t.shown)
  const failure = feed.failure.value
  const reading = feed.reading.value
  const offline = state.value === 'offline'
  return (
    <>
      <News feed={feed} />
      {t.problem && (
        <Trouble problem={t.problem}>
          <button type="button" onClick={() => void feed.refresh()}>
            Read again
          </button>
        </Trouble>
      )}
      {posts.length > 0 && (
        <div role="feed" aria-label={label} aria-busy={reading} class="feed">
          {posts.map((p, i) => (
            <PostCard key={p.id} post={p} at={i + 1} of={t.next === null ? posts.length : -1} fresh={p.live === true} />
          ))}
        </div>
      )}
      {failure && !offline && (
        <Trouble problem={failure}>
          <button type="button" onClick={() => void (t.loaded ? feed.older() : feed.refresh())}>
            Try again
          </button>
        </Trouble>
      )}
      {posts.length === 0 && t.loaded && !reading && <div class="empty">{empty}</div>}
      {posts.length === 0 && !t.loaded && !failure && <Loading />}
      <Older feed={feed} />
    </>
  )
}

export function Loading() {
  return (
    <div class="loading" role="status">
      <span class="unseen">Reading…</span>
      {[0, 1, 2].map((i) => (
        <div key={i} class="ghost" aria-hidden="true">
          <i />
          <b />
          <b />
        </div>
      ))}
    </div>
  )
}

export function Older({ feed, label = 'Older posts' }: { feed: Feed; label?: string }) {
  const { next } = feed.timeline.value
  const end = useRef<HTMLDivElement>(null)
  const came = useRef(0)
  useEffect(() => {
    const el = end.current
    if (el === null || next === null) return
    const seen = new IntersectionObserver(
      ([entry]) => {
        if (!entry?.isIntersecting || came.current >= itself || feed.failure.peek()) return
        came.current++
        void feed.older()
      },
      { rootMargin: '600px' },
    )
    seen.observe(el)
    return () => seen.disconnect()
  }, [next, feed])
  if (next === null) return feed.timeline.value.shown.length > 8 ? <p class="the-end">That is all of it.</p> : null
  return (
    <div ref={end} class="older">
      <button type="button" disabled={feed.reading.value} onClick={() => void feed.older()}>
        {feed.reading.value ? 'Reading…' : label}
      </button>
    </div>
  )
}
