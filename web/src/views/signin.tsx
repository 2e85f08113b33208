// How to become this node's owner in this browser.
import { useId, useState } from 'preact/hooks'
import { signIn, signInProblem } from '../node'
import { Logo, Murmuration } from '../parts/logo'
import { Trouble } from '../parts/notice'
import { codeOf } from '../route'

export function SignIn() {
  const [text, setText] = useState('')
  const [busy, setBusy] = useState(false)
  const id = useId()
  const code = codeOf(text)
  const problem = signInProblem.value
  const submit = async () => {
    if (code === null) return
    setBusy(true)
    await signIn(code)
    setBusy(false)
  }
  return (
    <main class="sign-in" id="main">
      <Murmuration />
      <h1>
        <Logo size={40} /> Starling
      </h1>
      <p class="lead">This is your own node. To show that you are its owner, run this on the machine where it runs:</p>
      <pre>
        <code>starling web</code>
      </pre>
      <p>It opens this page with a code that is good once, for a minute. Or paste what it prints:</p>
      <form
        onSubmit={(e) => {
          e.preventDefault()
          void submit()
        }}
      >
        <label for={id}>Address or code</label>
        <div class="row">
          <input id={id} value={text} autocomplete="off" spellcheck={false} onInput={(e) => setText(e.currentTarget.value)} />
          <button type="submit" class="primary" disabled={busy || code === null}>
            {busy ? 'Signing in…' : 'Sign in'}
          </button>
        </div>
      </form>
      {problem && <Trouble problem={problem} />}
    </main>
  )
}
