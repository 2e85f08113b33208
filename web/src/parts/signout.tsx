// The end of a session, after which nothing of it is left on the page.
import { problemOf } from '../api'
import { forget } from '../feed'
import { mayWrite, signOut } from '../node'
import { say, sentence } from './notice'

export function SignOut({ plain = false }: { plain?: boolean }) {
  if (!mayWrite.value) return null
  const end = () => signOut().then(forget, (err) => say(sentence(problemOf(err)), { bad: true }))
  return (
    <button type="button" class={plain ? 'plain out' : ''} onClick={() => void end()}>
      Sign out
    </button>
  )
}
