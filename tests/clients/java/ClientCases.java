import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.function.BooleanSupplier;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.*;

/** Java kafka-clients: ClientCases BOOTSTRAP PREFIX [--member TOPIC GROUP] */
public class ClientCases {
  static String bootstrap, prefix;
  static int failed = 0;

  interface Case {
    void run() throws Exception;
  }

  static void run(String name, Case body) {
    long began = System.nanoTime();
    ExecutorService pool = Executors.newSingleThreadExecutor(r -> {
      Thread t = new Thread(r);
      t.setDaemon(true);
      return t;
    });
    String verdict = "ok";
    try {
      pool.submit(() -> {
        body.run();
        return null;
      }).get(90, TimeUnit.SECONDS);
    } catch (Throwable e) {
      Throwable cause = e instanceof ExecutionException ? e.getCause() : e;
      failed++;
      verdict = "FAIL " + cause + " at " + Arrays.stream(cause.getStackTrace())
          .filter(f -> f.getClassName().startsWith("ClientCases")).findFirst().orElse(null);
    }
    pool.shutdownNow();
    System.out.printf("java kafka-clients %s: %s: %s (%.1f s)%n", System.getProperty("kafka.version"), name, verdict,
        (System.nanoTime() - began) / 1e9);
  }

  static void equal(Object got, Object wanted) {
    if (!Objects.equals(got, wanted)) throw new AssertionError("got " + got + ", wanted " + wanted);
  }

  static void until(BooleanSupplier test, String what) throws Exception {
    long end = System.nanoTime() + 40_000_000_000L;
    while (!test.getAsBoolean()) {
      if (System.nanoTime() > end) throw new AssertionError("never: " + what);
      Thread.sleep(20);
    }
  }

  static String name(String text) {
    return prefix + "-" + text;
  }

  static Admin admin() {
    return Admin.create(Map.of("bootstrap.servers", bootstrap));
  }

  static boolean led(Admin a, String topic, int partitions) {
    try {
      List<TopicPartitionInfo> found = a.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions();
      return found.size() == partitions && found.stream().allMatch(p -> p.leader() != null);
    } catch (ExecutionException | InterruptedException e) {
      return false;
    }
  }

  static String create(String topic, int partitions) throws Exception {
    try (Admin a = admin()) {
      a.createTopics(List.of(new NewTopic(topic, Optional.of(partitions), Optional.empty()))).all().get();
      until(() -> led(a, topic, partitions), topic + " has leaders");
    }
    return topic;
  }

