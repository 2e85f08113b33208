// Everybody who claims a nickname: none of them owns it.
import { useEffect, useState } from 'preact/hooks'
import { api, problemOf } from '../api'
import { Follow } from '../parts/follow'
import { Loading } from '../parts/list'
import { Trouble } from '../parts/notice'
import { Avatar, Name } from '../parts/person'
import { keyPart, oneLine } from '../text'
import type { Claim, Problem } from '../types'
import { Heading } from './frame'

export function NameView({ name }: { name: string }) {
  const [claims, setClaims] = useState<Claim[] | null>(null)
  const [problem, setProblem] = useState<Problem | null>(null)
  useEffect(() => {
    setClaims(null)
    setProblem(null)
    api.names(name).then((found) => setClaims(found.claims), (err) => setProblem(problemOf(err)))
  }, [name])
  return (
    <>
      <Heading title={`@${oneLine(name)}`} />
      <p class="lead">Nicknames are claimed, not owned. Look at the key before you trust one.</p>
      {problem && <Trouble problem={problem} />}
      {claims === null && !problem && <Loading />}
      {claims?.length === 0 && <p class="empty">Nobody claims this name.</p>}
      <ul class="people">
        {claims?.map((c, i) => (
          <li key={i}>
            <Avatar user={c.user} />
            <Name user={c.user} />
            <code>{keyPart(c.user)}</code>
            <span class="grow" />
            <Follow source={c.user} label={oneLine(c.name)} />
          </li>
        ))}
      </ul>
    </>
  )
}
