// Where one writes: a new post, an answer, the next version of a post.
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { api, problemOf, Refused } from '../api'
import { spread } from '../feed'
import { draftOf, keepDraft, keepPlaces, newKey } from '../keep'
import { limits, me } from '../node'
import { toPost } from '../route'
import { bytes } from '../text'
import type { Place, Post, Problem } from '../types'
import { number } from '../words'
import { Completion, useCompletion } from './completion'
import { say, Trouble } from './notice'
import { onNodes } from './receipt'

/** mostBytes is the longest text that the node takes; without end until it has told. */
const mostBytes = () => limits.value?.records?.text_bytes ?? Infinity

interface Props {
  kind: 'new' | 'reply' | 'edit'
  target?: Post
  tag?: string // that the post is about, whether its text says so or not
  folded?: boolean // one line until it is used
  focused?: boolean // in a dialog, which gives the focus to what asks for it
  onDone?: () => void
}

export function Composer({ kind, target, tag, folded = false, focused = false, onDone }: Props) {
  const name = kind === 'new' ? `new${tag ? `.${tag}` : ''}` : `${kind}.${target?.id ?? ''}`
  const first = () => {
    const kept = draftOf(name)
    return kept.text !== '' || kind !== 'edit' ? kept : { ...kept, text: target?.text ?? '' }
  }
  const [draft, setDraft] = useState(first)
  const [used, setUsed] = useState(!folded || draft.text !== '')
  const [busy, setBusy] = useState(false)
  const [trouble, setTrouble] = useState<Problem | null>(null)
  const area = useRef<HTMLTextAreaElement>(null)
  const form = useRef<HTMLFormElement>(null)
  const id = useId()

  const write = (text: string) => {
    const next = { text, key: busy || text === draft.text ? draft.key : newKey() }
    setDraft(next)
    keepDraft(name, kind === 'edit' && text === target?.text ? { ...next, text: '' } : next)
  }
  const completion = useCompletion(area, draft.text, write, id)
  useLayoutEffect(() => {
    if (kind === 'new') return
    area.current?.focus()
    area.current?.setSelectionRange(draft.text.length, draft.text.length)
  }, [])
  useLayoutEffect(() => grow(area.current), [draft.text, used])

  const size = bytes(draft.text)
  const empty = draft.text.trim() === ''
  const same = kind === 'edit' && draft.text === target?.text
  const refused = busy || empty || same || size > mostBytes()

  const submit = async () => {
    if (refused) return
    setBusy(true)
    setTrouble(null)
    try {
      const { post, places } = kind === 'edit' && target ? await edited(target, draft.text) : await published(draft.text, target ?? null, tag, draft.key)
      done(post, places)
    } catch (err) {
      const problem = problemOf(err)
      if (err instanceof Refused && problem.receipt) keepPlaces(problem.receipt.id, problem.receipt.places)
      setTrouble(problem)
    } finally {
      setBusy(false)
    }
  }
  const done = (post: Post, places: Place[]) => {
    keepPlaces(post.id, places)
    spread(post)
    keepDraft(name, { text: '', key: '' })
    setDraft({ text: '', key: newKey() })
    say(`${kind === 'edit' ? 'Changed' : 'Posted'}, ${onNodes(places)}`, { href: toPost(post.id) })
    if (folded) setUsed(false)
    onDone?.()
  }
  const keys = (e: KeyboardEvent) => {
    if (completion.key(e)) return
    if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) {
      e.preventDefault()
      void submit()
    } else if (e.key === 'Escape') {
      e.stopPropagation()
      if (onDone) onDone()
      else area.current?.blur()
    }
  }
  return (
    <form
      ref={form}
      class={`composer ${kind}${used ? '' : ' folded-up'}`}
      onSubmit={(e) => {
        e.preventDefault()
        void submit()
      }}
    >
      <label class="unseen" for={`${id}-text`}>
        {labels[kind].field}
      </label>
      <div class="field">
        <textarea
          id={`${id}-text`}
          ref={area}
          dir="auto"
          rows={used ? 3 : 1}
          autofocus={focused}
          readOnly={busy}
          placeholder={tag ? `Say something about #${tag}` : labels[kind].field}
          value={draft.text}
          aria-invalid={size > mostBytes()}
          {...completion.aria}
          onFocus={() => setUsed(true)}
          onInput={(e) => {
            write(e.currentTarget.value)
            completion.look()
          }}
          onBlur={completion.close}
          onKeyDown={keys}
        />
        <Completion of={completion} />
      </div>
      {trouble && <Trouble problem={trouble} />}
      {used && (
        <div class="bar">
          <Size size={size} />
          <span class="hint">
            <kbd>Ctrl</kbd>+<kbd>Enter</kbd>
          </span>
          {onDone && (
            <button type="button" onClick={onDone}>
              Cancel
            </button>
          )}
          <button type="submit" class="primary" disabled={refused}>
            {busy ? 'Sealing and sending…' : labels[kind].button}
          </button>
        </div>
      )}
    </form>
  )
}

const labels = {
  new: { field: 'What is going on?', button: 'Post' },
  reply: { field: 'Your answer', button: 'Reply' },
  edit: { field: 'The next version of your post', button: 'Change' },
}

function Size({ size }: { size: number }) {
  const share = Math.min(1, size / mostBytes())
  const around = 2 * Math.PI * 7
  const level = size > mostBytes() ? ' over' : share > 0.9 ? ' near' : ''
  return (
    <span class={`size${level}`}>
      <svg viewBox="0 0 18 18" width="18" height="18" aria-hidden="true">
        <circle class="track" cx="9" cy="9" r="7" />
        <circle class="fill" cx="9" cy="9" r="7" stroke-dasharray={`${(share * around).toFixed(1)} ${around.toFixed(1)}`} transform="rotate(-90 9 9)" />
      </svg>
      {number(size)}
      {mostBytes() < Infinity && ` of ${number(mostBytes())}`} bytes
    </span>
  )
}

function grow(area: HTMLTextAreaElement | null): void {
  if (area === null) return
  area.style.blockSize = 'auto'
  area.style.blockSize = `${Math.min(area.scrollHeight + 2, 420)}px`
}

async function published(text: string, target: Post | null, tag: string | undefined, key: string): Promise<{ post: Post; places: Place[] }> {
  const receipt = await api.publish(text, target?.id ?? null, tag ? [tag] : [], key)
  const tags = receipt.places.filter((p) => p.kind === 'tag').map((p) => p.base.replace(/^#/, ''))
  const post: Post = {
    id: receipt.id, author: receipt.author || me.value, created: receipt.created, text, tags, mentions: [],
    reply_to: target?.id ?? null, rev: (BigInt(receipt.created) << 16n).toString(), deleted: false, cursor: '',
  }
  return { post, places: receipt.places }
}

async function edited(target: Post, text: string): Promise<{ post: Post; places: Place[] }> {
  const receipt = await api.edit(target.id, text)
  // What the edit is called only the node knows; until it is heard, one above what stood.
  return { post: { ...target, text, rev: (BigInt(target.rev) + 1n).toString() }, places: receipt.places }
}
