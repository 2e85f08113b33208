// Hashtags that complete what is being written: a listbox that the field steers, as ARIA describes it.
import { useRef, useState } from 'preact/hooks'
import type { RefObject } from 'preact'
import { api } from '../api'
import { following } from '../node'
import { wordAt } from '../text'

const most = 6
const patience = 120 // ms without a key before the node is asked

/** known are hashtags that this page has met itself. */
function known(prefix: string): string[] {
  return following.value.map((f) => f.source).filter((s) => s.startsWith('#')).map((s) => s.slice(1)).filter((t) => t.startsWith(prefix))
}

async function fitting(prefix: string): Promise<string[]> {
  let told: string[] = []
  try {
    told = (await api.tags(prefix)).tags
  } catch {
    // then what we know ourselves
  }
  return [...new Set([...known(prefix), ...told])].filter((t) => t !== prefix).slice(0, most)
}

export function useCompletion(area: RefObject<HTMLTextAreaElement | null>, text: string, write: (text: string) => void, id: string) {
  const [options, setOptions] = useState<string[]>([])
  const [chosen, setChosen] = useState(0)
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  const turn = useRef(0)

  const close = () => {
    clearTimeout(timer.current)
    turn.current++
    setOptions([])
  }
  const look = () => {
    clearTimeout(timer.current)
    const mine = ++turn.current
    const el = area.current
    const found = el && wordAt(el.value, el.selectionStart)
    if (!found || found.word === '') return setOptions([])
    timer.current = setTimeout(() => {
      void fitting(found.word.normalize('NFKC').toLowerCase()).then((tags) => {
        if (mine !== turn.current) return
        setOptions(tags)
        setChosen(0)
      })
    }, patience)
  }
  const take = (tag: string) => {
    const el = area.current
    const found = el && wordAt(el.value, el.selectionStart)
    close()
    if (!el || !found) return
    const end = el.selectionStart
    const space = /^\s/.test(text.slice(end)) ? '' : ' '
    write(text.slice(0, found.from) + tag + space + text.slice(end))
    const at = found.from + tag.length + 1
    requestAnimationFrame(() => {
      el.focus()
      el.setSelectionRange(at, at)
    })
  }
  /** key tells whether the list took a key for itself. */
  const key = (e: KeyboardEvent): boolean => {
    if (options.length === 0 || e.ctrlKey || e.metaKey || e.isComposing) return false
    const step = e.key === 'ArrowDown' ? 1 : e.key === 'ArrowUp' ? options.length - 1 : 0
    if (step > 0) setChosen((chosen + step) % options.length)
    else if (e.key === 'Enter' || e.key === 'Tab') take(options[chosen] ?? '')
    else if (e.key === 'Escape') close()
    else return false
    e.preventDefault()
    e.stopPropagation()
    return true
  }
  const open = options.length > 0
  const aria = {
    'aria-autocomplete': 'list' as const, 'aria-controls': `${id}-tags`,
    ...(open ? { 'aria-activedescendant': `${id}-tag-${chosen}` } : {}),
  }
  return { options, chosen, take, key, look, close, aria, id }
}

export function Completion({ of: c }: { of: ReturnType<typeof useCompletion> }) {
  return (
    <ul class="completion" role="listbox" id={`${c.id}-tags`} aria-label="Hashtags" hidden={c.options.length === 0}>
      {c.options.map((tag, i) => (
        <li
          key={tag}
          role="option"
          id={`${c.id}-tag-${i}`}
          aria-selected={i === c.chosen}
          onMouseDown={(e) => {
            e.preventDefault() // the field keeps the focus
            c.take(tag)
          }}
        >
          <bdi>#{tag}</bdi>
        </li>
      ))}
    </ul>
  )
}
