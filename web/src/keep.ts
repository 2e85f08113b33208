// What this browser keeps: drafts, the choice of light or dark, where posts went.
// A browser that keeps nothing is no error.
import { signal } from '@preact/signals'
import type { Place } from './types'

function read(store: () => Storage, key: string): string | null {
  try {
    return store().getItem(`starling.${key}`)
  } catch {
    return null
  }
}

function write(store: () => Storage, key: string, value: string): void {
  try {
    if (value === '') store().removeItem(`starling.${key}`)
    else store().setItem(`starling.${key}`, value)
  } catch {
    // private windows and full disks
  }
}

const local = () => localStorage
const tab = () => sessionStorage

export interface Draft {
  text: string
  key: string // the same for every try to publish the same text, so that it is published once
}

export function draftOf(name: string): Draft {
  try {
    const draft = JSON.parse(read(local, `draft.${name}`) ?? '') as Partial<Draft>
    if (typeof draft.text === 'string' && typeof draft.key === 'string') return { text: draft.text, key: draft.key }
  } catch {
    // none
  }
  return { text: '', key: newKey() }
}

export function keepDraft(name: string, draft: Draft): void {
  write(local, `draft.${name}`, draft.text === '' ? '' : JSON.stringify(draft))
}

/** newKey is 128 random bits. randomUUID would ask for a secure channel. */
export function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('')
}

export type Theme = 'auto' | 'light' | 'dark'

export const theme = signal<Theme>('auto')

export function chooseTheme(t: Theme): void {
  theme.value = t
  write(local, 'theme', t === 'auto' ? '' : t)
  if (t === 'auto') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = t
}

export function restoreTheme(): void {
  const t = read(local, 'theme')
  if (t === 'light' || t === 'dark') chooseTheme(t)
}

const receipts = signal<Record<string, Place[]>>({})
const mostReceipts = 100

/** placesOf says where a post went that was published here, as long as the tab lives. */
export const placesOf = (id: string): Place[] | undefined => (Object.hasOwn(receipts.value, id) ? receipts.value[id] : undefined)

export function keepPlaces(id: string, places: Place[]): void {
  const entries = Object.entries({ ...receipts.value, [id]: places }).slice(-mostReceipts)
  receipts.value = Object.fromEntries(entries)
  write(tab, 'places', JSON.stringify(receipts.value))
}

export function restorePlaces(): void {
  try {
    const kept: unknown = JSON.parse(read(tab, 'places') ?? '{}')
    if (typeof kept === 'object' && kept !== null) receipts.value = kept as Record<string, Place[]>
  } catch {
    // damaged, so none
  }
}
