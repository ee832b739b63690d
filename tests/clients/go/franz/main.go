// franz-go: franz BOOTSTRAP PREFIX
package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"tidemark/clients/cases"
)

type client struct{ common []kgo.Opt }

func bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), cases.Seconds*time.Second)
}

func (c client) new(more ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(more, c.common...)...)
}

func (c client) Create(topic string, partitions int32) error {
	cl, err := c.new()
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := bounded()
	defer cancel()
	wanted := kmsg.NewCreateTopicsRequestTopic()
	wanted.Topic, wanted.NumPartitions, wanted.ReplicationFactor = topic, partitions, -1
	request := kmsg.NewPtrCreateTopicsRequest()
	request.Topics = append(request.Topics, wanted)
	answer, err := request.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(answer.Topics[0].ErrorCode)
}

func send(cl *kgo.Client, topic string, partition int32, value string) error {
	ctx, cancel := bounded()
	defer cancel()
	return cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Partition: partition, Value: []byte(value)}).FirstErr()
}

func (c client) Send(topic string, partition int32, values ...string) error {
	cl, err := c.new(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer cl.Close()
	for _, value := range values {
		if err := send(cl, topic, partition, value); err != nil {
			return err
		}
	}
	return nil
}

type producer struct{ *kgo.Client }

func (p producer) Begin() error { return p.BeginTransaction() }

func (p producer) Send(topic string, partition int32, value string) error {
	return send(p.Client, topic, partition, value)
}

func (p producer) end(how kgo.TransactionEndTry) error {
	ctx, cancel := bounded()
	defer cancel()
	return p.EndTransaction(ctx, how)
}

func (p producer) Commit() error { return p.end(kgo.TryCommit) }
func (p producer) Abort() error  { return p.end(kgo.TryAbort) }

func (c client) Transactional(id string, timeout time.Duration) (cases.Producer, error) {
	cl, err := c.new(kgo.TransactionalID(id), kgo.TransactionTimeout(timeout),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return nil, err
	}
	ctx, cancel := bounded()
	defer cancel()
	_, _, err = cl.ProducerID(ctx)
	return producer{cl}, err
}

func (c client) Fenced(err error) bool {
	return errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch)
}

type reader struct{ *kgo.Client }

func (c client) Reader(topic string, partitions int32, committed bool) (cases.Reader, error) {
	places := map[int32]kgo.Offset{}
	for p := range partitions {
		places[p] = kgo.NewOffset().AtStart()
	}
	level := kgo.ReadUncommitted()
	if committed {
		level = kgo.ReadCommitted()
	}
	cl, err := c.new(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: places}), kgo.FetchIsolationLevel(level))
	return reader{cl}, err
}

func (r reader) Read(count int) (got []string, err error) {
	ctx, cancel := bounded()
	defer cancel()
	for len(got) < count && err == nil {
		fetches := r.PollFetches(ctx)
		err = fetches.Err()
		fetches.EachRecord(func(record *kgo.Record) { got = append(got, string(record.Value)) })
	}
	return got, err
}

func (r reader) Nothing(d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	fetches := r.PollFetches(ctx)
	if fetches.NumRecords() > 0 {
		return fmt.Errorf("there is more: %q", fetches.Records()[0].Value)
	}
	if err := fetches.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func (c client) Copy(source, sink, group, id string, count, abortAt int) (copied int, err error) {
	session, err := kgo.NewGroupTransactSession(append([]kgo.Opt{kgo.ConsumerGroup(group), kgo.ConsumeTopics(source),
		kgo.TransactionalID(id), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.RequireStableFetchOffsets(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.RecordPartitioner(kgo.ManualPartitioner())}, c.common...)...)
	if err != nil {
		return 0, err
	}
	defer session.Close()
	ctx, cancel := bounded()
	defer cancel()
	for copied < count {
		fetches := session.PollRecords(ctx, 10)
		if err := fetches.Err(); err != nil {
			return copied, err
		}
		if err := session.Begin(); err != nil {
			return copied, err
		}
		for _, r := range fetches.Records() {
			// The outcome of each is known to End.
			session.Produce(ctx, &kgo.Record{Topic: sink, Partition: r.Partition, Value: r.Value}, nil)
		}
		how := kgo.TryCommit
		if abortAt >= 0 && copied >= abortAt {
			abortAt, how = -1, kgo.TryAbort
			if err := session.Client().Flush(ctx); err != nil { // else they are never sent
				return copied, err
			}
		}
		committed, err := session.End(ctx, how)
		if err != nil {
			return copied, err
		}
		if committed != bool(how) {
			return copied, fmt.Errorf("a transaction was aborted that should have been committed")
		}
		if committed {
			copied += fetches.NumRecords()
		}
	}
	return copied, nil
}

func main() {
	cases.Main("franz-go "+cases.Version("github.com/twmb/franz-go"), func(bootstrap string) (cases.Client, error) {
		return client{[]kgo.Opt{kgo.SeedBrokers(strings.Split(bootstrap, ",")...)}}, nil
	})
}
