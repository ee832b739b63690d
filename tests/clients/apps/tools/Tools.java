import java.io.*;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.concurrent.*;
import org.apache.kafka.common.utils.internals.Exit;

/**
 * Runs the main classes of Kafka's scripts one after the other, without a new JVM for each. A line of standard input is
 * CLASS, its standard input and its arguments, these as "." and Base64, all separated by spaces; answered by a line
 * "EXIT_CODE OUTPUT" with the output in Base64. 124 is the code of one that does not end in time.
 */
public class Tools {
  static final int SECONDS = 60;

  /** What System.exit would have ended. */
  static class Ended extends RuntimeException {
    Ended() {
      super(null, null, false, false);
    }
  }

  final ByteArrayOutputStream said = new ByteArrayOutputStream();
  final List<Runnable> hooks = Collections.synchronizedList(new ArrayList<>());
  Integer exitCode;

  void exit(int code, String message) {
    if (message != null) System.err.println(message);
    end(code);
    throw new Ended();
  }

  /** The first end counts: what a tool does in a handler that catches Ended, no exit would have let it do. */
  synchronized void end(int code) {
    if (exitCode != null) return;
    exitCode = code;
    System.out.flush();
    if (!hooks.isEmpty()) return;
    PrintStream nothing = new PrintStream(OutputStream.nullOutputStream());
    System.setOut(nothing);
    System.setErr(nothing);
  }

  void call(String name, String[] arguments) {
    try {
      Class.forName(name).getMethod("main", String[].class).invoke(null, (Object) arguments);
      end(0);
    } catch (InvocationTargetException e) {
      if (!(e.getCause() instanceof Ended)) e.getCause().printStackTrace();
      end(1);
    } catch (ReflectiveOperationException e) {
      e.printStackTrace();
      end(1);
    }
    hooks.forEach(Runnable::run);
  }

  String run(String name, byte[] input, String[] arguments) throws Exception {
    System.setIn(new ByteArrayInputStream(input));
    System.setOut(new PrintStream(said, true));
    System.setErr(System.out);
    Exit.setExitProcedure(this::exit);
    Exit.setHaltProcedure(this::exit);
    Exit.setShutdownHookAdder((hook, runnable) -> hooks.add(runnable));
    Thread thread = new Thread(() -> call(name, arguments), name);
    thread.setDaemon(true);
    thread.start();
    thread.join(1000 * SECONDS);
    if (thread.isAlive()) {
      exitCode = 124;
      for (StackTraceElement at : thread.getStackTrace()) System.out.println("at " + at);
    }
    System.out.flush();
    return exitCode + " " + Base64.getEncoder().encodeToString(said.toByteArray());
  }

  static byte[] decoded(String word) {
    return Base64.getDecoder().decode(word.substring(1));
  }

  public static void main(String[] args) throws Exception {
    PrintStream answers = System.out;
    BufferedReader requests = new BufferedReader(new InputStreamReader(System.in));
    for (String line; (line = requests.readLine()) != null;) {
      String[] words = line.split(" ");
      String[] arguments = Arrays.stream(words).skip(2)
          .map(w -> new String(decoded(w), StandardCharsets.UTF_8)).toArray(String[]::new);
      answers.println(new Tools().run(words[0], decoded(words[1]), arguments));
    }
    Runtime.getRuntime().halt(0);
  }
}
