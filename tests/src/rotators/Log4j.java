import java.io.BufferedReader;
import java.io.InputStreamReader;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/** Logs the lines of standard input through log4j2; -Dlog4j2.configurationFile says how. */
public class Log4j {
    public static void main(String[] arguments) throws Exception {
        Logger log = LogManager.getLogger("app");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = input.readLine()) != null;) {
            log.error(line);
        }
        LogManager.shutdown();
    }
}
