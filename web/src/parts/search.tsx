// Where to go: a hashtag, a person's key or nickname, a post.
import { useState } from 'preact/hooks'
import { sought } from '../route'
import { say } from './notice'

export function Search({ id = 'search' }: { id?: string }) {
  const [text, setText] = useState('')
  const go = () => {
    if (text.trim() === '') return
    const hash = sought(text)
    if (hash === null) return say('That is no hashtag, no key, no nickname after @ and no post.', { bad: true })
    setText('')
    location.hash = hash
    ;(document.activeElement as HTMLElement | null)?.blur()
  }
  return (
    <form
      class="search"
      role="search"
      onSubmit={(e) => {
        e.preventDefault()
        go()
      }}
    >
      <label class="unseen" for={id}>
        Go to a hashtag, a key, @nickname or a post
      </label>
      <input
        id={id}
        type="search"
        dir="auto"
        autocomplete="off"
        spellcheck={false}
        placeholder="#tag, @name, key"
        value={text}
        onInput={(e) => setText(e.currentTarget.value)}
        onKeyDown={(e) => {
          if (e.key === 'Escape') e.currentTarget.blur()
        }}
      />
    </form>
  )
}
