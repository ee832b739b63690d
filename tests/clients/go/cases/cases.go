// Package cases asks the same of every Go client: what a transaction promises, through an adapter of the client.
package cases

import (
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Seconds that anything a client waits for may take.
const Seconds = 30

// A Producer of transactions.
type Producer interface {
	Begin() error
	Send(topic string, partition int32, value string) error // returns when it is acknowledged, or refused
	Commit() error
	Abort() error
	Close()
}

// A Reader starts at the beginning of every partition of a topic.
type Reader interface {
	Read(count int) ([]string, error) // exactly so many, in any order of partitions
	Nothing(d time.Duration) error    // fails if there is a record after all
	Close()
}

// A Client is one library against one cluster.
type Client interface {
	Create(topic string, partitions int32) error
	Send(topic string, partition int32, values ...string) error       // in no transaction
	Transactional(id string, timeout time.Duration) (Producer, error) // has fenced every earlier one of the id
	Reader(topic string, partitions int32, committed bool) (Reader, error)
	Fenced(err error) bool
	// Copy copies at least count records in transactions that hold the group's offsets as well; the first one after
	// abortAt records is aborted, unless that is negative, and its records are read again.
	Copy(source, sink, group, id string, count, abortAt int) (copied int, err error)
}

type suite struct {
	Client
	prefix string
}

func (s suite) name(text string) string { return s.prefix + "-" + text }

func (s suite) create(text string, partitions int32) (string, error) {
	topic := s.name(text)
	return topic, s.Create(topic, partitions)
}

func same(got, wanted []string) error {
	slices.Sort(got)
	slices.Sort(wanted)
	if !slices.Equal(got, wanted) {
		return fmt.Errorf("got %q, wanted %q", got, wanted)
	}
	return nil
}

func (s suite) reads(topic string, partitions int32, committed bool, wanted []string) error {
	r, err := s.Reader(topic, partitions, committed)
	if err != nil {
		return err
	}
	defer r.Close()
	got, err := r.Read(len(wanted))
	if err != nil {
		return err
	}
	if err := same(got, slices.Clone(wanted)); err != nil {
		return err
	}
	return r.Nothing(500 * time.Millisecond)
}

// all stops at the first step that fails and says which.
func all(steps ...func() error) error {
	for i, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

func (s suite) transactions() error {
	topic, err := s.create("transactions", 2)
	if err != nil {
		return err
	}
	p, err := s.Transactional(s.name("transactions"), time.Minute)
	if err != nil {
		return err
	}
	defer p.Close()
	var sent, wanted []string
	for i := range 6 {
		if err := p.Begin(); err != nil {
			return err
		}
		for partition := range int32(2) {
			value := fmt.Sprintf("%d %d", i, partition)
			if err := p.Send(topic, partition, value); err != nil {
				return err
			}
			sent = append(sent, value)
		}
		end := p.Commit
		if i%3 == 1 {
			end = p.Abort
		} else {
			wanted = append(wanted, sent[len(sent)-2:]...)
		}
		if err := end(); err != nil {
			return err
		}
	}
	return all(
		func() error { return s.reads(topic, 2, true, wanted) },
		func() error { return s.reads(topic, 2, false, sent) },
		p.Begin,
		func() error { return p.Send(topic, 0, "open") },
		func() error { return s.reads(topic, 2, true, wanted) },
		func() error { return s.reads(topic, 2, false, append(sent, "open")) },
		p.Commit,
		func() error { return s.reads(topic, 2, true, append(wanted, "open")) })
}

// fencing: a zombie is refused whichever it tries first, a record or the commit.
func (s suite) fencing() error {
	topic, err := s.create("fencing", 1)
	if err != nil {
		return err
	}
	var wanted []string
	for _, id := range []string{"record", "commit"} {
		first, err := s.Transactional(s.name(id), time.Minute)
		if err != nil {
			return err
		}
		defer first.Close()
		if err := all(first.Begin, func() error { return first.Send(topic, 0, "of the first") }); err != nil {
			return err
		}
		second, err := s.Transactional(s.name(id), time.Minute) // aborts it
		if err != nil {
			return err
		}
		defer second.Close()
		if id == "record" {
			if err := first.Send(topic, 0, "too late"); !s.Fenced(err) {
				return fmt.Errorf("a fenced producer sends a record: %v", err)
			}
			if err := first.Commit(); err == nil {
				return fmt.Errorf("a fenced producer commits after all")
			}
		} else if err := first.Commit(); !s.Fenced(err) {
			return fmt.Errorf("a fenced producer commits: %v", err)
		}
		if err := all(second.Begin, func() error { return second.Send(topic, 0, id) }, second.Commit); err != nil {
			return err
		}
		wanted = append(wanted, id)
	}
	return s.reads(topic, 1, true, wanted)
}

func (s suite) timeout() error {
	topic, err := s.create("timeout", 1)
	if err != nil {
		return err
	}
	p, err := s.Transactional(s.name("timeout"), 1500*time.Millisecond)
	if err != nil {
		return err
	}
	defer p.Close()
	if err := all(p.Begin, func() error { return p.Send(topic, 0, "never committed") },
		func() error { return s.Send(topic, 0, "behind it") },
		// Until the coordinator aborts it, it holds up what is behind it.
		func() error { return s.reads(topic, 1, true, []string{"behind it"}) }); err != nil {
		return err
	}
	if err := p.Commit(); err == nil {
		return fmt.Errorf("a transaction that took too long is committed")
	}
	next, err := s.Transactional(s.name("timeout"), time.Minute)
	if err != nil {
		return err
	}
	defer next.Close()
	return all(next.Begin, func() error { return next.Send(topic, 0, "of the next") }, next.Commit,
		func() error { return s.reads(topic, 1, true, []string{"behind it", "of the next"}) })
}

func (s suite) exactlyOnce() error {
	source, err := s.create("source", 2)
	if err != nil {
		return err
	}
	sink, err := s.create("sink", 2)
	if err != nil {
		return err
	}
	var wanted []string
	for i := range 200 {
		wanted = append(wanted, fmt.Sprint(i))
	}
	for partition, values := range [][]string{wanted[:110], wanted[110:]} {
		if err := s.Send(source, int32(partition), values...); err != nil {
			return err
		}
	}
	copied := 0
	for _, abortAt := range []int{50, -1} { // the second goes on where the first has ended
		n, err := s.Copy(source, sink, s.name("copies"), s.name("copier"), min(100, 200-copied), abortAt)
		if err != nil {
			return err
		}
		copied += n
	}
	return s.reads(sink, 2, true, wanted)
}

// Main runs all cases of the client at once, since most of their time is waiting, and ends the process with the
// verdict: PROGRAM BOOTSTRAP PREFIX
func Main(label string, client func(bootstrap string) (Client, error)) {
	var failed atomic.Bool
	var all sync.WaitGroup
	for name, body := range map[string]func(suite) error{
		"transactions commit and abort, and readers see what is committed": suite.transactions,
		"a second producer of a transactional id fences the first":         suite.fencing,
		"a transaction that takes too long is aborted":                     suite.timeout,
		"consume, transform and produce, exactly once":                     suite.exactlyOnce,
	} {
		all.Go(func() {
			began, verdict := time.Now(), "ok"
			if err := within(90*time.Second, func() error {
				c, err := client(os.Args[1])
				if err != nil {
					return err
				}
				return body(suite{c, os.Args[2]})
			}); err != nil {
				failed.Store(true)
				verdict = fmt.Sprintf("FAIL %v", err)
			}
			fmt.Printf("%s: %s: %s (%.1f s)\n", label, name, verdict, time.Since(began).Seconds())
		})
	}
	all.Wait()
	if failed.Load() {
		os.Exit(1)
	}
}

func within(d time.Duration, body func() error) error {
	done := make(chan error, 1)
	go func() { done <- body() }()
	select {
	case err := <-done:
		return err
	case <-time.After(d):
		return fmt.Errorf("not done within %v", d)
	}
}

// Version of a module that this program was built with.
func Version(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, m := range info.Deps {
		if m.Path == module {
			return m.Version
		}
	}
	return "?"
}