  static KafkaProducer<String, String> producer(Map<String, Object> more) {
    Map<String, Object> p = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "linger.ms", 5));
    p.putAll(more);
    return new KafkaProducer<>(p, new StringSerializer(), new StringSerializer());
  }

  static void send(String topic, int count, Map<String, Object> more) throws Exception {
    try (KafkaProducer<String, String> p = producer(more)) {
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      for (int i = 0; i < count; i++) sent.add(p.send(new ProducerRecord<>(topic, "value " + i)));
      p.flush();
      for (Future<RecordMetadata> f : sent) f.get(30, TimeUnit.SECONDS);
    }
  }

  static KafkaConsumer<String, String> consumer(String group, Map<String, Object> more) {
    Map<String, Object> p = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "auto.offset.reset", "earliest",
        "enable.auto.commit", false, "session.timeout.ms", 6000, "heartbeat.interval.ms", 500));
    if (group != null) p.put("group.id", group);
    p.putAll(more);
    return new KafkaConsumer<>(p, new StringDeserializer(), new StringDeserializer());
  }

  static List<ConsumerRecord<String, String>> read(KafkaConsumer<String, String> c, int count) {
    List<ConsumerRecord<String, String>> out = new ArrayList<>();
    long end = System.nanoTime() + 30_000_000_000L;
    while (out.size() < count && System.nanoTime() < end) c.poll(Duration.ofMillis(200)).forEach(out::add);
    equal(out.size(), count);
    return out;
  }

  static KafkaConsumer<String, String> assigned(String topic, int partitions) {
    KafkaConsumer<String, String> c = consumer(null, Map.of());
    c.assign(IntStream.range(0, partitions).mapToObj(p -> new TopicPartition(topic, p)).collect(Collectors.toList()));
    return c;
  }

  static List<String> values(List<ConsumerRecord<String, String>> records) {
    return records.stream().map(ConsumerRecord::value).collect(Collectors.toList());
  }

  static List<String> numbered(int count) {
    return IntStream.range(0, count).mapToObj(i -> "value " + i).collect(Collectors.toList());
  }

  static Class<?> failure(KafkaFuture<?> future) throws Exception {
    try {
      future.get(30, TimeUnit.SECONDS);
      return null;
    } catch (ExecutionException e) {
      return e.getCause().getClass();
    }
  }

  static void topics() throws Exception {
    String topic = create(name("admin"), 3);
    try (Admin a = admin()) {
      equal(a.listTopics().names().get().contains(topic), true);
      equal(failure(a.createTopics(List.of(new NewTopic(topic, 3, (short) -1))).all()), TopicExistsException.class);
      equal(failure(a.createTopics(List.of(new NewTopic(name("r"), 1, (short) 99))).all()),
          InvalidReplicationFactorException.class);
      a.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all().get();
      until(() -> led(a, topic, 5), "five partitions");
      ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
      a.incrementalAlterConfigs(Map.of(resource, List.of(
          new AlterConfigOp(new ConfigEntry("retention.ms", "7200000"), AlterConfigOp.OpType.SET)))).all().get();
      until(() -> {
        try {
          return "7200000".equals(a.describeConfigs(List.of(resource)).all().get().get(resource).get("retention.ms").value());
        } catch (Exception e) {
          return false;
        }
      }, "the new setting");
      equal(a.describeCluster().nodes().get().size(), bootstrap.split(",").length);
      QuorumInfo quorum = a.describeMetadataQuorum().quorumInfo().get();
      QuorumInfo.ReplicaState leader = quorum.voters().stream()
          .filter(v -> v.replicaId() == quorum.leaderId()).findFirst().get();
      equal(leader.logEndOffset() > 0 && quorum.highWatermark() > 0, true);
      features(a);
      a.deleteTopics(List.of(topic)).all().get();
      until(() -> {
        try {
          return !a.listTopics().names().get().contains(topic);
        } catch (Exception e) {
          return false;
        }
      }, "deleted");
      equal(failure(a.deleteTopics(List.of(topic)).all()), UnknownTopicOrPartitionException.class);
    }
  }

  static void features(Admin a) throws Exception {
    FeatureMetadata features = a.describeFeatures().featureMetadata().get();
    short level = features.finalizedFeatures().get("metadata.version").maxVersionLevel();
    SupportedVersionRange range = features.supportedFeatures().get("metadata.version");
    equal(range.minVersion() <= level && level <= range.maxVersion(), true);
    FeatureUpdate same = new FeatureUpdate(level, FeatureUpdate.UpgradeType.UPGRADE);
    a.updateFeatures(Map.of("metadata.version", same), new UpdateFeaturesOptions()).all().get();
    FeatureUpdate beyond = new FeatureUpdate((short) 99, FeatureUpdate.UpgradeType.UPGRADE);
    equal(failure(a.updateFeatures(Map.of("metadata.version", beyond), new UpdateFeaturesOptions()).all()),
        InvalidUpdateVersionException.class);
  }

  static void codec(String kind) throws Exception {
    String topic = create(name(kind), 1);
    send(topic, 500, Map.of("compression.type", kind));
    try (KafkaConsumer<String, String> c = assigned(topic, 1)) {
      equal(values(read(c, 500)), numbered(500));
    }
  }

  static void keysAndHeaders() throws Exception {
    String topic = create(name("keys"), 4);
    Map<String, Set<Integer>> homes = new HashMap<>();
    try (KafkaProducer<String, String> p = producer(Map.of())) {
      for (int i = 0; i < 40; i++) {
        ProducerRecord<String, String> r = new ProducerRecord<>(topic, "k" + i % 8, "v" + i);
        r.headers().add(new RecordHeader("n", ("v" + i).getBytes())).add(new RecordHeader("null", null));
        homes.computeIfAbsent(r.key(), k -> new HashSet<>()).add(p.send(r).get().partition());
      }
    }
    for (Set<Integer> home : homes.values()) equal(home.size(), 1);
    try (KafkaConsumer<String, String> c = assigned(topic, 4)) {
      for (ConsumerRecord<String, String> r : read(c, 40)) {
        equal(new String(r.headers().lastHeader("n").value()), r.value());
        equal(r.headers().lastHeader("null").value(), null);
      }
    }
  }

  static void acks(String kind) throws Exception {
    String topic = create(name("acks-" + kind), 1);
    try (KafkaConsumer<String, String> c = assigned(topic, 1)) {
      // Asked until its leader knows that it leads: else what nobody acknowledges is lost.
      c.endOffsets(c.assignment());
      send(topic, 5, Map.of("acks", kind, "enable.idempotence", false));
      equal(values(read(c, 5)), numbered(5));
    }
  }

  static void idempotent() throws Exception {
    String topic = create(name("idempotent"), 1);
    send(topic, 1000, Map.of("enable.idempotence", true, "acks", "all", "batch.size", 200, "linger.ms", 0));
    try (KafkaConsumer<String, String> c = assigned(topic, 1)) {
      equal(values(read(c, 1000)), numbered(1000));
    }
  }

  static void commitAndResume() throws Exception {
    String topic = create(name("resume"), 1), group = name("resume");
    send(topic, 20, Map.of());
    TopicPartition tp = new TopicPartition(topic, 0);
    try (KafkaConsumer<String, String> c = consumer(group, Map.of("max.poll.records", 10))) {
      c.subscribe(List.of(topic));
      equal(read(c, 10).get(0).offset(), 0L);
      c.commitSync();
      equal(c.committed(Set.of(tp)).get(tp).offset(), 10L);
    }
    try (KafkaConsumer<String, String> c = consumer(group, Map.of())) {
      c.subscribe(List.of(topic));
      equal(read(c, 10).get(0).offset(), 10L);
    }
    try (Admin a = admin()) {
      equal(a.describeConsumerGroups(List.of(group)).all().get().get(group).members().size(), 0);
      equal(a.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(tp).offset(), 10L);
      a.deleteConsumerGroups(List.of(group)).all().get();
    }
  }

  static void member(String topic, String group) {
    KafkaConsumer<String, String> c = consumer(group, Map.of());
    c.subscribe(List.of(topic));
    while (true) c.poll(Duration.ofMillis(100));
  }

  static void owns(KafkaConsumer<String, String> c, int count, String what) throws Exception {
    until(() -> {
      c.poll(Duration.ofMillis(100));
      return c.assignment().size() == count;
    }, what);
  }

  static void rebalance() throws Exception {
    String topic = create(name("rebalance"), 4), group = name("rebalance");
    try (KafkaConsumer<String, String> c = consumer(group, Map.of())) {
      c.subscribe(List.of(topic));
      owns(c, 4, "alone it has all 4 partitions");
      Process other = new ProcessBuilder("java", "-cp", System.getProperty("java.class.path"), "ClientCases", bootstrap,
          prefix, "--member", topic, group).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
      try {
        owns(c, 2, "it shares with a new member");
        other.destroyForcibly().waitFor();
        owns(c, 4, "it takes over from a dead member");
      } finally {
        other.destroyForcibly().waitFor();
      }
    }
  }

  static void seek() throws Exception {
    String topic = create(name("seek"), 1);
    TopicPartition tp = new TopicPartition(topic, 0);
    try (KafkaProducer<String, String> p = producer(Map.of())) {
      for (int i = 0; i < 10; i++) p.send(new ProducerRecord<>(topic, 0, 1700000000000L + i * 1000, null, "value " + i)).get();
    }
    try (KafkaConsumer<String, String> c = assigned(topic, 1)) {
      read(c, 10);
      c.seekToBeginning(List.of(tp));
      equal(read(c, 10).get(0).offset(), 0L);
      c.seek(tp, 7);
      equal(read(c, 3).get(0).value(), "value 7");
      OffsetAndTimestamp found = c.offsetsForTimes(Map.of(tp, 1700000004500L)).get(tp);
      equal(List.of(found.offset(), found.timestamp()), List.of(5L, 1700000005000L));
      c.seek(tp, found.offset());
      equal(read(c, 5).get(0).value(), "value 5");
      equal(c.endOffsets(List.of(tp)).get(tp), 10L);
    }
  }

  static KafkaProducer<String, String> transactional(String id, Map<String, Object> more) {
    Map<String, Object> p = new HashMap<>(Map.of("transactional.id", name(id)));
    p.putAll(more);
    KafkaProducer<String, String> made = producer(p);
    made.initTransactions();
    return made;
  }

  static KafkaConsumer<String, String> committed(String topic, int partitions) {
    KafkaConsumer<String, String> c = consumer(null, Map.of("isolation.level", "read_committed"));
    c.assign(IntStream.range(0, partitions).mapToObj(p -> new TopicPartition(topic, p)).collect(Collectors.toList()));
    return c;
  }

  static void transactions() throws Exception {
    String topic = create(name("transactions"), 3);
    List<String> wanted = new ArrayList<>();
    int sent = 0;
    try (KafkaProducer<String, String> p = transactional("transactions", Map.of());
        KafkaConsumer<String, String> c = committed(topic, 3)) {
      for (int i = 0; i < 20; i++) {
        p.beginTransaction();
        for (int partition = 0; partition <= i % 3; partition++, sent++) {
          p.send(new ProducerRecord<>(topic, partition, null, i + " " + partition));
          if (i % 4 != 1) wanted.add(i + " " + partition);
        }
        p.flush();  // else those that are aborted are never sent
        if (i % 4 == 1) p.abortTransaction();
        else p.commitTransaction();
      }
      equal(values(read(c, wanted.size())).stream().sorted().collect(Collectors.toList()),
          wanted.stream().sorted().collect(Collectors.toList()));
      p.beginTransaction();
      RecordMetadata open = p.send(new ProducerRecord<>(topic, 0, null, "open")).get();
      TopicPartition tp = new TopicPartition(topic, 0);
      equal(c.endOffsets(List.of(tp)).get(tp), open.offset());
      equal(c.poll(Duration.ofMillis(500)).count(), 0);
      try (KafkaConsumer<String, String> all = assigned(topic, 3)) {
        equal(all.endOffsets(List.of(tp)).get(tp), open.offset() + 1);
        read(all, sent + 1);
      }
      p.commitTransaction();
      equal(values(read(c, 1)), List.of("open"));
    }
  }

  static void fencing() throws Exception {
    String topic = create(name("fencing"), 1);
    try (KafkaProducer<String, String> first = transactional("fencing", Map.of())) {
      first.beginTransaction();
      first.send(new ProducerRecord<>(topic, "of the first")).get();
      try (KafkaProducer<String, String> second = transactional("fencing", Map.of())) {
        second.beginTransaction();
        second.send(new ProducerRecord<>(topic, "of the second"));
        second.commitTransaction();
      }
      try {
        first.commitTransaction();
        throw new AssertionError("a fenced producer commits");
      } catch (ProducerFencedException | InvalidProducerEpochException e) {
      }
    }
    try (KafkaConsumer<String, String> c = committed(topic, 1)) {
      equal(values(read(c, 1)), List.of("of the second"));
    }
  }

  static void transactionTimeout() throws Exception {
    String topic = create(name("timeout"), 1);
    try (KafkaProducer<String, String> late = transactional("timeout", Map.of("transaction.timeout.ms", 1500));
        KafkaConsumer<String, String> c = committed(topic, 1)) {
      late.beginTransaction();
      late.send(new ProducerRecord<>(topic, "never committed")).get();
      send(topic, 1, Map.of());
      // Until the coordinator aborts it, it holds up what is behind it.
      equal(values(read(c, 1)), List.of("value 0"));
      try {
        late.commitTransaction();
        throw new AssertionError("a transaction that took too long is committed");
      } catch (KafkaException e) {
      }
      try (KafkaProducer<String, String> next = transactional("timeout", Map.of())) {
        next.beginTransaction();
        next.send(new ProducerRecord<>(topic, "of the next"));
        next.commitTransaction();
      }
      equal(values(read(c, 1)), List.of("of the next"));
    }
  }

  static void copy(KafkaConsumer<String, String> c, KafkaProducer<String, String> p, String sink, int count, int abortAt)
      throws Exception {
    for (int done = 0; done < count;) {
      ConsumerRecords<String, String> some = c.poll(Duration.ofMillis(200));
      if (some.isEmpty()) continue;
      p.beginTransaction();
      Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
      for (ConsumerRecord<String, String> r : some) {
        p.send(new ProducerRecord<>(sink, r.partition(), null, r.value()));
        offsets.put(new TopicPartition(r.topic(), r.partition()), new OffsetAndMetadata(r.offset() + 1));
      }
      p.sendOffsetsToTransaction(offsets, c.groupMetadata());
      if (done >= abortAt) {
        abortAt = Integer.MAX_VALUE;
        p.abortTransaction();
        Map<TopicPartition, OffsetAndMetadata> places = c.committed(c.assignment());
        for (TopicPartition tp : c.assignment()) c.seek(tp, places.get(tp) == null ? 0 : places.get(tp).offset());
        continue;
      }
      p.commitTransaction();
      done += some.count();
    }
  }

  static void exactlyOnce() throws Exception {
    String source = create(name("source"), 2), sink = create(name("sink"), 2);
    send(source, 300, Map.of());
    int done = 0;
    for (int abortAt : new int[] {50, Integer.MAX_VALUE}) {  // the second goes on where the first has ended
      try (KafkaConsumer<String, String> c = consumer(name("copies"),
              Map.of("isolation.level", "read_committed", "max.poll.records", 10));
          KafkaProducer<String, String> p = transactional("copier", Map.of())) {
        c.subscribe(List.of(source));
        copy(c, p, sink, 140, abortAt);
        done += 140;
      }
    }
    try (KafkaConsumer<String, String> c = committed(sink, 2); Admin a = admin()) {
      long copied = a.listConsumerGroupOffsets(name("copies")).partitionsToOffsetAndMetadata().get().values().stream()
          .mapToLong(OffsetAndMetadata::offset).sum();
      if (copied < done) throw new AssertionError("committed " + copied + " of " + done);
      List<String> got = values(read(c, (int) copied));
      equal(got.stream().distinct().count(), copied);
      equal(c.poll(Duration.ofMillis(500)).count(), 0);
    }
  }

  static void hangingTransaction() throws Exception {
    String topic = create(name("hanging"), 1), id = name("hanging");
    TopicPartition tp = new TopicPartition(topic, 0);
    try (Admin a = admin(); KafkaProducer<String, String> p = transactional("hanging", Map.of())) {
      p.beginTransaction();
      p.send(new ProducerRecord<>(topic, "hangs")).get();
      TransactionDescription described = a.describeTransactions(List.of(id)).description(id).get();
      equal(described.state(), TransactionState.ONGOING);
      equal(described.topicPartitions(), Set.of(tp));
      equal(a.listTransactions(new ListTransactionsOptions().filterStates(List.of(TransactionState.ONGOING))).all().get()
          .stream().filter(t -> t.transactionalId().equals(id)).count(), 1L);
      ProducerState state = a.describeProducers(List.of(tp)).partitionResult(tp).get().activeProducers().get(0);
      equal(state.producerId(), described.producerId());
      equal(state.currentTransactionStartOffset(), OptionalLong.of(0));
      a.abortTransaction(new AbortTransactionSpec(tp, state.producerId(), (short) state.producerEpoch(),
          state.coordinatorEpoch().orElse(0))).all().get();
      equal(a.describeProducers(List.of(tp)).partitionResult(tp).get().activeProducers().get(0)
          .currentTransactionStartOffset(), OptionalLong.empty());
      equal(failure(a.describeTransactions(List.of("nobody")).description("nobody")),
          TransactionalIdNotFoundException.class);
    }
    send(topic, 1, Map.of());
    try (KafkaConsumer<String, String> c = committed(topic, 1)) {
      equal(values(read(c, 1)), List.of("value 0"));
    }
  }

  public static void main(String[] args) {
    bootstrap = args[0];
    prefix = args[1];
    if (args.length > 2) member(args[3], args[4]);
    run("create, list, describe, alter, grow and delete topics", ClientCases::topics);
    for (String kind : List.of("none", "gzip", "snappy", "lz4", "zstd")) run("produce " + kind, () -> codec(kind));
    run("keys and headers", ClientCases::keysAndHeaders);
    for (String kind : List.of("0", "1", "all")) run("acks " + kind, () -> acks(kind));
    run("idempotent producer", ClientCases::idempotent);
    run("group commits and resumes", ClientCases::commitAndResume);
    run("group rebalances when a member joins and when it dies", ClientCases::rebalance);
    run("seek to beginning, offset and timestamp", ClientCases::seek);
    run("transactions commit and abort, and readers see what is committed", ClientCases::transactions);
    run("a second producer of a transactional id fences the first", ClientCases::fencing);
    run("a transaction that takes too long is aborted", ClientCases::transactionTimeout);
    run("consume, transform and produce, exactly once", ClientCases::exactlyOnce);
    run("an open transaction is found, described and aborted", ClientCases::hangingTransaction);
    System.out.flush();
    System.exit(failed == 0 ? 0 : 1);
  }
}
