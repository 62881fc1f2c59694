import ch.qos.logback.classic.LoggerContext;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Logs the lines of standard input through logback; -Dlogback.configurationFile says how. */
public class Logback {
    public static void main(String[] arguments) throws Exception {
        Logger log = LoggerFactory.getLogger("app");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = input.readLine()) != null;) {
            log.error(line);
        }
        ((LoggerContext) LoggerFactory.getILoggerFactory()).stop();
    }
}
