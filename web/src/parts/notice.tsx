// Short words to the reader: problems in place, and toasts that screen readers hear.
import { signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { visible } from '../text'
import type { Problem } from '../types'

interface Toast {
  id: number
  text: string
  bad: boolean
  href?: string
}

const toasts = signal<Toast[]>([])
let last = 0

/** say shows a sentence for a while. */
export function say(text: string, more: { bad?: boolean; href?: string } = {}): void {
  const id = ++last
  toasts.value = [...toasts.value.slice(-2), { id, text, bad: more.bad ?? false, ...(more.href ? { href: more.href } : {}) }]
  setTimeout(() => dismiss(id), more.bad ? 12_000 : 6_000)
}

const dismiss = (id: number) => (toasts.value = toasts.value.filter((t) => t.id !== id))

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((t) => (
        <div key={t.id} class={t.bad ? 'toast bad' : 'toast'}>
          <span dir="auto">{t.text}</span>
          {t.href && (
            <a href={t.href} onClick={() => dismiss(t.id)}>
              Show
            </a>
          )}
          <button type="button" class="plain" aria-label="Dismiss" onClick={() => dismiss(t.id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  )
}

/** sentence is what a problem says to people; the node's words are quoted as text. */
export function sentence(p: Problem): string {
  return visible(p.detail ? `${p.title}: ${p.detail}` : p.title)
}

export function Trouble({ problem, children }: { problem: Problem; children?: ComponentChildren }) {
  return (
    <div class="trouble" role="alert">
      <p dir="auto">{sentence(problem)}</p>
      {children}
    </div>
  )
}
