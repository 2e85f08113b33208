// Times, sizes and counts as people read them.

const minute = 60, hour = 60 * minute, day = 24 * hour

/** ago says how long before now something was, both in Unix ms. */
export function ago(then: number, now: number): string {
  const s = Math.round((now - then) / 1000)
  if (s < -2 * minute) return date(then, now)
  if (s < 45) return 'now'
  if (s < hour) return `${Math.max(1, Math.round(s / minute))} min`
  if (s < day) return `${Math.round(s / hour)} h`
  if (s < 7 * day) return `${Math.round(s / day)} d`
  return date(then, now)
}

function date(then: number, now: number): string {
  const d = new Date(then)
  if (Number.isNaN(d.getTime())) return '?'
  const year = d.getFullYear() === new Date(now).getFullYear() ? {} : ({ year: 'numeric' } as const)
  return d.toLocaleDateString(undefined, { day: 'numeric', month: 'short', ...year })
}

/** exactly is a time in full, and what a <time> takes. */
export function exactly(then: number): { text: string; iso: string } {
  const d = new Date(then)
  if (Number.isNaN(d.getTime())) return { text: '?', iso: '' }
  return { text: d.toLocaleString(undefined, { dateStyle: 'full', timeStyle: 'medium' }), iso: d.toISOString() }
}

export function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let n = Math.max(0, bytes), unit = 0
  while (n >= 1000 && unit < units.length - 1) {
    n /= 1024
    unit++
  }
  return `${unit === 0 || n >= 100 ? Math.round(n) : Number(n.toPrecision(2))} ${units[unit]}`
}

export const number = (n: number) => Math.round(n).toLocaleString('en')

export function count(n: number, one: string, many = `${one}s`): string {
  return `${number(n)} ${n === 1 ? one : many}`
}

/** span says how long something lasts, in seconds. */
export function span(seconds: number): string {
  if (seconds < minute) return `${Math.round(seconds)} s`
  if (seconds < hour) return `${Math.floor(seconds / minute)} min`
  if (seconds < 2 * day) return `${Math.floor(seconds / hour)} h ${Math.floor((seconds % hour) / minute)} min`
  return `${Math.floor(seconds / day)} days`
}
