// sarama: sarama BOOTSTRAP PREFIX
package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"tidemark/clients/cases"
)

type client struct{ brokers []string }

func config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.MaxVersion
	c.Producer.Return.Successes = true
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	return c
}

func (c client) Create(topic string, partitions int32) error {
	a, err := sarama.NewClusterAdmin(c.brokers, config())
	if err != nil {
		return err
	}
	defer a.Close()
	return a.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: -1}, false)
}

func send(p sarama.SyncProducer, topic string, partition int32, value string) error {
	_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Partition: partition, Value: sarama.StringEncoder(value)})
	return err
}

func (c client) Send(topic string, partition int32, values ...string) error {
	p, err := sarama.NewSyncProducer(c.brokers, config())
	if err != nil {
		return err
	}
	defer p.Close()
	for _, value := range values {
		if err := send(p, topic, partition, value); err != nil {
			return err
		}
	}
	return nil
}

type producer struct{ sarama.SyncProducer }

func (p producer) Begin() error  { return p.BeginTxn() }
func (p producer) Commit() error { return p.CommitTxn() }
func (p producer) Abort() error  { return p.AbortTxn() }
func (p producer) Close()        { p.SyncProducer.Close() }

func (p producer) Send(topic string, partition int32, value string) error {
	return send(p.SyncProducer, topic, partition, value)
}

func (c client) transactional(id string, timeout time.Duration) (sarama.SyncProducer, error) {
	settings := config()
	settings.Producer.Idempotent = true
	settings.Producer.RequiredAcks = sarama.WaitForAll
	settings.Producer.Transaction.ID = id
	settings.Producer.Transaction.Timeout = timeout
	settings.Net.MaxOpenRequests = 1
	return sarama.NewSyncProducer(c.brokers, settings)
}

func (c client) Transactional(id string, timeout time.Duration) (cases.Producer, error) {
	p, err := c.transactional(id, timeout)
	return producer{p}, err
}

func (c client) Fenced(err error) bool {
	return errors.Is(err, sarama.ErrProducerFenced) || errors.Is(err, sarama.ErrInvalidProducerEpoch)
}

type reader struct {
	consumer sarama.Consumer
	records  chan *sarama.ConsumerMessage
}

func (c client) Reader(topic string, partitions int32, committed bool) (cases.Reader, error) {
	settings := config()
	if committed {
		settings.Consumer.IsolationLevel = sarama.ReadCommitted
	}
	consumer, err := sarama.NewConsumer(c.brokers, settings)
	if err != nil {
		return nil, err
	}
	r := reader{consumer, make(chan *sarama.ConsumerMessage, 1000)}
	for p := range partitions {
		one, err := consumer.ConsumePartition(topic, p, sarama.OffsetOldest)
		if err != nil {
			return nil, err
		}
		go func() {
			for record := range one.Messages() {
				r.records <- record
			}
		}()
	}
	return r, nil
}

func (r reader) Read(count int) (got []string, err error) {
	late := time.After(cases.Seconds * time.Second)
	for len(got) < count {
		select {
		case record := <-r.records:
			got = append(got, string(record.Value))
		case <-late:
			return got, fmt.Errorf("only %q within %d s", got, cases.Seconds)
		}
	}
	return got, nil
}

func (r reader) Nothing(d time.Duration) error {
	select {
	case record := <-r.records:
		return fmt.Errorf("there is more: %q", record.Value)
	case <-time.After(d):
		return nil
	}
}

func (r reader) Close() { r.consumer.Close() }

// A copier is a member of the group; it ends once it has copied enough, or with the first error.
type copier struct {
	producer             sarama.SyncProducer
	sink, group          string
	count, abortAt, done int
	err                  error
	end                  context.CancelFunc
	turn                 chan struct{} // one partition's transaction at a time
}

func (c *copier) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (c *copier) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (c *copier) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		some := records(session, claim, 10)
		if len(some) == 0 {
			return nil
		}
		c.turn <- struct{}{}
		again, err := c.copy(session, claim, some)
		if err != nil || c.done >= c.count {
			c.err = err
			c.end()
		}
		<-c.turn
		if again || c.err != nil || session.Context().Err() != nil {
			return nil // the next session starts at what is committed
		}
	}
}

// records waits for one and takes what is there beside it, up to most; none when the session ends.
func records(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim, most int) (got []*sarama.ConsumerMessage) {
	select {
	case record, open := <-claim.Messages():
		if !open {
			return nil
		}
		got = append(got, record)
	case <-session.Context().Done():
		return nil
	}
	for len(got) < most {
		select {
		case record, open := <-claim.Messages():
			if !open {
				return got
			}
			got = append(got, record)
		default:
			return got
		}
	}
	return got
}

func (c *copier) copy(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim, some []*sarama.ConsumerMessage) (again bool, err error) {
	if c.done >= c.count || c.err != nil {
		return false, nil
	}
	if err := c.producer.BeginTxn(); err != nil {
		return false, err
	}
	for _, record := range some {
		if err := send(c.producer, c.sink, record.Partition, string(record.Value)); err != nil {
			return false, err
		}
	}
	offsets := map[string][]*sarama.PartitionOffsetMetadata{claim.Topic(): {
		{Partition: claim.Partition(), Offset: some[len(some)-1].Offset + 1, LeaderEpoch: -1}}}
	member := sarama.NewConsumerGroupMetadataFromSession(session, c.group, nil)
	if err := c.producer.AddOffsetsToTxnWithGroupMetadata(offsets, member); err != nil {
		return false, err
	}
	if c.abortAt >= 0 && c.done >= c.abortAt {
		c.abortAt = -1
		return true, c.producer.AbortTxn()
	}
	if err := c.producer.CommitTxn(); err != nil {
		return false, err
	}
	c.done += len(some)
	return false, nil
}

func (c client) Copy(source, sink, group, id string, count, abortAt int) (int, error) {
	settings := config()
	settings.Consumer.IsolationLevel = sarama.ReadCommitted
	settings.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
	p, err := c.transactional(id, time.Minute)
	if err != nil {
		return 0, err
	}
	defer p.Close()
	member, err := sarama.NewConsumerGroup(c.brokers, group, settings)
	if err != nil {
		return 0, err
	}
	defer member.Close()
	ctx, cancel := context.WithTimeout(context.Background(), cases.Seconds*time.Second)
	defer cancel()
	work := &copier{producer: p, sink: sink, group: group, count: count, abortAt: abortAt, end: cancel, turn: make(chan struct{}, 1)}
	for work.done < count && work.err == nil {
		if err := member.Consume(ctx, []string{source}, work); err != nil && work.done < count {
			return work.done, err
		}
		if ctx.Err() != nil && work.done < count && work.err == nil {
			return work.done, fmt.Errorf("copied only %d of %d", work.done, count)
		}
	}
	return work.done, work.err
}

func main() {
	cases.Main("sarama "+cases.Version("github.com/IBM/sarama"), func(bootstrap string) (cases.Client, error) {
		return client{strings.Split(bootstrap, ",")}, nil
	})
}
