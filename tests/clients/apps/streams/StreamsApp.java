import java.time.Duration;
import java.util.*;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.processor.StateRestoreListener;

/**
 * Word count and a windowed join, exactly once: StreamsApp BOOTSTRAP APPLICATION STATE_DIR.
 * Reads the topics APPLICATION-lines, -orders and -payments, writes APPLICATION-counts and -paid, and ends with its
 * standard input. Says "state NAME", "restored STORE RECORDS" and "died WHY" of a thread that another replaces.
 */
public class StreamsApp {
  static final Duration WINDOW = Duration.ofSeconds(10);

  static Topology topology(String application) {
    StreamsBuilder b = new StreamsBuilder();
    b.<String, String>stream(application + "-lines")
        .flatMapValues(line -> Arrays.asList(line.split(" ")))
        .groupBy((key, word) -> word, Grouped.as("words"))
        .count(Materialized.as("counts"))
        .toStream()
        .mapValues(String::valueOf)
        .to(application + "-counts");
    KStream<String, String> payments = b.stream(application + "-payments");
    b.<String, String>stream(application + "-orders")
        .join(payments, (order, payment) -> order + " " + payment,
            JoinWindows.ofTimeDifferenceAndGrace(WINDOW, Duration.ofHours(12)), StreamJoined.as("paid"))
        .to(application + "-paid");
    return b.build();
  }

  static Properties settings(String bootstrap, String application, String state) {
    Properties p = new Properties();
    p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
    p.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
    p.put(StreamsConfig.STATE_DIR_CONFIG, state);
    p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    p.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
    p.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
    p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);  // every count is written, not only the newest
    p.put(StreamsConfig.REPARTITION_PURGE_INTERVAL_MS_CONFIG, 1000);
    p.put(StreamsConfig.consumerPrefix(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG), 6000);
    p.put(StreamsConfig.consumerPrefix(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG), 500);
    p.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    p.put(StreamsConfig.producerPrefix(ProducerConfig.TRANSACTION_TIMEOUT_CONFIG), 6000);
    return p;
  }

  static synchronized void say(String text) {
    System.out.println(text);
    System.out.flush();
  }

  static class Restored implements StateRestoreListener {
    public void onRestoreStart(TopicPartition partition, String store, long from, long to) {}

    public void onBatchRestored(TopicPartition partition, String store, long offset, long records) {}

    public void onRestoreEnd(TopicPartition partition, String store, long records) {
      say("restored " + store + " " + records);
    }
  }

  public static void main(String[] args) throws Exception {
    CountDownLatch ended = new CountDownLatch(1);
    KafkaStreams streams = new KafkaStreams(topology(args[1]), settings(args[0], args[1], args[2]));
    streams.setGlobalStateRestoreListener(new Restored());
    streams.setStateListener((now, before) -> {
      say("state " + now);
      if (now == KafkaStreams.State.ERROR) ended.countDown();
    });
    streams.setUncaughtExceptionHandler(e -> {
      say("died " + e + " because of " + e.getCause());
      return StreamThreadExceptionResponse.REPLACE_THREAD;  // as a service does; what comes out stays exact
    });
    streams.start();
    Thread reader = new Thread(() -> {
      try {
        while (System.in.read() >= 0) {}
      } catch (java.io.IOException e) {
        say("died " + e);
      }
      ended.countDown();
    });
    reader.setDaemon(true);
    reader.start();
    ended.await();
    boolean closed = streams.close(CloseOptions.groupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP)
                                       .withTimeout(Duration.ofSeconds(30)));
    System.exit(closed ? 0 : 1);
  }
}
