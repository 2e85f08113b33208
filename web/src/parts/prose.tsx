// What somebody wrote, as text nodes and links that are certain.
import { toTag, toUser } from '../route'
import { keyPart, tokens, visible, type Token } from '../text'
import { nameOf, profileOf } from '../people'

/** rel keeps a stranger's page from knowing where the reader came from, and from counting as our word. */
export const rel = 'noopener noreferrer nofollow ugc'

export function Prose({ text, tags = [] }: { text: string; tags?: readonly string[] }) {
  return (
    <div class="prose" dir="auto">
      {tokens(text, tags).map((t, i) => (
        <Piece key={i} token={t} />
      ))}
    </div>
  )
}

function Piece({ token: t }: { token: Token }) {
  switch (t.kind) {
    case 'text':
      return <>{visible(t.text)}</>
    case 'tag':
      return (
        <a class="tag" href={toTag(t.tag)}>
          <bdi>{t.text}</bdi>
        </a>
      )
    case 'user':
      return <Mention user={t.user} />
    case 'link':
      return (
        <>
          <a class="outside" href={t.href} rel={rel} target="_blank" title={t.href}>
            <bdi dir="ltr">{t.text}</bdi>
          </a>
          {t.host !== '' && <span class="host"> [{t.host}]</span>}
        </>
      )
  }
}

export function Mention({ user }: { user: string }) {
  const name = nameOf(profileOf(user).value)
  return (
    <a class="mention" href={toUser(user)} title={user}>
      @<bdi>{name === '' ? keyPart(user) : name}</bdi>
    </a>
  )
}
