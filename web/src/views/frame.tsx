// What every view has: a heading that names it, which is the title too.
import { signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'

/** title is the name of the view that is shown. */
export const title = signal('')
/** waiting is how many posts wait to be shown in it. */
export const waiting = signal(0)

interface Props {
  title: string
  side?: ComponentChildren
  action?: ComponentChildren
}

export function Heading({ title: name, side, action }: Props) {
  useEffect(() => {
    title.value = name
  }, [name])
  return (
    <header class="heading">
      <h1 id="title" tabIndex={-1}>
        <bdi dir="auto">{name}</bdi>
      </h1>
      {side}
      <span class="grow" />
      {action}
    </header>
  )
}
