import java.time.Duration;
import java.util.*;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.*;

/**
 * What Kafka Streams counts in a second, exactly once: WordCount BOOTSTRAP LINES STATE_DIR.
 * Fills the topic words-lines, then counts its words into words-counts; both must be there, of PARTITIONS partitions.
 * Every count is written, so that the output has a record for each word; the clock runs from the first record that a
 * read_committed consumer sees to the last. Ends with one line of JSON.
 */
public class WordCount {
  static final int WORDS_A_LINE = 5, VOCABULARY = 10_000, THREADS = 2;
  static final String APPLICATION = "words";

  static void fill(String bootstrap, int lines) {
    Map<String, Object> p = Map.of("bootstrap.servers", bootstrap, "linger.ms", 5, "batch.size", 131072);
    Random random = new Random(1);
    try (KafkaProducer<String, String> producer =
            new KafkaProducer<>(p, new StringSerializer(), new StringSerializer())) {
      for (int i = 0; i < lines; i++) {
        StringJoiner line = new StringJoiner(" ");
        for (int w = 0; w < WORDS_A_LINE; w++) line.add("word-" + random.nextInt(VOCABULARY));
        producer.send(new ProducerRecord<>(APPLICATION + "-lines", Integer.toString(i), line.toString()), (at, e) -> {
          if (e == null) return;
          System.err.println("not produced: " + e);
          System.exit(1);
        });
      }
    }
  }

  static KafkaStreams streams(String bootstrap, String state) {
    StreamsBuilder b = new StreamsBuilder();
    b.<String, String>stream(APPLICATION + "-lines")
        .flatMapValues(line -> Arrays.asList(line.split(" ")))
        .groupBy((key, word) -> word, Grouped.as("words"))
        .count(Materialized.as("counts"))
        .toStream()
        .mapValues(String::valueOf)
        .to(APPLICATION + "-counts");
    Properties p = new Properties();
    p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
    p.put(StreamsConfig.APPLICATION_ID_CONFIG, APPLICATION);
    p.put(StreamsConfig.STATE_DIR_CONFIG, state);
    p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, THREADS);
    p.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
    p.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
    p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
    p.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    return new KafkaStreams(b.build(), p);
  }

  /** Until that many are committed: nanoseconds from the first to the last of them. */
  static long count(String bootstrap, long wanted) {
    Map<String, Object> p = Map.of("bootstrap.servers", bootstrap, "isolation.level", "read_committed",
        "auto.offset.reset", "earliest", "enable.auto.commit", false);
    long first = 0, last = 0, seen = 0, deadline = System.nanoTime() + Duration.ofMinutes(20).toNanos();
    Map<String, Long> counts = new HashMap<>();
    try (KafkaConsumer<String, String> c =
            new KafkaConsumer<>(p, new StringDeserializer(), new StringDeserializer())) {
      List<TopicPartition> all = new ArrayList<>();
      c.partitionsFor(APPLICATION + "-counts").forEach(at -> all.add(new TopicPartition(at.topic(), at.partition())));
      c.assign(all);
      while (seen < wanted) {
        ConsumerRecords<String, String> some = c.poll(Duration.ofMillis(200));
        last = System.nanoTime();
        if (last > deadline) throw new IllegalStateException("only " + seen + " of " + wanted + " in time");
        if (some.isEmpty()) continue;
        if (seen == 0) first = last;
        seen += some.count();
        for (ConsumerRecord<String, String> r : some) counts.put(r.key(), Long.parseLong(r.value()));
      }
    }
    long sum = counts.values().stream().mapToLong(Long::longValue).sum();
    if (seen != wanted || sum != wanted) throw new IllegalStateException(seen + " records, words " + sum + ", not " + wanted);
    return last - first;
  }

  public static void main(String[] args) throws Exception {
    int lines = Integer.parseInt(args[1]);
    long words = (long) lines * WORDS_A_LINE;
    fill(args[0], lines);
    try (KafkaStreams streams = streams(args[0], args[2])) {
      AtomicInteger died = new AtomicInteger();
      streams.setUncaughtExceptionHandler(e -> {
        died.incrementAndGet();
        return StreamThreadExceptionResponse.REPLACE_THREAD;  // as a service does; what comes out stays exact
      });
      streams.start();
      long took = count(args[0], words);
      System.out.printf(
          Locale.ROOT, "{\"words\": %d, \"seconds\": %.4f, \"died\": %d}%n", words, took / 1e9, died.get());
      System.out.flush();
      Runtime.getRuntime().halt(0);  // nothing of it is needed any more
    }
  }
}
