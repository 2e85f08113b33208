package node_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-social/starling/node"
)

// Close cuts short what runs, waits for it, and lets nothing start afterwards; a
// task outlives the call that started it, but not its own time.
func TestTasks_close(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tasks node.Tasks
		var ended atomic.Int32
		call, hangUp := context.WithCancel(t.Context())
		for range 3 {
			tasks.Start(call, time.Hour, func(ctx context.Context) {
				<-ctx.Done()
				ended.Add(1)
			})
		}
		tasks.Start(call, time.Minute, func(ctx context.Context) {
			<-ctx.Done()
			ended.Add(1)
		})
		hangUp()
		synctest.Wait()
		if n := ended.Load(); n != 0 {
			t.Errorf("%d tasks ended with the call that started them", n)
		}
		<-time.After(time.Minute)
		synctest.Wait()
		if n := ended.Load(); n != 1 {
			t.Errorf("%d tasks ended within a minute, want the one that had no more", n)
		}
		tasks.Close()
		if n := ended.Load(); n != 4 {
			t.Errorf("close returned when %d of 4 tasks had ended", n)
		}
		if tasks.Start(t.Context(), time.Hour, func(context.Context) { ended.Add(1) }) {
			t.Error("a task started after close")
		}
	})
}
