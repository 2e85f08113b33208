import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'

// The keys. All of them work everywhere, save while one is writing.
export const shortcuts: [string[], string][] = [
  [['j', 'k'], 'next, previous post'],
  [['Enter'], 'open the thread of a post'],
  [['r', 'e'], 'reply to it, edit it'],
  [['u'], 'go to its author'],
  [['n'], 'write a new post'],
  [['.'], 'show new posts'],
  [['/'], 'search'],
  [['g h'], 'home'],
  [['g m'], 'mentions'],
  [['g n'], 'network'],
  [['g p'], 'profile'],
  [['Esc'], 'close, leave a field'],
  [['?'], 'this list'],
]

export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog label="Keyboard" onClose={onClose}>
      <dl class="shortcuts">
        {shortcuts.map(([keys, what]) => (
          <div key={what}>
            <dt>
              {keys.map((k) => (
                <kbd key={k}>{k}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  )
}

/** Dialog is the browser's own: it keeps the focus, and Esc closes it. */
export function Dialog({ label, onClose, children }: { label: string; onClose: () => void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useLayoutEffect(() => {
    const el = dialog.current
    el?.showModal()
    return () => el?.close()
  }, [])
  return (
    <dialog
      ref={dialog}
      aria-label={label}
      onClose={onClose}
      onClick={(e) => {
        if (e.target === dialog.current) onClose()
      }}
    >
      <div class="inside">
        <header>
          <h2>{label}</h2>
          <button type="button" class="plain" aria-label="Close" onClick={onClose}>
            ×
          </button>
        </header>
        {children}
      </div>
    </dialog>
  )
}
