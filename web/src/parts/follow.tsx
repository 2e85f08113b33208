// To follow, and to end it.
import { useState } from 'preact/hooks'
import { problemOf } from '../api'
import { follow, following, mayWrite } from '../node'
import { say, sentence } from './notice'

export function Follow({ source, label }: { source: string; label: string }) {
  const [busy, setBusy] = useState(false)
  if (!mayWrite.value) return null
  const on = following.value.some((f) => f.source === source)
  const turn = async () => {
    setBusy(true)
    try {
      await follow(source, !on)
    } catch (err) {
      say(sentence(problemOf(err)), { bad: true })
    } finally {
      setBusy(false)
    }
  }
  return (
    <button type="button" class={on ? 'follow on' : 'follow primary'} disabled={busy} onClick={() => void turn()}>
      {on ? 'Following' : 'Follow'}
      <span class="unseen"> {label}</span>
    </button>
  )
}
