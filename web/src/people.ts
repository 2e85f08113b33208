// Who people say they are. Profiles are asked for when a name comes into view, a
// few at a time, and kept for a while; whoever has none is known by the key.
import { signal, type Signal } from '@preact/signals'
import { api, problemOf } from './api'
import { oneLine } from './text'
import type { Profile } from './types'

const most = 4 // questions at once
const fresh = 10 * 60_000 // ms for which a profile is not asked for again
const soon = 1000 // ms within which once is enough
const kept = 2000 // people

interface Person {
  profile: Signal<Profile | null>
  asked: number // Unix ms
}

const people = new Map<string, Person>()
const queue: string[] = []
let asking = 0

/** profileOf is what somebody says of themselves; null while nothing is known. */
export function profileOf(user: string): Signal<Profile | null> {
  let person = people.get(user)
  if (person === undefined) {
    if (people.size >= kept) people.delete(people.keys().next().value!)
    person = { profile: signal(null), asked: 0 }
    people.set(user, person)
  }
  if (Date.now() - person.asked > fresh) {
    person.asked = Date.now()
    queue.push(user)
    next()
  }
  return person.profile
}

/** nameOf is a name to show, empty where there is none. */
export function nameOf(profile: Profile | null): string {
  return profile === null ? '' : oneLine(profile.name)
}

/** know takes in a profile that was read or written elsewhere. */
export function know(user: string, profile: Profile | null): void {
  const known = profileOf(user)
  known.value = profile
}

/** renew asks anew who somebody says to be, as when their page is opened. */
export function renew(user: string): void {
  const person = people.get(user)
  if (person === undefined || Date.now() - person.asked < soon) return
  person.asked = Date.now()
  queue.unshift(user)
  next()
}

function next(): void {
  while (asking < most) {
    const user = queue.shift()
    if (user === undefined) return
    asking++
    void ask(user).finally(() => {
      asking--
      next()
    })
  }
}

async function ask(user: string): Promise<void> {
  const person = people.get(user)
  if (person === undefined) return
  try {
    person.profile.value = await api.profile(user)
  } catch (err) {
    if (problemOf(err).code === 'not_found') person.profile.value = null
    else person.asked = Date.now() - fresh + 30_000 // once more, but not soon
  }
}
