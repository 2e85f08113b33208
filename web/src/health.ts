// How the node is, in one word that is true, and what to do about it.
import type { Session, Status } from './types'
import { number } from './words'

export type State = 'connecting' | 'offline' | 'signedOut' | 'readOnly' | 'alone' | 'behind' | 'ready'

export interface Seen {
  session: Session | null // null: not known yet
  status: Status | null
  failing: boolean // the last question had no answer
}

/** stateOf decides; what stands first matters most. */
export function stateOf({ session, status, failing }: Seen): State {
  if (failing) return 'offline'
  if (session === null) return 'connecting'
  if (!session.signed_in) return session.public ? 'readOnly' : 'signedOut'
  if (status === null) return 'connecting'
  if (status.peers === 0) return 'alone'
  return status.ready && !status.healing.filling ? 'ready' : 'behind'
}

export const told: Record<State, { word: string; more: string }> = {
  connecting: { word: 'Connecting', more: 'Asking your node how it is.' },
  offline: { word: 'Offline', more: 'Your node does not answer. What you see may be old; drafts are kept here. Start it with: starling run' },
  signedOut: { word: 'Signed out', more: 'Run starling web to sign in.' },
  readOnly: { word: 'Reading only', more: 'You are a guest of this node: you can read, but not write.' },
  alone: { word: 'Alone', more: 'Your node knows no other node yet. What you post stays here until it meets one.' },
  behind: { word: 'Catching up', more: 'Your node is taking in what it is to hold. Pages may lack posts for a while.' },
  ready: { word: 'Connected', more: 'Your node is a full member of the network.' },
}

/** share says how much of the network's records the node keeps, and why no more. */
export function share({ prefix, narrowed, short_of }: Pick<Status, 'prefix' | 'narrowed' | 'short_of'>): string {
  if (prefix === 0) return 'Everybody in so small a network keeps everything.'
  const part = `It keeps one part in ${number(2 ** prefix)} of what is said`
  if (narrowed === 0) return `${part}, as every node of its neighbourhood does.`
  return `${part}: one in ${number(2 ** narrowed)} of what its neighbours keep, because ${short_of} leaves no room for more.`
}

/** pause is how long to wait, in ms, before asking again after so many failures. */
export function pause(failures: number, chance: number): number {
  const base = Math.min(30_000, 1000 * 2 ** Math.min(failures, 6))
  return Math.round(base * (0.75 + chance / 2))
}
