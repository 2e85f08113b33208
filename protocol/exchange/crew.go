package exchange

import "sync"

// A crew runs tasks, each on a goroutine of its own, and keeps some goroutines for
// the next: a new one would first have to grow its stack to the size that a
// signature check needs, at a tenth of the cost of the check.
type crew struct {
	tasks   chan func()
	waiting chan struct{} // holds a token for each goroutine that waits for a task
	over    chan struct{} // closed when there will be none
	running sync.WaitGroup
}

// crewKept is how many goroutines wait for a task at most, about 16 KiB each: as
// many as one stream has requests in work.
const crewKept = 64

func newCrew() *crew {
	return &crew{tasks: make(chan func()), waiting: make(chan struct{}, crewKept), over: make(chan struct{})}
}

// do runs a task and does not wait for it.
func (c *crew) do(task func()) {
	select {
	case c.tasks <- task:
	default: // nobody waits for one
		c.running.Go(func() { c.work(task) })
	}
}

func (c *crew) work(task func()) {
	for {
		task()
		select {
		case c.waiting <- struct{}{}:
		default:
			return // enough others wait
		}
		select {
		case task = <-c.tasks:
			<-c.waiting
		case <-c.over:
			return
		}
	}
}

// end waits until no goroutine is left. Nothing may be done any more.
func (c *crew) end() {
	close(c.over)
	c.running.Wait()
}
