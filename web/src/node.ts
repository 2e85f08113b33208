// The node as the page knows it: who one is, how the node is, whom one follows.
import { computed, signal } from '@preact/signals'
import { api, heard, problemOf, silent } from './api'
import { pause, stateOf } from './health'
import { codeOf } from './route'
import type { Followed, Limits, Peer, Problem, Session, Status } from './types'

export const session = signal<Session | null>(null)
export const status = signal<Status | null>(null)
export const peers = signal<Peer[]>([])
export const following = signal<Followed[]>([])
/** limits are the node's; null until it told them, and then it refuses what is too long itself. */
export const limits = signal<Limits | null>(null)
export const failing = signal(false)
export const signInProblem = signal<Problem | null>(null)
/** now moves on, so that "3 min" becomes "4 min". */
export const now = signal(Date.now())
/** returned counts how often the node came back after it had not answered. */
export const returned = signal(0)

export const state = computed(() => stateOf({ session: session.value, status: status.value, failing: failing.value }))
export const me = computed(() => status.value?.user ?? session.value?.user ?? '')
export const mayWrite = computed(() => session.value?.signed_in === true)

const often = 4_000 // ms between two looks at the node
let failures = 0
let timer: ReturnType<typeof setTimeout> | undefined
let looking = false

heard.refused = (p) => {
  if (p === silent) {
    failing.value = true
    schedule(pause(failures, Math.random()))
  } else if (p.status === 401 && session.value?.signed_in) {
    session.value = { ...session.value, signed_in: false }
  }
}

/** look asks how the node is, and sees to it that it is asked again. */
export async function look(): Promise<void> {
  if (looking) return
  looking = true
  try {
    const who = await api.session()
    const before = session.value
    session.value = who
    if (who.signed_in) {
      status.value = await api.status()
      limits.value ??= await api.limits()
      if (!before?.signed_in) following.value = await api.following()
    }
    failures = 0
    if (failing.value) {
      failing.value = false
      returned.value++
    }
  } catch (err) {
    if (problemOf(err).code === silent.code) failures++
    else failing.value = false // it answers, if not as we like
  } finally {
    looking = false
    schedule(failing.value ? pause(failures, Math.random()) : document.hidden ? 5 * often : often)
  }
}

function schedule(ms: number): void {
  clearTimeout(timer)
  timer = setTimeout(() => void look(), ms)
}

/** begin signs in if the address brings a code, and starts to look at the node. */
export async function begin(): Promise<void> {
  setInterval(() => (now.value = Date.now()), 15_000)
  document.addEventListener('visibilitychange', () => {
    now.value = Date.now()
    if (!document.hidden) void look()
  })
  addEventListener('hashchange', () => void codeInAddress())
  await codeInAddress()
  await look()
}

async function codeInAddress(): Promise<void> {
  if (!location.hash.startsWith('#code=')) return
  const code = codeOf(location.hash)
  history.replaceState(null, '', '#/home') // a code is good once, and nobody's to see
  dispatchEvent(new HashChangeEvent('hashchange'))
  if (code !== null) await signIn(code)
}

export async function signIn(code: string): Promise<void> {
  signInProblem.value = null
  try {
    await api.signIn(code)
  } catch (err) {
    signInProblem.value = problemOf(err)
  }
  await look()
}

export async function signOut(): Promise<void> {
  await api.signOut()
  following.value = []
  status.value = null
  await look()
}

export async function lookAtPeers(): Promise<void> {
  const all = (await api.peers()).peers
  peers.value = [...new Map(all.map((p) => [p.peer_id, p])).values()]
}

export const follows = (source: string) => following.value.some((f) => f.source === source)

/** follow begins or ends to follow a source. */
export async function follow(source: string, on: boolean): Promise<void> {
  if (on) {
    const followed = await api.follow(source)
    following.value = [...following.value.filter((f) => f.source !== followed.source), followed]
  } else {
    await api.unfollow(source)
    following.value = following.value.filter((f) => f.source !== source)
  }
}
