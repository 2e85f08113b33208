// Where a post went: on how many of the nodes responsible for it.
import type { Place } from '../types'
import { placesOf } from '../keep'
import { oneLine } from '../text'

/** weakest is the place that the fewest keep: what is true of all of them. */
export function weakest(places: Place[]): Place | null {
  return places.reduce<Place | null>((w, p) => (w === null || p.stored / Math.max(1, p.wanted) < w.stored / Math.max(1, w.wanted) ? p : w), null)
}

export function onNodes(places: Place[]): string {
  const w = weakest(places)
  return w === null ? '' : `on ${w.stored} of ${w.wanted} ${w.wanted === 1 ? 'node' : 'nodes'}`
}

export function Receipt({ id }: { id: string }) {
  const places = placesOf(id)
  const w = places && weakest(places)
  if (!places || !w) return null
  return (
    <details class="receipt">
      <summary>
        <meter min={0} max={w.wanted} value={w.stored} aria-hidden="true" />
        {onNodes(places)}
      </summary>
      <ul>
        {places.map((p, i) => (
          <li key={i}>
            {p.kind} <bdi>{p.kind === 'tag' ? `#${oneLine(p.base.replace(/^#/, ''))}` : ''}</bdi> on {p.stored} of {p.wanted}
          </li>
        ))}
      </ul>
    </details>
  )
}
