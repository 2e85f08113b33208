import { render } from 'preact'
import { App } from './app'
import { restorePlaces, restoreTheme } from './keep'
import { begin } from './node'

restoreTheme()
restorePlaces()
render(<App />, document.getElementById('page')!)
void begin()
