// A post, what its author went on to say, and what others answered.
import { useEffect, useState } from 'preact/hooks'
import { api, problemOf } from '../api'
import { feedOf } from '../feed'
import { Live, Loading, News, Older, useFeed } from '../parts/list'
import { Trouble } from '../parts/notice'
import { PostCard } from '../parts/post'
import { state } from '../node'
import { branches, living, type Branch } from '../timeline'
import type { Post, Problem } from '../types'
import { count } from '../words'
import { Heading } from './frame'

const deepest = 4 // steps that answers move in; further ones stand under each other

export function Thread({ post }: { post: string }) {
  const feed = feedOf(post)
  useFeed(feed)
  const sequels = useSequels(post, feed.timeline.value.loaded)
  const [problem, setProblem] = useState<Problem | null>(null)
  const t = feed.timeline.value
  const alone = t.loaded && t.shown.length === 0
  useEffect(() => {
    if (!alone) return
    let away = false
    api.post(post).then((p) => !away && feed.take(p), (err) => !away && setProblem(problemOf(err)))
    return () => {
      away = true
    }
  }, [post, alone])

  const posts = [...t.shown, ...sequels.filter((s) => !t.shown.some((p) => p.id === s.id))]
  const { root, apart } = branches(posts)
  const replies = living(posts).filter((p) => p.id !== root?.post.id).length
  const failure = feed.failure.value ?? problem
  useEffect(() => {
    if (root && post !== root.post.id) document.querySelector(`[data-post="${CSS.escape(post)}"]`)?.scrollIntoView({ block: 'center' })
  }, [post, t.loaded])
  return (
    <>
      <Heading title="Thread" side={<Live feed={feed} />} />
      <News feed={feed} />
      {t.problem && <Trouble problem={t.problem} />}
      {failure && state.value !== 'offline' && (
        <Trouble problem={failure}>
          <button type="button" onClick={() => void feed.refresh()}>
            Try again
          </button>
        </Trouble>
      )}
      {posts.length === 0 && !failure && <Loading />}
      {root && <PostCard key={root.post.id} post={root.post} whole inThread />}
      {root && (
        <h2 class="replies">{replies === 0 ? 'No replies yet' : count(replies, 'reply', 'replies')}</h2>
      )}
      <div class="tree" aria-label="Replies" role="group">
        {(root?.replies ?? []).map((b) => (
          <Replies key={b.post.id} branch={b} depth={0} sought={post} above={root?.post.author ?? ''} />
        ))}
        {apart.length > 0 && root && <h2 class="replies">Answers to posts that are not here</h2>}
        {apart.map((b) => (
          <Replies key={b.post.id} branch={b} depth={0} sought={post} above="" />
        ))}
      </div>
      <Older feed={feed} label="More replies" />
    </>
  )
}

// What an author adds to a post of theirs has a place of its own, where no flood of
// answers reaches it.
function useSequels(post: string, loaded: boolean): Post[] {
  const [sequels, setSequels] = useState<Post[]>([])
  useEffect(() => {
    if (!loaded) return
    const reads = new AbortController()
    api.page(`+${post}`, null, reads.signal).then((page) => setSequels(page.posts), () => {})
    return () => reads.abort()
  }, [post, loaded])
  return sequels
}

interface BranchProps {
  branch: Branch
  depth: number
  sought: string
  above: string // who wrote what is answered
}

function Replies({ branch, depth, sought, above }: BranchProps) {
  const { post, replies } = branch
  return (
    <div class={`branch${depth > 0 && depth <= deepest ? ' in' : ''}${post.id === sought ? ' sought' : ''}`}>
      {post.author === above && !post.deleted && <p class="sequel">continued</p>}
      <PostCard post={post} inThread fresh={post.live === true} />
      {replies.map((b) => (
        <Replies key={b.post.id} branch={b} depth={depth + 1} sought={sought} above={post.author} />
      ))}
    </div>
  )
}
