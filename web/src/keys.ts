// The keyboard. What a key means is decided here, what then happens in the page.

export type Command = 'next' | 'previous' | 'open' | 'reply' | 'edit' | 'author' | 'write' | 'reveal' | 'search' | 'help' | 'home' | 'mentions' | 'network' | 'profile'

const single: Record<string, Command> = {
  j: 'next', k: 'previous', r: 'reply', e: 'edit', u: 'author', n: 'write', '.': 'reveal', '/': 'search', '?': 'help',
}
const afterG: Record<string, Command> = { h: 'home', m: 'mentions', n: 'network', p: 'profile' }
const patience = 1000 // ms between g and what follows

/** Keys makes commands of keys; g waits for the one that follows. */
export class Keys {
  private g = -Infinity

  /** press gives the command of a key pressed at a time in ms. */
  press(key: string, at: number): Command | null {
    const second = at - this.g < patience
    this.g = key === 'g' ? at : -Infinity
    if (key === 'g') return null
    return (second ? afterG[key] : single[key]) ?? null
  }
}

/** writing tells whether keys belong to a field. */
export function writing(target: EventTarget | null): boolean {
  const el = target as HTMLElement | null
  return el?.tagName === 'INPUT' || el?.tagName === 'TEXTAREA' || el?.tagName === 'SELECT' || el?.isContentEditable === true
}

const posts = () => [...document.querySelectorAll<HTMLElement>('main [data-post]')]
const current = () => (document.activeElement as HTMLElement | null)?.closest<HTMLElement>('[data-post]') ?? null

/** step moves the focus from post to post. */
export function step(by: 1 | -1): void {
  const all = posts()
  const here = current()
  const at = here ? all.indexOf(here) + by : all.findIndex((p) => p.getBoundingClientRect().bottom > 80)
  const next = all[Math.max(0, Math.min(all.length - 1, at))]
  next?.focus({ preventScroll: true })
  next?.scrollIntoView({ block: 'nearest' })
}

/** act presses the button of the focused post that does something. */
export function act(name: string): void {
  current()?.querySelector<HTMLElement>(`[data-act="${name}"]`)?.click()
}

/** open follows the focused post to its thread, if the focus is on nothing inside it. */
export function open(target: EventTarget | null): boolean {
  const el = target as HTMLElement | null
  if (!el?.dataset['post']) return false
  el.querySelector<HTMLElement>('[data-act="open"]')?.click()
  return true
}

/** author follows the focused post to who wrote it. */
export function author(): void {
  current()?.querySelector<HTMLElement>('header .name')?.click()
}
