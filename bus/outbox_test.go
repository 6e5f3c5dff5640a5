package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
)

// gate is an add that waits to be let through, one batch at a time.
type gate struct {
	came chan []addition
	goOn chan error
}

func newGate() *gate { return &gate{make(chan []addition), make(chan error)} }

func (g *gate) add(additions []addition) error {
	g.came <- additions
	return <-g.goOn
}

func (o *outbox) length() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.waiting)
}

// queue has someone send and returns once they wait behind the others.
func queue(ctx context.Context, o *outbox, name string) <-chan error {
	before := o.length()
	sent := make(chan error, 1)
	go func() { sent <- o.send(ctx, addition{name: name}) }() // ends with the send, whose error the test reads
	for o.length() == before {
		if ctx.Err() != nil {
			break
		}
	}
	return sent
}

func names(additions []addition) (list []string) {
	for _, a := range additions {
		list = append(list, a.name)
	}
	return list
}

func TestOutboxSendsTogether(t *testing.T) {
	g := newGate()
	o := newOutbox(g.add)
	var sent []<-chan error
	first := make(chan error, 1)
	go func() { first <- o.send(t.Context(), addition{name: "0"}) }()
	if got := names(<-g.came); !slices.Equal(got, []string{"0"}) {
		t.Fatalf("first %v", got)
	}
	var want []string
	for i := range maxTogether + 2 {
		name := fmt.Sprint(i + 1)
		want = append(want, name)
		sent = append(sent, queue(t.Context(), o, name))
	}
	lost := errors.New("lost")
	g.goOn <- nil
	got := names(<-g.came)
	g.goOn <- lost // concerns those who left together, and nobody else
	got = append(got, names(<-g.came)...)
	g.goOn <- nil
	if err := <-first; err != nil {
		t.Error(err)
	}
	for i, err := range sent {
		if err := <-err; (err != nil) != (i < maxTogether) {
			t.Errorf("number %d: %v", i+1, err)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("left in the order %v", got)
	}
	if o.sending || o.waiting != nil {
		t.Error("not at rest")
	}
}

func TestOutboxWithdraw(t *testing.T) {
	g := newGate()
	o := newOutbox(g.add)
	first := make(chan error, 1)
	go func() { first <- o.send(t.Context(), addition{name: "0"}) }()
	<-g.came
	impatient, cancel := context.WithCancel(t.Context())
	gone := queue(impatient, o, "1")
	stays := queue(t.Context(), o, "2")
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	g.goOn <- nil
	if got := names(<-g.came); !slices.Equal(got, []string{"2"}) {
		t.Errorf("left %v", got)
	}
	g.goOn <- nil
	if err := errors.Join(<-first, <-stays); err != nil {
		t.Error(err)
	}
	if err := o.send(impatient, addition{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestOutboxUnderLoad has many come and give up at the same time: nobody is left
// waiting, and each sender's own come in order.
func TestOutboxUnderLoad(t *testing.T) {
	var mu sync.Mutex
	got := map[string][]int64{}
	o := newOutbox(func(additions []addition) error {
		mu.Lock()
		defer mu.Unlock()
		for _, a := range additions {
			got[a.name] = append(got[a.name], a.number)
		}
		return nil
	})
	var senders sync.WaitGroup
	for i := range 16 {
		senders.Go(func() {
			for n := range int64(200) {
				ctx, cancel := context.WithCancel(t.Context())
				if n%7 == 0 {
					go cancel()
				}
				_ = o.send(ctx, addition{name: fmt.Sprint(i), number: n})
				cancel()
			}
		})
	}
	senders.Wait()
	for name, numbers := range got {
		if !slices.IsSorted(numbers) || len(numbers) < 200*6/7-1 {
			t.Errorf("%s: %v", name, numbers)
		}
	}
}
