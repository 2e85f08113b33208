// One post, and what may be done with it.
import { useState } from 'preact/hooks'
import { api, problemOf } from '../api'
import { spread } from '../feed'
import { authorOf } from '../ids'
import { keepPlaces } from '../keep'
import { me, mayWrite, now } from '../node'
import { nameOf, profileOf } from '../people'
import { toPost, toTag } from '../route'
import { foldings, keyPart } from '../text'
import type { Post } from '../types'
import { ago, exactly } from '../words'
import { Composer } from './composer'
import { Icon, type IconName } from './logo'
import { onNodes, Receipt } from './receipt'
import { say, sentence } from './notice'
import { Avatar, Name } from './person'
import { Mention, Prose } from './prose'

const longText = 900 // characters after which a post is folded in a list
const longLines = 12

interface Props {
  post: Post
  at?: number // its place in its feed, from 1
  of?: number // so many are there, or -1 while nobody knows
  whole?: boolean // the post that a thread is opened for
  inThread?: boolean
  fresh?: boolean
}

type Doing = 'reading' | 'replying' | 'editing' | 'deleting'

export function PostCard({ post, at, of, whole = false, inThread = false, fresh = false }: Props) {
  const [doing, setDoing] = useState<Doing>('reading')
  const [open, setOpen] = useState(whole)
  const mine = mayWrite.value && post.author === me.value
  const long = !open && (post.text.length > longText || post.text.split('\n').length > longLines)
  const done = () => setDoing('reading')
  if (post.deleted) return <Gone post={post} />
  const act = (name: Doing) => () => setDoing(doing === name ? 'reading' : name)
  return (
    <article
      class={`post${whole ? ' whole' : ''}${fresh ? ' fresh' : ''}`}
      tabIndex={0}
      aria-labelledby={`by-${post.id}`}
      aria-describedby={`text-${post.id}`}
      aria-posinset={at}
      aria-setsize={of}
      data-post={post.id}
    >
      <Avatar user={post.author} size={whole ? 48 : 40} />
      <div class="body">
        <header id={`by-${post.id}`}>
          <Name user={post.author} />
          <When post={post} />
        </header>
        {!inThread && post.reply_to !== null && (
          <Context parent={post.reply_to} />
        )}
        {doing === 'editing' ? (
          <Composer kind="edit" target={post} onDone={done} />
        ) : (
          <div id={`text-${post.id}`} class={long ? 'folded' : ''}>
            <Prose text={post.text} tags={post.tags} />
          </div>
        )}
        {long && doing !== 'editing' && (
          <button type="button" class="more" onClick={() => setOpen(true)}>
            Show all of it
          </button>
        )}
        <Besides post={post} />
        <Receipt id={post.id} />
        <footer class="actions">
          {mayWrite.value && <Action name="reply" label="Reply" on={doing === 'replying'} act={act('replying')} />}
          {!whole && (
            <a class="action" href={toPost(post.id)} data-act="open">
              <Icon name="thread" />
              <span>Thread</span>
            </a>
          )}
          {mine && <Action name="pen" label="Edit" on={doing === 'editing'} act={act('editing')} />}
          {mine && <Action name="trash" label="Delete" on={doing === 'deleting'} act={act('deleting')} />}
        </footer>
        {doing === 'replying' && <Composer kind="reply" target={post} onDone={done} />}
        {doing === 'deleting' && <Deletion post={post} onDone={done} />}
      </div>
    </article>
  )
}

function Action({ name, label, on, act }: { name: IconName; label: string; on: boolean; act: () => void }) {
  return (
    <button type="button" class="action" aria-pressed={on} data-act={label.toLowerCase()} onClick={act}>
      <Icon name={name} />
      <span>{label}</span>
    </button>
  )
}

function When({ post }: { post: Post }) {
  const { text, iso } = exactly(post.created)
  return (
    <a class="when" href={toPost(post.id)} title={`${text}, by the author’s clock`}>
      <time dateTime={iso}>{ago(post.created, now.value)}</time>
    </a>
  )
}

// A post id names its author, so nobody has to be asked for it.
function Context({ parent }: { parent: string }) {
  const author = authorOf(parent)
  const name = author === null ? '' : nameOf(profileOf(author).value) || keyPart(author)
  return (
    <a class="context" href={toPost(parent)}>
      in reply to {name === '' ? 'an earlier post' : <bdi>{name}</bdi>}
    </a>
  )
}

// Tags and mentions that the post is found by and its text does not show.
function Besides({ post }: { post: Post }) {
  const words = new Set([...post.text.matchAll(/#([\p{L}\p{M}\p{N}_]+)/gu)].flatMap(([, w]) => foldings(w ?? '')))
  const tags = post.tags.filter((t) => !words.has(t))
  const users = post.mentions.filter((u) => !post.text.includes(u))
  if (tags.length + users.length === 0) return null
  return (
    <p class="besides">
      {tags.map((t, i) => (
        <a key={i} class="tag" href={toTag(t)}>
          <bdi>#{t}</bdi>
        </a>
      ))}
      {users.map((u, i) => (
        <Mention key={i} user={u} />
      ))}
    </p>
  )
}

function Gone({ post }: { post: Post }) {
  return (
    <article class="post gone" tabIndex={0} data-post={post.id} aria-label="Deleted post">
      <p>
        <Name user={post.author} /> deleted this post.
      </p>
    </article>
  )
}

function Deletion({ post, onDone }: { post: Post; onDone: () => void }) {
  const [busy, setBusy] = useState(false)
  const remove = async () => {
    setBusy(true)
    try {
      const receipt = await api.remove(post.id)
      keepPlaces(post.id, receipt.places)
      spread({ ...post, text: '', deleted: true, rev: (BigInt(post.rev) + 1n).toString() })
      say(`Deleted ${onNodes(receipt.places)}`)
    } catch (err) {
      say(sentence(problemOf(err)), { bad: true })
      setBusy(false)
    }
  }
  return (
    <div class="confirm" role="group" aria-label="Delete this post?">
      <p>Delete this post? Every honest node will; a dishonest one cannot be made to.</p>
      <button type="button" class="danger" disabled={busy} onClick={() => void remove()} ref={focusOnce}>
        {busy ? 'Deleting…' : 'Delete'}
      </button>
      <button type="button" onClick={onDone}>
        Keep it
      </button>
    </div>
  )
}

const focusOnce = (el: HTMLElement | null) => el?.focus()
