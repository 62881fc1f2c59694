import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.logging.FileHandler;
import java.util.logging.Formatter;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/** Logs the lines of standard input through java.util.logging: Jul PATTERN COUNT. */
public class Jul {
    public static void main(String[] arguments) throws Exception {
        FileHandler file = new FileHandler(arguments[0], 4096, Integer.parseInt(arguments[1]));
        file.setFormatter(new Formatter() {
            @Override
            public String format(LogRecord record) {
                return record.getMessage() + "\n";
            }
        });
        Logger log = Logger.getLogger("app");
        log.setUseParentHandlers(false);
        log.addHandler(file);
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = input.readLine()) != null;) {
            log.severe(line);
        }
        file.close();
    }
}
