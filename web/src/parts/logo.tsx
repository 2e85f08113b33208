// A starling in flight is a star with four points, which is what its name means.
const bird = 'M60 12c-9 1-17 5-23 11C31 18 21 15 5 17c10 3 17 8 21 15-6 4-11 8-14 12l10-2 3 9c3-4 6-9 8-14 5 3 8 9 9 18 5-11 6-20 3-28 4-5 9-10 15-15z'

export function Logo({ size = 28 }: { size?: number }) {
  return (
    <svg class="logo" viewBox="0 0 64 64" width={size} height={size} aria-hidden="true" focusable="false">
      <defs>
        <linearGradient id="plumage" x1="0" y1="0" x2="1" y2="1">
          <stop class="plume-1" offset="0" />
          <stop class="plume-2" offset=".55" />
          <stop class="plume-3" offset="1" />
        </linearGradient>
      </defs>
      <path fill="url(#plumage)" d={bird} />
    </svg>
  )
}

// Where the birds of the flock are, their size and how strong they show.
const flock = Array.from({ length: 90 }, (_, i) => {
  const t = i / 90
  const wave = Math.sin(t * 9.4)
  const spread = 0.35 + Math.sin(t * Math.PI) * 0.9
  const wild = (n: number) => ((Math.sin((i + 1) * n) * 43758.5453) % 1 + 1) % 1 - 0.5
  return {
    x: 20 + t * 480 + wild(12.9898) * 46,
    y: 80 + wave * 34 * spread + wild(78.233) * 62 * spread,
    size: 0.08 + (wild(39.425) + 0.5) * 0.14,
    turn: Math.round(wave * 26 + wild(3.7) * 40),
    strength: 0.25 + (wild(17.13) + 0.5) * 0.6,
  }
})

/** Murmuration is a flock without a leader. */
export function Murmuration() {
  return (
    <svg class="murmuration" viewBox="0 0 520 170" aria-hidden="true" focusable="false">
      {flock.map((b, i) => (
        <path
          key={i}
          class={`bird bird-${i % 3}`}
          opacity={b.strength.toFixed(2)}
          transform={`translate(${b.x.toFixed(1)} ${b.y.toFixed(1)}) rotate(${b.turn}) scale(${b.size.toFixed(3)})`}
          d={bird}
        />
      ))}
    </svg>
  )
}

export function BirdMark() {
  return <path class="bird-mark" transform="scale(.42) translate(-32 -32)" d={bird} />
}

const icons = {
  home: 'M3 11 12 4l9 7M6 9.5V20h4.5v-5h3v5H18V9.5',
  at: 'M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0Zm0 0v1.6c0 1.6 1 2.4 2.2 2.4 1.700 0 2.800-1.700 2.800-4A9 9 0 1 0 17.500 19.200',
  ring: 'M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16ZM12 2.500v3M12 18.500v3M2.500 12h3M18.500 12h3',
  person: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4.500 20c.8-3.600 3.800-5.500 7.500-5.500s6.700 1.900 7.500 5.500',
  pen: 'M4 20l1-4L16.500 4.500a1.800 1.800 0 0 1 2.600 0l.4.4a1.800 1.800 0 0 1 0 2.600L8 19l-4 1Z',
  reply: 'M10 8V4L3 11l7 7v-4.200c5 0 8.500 1.600 11 5.200-1-6-4.500-10-11-11Z',
  trash: 'M5 7h14M10 7V4.500h4V7M7 7l.8 12.500h8.400L17 7',
  link: 'M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.700-5.700L12 7M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.700 5.700L12 17',
  thread: 'M5 5h14v10H11l-4 4v-4H5V5Z',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 2.500V4M12 20v1.500M2.500 12H4M20 12h1.500M5.300 5.300l1 1M17.700 17.700l1 1M5.300 18.700l1-1M17.700 6.300l1-1',
  moon: 'M20 14.500A8.500 8.500 0 0 1 9.500 4 8.500 8.500 0 1 0 20 14.500Z',
  half: 'M12 4a8 8 0 1 0 0 16V4ZM12 4a8 8 0 0 1 0 16',
  search: 'M11 5a6 6 0 1 0 0 12 6 6 0 0 0 0-12ZM15.500 15.500 20 20',
  help: 'M9 9a3 3 0 1 1 4.500 2.600c-1 .6-1.500 1.200-1.500 2.400M12 17.500v.5M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z',
} as const

export type IconName = keyof typeof icons

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false">
      <path d={icons[name]} />
    </svg>
  )
}
